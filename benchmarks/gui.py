"""The window: how soon a scoremap is there, whether training makes it stutter, what a long video costs."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.clips import stream_copy_loop
from benchmarks.report import Figure

TICK_MS = 10
TRAIN_SECONDS = 30.0
LONG_VIDEO_FRAMES = 25_000


def figures(data: Path | None) -> Iterator[Figure]:
    """Measure in a real window; needs a display (Xvfb will do)."""
    with tempfile.TemporaryDirectory() as folder:
        config = _sample(Path(folder))
        yield from _start(Path(folder), data)
        yield _memory(Path(folder), data)
        _train_once(config)
        viewer, session = _window()
        try:
            yield from _first_scoremap(viewer, session, config)
            yield from _lateness(session)
        finally:
            viewer.close()


def _sample(folder: Path) -> Path:
    """Return a sample project with sixteen labelled frames."""
    from napari_al_pose.domain import FrameKey
    from napari_al_pose.project import open_project
    from napari_al_pose.samples import ground_truth, make_sample

    config = make_sample(folder, n_frames=200)
    truth = ground_truth(config.parent)
    with open_project(config) as project:
        for i in range(16):
            name = project.videos[i % 2].name
            xy, visible = truth[name]
            frame = 5 + 11 * i
            for part, bodypart in enumerate(project.skeleton.bodyparts):
                if visible[frame][part]:
                    project.labels.place(FrameKey(name, frame), bodypart, *xy[frame][part])
                else:
                    project.labels.mark_not_visible(FrameKey(name, frame), bodypart)
    return config


def _train_once(config: Path) -> None:
    """Make a first model in a process of its own: this one is measured, and must not import torch."""
    from napari_al_pose.project import open_project

    with open_project(config) as project:
        train = project.settings.train
        quick = project.settings.model_copy(update={"pool_size": 40, "train": train.model_copy(update={"steps": 20})})
        project.save_settings(quick)
    subprocess.run([sys.executable, "-m", "napari_al_pose", "train", str(config)], check=True, capture_output=True)
    with open_project(config) as project:
        project.save_settings(quick.model_copy(update={"train": train.model_copy(update={"steps": 100_000})}))


def _start(folder: Path, data: Path | None) -> Iterator[Figure]:
    """From the start of the process to the first suggestion, on a new project of openfield's video."""
    from napari_al_pose.project import create_project

    clip = _clip(folder, data)
    config = create_project(folder, task="start", scorer="me", bodyparts=("snout", "tail"), videos=[clip])
    # Modules are compiled before, as they are where the package was installed, whatever the environment says.
    compiled = dict(os.environ, PYTHONPYCACHEPREFIX=str(folder / "bytecode"))
    compiled.pop("PYTHONDONTWRITEBYTECODE", None)
    warm = [sys.executable, "-c", "from napari_al_pose.gui.window import open_window; open_window()"]
    subprocess.run(warm, check=True, capture_output=True, env=compiled)
    command = [sys.executable, "-m", "benchmarks.gui_start", str(config), str(time.time())]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=compiled)
    found = json.loads(done.stdout.splitlines()[-1])
    setting = {"video": clip.name, "size": "1366x768"}
    yield Figure("gui.start_to_splash", found.get("said", math.inf), "s", "<= 1", setting=setting)
    cpu = {"cpu_s": found["window_cpu"]}
    yield Figure("gui.start_to_window", found["window"], "s", "<= 3", setting=setting | cpu)
    yield Figure("gui.first_picture", found["picture"], "s", setting=setting)
    after = found["suggestion"] - found["picture"]
    yield Figure("gui.first_suggestion_after_picture", after, "s", "<= 5", setting=setting)
    yield Figure("gui.canvas_share", 100 * found["canvas_share"], "%", ">= 60", setting=setting)
    yield Figure("gui.moved_while_labelling", found["moved_px"], "px", "<= 0", setting=setting)


def _window() -> tuple[Any, Any]:
    from napari_al_pose.gui.window import open_window

    return open_window()


