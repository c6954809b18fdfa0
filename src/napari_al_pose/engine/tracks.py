"""Follows the animals of predicted videos from frame to frame, and puts rows into the order of the individuals.

Once all rows of a video are stored, this goes through them some thousands at a time, and looks ahead at the rows after
those, so that a contact is decided by what comes after it. After each part it notes how far it is and what it knows, so
it needs constant memory and continues where it was stopped. Since keypoints may change their poses, a part that was
followed twice would not come out the same: its rows are kept in a file until they are all in place.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Generator, Sequence
from contextlib import closing
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from napari_al_pose.domain.steps import relay
from napari_al_pose.engine.messages import Progress
from napari_al_pose.engine.progress import FollowedVideosProgress
from napari_al_pose.engine.track_exchanges import MOST_ANIMALS, Labels, mend_exchanges, named_labels
from napari_al_pose.engine.whole_videos import PlannedVideo, PredictedPart
from napari_al_pose.formats.atomic import remove_leftovers_of, replacing, write_text
from napari_al_pose.project import Project
from napari_al_pose.project.video_predictions import CHUNK, VideoRun, part_path, tracking_path
from napari_al_pose.tracking import Assigned, Bones, Tracker, keypoints
from napari_al_pose.tracking.tracker import AHEAD

log = logging.getLogger(__name__)

STRETCH = 256
"""Frames read at a time to learn the animals' shape."""


def predict_and_follow(
    project: Project, planned: Sequence[PlannedVideo], predicting: Generator[PredictedPart, None, None], job: int
) -> Generator[Progress, None, list[str]]:
    """Follow the animals of each video as soon as ``predicting`` has completed it.

    Videos that were complete before come first. Of one animal, nothing is followed.

    Returns
    -------
    list of str
        A sentence on each video in which tracks were put right, or could not get the names that labels have.
    """
    notices: list[str] = []
    runs = {item.run.path: item for item in planned}  # copies of one file share their predictions
    waiting = [item for item in runs.values() if item.run.header.individuals]
    progress = FollowedVideosProgress(
        job,
        sum(item.run.header.n_frames for item in runs.values()),
        to_follow=sum(item.run.header.n_frames for item in waiting),
        predicted=sum(item.run.header.n_done for item in runs.values()),
        followed=sum(_state(item.run)["frames"] for item in waiting),
    )
    with closing(predicting) as parts:
        part: PredictedPart | None = PredictedPart("", 0)
        while part is not None:
            for item in [item for item in waiting if item.run.is_complete]:
                waiting.remove(item)
                notices += yield from _follow_planned(project, item, progress)
            part = next(parts, None)
            if part is not None:
                yield from progress.predicted(part.n_frames, part.stage)
    return notices


def _follow_planned(
    project: Project, item: PlannedVideo, progress: FollowedVideosProgress
) -> Generator[Progress, None, list[str]]:
    stage = f"Following the animals of {item.video.name}"
    labels, is_new = named_labels(project, item.video.name), not _state(item.run)["mended"]
    mended = yield from relay(track_run(item.run, labels), lambda n: progress.followed(n, stage))
    notices = [_mended_sentence(item, mended)] if mended else []
    if labels and is_new and len(item.run.header.individuals) > MOST_ANIMALS:
        notices.append(_unnamed_sentence(item))
    return notices


def _unnamed_sentence(item: PlannedVideo) -> str:
    n = len(item.run.header.individuals)
    return (
        f"{item.video.name}: tracks have names in the order in which the animals appeared. Labels give them theirs "
        f"where there are up to {MOST_ANIMALS} animals; here are {n}."
    )


def _mended_sentence(item: PlannedVideo, mended: Sequence[tuple[int, int]]) -> str:
    places = [item.run.numbers(first, stop).tolist() for first, stop in mended]
    told = ", ".join(f"frames {numbers[0]} to {numbers[-1]}" for numbers in places)
    return (
        f"{item.video.name}: two tracks had followed each other's animal and were swapped in {told}. "
        "Check it in the timeline; U swaps them back."
    )


