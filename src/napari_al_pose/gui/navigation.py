"""Opening projects and moving through their frames: the lower half of `Session`."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, Signal, Slot

from napari_al_pose.domain import AlPoseError, FrameKey, Prediction
from napari_al_pose.domain.labelling import first_bodypart, open_guess
from napari_al_pose.domain.queue import Queue
from napari_al_pose.domain.views import LabelTally
from napari_al_pose.gui.background import Background
from napari_al_pose.gui.bridge import EngineBridge
from napari_al_pose.gui.loading import LoadedProject, first_frame, load_project
from napari_al_pose.gui.saving import LabelSaver
from napari_al_pose.gui.sources import SourceShelf
from napari_al_pose.gui.state import SessionState
from napari_al_pose.project import Project, ProjectVideo, create_project

READ_AHEAD = 8
"""Frames decoded ahead in the direction of stepping."""
QUEUE_AHEAD = 3
"""Frames of the queue decoded ahead."""


class Navigation(SessionState):
    """Keeps the project, its videos and the current frame; owns the threads and the engine's bridge."""

    closing = Signal()
    """Emitted once, before everything is closed."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._closed = False
        self._predictions: dict[FrameKey, Prediction] = {}
        self._first_video = ""
        self._desk = Background("al-pose-desk", self)
        self._saver = LabelSaver(self._desk, self)
        self._shelf = SourceShelf(self)
        self._engine = EngineBridge(self)
        self._n_notices = 0
        self._saver.written.connect(self._on_written)
        self._saver.failed.connect(self.notice_error)
        self._engine.failed.connect(self.notice_error)
        self._shelf.opened.connect(self._on_opened)
        self._shelf.failed.connect(self._on_not_opened)
        self._shelf.progressed.connect(self._on_opening)

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called; then the session is of no use any more."""
        return self._closed

    @Slot(str, str)
    def notice_error(self, message: str, hint: str = "") -> None:
        """Tell the user that something went wrong."""
        self.noticeRaised.emit(message, hint, True)

    # ---- project ------------------------------------------------------------------------------

    def open_project(self, path: Path | str) -> None:
        """Open the project folder or ``config.yaml`` at ``path`` in place of the open one.

        Returns at once; ``projectChanged`` or ``noticeRaised`` follows. The open project stays until then.
        """
        wanted = Path(path)
        root = wanted.parent if wanted.suffix in (".yaml", ".yml") else wanted
        if self._project is not None and self._project.root.resolve() == root.resolve():
            return
        self._set_busy(f"Opening {root.name}…")
        self._desk.run(lambda: load_project(wanted), then=self._enter, failed=self._refuse)

    def new_project(self, **details: Any) -> None:
        """Make a project and open it; ``details`` as in `napari_al_pose.project.create_project`."""
        self._set_busy("Making the project…")
        self._desk.run(lambda: create_project(**details), then=self.open_project, failed=self._refuse)

    def close_project(self) -> None:
        """Write what is to be written and close the project, its videos and its engine; waits for the writing."""
        closing = self._leave()
        if closing is not None:
            wait([closing])

    @Slot()
    def close(self) -> None:
        """Close everything, leave the viewer as it was and stop every thread."""
        if self._closed:
            return
        self._closed = True
        self.closing.emit()
        self._leave()
        self._shelf.close()
        self._desk.close()

    def add_videos(self, paths: Sequence[Path]) -> None:
        """Add videos to the project and rank the queue anew."""
        project = self._writable()
        if project is not None:
            self._set_busy("Adding videos…")
            self._desk.run(lambda: project.add_videos(list(paths)), then=self._on_videos_added, failed=self._refuse)

    def _enter(self, loaded: LoadedProject) -> None:
        self._leave()
        project = self._project = loaded.project
        self._tally, self._queue = loaded.tally, loaded.queue
        self._predictions = dict(loaded.predictions)
        self._rounds = project.rounds.all()
        self._n_trained_on = self._rounds[-1].n_train if self._rounds else 0
        self._bodypart = project.skeleton.bodyparts[0]
        self._saver.watch(project)
        self._set_busy("")
        self._announce_project()
        self._n_notices = 0
        self._tell_notices()
        self._engine.start(project.root)
        if not loaded.queue_fits and not project.read_only:
            self._engine.rank(project.settings.strategy)
        start = first_frame(loaded)
        if start is not None and self._video(start.video) is not None:
            self.go_to(start)
        elif project.videos:
            self._first_video = project.videos[0].name
            self._shelf.want(project.videos[0])

    def _leave(self) -> Future[Any] | None:
        """Close the project in the background; return what can be waited for."""
        if self._project is None:
            return None
        closing = self._desk.run(self._saver.finish(), then=_nothing, failed=self._refuse)
        self._engine.stop()
        self._project = None
        self._current = self._source = self._annotation = self._guess = self._looked = None
        self._queue, self._rounds, self._predictions = Queue(), (), {}
        self._bodypart = self._scoremap_choice = self._first_video = ""
        self._tally, self._n_trained_on = LabelTally(), 0
        self._announce_project()
        self._shelf.clear()
        return closing

    def _announce_project(self) -> None:
        self.projectChanged.emit()
        self.settingsChanged.emit()
        self.modelChanged.emit()
        self.queueChanged.emit()
        self.sourceChanged.emit()
        self.frameChanged.emit()

    def _tell_notices(self) -> None:
        """Pass on what the project has noticed since the last time."""
        if self._project is not None:
            notices = self._project.notices
            new, self._n_notices = notices[self._n_notices :], len(notices)
            for notice in new:
                self.noticeRaised.emit(notice, "", False)

    @Slot()
    def _on_written(self) -> None:
        """Show what writing the files has taken in from other programs."""
        self._tell_notices()
        before = self._annotation
        self._read_annotation()
        after = self._annotation
        if before is None or after is None or np.array_equal(before.xy, after.xy, equal_nan=True):
            return
        self._tally.update(after)
        self._read_guess()
        self.annotationChanged.emit()

    def _on_videos_added(self, _result: object) -> None:
        self._set_busy("")
        self._tell_notices()
        self.videosChanged.emit()
        if self._project is not None:
            self._engine.rank(self._project.settings.strategy)

    def _writable(self) -> Project | None:
        """Return the project if it can be changed; else tell the user why not."""
        project = self._project
        if project is not None and project.read_only:
            who = f" by {project.lock_holder}" if project.lock_holder else ""
            self.notice_error(f"The project is open read-only{who}.", "Close it there, then open it here again.")
            return None
        return project

    def _refuse(self, error: AlPoseError) -> None:
        self._set_busy("")
        self.notice_error(error.message, error.hint)

    def _set_busy(self, text: str) -> None:
        if text != self._busy:
            self._busy = text
            self.busyChanged.emit()

    # ---- moving -------------------------------------------------------------------------------

    def go_to(self, key: FrameKey) -> None:
        """Bring the frame ``key`` in front of the user."""
        video = self._video(key.video)
        if key == self._current or self._project is None:
            return
        if video is None:
            self.notice_error(
                f"The project has no video {key.video!r}.", "Add the video, or its images, to the project."
            )
            return
        self._current, self._looked, self._first_video = key, None, ""
        queue, source = self._queue.at(key), self._source
        moved, self._queue = queue.position != self._queue.position, queue
        self._source = self._shelf.want(video)
        if self._source is None:
            self._set_busy(f"Opening {key.video}…")
        self._read_annotation()
        self._read_guess()
        if self._annotation is not None:
            self._bodypart = self.bodyparts[first_bodypart(self._annotation.states)]
        if self._source is not source:
            self.sourceChanged.emit()
        self.frameChanged.emit()
        if moved:
            self.queueChanged.emit()
        self._after_arrival()

    def next_suggestion(self) -> None:
        """Go to the next frame of the queue."""
        self._follow(self._queue.next(), "That was the last frame of the queue.")

    def previous_suggestion(self) -> None:
        """Go back to the frame of the queue before this one."""
        self._follow(self._queue.previous(), "This is the first frame of the queue.")

    def step(self, delta: int) -> None:
        """Go ``delta`` frames along in the same video; stops at its ends."""
        source, current, position = self._source, self._current, self.position
        if source is None or current is None or position < 0:
            return
        wanted = min(max(position + delta, 0), len(source) - 1)
        self.go_to(FrameKey(current.video, source.number(wanted)))
        direction = 1 if delta > 0 else -1
        ahead = range(wanted + direction, wanted + direction * (READ_AHEAD + 1), direction)
        self._shelf.prefetch(
            FrameKey(current.video, source.number(position)) for position in ahead if 0 <= position < len(source)
        )

    def next_labelled(self) -> None:
        """Go to the next frame with labels, through all videos."""
        keys = sorted(self._tally.labelled)
        if self._current is not None and (index := bisect_right(keys, self._current)) < len(keys):
            self.go_to(keys[index])

    def previous_labelled(self) -> None:
        """Go to the frame with labels before this one, through all videos."""
        keys = sorted(self._tally.labelled)
        if self._current is not None and (index := bisect_left(keys, self._current)) > 0:
            self.go_to(keys[index - 1])

    def _follow(self, queue: Queue, at_end: str) -> None:
        if queue.current is None:
            self.noticeRaised.emit("The queue is empty.", "It fills when the engine has ranked the frames.", False)
            return
        if queue.position == self._queue.position and queue.current.key == self._current:
            self.noticeRaised.emit(at_end, "Press L to learn and rank anew.", False)
            return
        moved, self._queue = queue.position != self._queue.position, queue
        self.go_to(queue.current.key)
        if moved:
            self.queueChanged.emit()

    def _after_arrival(self) -> None:
        if self._current is not None:
            self._engine.look(self._current)
        if self._source is not None:
            self._tell_missing()
        upcoming = self._queue.upcoming(QUEUE_AHEAD)
        if self.suggestion is not None:
            self._shelf.prefetch(upcoming)

    def _tell_missing(self) -> None:
        if self._current is not None and self.position < 0:
            self.notice_error(
                f"{self._current.video} has no frame {self._current.frame}.",
                "The video file is shorter than it was, or the frame's image is missing.",
            )

    def _read_annotation(self) -> None:
        if self._project is not None and self._current is not None:
            individual = self._project.skeleton.individuals[0]
            self._annotation = self._project.labels.annotation(self._current, individual)

    def _read_guess(self) -> None:
        self._guess = None
        if self._current is not None and self._annotation is not None:
            looked = None if self._looked is None else self._looked.prediction
            self._guess = open_guess(looked or self._predictions.get(self._current), self._annotation)

    def _video(self, name: str) -> ProjectVideo | None:
        videos: Iterable[ProjectVideo] = () if self._project is None else self._project.videos
        return next((video for video in videos if video.name == name), None)

    # ---- videos -------------------------------------------------------------------------------

    @Slot(str)
    def _on_opened(self, name: str) -> None:
        video = self._video(name)
        wanted = self._first_video if self._current is None else self._current.video
        if video is None or name != wanted:
            return
        source = self._shelf.want(video)
        if source is None:
            return
        self._set_busy("")
        if source.notice:
            hint = "What can be decoded is shown. Copy the file again if it should be whole."
            self.noticeRaised.emit(source.notice, hint, False)
        if self._current is None:
            self.go_to(FrameKey(name, source.number(0)))
            return
        self._source = source
        self.sourceChanged.emit()
        self._after_arrival()

    @Slot(str, str, str)
    def _on_not_opened(self, name: str, message: str, hint: str) -> None:
        self._set_busy("")
        self.notice_error(message, hint)

    @Slot(str, int, int)
    def _on_opening(self, name: str, done: int, total: int) -> None:
        if self._busy and total > 0:
            self._set_busy(f"Opening {name}: {done / total:.0%}")


def _nothing(_result: object) -> None:
    """What was awaited has happened."""
