"""Labelling: from a key or a click to its result painted, and whether labels that are there already slow it down."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.clips import stream_copy_loop, write_texture
from benchmarks.report import Figure

logger = logging.getLogger(__name__)

COUNTS = (0, 1_000, 20_000)
"""Labelled frames in the project."""
TURNS = 2
"""Each project is measured so often, in turn, so that a busy moment of the computer hits all of them."""
FOLLOWED = 3
"""Frames after which the files are waited for, each time; the first right after the project was opened."""
FRAMES_A_TURN = 4
"""Frames that are labelled each time, by clicks and by keys."""
BODYPARTS = ("snout", "leftear", "rightear", "spine", "tailbase", "tailmid", "tailtip")
SIZE = (640, 480)
_FIRST_FREE = 20_500
_SETTLE_SECONDS = 0.5


def figures(_data: Path | None) -> Iterator[Figure]:
    """Measure in a real window; needs a display (Xvfb will do)."""
    from napari_al_pose.gui.window import open_window

    with tempfile.TemporaryDirectory() as folder:
        clip = write_texture(Path(folder) / "clip.mp4", n_frames=300, size=SIZE, gop=30)
        video = stream_copy_loop(clip, Path(folder) / "mouse.mp4", _FIRST_FREE + 1_000)
        projects = {count: _project(Path(folder), video, clip, n_labelled=count) for count in COUNTS}
        frame_ms = _empty_window_ms()
        viewer, session = open_window()
        times: dict[int, dict[str, list[float]]] = {count: {"click": [], "key": []} for count in COUNTS}
        opening: dict[int, float] = {}
        following: dict[str, list[float]] = {"first": [], "later": []}
        try:
            for turn in range(TURNS):
                for count in COUNTS:
                    seconds = _open(session, projects[count])
                    opening.setdefault(count, seconds)
                    if count == COUNTS[-1]:
                        first, *later = _follow(viewer, session, projects[count], turn)
                        following["first"].append(first)
                        following["later"] += later
                    for kind, found in _label(viewer, session, turn).items():
                        times[count][kind] += found
                    session.projects.close_project()
        finally:
            viewer.close()
    yield from _report(times, opening, frame_ms)
    for kind, found in following.items():
        setting = {"labelled_frames": COUNTS[-1], "n": len(found), "median_s": float(np.median(found))}
        unit = "s from the last edit to both files in place, the longest"
        yield Figure(f"labels.files_follow_{kind}", max(found), unit, "<= 1", setting=setting)


def _report(times: dict[int, dict[str, list[float]]], opening: dict[int, float], frame_ms: float) -> Iterator[Figure]:
    setting = {"empty_window_frame_ms": frame_ms, "bodyparts": len(BODYPARTS), "video": f"{SIZE[0]}x{SIZE[1]}"}
    for count in COUNTS:
        for kind, found in times[count].items():
            median, p99 = float(np.median(found)), float(np.percentile(found, 99))
            raw = {**setting, "labelled_frames": count, "n": len(found), "median_ms": median}
            name = f"labels.{kind}_to_paint"
            yield Figure(f"{name}_{count}", median - frame_ms, "ms beyond an empty window", "<= 50", setting=raw)
            yield Figure(f"{name}_{count}_p99", p99 - frame_ms, "ms beyond an empty window", setting=raw)
    for kind in ("click", "key"):
        few, many = (float(np.median(times[count][kind])) for count in (COUNTS[0], COUNTS[-1]))
        yield Figure(
            f"labels.{kind}_slowed_by_labels",
            many / few,
            f"median with {COUNTS[-1]:,} labelled frames to that with none",
            "<= 1.2",
            setting={"median_ms_none": few, "median_ms_many": many},
        )
    yield Figure(f"labels.first_opening_{COUNTS[-1]}", opening[COUNTS[-1]], "s", setting={"bodyparts": len(BODYPARTS)})


def _project(folder: Path, video: Path, clip: Path, *, n_labelled: int) -> Path:
    """Return a project with so many labelled frames, as DeepLabCut would have left it."""
    import pandas as pd

    from napari_al_pose.formats.hdf import write_frame
    from napari_al_pose.project import create_project, open_project

    config = create_project(folder, task=f"n{n_labelled}", scorer="me", bodyparts=BODYPARTS, videos=[video])
    with open_project(config) as project:
        # No training by itself and hardly a pool: the engine is to be idle.
        project.save_settings(project.settings.model_copy(update={"train_after": 0, "pool_size": 10}))
    if n_labelled:
        labels = config.parent / "labeled-data" / video.stem
        labels.mkdir()
        xy = np.random.default_rng(0).uniform(20, 460, (n_labelled, 2 * len(BODYPARTS)))
        table = pd.DataFrame(
            xy,
            index=pd.MultiIndex.from_product(
                [["labeled-data"], [video.stem], [f"img{number:05d}.png" for number in range(n_labelled)]]
            ),
            columns=pd.MultiIndex.from_product(
                [["me"], BODYPARTS, ["x", "y"]], names=["scorer", "bodyparts", "coords"]
            ),
        )
        _put_images(labels, clip, n_labelled)
        write_frame(table, labels / "CollectedData_me.h5")
        table.to_csv(labels / "CollectedData_me.csv")
    return config


def _put_images(folder: Path, clip: Path, n: int) -> None:
    """Put beside each row the image that DeepLabCut would have extracted; the video is the clip again and again."""
    from napari_al_pose.video import VideoFile

    with VideoFile(clip) as video:
        n_clip = len(video)
        for number in range(min(n, n_clip)):
            Image.fromarray(video[number]).save(folder / f"img{number:05d}.png")
    for number in range(n_clip, n):
        os.link(folder / f"img{number % n_clip:05d}.png", folder / f"img{number:05d}.png")


def _open(session: Any, config: Path) -> float:
    """Open a project, let the engine do nothing, and return how long the opening took."""
    from napari_al_pose.demo.annotator import wait_until

    start = time.perf_counter()
    session.projects.open_project(config)
    wait_until(lambda: session.projects.project is not None, seconds=180, what="the project")
    seconds = time.perf_counter() - start
    wait_until(lambda: session.frame.source is not None, seconds=60, what="the video")
    session.learning.cancel_training()  # the first ranking: what is measured is labelling
    wait_until(lambda: not session.learning.training.busy, seconds=120, what="the engine")
    return seconds


def _label(viewer: Any, session: Any, turn: int) -> dict[str, list[float]]:
    """Label frames nobody has labelled; return how long each click and key took to its paint, ms."""
    from qtpy.QtCore import Qt

    from napari_al_pose.demo.annotator import MouseAnnotator, wait_until
    from napari_al_pose.domain import FrameKey

    hand = MouseAnnotator(viewer, session, {})
    paint = _Paint(viewer, session)
    random = np.random.default_rng(turn)
    times: dict[str, list[float]] = {"click": [], "key": []}
    for i in range(2 * FRAMES_A_TURN):
        session.navigator.go_to(FrameKey("mouse", _FIRST_FREE + 40 * turn * FRAMES_A_TURN + 20 * i))
        wait_until(lambda: session.frame.picture_is_current, seconds=60, what="the frame")
        _let_work(_SETTLE_SECONDS)
        for _ in BODYPARTS:
            x, y = random.uniform((100, 100), (540, 380))
            if i % 2:
                times["key"].append(paint.milliseconds(lambda: hand.press(Qt.Key.Key_X)))
            else:
                times["click"].append(paint.milliseconds(lambda x=x, y=y: hand.click(x, y)))  # type: ignore[misc]  # mypy can't type lambda defaults
    paint.close()
    return times


def _follow(viewer: Any, session: Any, config: Path, turn: int) -> list[float]:
    """Complete frames; return how long after each the files were in place, s. The ``.h5`` is the last."""
    from qtpy.QtCore import Qt

    from napari_al_pose.demo.annotator import MouseAnnotator, wait_until
    from napari_al_pose.domain import FrameKey

    hand = MouseAnnotator(viewer, session, {})
    h5 = config.parent / "labeled-data" / "mouse" / "CollectedData_me.h5"
    seconds = []
    for i in range(FOLLOWED):
        session.navigator.go_to(FrameKey("mouse", _FIRST_FREE + 500 + 10 * (turn * FOLLOWED + i)))
        wait_until(lambda: session.frame.picture_is_current, seconds=60, what="the frame")
        before = h5.stat().st_mtime_ns
        for _ in BODYPARTS:
            hand.press(Qt.Key.Key_X)
        start = time.perf_counter()
        wait_until(lambda before=before: h5.stat().st_mtime_ns != before, seconds=60, what="the files of labels")  # type: ignore[misc]  # mypy can't type lambda defaults
        seconds.append(time.perf_counter() - start)
    return seconds


class _Paint:
    """Waits for the canvas, or the strip above it, to be painted after labels have changed.

    A bodypart that is not visible is said in the strip and changes nothing on the canvas.
    """

    def __init__(self, viewer: Any, session: Any) -> None:
        from qtpy.QtCore import QEvent, QObject

        from napari_al_pose.gui.panels.prompt_strip import PromptStrip

        note_paint = self._note_paint

        class PaintFilter(QObject):
            def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802  # Qt's name
                if event.type() == QEvent.Type.Paint:
                    note_paint()
                return False

        self._filter = PaintFilter()
        self._strip = viewer.window._qt_window.findChild(PromptStrip)
        self._strip.installEventFilter(self._filter)
        self._session = session
        self._events = viewer.window._qt_viewer.canvas._scene_canvas.events.draw
        self._changed = self._painted = 0.0
        session.frame.annotationChanged.connect(self._note_change)
        self._events.connect(self._note_paint, position="last")

    def milliseconds(self, action: Callable[[], object]) -> float:
        """Return how long it takes from an action to the first paint that shows the label it made."""
        from napari_al_pose.demo.annotator import wait_until

        self._changed = self._painted = 0.0
        start = time.perf_counter()
        action()
        wait_until(lambda: self._painted > 0, seconds=30, what="a paint")
        return 1e3 * (self._painted - start)

    def close(self) -> None:
        """Wait no more."""
        self._strip.removeEventFilter(self._filter)
        self._session.frame.annotationChanged.disconnect(self._note_change)
        self._events.disconnect(self._note_paint)

    def _note_change(self) -> None:
        self._changed = self._changed or time.perf_counter()

    def _note_paint(self, _event: Any = None) -> None:
        if self._changed and not self._painted:
            self._painted = time.perf_counter()


def _empty_window_ms() -> float:
    """Return the median time from asking an empty napari window for a frame to its being painted."""
    import napari

    from napari_al_pose.demo.annotator import wait_until
    from napari_al_pose.gui.window import SIZE as WINDOW_SIZE

    viewer = napari.Viewer()
    viewer.window.resize(*WINDOW_SIZE)
    canvas = viewer.window._qt_viewer.canvas
    painted: list[float] = []
    try:
        _let_work(_SETTLE_SECONDS)
        canvas._scene_canvas.events.draw.connect(lambda _event: painted.append(time.perf_counter()), position="last")
        found = []
        for _ in range(40):
            painted.clear()
            start = time.perf_counter()
            canvas.native.update()
            wait_until(lambda: bool(painted), seconds=30, what="an empty frame")
            found.append(1e3 * (painted[0] - start))
    finally:
        viewer.close()
    return float(np.median(found))


def _let_work(seconds: float) -> None:
    from qtpy.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    QTimer.singleShot(round(1e3 * seconds), loop.quit)
    loop.exec()