def track_run(run: VideoRun, labels: Labels | None = None) -> Generator[float, None, list[tuple[int, int]]]:
    """Follow the animals of one video; yield several times a second how many more frames are done.

    A frame that was gone through once, of twice, counts half. ``labels`` with names that are kept from frame to frame
    say which animal is which. Returns what `mend_exchanges` has swapped.
    """
    mended: list[tuple[int, int]] = []
    remove_leftovers_of(run.path)  # of one that was killed; a copy of a long video's array is large
    header, state = run.header, _state(run)
    n, k = len(header.individuals), len(header.bodyparts)
    if not state["in_place"]:
        _put_in_place(run, state)
    if state["frames"] == 0:
        tracker = Tracker(n, (yield from _bones(run)))
        with replacing(run.margins_path) as temporary:
            open_memmap(temporary, mode="w+", dtype=np.float32, shape=(header.n_frames,))
    elif state["frames"] < header.n_frames:
        tracker = Tracker.resume(state["tracker"])
    for first in range(state["frames"], header.n_frames, CHUNK):
        stop = min(first + CHUNK, header.n_frames)
        poses = run.stored_rows(first, min(stop + AHEAD, header.n_frames)).reshape(-1, n, k, 3)
        followed = yield from _follow(tracker, poses, stop - first)
        kept = open_memmap(run.margins_path, mode="r+")
        kept[first:stop] = followed.margins
        kept.flush()
        rows = np.stack([in_order(*frame) for frame in zip(poses, followed.given, strict=False)])
        with replacing(part_path(run.path)) as temporary, temporary.open("wb") as file:
            np.save(file, rows.reshape(stop - first, n * k, 3))
        state = {"frames": stop, "tracker": tracker.state(), "mended": False}
        write_text(tracking_path(run.path), json.dumps(state | {"in_place": False}))
        _put_in_place(run, state)
    if not state["mended"]:
        mended = yield from relay(mend_exchanges(run, labels or {}), lambda _: (0.0,))
        write_text(tracking_path(run.path), json.dumps({"frames": header.n_frames, "tracker": None, "mended": True}))
    return mended


def _bones(run: VideoRun) -> Generator[float, None, Bones]:
    """Return how far the animals' bodyparts are from each other."""
    n, k = len(run.header.individuals), len(run.header.bodyparts)
    bones = Bones.unknown(k)
    for first in range(0, run.header.n_frames, STRETCH):
        poses = run.stored_rows(first, min(first + STRETCH, run.header.n_frames)).reshape(-1, n, k, 3)
        bones = bones.seen(poses[..., :2], poses[..., 2])
        yield 0.0
    return bones


def _put_in_place(run: VideoRun, state: dict[str, Any]) -> None:
    """Write the rows of the last part to the array; doing it again changes nothing."""
    rows = np.load(part_path(run.path))
    run.write(state["frames"] - len(rows), rows)
    write_text(tracking_path(run.path), json.dumps(state | {"in_place": True}))
    part_path(run.path).unlink(missing_ok=True)


def _follow(tracker: Tracker, poses: NDArray[np.float32], n_frames: int) -> Generator[float, None, Assigned]:
    """Decide the first ``n_frames`` of ``poses``, (F, A, K, 3), and look ahead at the others."""
    of_one = 0.5 * n_frames / max(1, len(poses))  # the frames ahead take their time, too
    for i, frame in enumerate(poses):
        if i == n_frames:
            tracker.mark()
        tracker.step(frame[..., :2], frame[..., 2])
        yield of_one
    return (yield from relay(tracker.decide_in_steps(), lambda _: (of_one,)))


def in_order(poses: NDArray[np.float32], given: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return poses, (A, K, 3), as they are given to the animals, (N, K); a keypoint of none has NaN, likelihood 0."""
    return keypoints(poses, given, np.array([np.nan, np.nan, 0], np.float32))


def _state(run: VideoRun) -> dict[str, Any]:
    """Return how many frames are done, and the tracker's state then."""
    begun = {"frames": 0, "tracker": None, "mended": False, "in_place": True}
    try:
        state = json.loads(tracking_path(run.path).read_text(encoding="utf-8"))
        if int(state["frames"]) >= run.header.n_frames:
            state["tracker"] = None  # it is not needed any more, and that of an older version would not be understood
        shape = None if state["tracker"] is None else Tracker.resume(state["tracker"]).shape
        margins = open_memmap(run.margins_path, mode="r").shape
        if not (in_place := bool(state.get("in_place", True))):
            np.load(part_path(run.path))
    except FileNotFoundError:
        return begun
    except (OSError, EOFError, ValueError, KeyError, TypeError, IndexError) as error:
        log.warning(
            "%s is ignored, and the animals are followed again from the start: %s", tracking_path(run.path), error
        )
        return begun
    n_frames = run.header.n_frames
    fits = shape in (None, (len(run.header.individuals), len(run.header.bodyparts))) and margins == (n_frames,)
    if not fits:
        return begun
    return {
        "frames": int(state["frames"]),
        "tracker": state["tracker"],
        "mended": bool(state.get("mended", True)),  # tracks of older versions stay as they are
        "in_place": in_place,
    }
