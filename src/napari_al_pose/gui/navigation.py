"""Moving through the frames of a project's videos."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from qtpy.QtCore import QObject, Slot

from napari_al_pose.domain import FrameKey, Prediction
from napari_al_pose.domain.labelling import first_bodypart, neighbour_key, open_guess, unlabelled_frames
from napari_al_pose.domain.queue import Queue
from napari_al_pose.domain.tools import LabelMode
from napari_al_pose.domain.views import axis_of
from napari_al_pose.domain.views.video_check import DAMAGE_HINT
from napari_al_pose.gui.sources import CachedSource, SourceShelf
from napari_al_pose.gui.state import SessionState
from napari_al_pose.project import ProjectVideo

READ_AHEAD = 8
"""Frames decoded ahead in the direction of stepping."""
QUEUE_AHEAD = 3
"""Frames of the queue decoded ahead."""


class Navigation(SessionState):
    """Keeps the frame in front of the user and the open videos."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._is_playing = False
        self._predictions: dict[FrameKey, Prediction] = {}
        self._borrowed: Prediction | None = None
        self._first_video = ""
        self._shelf = SourceShelf(self)
        self._shelf.opened.connect(self._on_opened)
        self._shelf.failed.connect(self._on_not_opened)
        self._shelf.progressed.connect(self._on_opening)

    @Slot(str, str)
    def notice_error(self, message: str, hint: str = "") -> None:
        """Tell the user that something went wrong."""
        self.noticeRaised.emit(message, hint, True)

    def _set_busy(self, text: str) -> None:
        if text != self._busy:
            self._busy = text
            self.busyChanged.emit()

    # ---- moving -------------------------------------------------------------------------------

    def go_to(self, key: FrameKey) -> None:
        """Bring the frame ``key`` in front of the user."""
        video = self._video(key.video)
        if key == self._current or self._project is None or self._reshaping:
            return
        if video is None:
            self.notice_error(
                f"The project has no video {key.video!r}.", "Add the video, or its images, to the project."
            )
            return
        self._current, self._looked, self._first_video, self._borrowed = key, None, "", None
        queue, source = self._queue.at(key), self._source
        moved, self._queue = queue.position != self._queue.position, queue
        self._source = self._shelf.want(video)
        if self._source is None:
            self._set_busy(f"Opening {key.video}…")
        self._read_annotation()
        self._read_guess()
        if self.annotation is not None and self.options.label_mode is not LabelMode.LOOP:
            self._bodypart = self.bodyparts[first_bodypart(self.annotation.states)]
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

    def set_playing(self, playing: bool) -> None:
        """Say whether frames go by by themselves; the engine is not asked about those."""
        self._is_playing = playing
        if not playing and self._current is not None:
            self._engine.look(self._current)

    def prefetch(self, keys: Iterable[FrameKey]) -> None:
        """Have frames decoded in the background; those whose video is not open are left out."""
        self._shelf.prefetch(keys)

    def next_labelled(self) -> None:
        """Go to the next frame with labels, through all videos."""
        self._go_along(sorted(self._tally.labelled), 1)

    def previous_labelled(self) -> None:
        """Go to the frame with labels before this one, through all videos."""
        self._go_along(sorted(self._tally.labelled), -1)

    def next_unlabelled(self) -> None:
        """Go to the next frame that waits for labels, through all videos."""
        self._go_to_unlabelled(1)

    def previous_unlabelled(self) -> None:
        """Go to the frame before this one that waits for labels, through all videos."""
        self._go_to_unlabelled(-1)

    def _go_along(self, keys: Sequence[FrameKey], delta: int) -> bool:
        found = None if self._current is None else neighbour_key(keys, self._current, delta)
        if found is not None:
            self.go_to(found)
        return found is not None

    def _go_to_unlabelled(self, delta: int) -> None:
        if self._current is None:
            return
        keys = unlabelled_frames(
            queued=[suggestion.key for suggestion in self._queue.suggestions],
            begun=self._tally.labelled,
            images=self._images(),
            complete=self._tally.complete,
        )
        if not keys and self._source is not None:
            self._step_to_unlabelled(self._source, delta)
        elif not self._go_along(keys, delta):
            where = "after" if delta > 0 else "before"
            self.noticeRaised.emit(
                f"No frame {where} this one waits for labels.", "N goes through the queue from the top.", False
            )

    def _step_to_unlabelled(self, source: CachedSource, delta: int) -> None:
        """Go to the next frame of the video without labels: nothing else waits for any."""
        assert self._current is not None
        video, position = self._current.video, self.position + delta
        while 0 <= position < len(source):
            key = FrameKey(video, source.number(position))
            if key not in self._tally.labelled:
                self.go_to(key)
                return
            position += delta

    def _images(self) -> list[FrameKey]:
        """Return the current video's frames where it is a folder of extracted images."""
        source, current = self._source, self._current
        if source is None or current is None or axis_of(source).numbers is None:
            return []
        return [FrameKey(current.video, source.number(position)) for position in range(len(source))]

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
        if self._current is not None and not self._is_playing:
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
        if self._project is not None and self._current is not None and not self._reshaping:
            labels, key = self._project.labels, self._current
            self._annotations = tuple(labels.annotation(key, individual) for individual in self.individuals)

    def _read_guess(self) -> None:
        self._guess = None
        if self._current is not None and self.annotation is not None:
            looked = None if self._looked is None else self._looked.prediction
            guess = self._borrowed
            if guess is None and self.individual_index == 0:  # the animal the network learns, see `engine.labels`
                guess = looked or self._predictions.get(self._current)
            self._guess = open_guess(guess, self.annotation)

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
            self.noticeRaised.emit(source.notice, DAMAGE_HINT, False)
        if self._current is None:
            self.go_to(FrameKey(name, source.number(0)))
            return
        self._source = source
        self.sourceChanged.emit()
        self._after_arrival()

    def reopen_video(self, name: str) -> None:
        """Open a video anew once it is settled how to read it; the engine, which reads it too, starts afresh."""
        video, project = self._video(name), self._project
        if video is None or project is None:
            return
        self._shelf.forget(name)
        if self._current is not None and self._current.video == name:
            self._source = self._shelf.want(video)
            self.sourceChanged.emit()
        if self._engine.training.running:
            hint = "Restart it when its work is done."
            self.noticeRaised.emit(f"The engine still reads {name} as before.", hint, False)
        else:
            self._engine.start(project.root)

    @Slot(str, str, str)
    def _on_not_opened(self, name: str, message: str, hint: str) -> None:
        self._set_busy("")
        self.notice_error(message, hint)

    @Slot(str, int, int)
    def _on_opening(self, name: str, done: int, total: int) -> None:
        if self._busy and total > 0:
            self._set_busy(f"Opening {name}: {done / total:.0%}")
