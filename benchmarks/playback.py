"""Moving through a video in a window: dragging the slider, and playing.

Dragging is measured with our array, which never waits, in our window and in a plain layer as *File > Open* makes it,
beside what napari does with the lazy array alone: sliced in the GUI thread (its default), and by its own asynchronous
slicing (an experimental setting).
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.clips import write_texture
from benchmarks.report import Figure
from benchmarks.video import OPENFIELD_VIDEO

DRAG_STEPS, DRAG_INTERVAL = 40, 0.025
DRAGS = 3
PLAY_SECONDS = 4.0


def figures(data: Path | None) -> Iterator[Figure]:
    """Measure in a real window; needs a display (Xvfb will do)."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        path = None if data is None else data / OPENFIELD_VIDEO
        if path is None or not path.exists():
            path = write_texture(folder / "made_up.mp4", n_frames=1000, size=(640, 480), gop=250)
        setting = {"video": path.name, "steps": DRAG_STEPS, "interval_ms": 1e3 * DRAG_INTERVAL}
        took = {name: _drags(path, name) for name in ("ours", "ours, plain layer", "napari", "napari, asynchronous")}
        for what, unit in (("block", "ms, the longest step"), ("settle", "ms until the last frame is shown")):
            value, *others = (each[what] for each in took.values())
            peers = dict(zip(list(took)[1:], others, strict=True))
            yield Figure(f"playback.drag_{what}", value, unit, peers=peers, setting=setting)
        yield from _play(folder, path)


def _drags(path: Path, kind: str) -> dict[str, float]:
    """Drag through the video some times, each after a fresh opening; return the medians."""
    taken = [_drag(path, kind, seed) for seed in range(DRAGS)]
    return {what: statistics.median(each[what] for each in taken) for what in taken[0]}


def _drag(path: Path, kind: str, seed: int) -> dict[str, float]:
    import napari
    from napari.settings import get_settings
    from qtpy.QtCore import QObject

    from napari_al_pose.gui.frames import NewestFrame
    from napari_al_pose.gui.layers.images import VideoLayer
    from napari_al_pose.readers import video_layer
    from napari_al_pose.video import LazyFrames, VideoFile, lazy_array

    get_settings().experimental.async_ = kind == "napari, asynchronous"
    video = VideoFile(path)
    viewer = napari.Viewer()
    parent = QObject()
    try:
        if kind == "ours":
            layer = VideoLayer(viewer, NewestFrame(video, lazy_array(video)), parent)
            shown: Callable[[int], bool] = lambda position: layer.shown_position == position  # noqa: E731
        elif kind == "ours, plain layer":
            frames, options, _ = video_layer(video)
            viewer.add_image(frames, **options)
            shown = lambda position: frames.shown.shown_position == position  # noqa: E731
        else:
            image = viewer.add_image(LazyFrames(video), rgb=True, cache=False)
            shown = lambda position: image.loaded and image._slice_input.world_slice.point[0] == position  # noqa: E731
        _run(0.5)
        targets = np.random.default_rng(seed).integers(0, len(video), DRAG_STEPS).tolist()
        longest = 0.0
        for target in targets:
            begun = time.perf_counter()
            viewer.dims.set_current_step(0, target)
            longest = max(longest, time.perf_counter() - begun)
            _run(max(DRAG_INTERVAL - (time.perf_counter() - begun), 0.001))
        let_go = time.perf_counter()
        while not shown(targets[-1]) and time.perf_counter() - let_go < 20:
            _run(0.002)
        settled = time.perf_counter() - let_go
        if kind == "ours":
            layer.stop()
            layer.frames.join()
        elif kind == "ours, plain layer":
            frames.shown.close()
            frames.shown.join()
    finally:
        get_settings().experimental.async_ = False
        viewer.close()
        video.close()
    return {"block": 1e3 * longest, "settle": 1e3 * settled}


def _play(folder: Path, path: Path) -> Iterator[Figure]:
    """Play at the video's own speed, and compare what was shown with the clock."""
    from benchmarks.gui import Ticks
    from napari_al_pose.demo.annotator import wait_until
    from napari_al_pose.domain import FrameKey
    from napari_al_pose.gui.window import open_window
    from napari_al_pose.project import create_project

    config = create_project(folder, task="play", scorer="me", bodyparts=("snout",), videos=[path])
    viewer, session = open_window()
    try:
        session.projects.open_project(config)
        wait_until(
            lambda: session.frame.source is not None and session.frame.position >= 0, seconds=60, what="the video"
        )
        session.navigator.go_to(FrameKey(path.stem, 100))
        _run(2.0)
        moments: list[tuple[float, int]] = []
        session.frame.keyChanged.connect(lambda: moments.append((time.perf_counter(), session.frame.position)))
        player = _player(session)
        ticks = Ticks()
        start, first = time.perf_counter(), session.frame.position
        player.toggle()
        _run(PLAY_SECONDS, ticks)
        player.stop()
        fps = session.frame.source.fps
        played, reached = moments[-1][0] - start, moments[-1][1]
        speed = (reached - first) / fps / played
        late = [1e3 * abs(when - start - (position - first) / fps) for when, position in moments]
    finally:
        viewer.close()
    setting = {"video": path.name, "fps": fps, "shown_per_second": len(moments) / played}
    yield Figure("playback.speed", speed, "of the video's own", ">= 0.98", setting=setting)
    yield Figure("playback.off_the_clock", statistics.median(late), "ms, median", setting=setting)
    yield Figure("playback.gui_block", max(ticks.late_ms, default=0.0), "ms, the longest", setting=setting)


def _player(session: Any) -> Any:
    from napari_al_pose.gui.playback import VideoPlayer

    return session.findChild(VideoPlayer)


def _run(seconds: float, ticks: Any = None) -> None:
    """Let the event loop run."""
    from qtpy.QtCore import QEventLoop, QTimer

    loop, timer = QEventLoop(), QTimer()
    if ticks is not None:
        timer.timeout.connect(ticks.tick)
        timer.start(10)
    QTimer.singleShot(round(1e3 * seconds), loop.quit)
    loop.exec()
    timer.stop()
