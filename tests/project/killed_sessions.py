"""Sessions of labelling that are killed at random moments, and what is found afterwards.

Run as a program: ``killed_sessions.py FOLDER LANES TRIALS SEED``. It imports everything once; each lane is a fork
with a project of its own, each trial a fork of that, which opens the project and labels it until it is killed. Prints
one JSON document: how many were killed, how many edits they had acknowledged, and what was found wrong.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from napari_al_pose.domain import FrameKey, KeypointState
from napari_al_pose.domain.skeleton_edit import SkeletonEdit
from napari_al_pose.project import Project, open_project

LONGEST = 0.12
"""Seconds from the last edit that is waited for to the kill, at most."""
LINES = 10
"""Lines that are waited for at most, two an edit: so there is work to lose on slow computers too."""
N_FRAMES = 40
"""Labelled frames; there are a few more that are labelled and undone."""

Point = tuple[float, float] | None
"""A label: a point, or None for "not visible"."""
Change = dict[str, Point | str]
"""What an edit makes of a frame: labels by bodypart, "" for none."""


def session(root: Path, acknowledged: int, begin: int) -> None:
    """Label as the window does: every edit at once, the files of labels behind it on a thread; never returns."""
    project = open_project(root)
    assert not project.read_only, "the lock of a killed process stood in the way"
    edited = threading.Event()
    threading.Thread(target=_export, args=(project, edited), daemon=True).start()

    def tell(frame: int, change: Change, *, done: bool) -> None:
        os.write(acknowledged, json.dumps([done, frame, change]).encode() + b"\n")

    for frame, change, make in script(project, begin):
        tell(frame, change, done=False)
        make()
        tell(frame, change, done=True)
        edited.set()


def _export(project: Project, edited: threading.Event) -> None:
    while edited.wait():
        edited.clear()
        project.export_labels()


def script(project: Project, begin: int) -> Iterator[tuple[int, Change, object]]:
    """Yield ``(frame, what it makes of it, the edit)`` without end."""
    labels = project.labels
    for n in count(begin):
        key, other = FrameKey("mouse", n % N_FRAMES), FrameKey("mouse", N_FRAMES + n % 5)
        tail = project.skeleton.bodyparts[2]
        points = {"nose": (n % 60, 1.5), "ear": (2.25, n % 47)}
        yield key.frame, dict(points), lambda k=key, p=points: labels.place_many(k, p)
        yield key.frame, {tail: None}, lambda k=key, t=tail: labels.mark_not_visible(k, t)
        if n % 3 == 0:
            moved = (n % 60 + 0.5, 7.0)
            yield key.frame, {"nose": moved}, lambda k=key, m=moved: labels.place(k, "nose", *m)
        if n % 5 == 0:
            before, regretted = _labels(project, other.frame).get("nose", ""), (n + 0.25, 1)
            yield other.frame, {"nose": regretted}, lambda k=other, r=regretted: labels.place(k, "nose", *r)
            yield other.frame, {"nose": before}, labels.undo
        if n % 7 == 3:
            new = "tail" if tail == "base" else "base"
            edit = SkeletonEdit(("nose", "ear", new), renamed=((tail, new),))
            yield -1, {"renamed": new}, lambda e=edit: project.edit_skeleton(e)


def lane(root: Path, trials: int, seed: int) -> dict[str, object]:
    """Kill sessions on one project, one after the other, and look after each."""
    moments = random.Random(seed)
    state: dict[int, dict[str, Point | str]] = {}
    wrong: list[str] = []
    n_edits = 0
    for trial in range(trials):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            _run_session(root, writing, begin=trial * 40)
        os.close(writing)
        said, most = b"", moments.randint(1, LINES)
        while said.count(b"\n") < most and (more := os.read(reading, 1 << 16)):
            said += more
        time.sleep(moments.uniform(0, LONGEST))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        while more := os.read(reading, 1 << 16):
            said += more
        os.close(reading)
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            wrong.append(f"trial {trial}: it ended by itself")
            break
        told = [json.loads(line) for line in said.splitlines(keepends=True) if line.endswith(b"\n")]
        n_edits += sum(done for done, *_ in told)
        wrong += [f"trial {trial}: {what}" for what in _look(root, told, state)]
        if wrong:
            break
    return {"killed": trial + 1, "edits": n_edits, "wrong": wrong}


def _run_session(root: Path, acknowledged: int, *, begin: int) -> None:
    try:
        session(root, acknowledged, begin)
    except BaseException as error:  # noqa: BLE001  # the parent sees that it ended by itself
        sys.stderr.write(f"{error!r}\n")
        sys.stderr.flush()
    finally:
        os._exit(1)


def _look(root: Path, told: list, state: dict[int, dict[str, Point | str]]) -> Iterator[str]:
    """Yield what is wrong with the project after a kill; ``state`` becomes what is there."""
    yield from _files_as_they_lie(root)
    in_flight = None
    for done, frame, change in told:
        in_flight = None if done else (frame, change)
        if done and frame >= 0:
            state.setdefault(frame, {}).update(_by_role(change))
    with open_project(root) as project:
        for frame, expected in state.items():
            found = _labels(project, frame)
            if found != _shown(expected):
                allowed = in_flight is not None and in_flight[0] == frame
                if not allowed or found != _shown({**expected, **_by_role(in_flight[1])}):
                    yield f"frame {frame}: expected {_shown(expected)}, got {found}"
            state[frame] = dict(found)
        if in_flight is not None and in_flight[0] >= 0:
            state[in_flight[0]] = dict(_labels(project, in_flight[0]))
        if project.labels.conflicts.all():
            yield "our own files were taken for another program's"
        project.export_labels()
        complete = {key.frame for key in project.labels.complete_keys()}
    yield from _files_as_they_lie(root, complete)


def _files_as_they_lie(root: Path, complete: set[int] | None = None) -> Iterator[str]:
    """Read what DeepLabCut would read, with pandas, and yield what is wrong with it."""
    folder = root / "labeled-data" / "mouse"
    h5, csv = folder / "CollectedData_Me.h5", folder / "CollectedData_Me.csv"
    if complete and not h5.is_file():
        yield "no file of labels was written"
    if h5.is_file():
        table = pd.read_hdf(h5, "df_with_missing")
        frames = {int(image[3:-4]) for *_, image in table.index}
        if complete is not None and frames != complete:
            yield f"the h5 has frames {sorted(frames ^ complete)} too many or too few"
        for *_, image in table.index[-3:]:
            with Image.open(folder / image) as picture:
                picture.load()
    if csv.is_file():
        read = pd.read_csv(csv, header=[0, 1, 2], index_col=[0, 1, 2])
        if complete is not None and not np.array_equal(read.to_numpy(float), table.to_numpy(), equal_nan=True):
            yield "csv and h5 differ"
    # Killed before the first frame was complete, it has no folder yet.
    if complete is not None and (left := [path.name for path in folder.glob(".*")]):
        yield f"left behind: {left}"


def _by_role(change: Change) -> dict[str, Point | str]:
    """Call the renamed bodypart by one name."""
    return {"tail" if name == "base" else name: point for name, point in change.items() if name != "renamed"}


def _shown(labels: dict[str, Point | str]) -> dict[str, Point]:
    return {name: tuple(point) if point else None for name, point in labels.items() if point != ""}  # type: ignore[misc]


def _labels(project: Project, frame: int) -> dict[str, Point]:
    annotation = project.labels.annotation(FrameKey("mouse", frame))
    named = zip(("nose", "ear", "tail"), annotation.states, annotation.xy.tolist(), strict=True)
    return {
        name: tuple(xy) if state == KeypointState.PLACED else None
        for name, state, xy in named
        if state != KeypointState.UNSEEN
    }


def main(folder: Path, lanes: int, trials: int, seed: int) -> None:
    """Run the lanes side by side and print what they found."""
    readers = []
    for i in range(lanes):
        reading, writing = os.pipe()
        if os.fork() == 0:
            try:
                found = lane(folder / f"lane{i}", trials, seed + i)
            except BaseException as error:  # noqa: BLE001  # it is told
                found = {"killed": 0, "edits": 0, "wrong": [repr(error)]}
            os.write(writing, json.dumps(found).encode())
            os._exit(0)
        os.close(writing)
        readers.append(os.fdopen(reading))
    found = [json.loads(reader.read()) for reader in readers]
    document = {
        "killed": sum(each["killed"] for each in found),
        "edits": sum(each["edits"] for each in found),
        "wrong": [f"lane {i}: {what}" for i, each in enumerate(found) for what in each["wrong"]],
    }
    sys.stdout.write(json.dumps(document))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
