"""Moving through the frames of a project's videos and through the queue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from qtpy.QtCore import QObject, Signal, Slot

from napari_al_pose.domain import Annotation, FrameKey, FrameRole, Suggestion
from napari_al_pose.domain.asked_bodyparts import is_whole_frame
from napari_al_pose.domain.labelling import neighbour_key, unlabelled_frames
from napari_al_pose.domain.queue import Queue
from napari_al_pose.domain.tools import LabelMode
from napari_al_pose.domain.views import axis_of
from napari_al_pose.domain.views.video_check import DAMAGE_HINT
from napari_al_pose.gui.sources import CachedSource, SourceShelf
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.loading import LoadedProject
from napari_al_pose.gui.state.notices import Notices
from napari_al_pose.gui.state.project_session import Beginning, ProjectSession
from napari_al_pose.gui.state.view_options import ViewOptions

READ_AHEAD = 8
"""Frames decoded ahead in the direction of stepping."""
QUEUE_AHEAD = 3
"""Frames of the queue decoded ahead."""


class Navigator(QObject):
    """Keeps the queue and the open videos, and moves to frames.

    Parameters
    ----------
    projects : ProjectSession
    frame : CurrentFrame
    options : ViewOptions
    notices : Notices
    """

    queueChanged = Signal()
    """Another queue, or another position in it."""
    playingChanged = Signal(bool)
    """Whether frames go by by themselves from now on."""
    videoReopened = Signal(str)
    """A video is read in another way from now on."""

    def __init__(
        self, projects: ProjectSession, frame: CurrentFrame, *, options: ViewOptions, notices: Notices
    ) -> None:
        super().__init__()
        self._projects, self._frame, self._options, self._notices = projects, frame, options, notices
        self._queue = Queue()
        self._is_playing = False
        self._first_video = ""
        self._untouched: tuple[Annotation, ...] = ()
        """The labels of the frame a project was opened with, until the user or the first queue leads elsewhere."""
        self._shelf = SourceShelf(self)
        self._shelf.opened.connect(self._on_opened)
        self._shelf.failed.connect(self._on_not_opened)
        self._shelf.progressed.connect(self._on_opening)
        projects.entered.connect(self._on_entered)
        projects.left.connect(self._on_left)
        projects.announced.connect(self._on_announced)
        projects.begun.connect(self._on_begun)
        projects.closed.connect(self._shelf.close)

    @property
    def queue(self) -> Queue:
        """The queue; the value is replaced, never changed."""
        return self._queue

    @property
    def suggestion(self) -> Suggestion | None:
        """The queue's entry for the current frame, or None."""
        return None if self._frame.key is None else self._queue.suggestion(self._frame.key)

    @property
    def first_open(self) -> FrameKey | None:
        """The first frame of the queue that needs labels; None once the queue is done, or empty."""
        keys = (suggestion.key for suggestion in self._queue.suggestions)
        return next((key for key in keys if key not in self._projects.done), None)

    @property
    def asks_bodyparts(self) -> bool:
        """Whether only some bodyparts of the current frame are asked for."""
        return self._may_ask_bodyparts and not self._is_whole_frame

    @property
    def asks_whole(self) -> bool:
        """Whether all bodyparts of a training frame are asked for, though of most frames only some are."""
        return self._may_ask_bodyparts and self._is_whole_frame and self.role is FrameRole.TRAIN

    @property
    def _may_ask_bodyparts(self) -> bool:
        return self._projects.settings.ask == "bodyparts" and self._options.label_mode is not LabelMode.LOOP

    @property
    def _is_whole_frame(self) -> bool:
        key = self._frame.key
        return key is None or is_whole_frame(self._queue.row(key), self.role)

    @property
    def role(self) -> FrameRole:
        """What the current frame is for, or will be with its first label."""
        marked = {annotation.role for annotation in self._frame.annotations}
        if self.suggestion is not None:
            marked.add(self.suggestion.role)
        return FrameRole.HOLDOUT if FrameRole.HOLDOUT in marked else FrameRole.TRAIN

    @property
    def is_playing(self) -> bool:
        """Whether the video is playing."""
        return self._is_playing

    # ---- moving -------------------------------------------------------------------------------

    def go_to(self, key: FrameKey) -> None:
        """Go to the frame ``key``, as the user asked."""
        self._untouched = ()
        self._bring(key)

    def _bring(self, key: FrameKey) -> None:
        video = self._projects.video(key.video)
        if key == self._frame.key or self._projects.project is None or self._projects.is_reshaping:
            return
        if video is None:
            self._notices.warn(
                f"The project has no video {key.video!r}.", "Add the video, or its images, to the project."
            )
            return
        self._first_video = ""
        queue = self._queue.at(key)
        moved, self._queue = queue.position != self._queue.position, queue
        source = self._shelf.want(video)
        if source is None:
            self._notices.set_busy(f"Opening {key.video}…")
        self._frame.show(key, source, keep_bodypart=self._options.label_mode is LabelMode.LOOP)
        if moved:
            self.queueChanged.emit()
        self._after_arrival()

    def next_suggestion(self) -> None:
        """Go to the next frame of the queue; after its last one, to the first that is not labelled completely.

        Where all of them are, the prompt says what follows (`Learning.queue_end`).
        """
        following = self._queue.next()
        if following.current is None:
            self._notices.tell("The queue is empty.", "It fills once the engine has ranked the frames.")
        elif following.position != self._queue.position or following.current.key != self._frame.key:
            self._move_in(following)
        elif self.first_open is None:
            return
        elif self.first_open == self._frame.key:
            self._notices.tell("Every other frame of the queue is labelled.", "Label this one to finish the queue.")
        else:
            self._notices.tell("That was the last frame of the queue. This is the first one left to label.")
            self.go_to(self.first_open)

    def previous_suggestion(self) -> None:
        """Go back to the frame of the queue before this one."""
        before = self._queue.previous()
        if before.current is None or before.position == self._queue.position:
            self._notices.tell("There is no frame before this one in the queue.")
        else:
            self._move_in(before)

    def step(self, delta: int) -> None:
        """Go ``delta`` frames along in the same video; stops at its ends."""
        source, current, position = self._frame.source, self._frame.key, self._frame.position
        if source is None or current is None or position < 0:
            return
        wanted = min(max(position + delta, 0), len(source) - 1)
        self.go_to(FrameKey(current.video, source.number(wanted)))
        direction = 1 if delta > 0 else -1
        ahead = range(wanted + direction, wanted + direction * (READ_AHEAD + 1), direction)
        self.prefetch(
            FrameKey(current.video, source.number(position)) for position in ahead if 0 <= position < len(source)
        )

    def set_playing(self, playing: bool) -> None:
        """Set whether the video is playing; the engine is not asked for predictions meanwhile."""
        self._is_playing = playing
        self.playingChanged.emit(playing)

    def prefetch(self, keys: Iterable[FrameKey]) -> None:
        """Have frames decoded in the background; those whose video is not open are left out."""
        self._shelf.prefetch(keys)

    def next_labelled(self) -> None:
        """Go to the next frame with labels, through all videos."""
        self._go_along(sorted(self._projects.tally.labelled), 1)

    def previous_labelled(self) -> None:
        """Go to the frame with labels before this one, through all videos."""
        self._go_along(sorted(self._projects.tally.labelled), -1)

    def next_unlabelled(self) -> None:
        """Go to the next frame that waits for labels, through all videos."""
        self._go_to_unlabelled(1)

    def previous_unlabelled(self) -> None:
        """Go to the frame before this one that waits for labels, through all videos."""
        self._go_to_unlabelled(-1)

    def _go_along(self, keys: Sequence[FrameKey], delta: int) -> bool:
        found = None if self._frame.key is None else neighbour_key(keys, self._frame.key, delta)
        if found is not None:
            self.go_to(found)
        return found is not None

    def _go_to_unlabelled(self, delta: int) -> None:
        if self._frame.key is None:
            return
        keys = unlabelled_frames(
            queued=[suggestion.key for suggestion in self._queue.suggestions],
            begun=self._projects.tally.labelled,
            images=self._images(),
            complete=self._projects.done,
        )
        if not keys and self._frame.source is not None:
            self._step_to_unlabelled(self._frame.source, self._frame.key.video, delta)
        elif not self._go_along(keys, delta):
            where = "after" if delta > 0 else "before"
            self._notices.tell(
                f"No frame {where} this one waits for labels.", "Go back to the top of the queue for more."
            )

    def _step_to_unlabelled(self, source: CachedSource, video: str, delta: int) -> None:
        """Go to the next frame of the video without labels: nothing else waits for any."""
        position = self._frame.position + delta
        while 0 <= position < len(source):
            key = FrameKey(video, source.number(position))
            if key not in self._projects.tally.labelled:
                self.go_to(key)
                return
            position += delta

    def _images(self) -> list[FrameKey]:
        """Return the current video's frames where it is a folder of extracted images."""
        source, current = self._frame.source, self._frame.key
        if source is None or current is None or axis_of(source).numbers is None:
            return []
        return [FrameKey(current.video, source.number(position)) for position in range(len(source))]

    def _move_in(self, queue: Queue) -> None:
        """Go to the current frame of ``queue``, which is the queue at another position."""
        moved, self._queue = queue.position != self._queue.position, queue
        if queue.current is not None:
            self.go_to(queue.current.key)
        if moved:
            self.queueChanged.emit()

    def _after_arrival(self) -> None:
        if self._frame.source is not None:
            self._tell_missing()
        if self.suggestion is not None:
            self.prefetch(self._queue.upcoming(QUEUE_AHEAD))

    def _tell_missing(self) -> None:
        key = self._frame.key
        if key is not None and self._frame.position < 0:
            self._notices.warn(
                f"{key.video} has no frame {key.frame}.",
                "The video file is shorter than it was, or the frame's image is missing.",
            )

    # ---- the queue ----------------------------------------------------------------------------

    def take_ranking(self, suggestions: tuple[Suggestion, ...]) -> None:
        """Put a new queue after the current frame."""
        self._queue = self._queue.after_rerank(suggestions, complete=self._projects.done)
        self.queueChanged.emit()
        self._show_first_suggestion()
        self.prefetch(self._queue.upcoming(QUEUE_AHEAD))

    def _show_first_suggestion(self) -> None:
        """Go to the best of a new queue where a project was opened without one and the user has touched nothing yet."""
        first = self.first_open
        if self._untouched and self.suggestion is None and first is not None:
            pairs = zip(self._untouched, self._frame.annotations, strict=True)
            self._untouched = ()
            if all(np.array_equal(a.states, b.states) and np.array_equal(a.xy, b.xy, equal_nan=True) for a, b in pairs):
                self._bring(first)

    def change_queue(self, queue: Queue) -> None:
        """Replace the queue by one to which the user added frames, or from which they removed some."""
        self._queue = queue
        self.queueChanged.emit()

    def mark_role(self, key: FrameKey, role: FrameRole) -> None:
        """Note in the queue what ``key`` is for from now on."""
        self._queue = self._queue.with_role(key, role)
        self.queueChanged.emit()

    # ---- projects -----------------------------------------------------------------------------

    @Slot(object)
    def _on_entered(self, loaded: LoadedProject) -> None:
        self._queue = loaded.queue

    @Slot()
    def _on_left(self) -> None:
        self._queue, self._first_video, self._untouched = Queue(), "", ()

    @Slot()
    def _on_announced(self) -> None:
        self.queueChanged.emit()
        if self._projects.project is None:
            self._shelf.clear()

    @Slot(object)
    def _on_begun(self, beginning: Beginning) -> None:
        project, key = self._projects.project, beginning.at
        if key is not None and self._projects.video(key.video) is not None:
            self._bring(key)
            self._untouched = self._frame.annotations if beginning.rank else ()
        elif project is not None and project.videos:
            self._first_video = project.videos[0].name
            self._shelf.want(project.videos[0])

    # ---- videos -------------------------------------------------------------------------------

    @Slot(str)
    def _on_opened(self, name: str) -> None:
        video, current = self._projects.video(name), self._frame.key
        wanted = self._first_video if current is None else current.video
        if video is None or name != wanted:
            return
        source = self._shelf.want(video)
        if source is None:
            return
        self._notices.set_busy("")
        if source.notice:
            self._notices.tell(source.notice, DAMAGE_HINT)
        if current is None:
            self._bring(FrameKey(name, source.number(0)))
            self._untouched = self._frame.annotations
            return
        self._frame.set_source(source)
        self._after_arrival()

    def reopen_video(self, name: str) -> None:
        """Reopen a video once it is decided how to read it."""
        video, current = self._projects.video(name), self._frame.key
        if video is None:
            return
        self._shelf.forget(name)
        if current is not None and current.video == name:
            self._frame.set_source(self._shelf.want(video))
        self.videoReopened.emit(name)

    @Slot(str, str, str)
    def _on_not_opened(self, name: str, message: str, hint: str) -> None:
        self._notices.set_busy("")
        self._notices.warn(message, hint)

    @Slot(str, int, int)
    def _on_opening(self, name: str, done: int, total: int) -> None:
        if self._notices.busy and total > 0:
            self._notices.set_busy(f"Opening {name}: {done / total:.0%}")