def _first_scoremap(viewer: Any, session: Any, config: Path) -> Iterator[Figure]:
    """From the engine's being up to the first scoremap painted."""
    from napari_al_pose.demo.annotator import wait_until

    moments: dict[str, float] = {}

    def note_ready() -> None:
        if session.learning.engine_state in ("ready", "working"):
            moments.setdefault("ready", time.perf_counter())

    def note_shown(_event: Any = None) -> None:
        if session.frame.guesses.looked is not None:
            moments.setdefault("shown", time.perf_counter())

    session.learning.engineChanged.connect(note_ready)
    canvas = viewer.window._qt_viewer.canvas
    canvas._scene_canvas.events.draw.connect(note_shown, position="last")
    opened = time.perf_counter()
    session.projects.open_project(config)
    wait_until(lambda: session.projects.project is not None, seconds=60, what="the project")
    session.frame.set_scoremap("*")
    wait_until(lambda: "shown" in moments, seconds=120, what="the first scoremap")
    canvas._scene_canvas.events.draw.disconnect(note_shown)
    yield Figure(
        "gui.first_scoremap",
        moments["shown"] - moments["ready"],
        "s",
        "<= 0.5",
        setting={"engine_start_s": moments["ready"] - opened, "video": "640x480"},
    )


@dataclass
class Ticks:
    """Notes how late a timer of the GUI thread is."""

    late_ms: list[float] = field(default_factory=list)
    _last: float = 0.0

    def tick(self) -> None:
        """Note one tick."""
        now = time.perf_counter()
        if self._last:
            self.late_ms.append(max(0.0, 1e3 * (now - self._last) - TICK_MS))
        self._last = now


def _watch(seconds: float, between: Any = None) -> list[float]:
    """Let the window work for ``seconds`` and return how late the timer was each time, ms."""
    from qtpy.QtCore import QEventLoop, Qt, QTimer

    ticks = Ticks()
    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.setInterval(TICK_MS)
    timer.timeout.connect(ticks.tick)
    timer.start()
    loop = QEventLoop()
    QTimer.singleShot(round(1e3 * seconds), loop.quit)
    stepper = QTimer()
    stepper.setInterval(1000)
    if between is not None:
        stepper.timeout.connect(between)
        stepper.start()
    loop.exec()
    stepper.stop()
    timer.stop()
    return ticks.late_ms


def _lateness(session: Any) -> Iterator[Figure]:
    """How late a 10 ms timer of the GUI thread is, at rest, during a training, and while the user steps meanwhile."""
    from napari_al_pose.demo.annotator import wait_until

    wait_until(lambda: session.learning.engine_state == "ready", seconds=120, what="an idle engine")
    rest = _watch(TRAIN_SECONDS / 3)
    session.learning.train()
    wait_until(lambda: session.learning.training.step > 0, seconds=120, what="the training")
    training = _watch(TRAIN_SECONDS)
    stepping = _watch(TRAIN_SECONDS / 2, between=lambda: session.navigator.step(1))
    steps = session.learning.training.step
    session.learning.cancel_training()
    wait_until(lambda: not session.learning.training.busy, seconds=30, what="the end of the training")
    setting = {"timer_ms": TICK_MS, "at_rest_p99_ms": _p99(rest), "max_ms": max(training), "train_steps": steps}
    yield Figure("gui.timer_late_while_training_p99", _p99(training), "ms", "<= 50", setting=setting)
    yield Figure(
        "gui.timer_late_while_training_and_stepping_p99",
        _p99(stepping),
        "ms",
        setting={"frames_per_second": 1, "max_ms": max(stepping)},
    )


def _p99(values: list[float]) -> float:
    return float(np.percentile(values, 99))


def _memory(folder: Path, data: Path | None) -> Figure:
    """Resident memory of the GUI process after a 25,000-frame video was scrubbed from end to end."""
    from napari_al_pose.demo.annotator import wait_until
    from napari_al_pose.domain import FrameKey
    from napari_al_pose.project import create_project

    clip = _clip(folder, data)
    video = stream_copy_loop(clip, folder / "long.mp4", LONG_VIDEO_FRAMES)
    config = create_project(folder, task="long", scorer="me", bodyparts=("snout", "tail"), videos=[video])
    viewer, session = _window()
    try:
        session.projects.open_project(config)
        wait_until(lambda: session.frame.source is not None, seconds=120, what="the video")
        n_frames, peak = len(session.frame.source), 0.0
        for frame in range(0, n_frames, 50):
            session.navigator.go_to(FrameKey("long", frame))
            _watch(0.02)
            peak = max(peak, _resident_mib())
    finally:
        viewer.close()
    return Figure(
        "gui.memory_scrubbed", peak, "MiB", "<= 1024", setting={"frames": n_frames, "size": "640x480", "stride": 50}
    )


def _clip(folder: Path, data: Path | None) -> Path:
    if data is not None:
        return data / "openfield-Pranav-2018-10-30" / "videos" / "m3v1mp4.mp4"
    return next(Path(p) for p in sorted((folder).glob("*/videos/*.mp4")))


def _resident_mib() -> float:
    import os

    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
