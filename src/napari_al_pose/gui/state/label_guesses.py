"""What labels say about other frames, worked out beside the window: carried along in time, and what poses look like."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal, Slot

from napari_al_pose.domain import AlPoseError, FrameKey, FrameSource, Prediction
from napari_al_pose.domain.frame_guess import MOST_POSES, prior_of
from napari_al_pose.domain.pose_prior import PosePrior
from napari_al_pose.domain.views.label_propagation import carried_sentence, carrying_line
from napari_al_pose.gui.background import Background
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.frame_guesses import FrameGuesses
from napari_al_pose.gui.state.label_editor import LabelEditor
from napari_al_pose.gui.state.navigator import Navigator
from napari_al_pose.gui.state.notices import Notices
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.project import Project, ProjectVideo
from napari_al_pose.video.label_propagation import propagate_labels

MOST_FRAMES = 500
"""Frames that labels are carried through at most."""

QUEUED_WITHIN = 150
"""Frames within which the next queued frame is sought."""

_CACHE_BYTES = 32 * 2**20
_TELL_EVERY = 10

_GROWTH = 1.1
"""The prior is fitted again when the number of labelled frames has grown by this factor."""


@dataclass(frozen=True, slots=True, eq=False)
class _Trip:
    """An individual's labels, carried from ``key`` on.

    Parameters
    ----------
    video : ProjectVideo
    key : FrameKey
        The frame with the labels.
    individual : str
    xy : float64 array, (K, 2)
        The labels, NaN where there is none.
    step : int
        1 forward, -1 back.
    until : int or None
        Number of the frame to end with, if there is one.
    cancelled : Event
    """

    video: ProjectVideo
    key: FrameKey
    individual: str
    xy: NDArray[np.float64]
    step: int
    until: int | None
    cancelled: threading.Event


class Carrier(QObject):
    """Tracks labels through the video and gives the frame the guesses that come of it.

    Parameters
    ----------
    projects : ProjectSession
    frame : CurrentFrame
        Its labels are carried; it is given the guesses.
    navigator : Navigator
    notices : Notices
    """

    _moved = Signal(int, int)
    """Frames done, and how many there are at most."""

    def __init__(
        self, projects: ProjectSession, frame: CurrentFrame, *, navigator: Navigator, notices: Notices
    ) -> None:
        super().__init__()
        self._projects, self._frame = projects, frame
        self._navigator, self._notices = navigator, notices
        self._background = Background("al-pose-carry", self)
        self._trip: _Trip | None = None
        self._moved.connect(self._tell)
        projects.projectChanged.connect(self.cancel)
        projects.closing.connect(self.close)

    @property
    def is_busy(self) -> bool:
        """Whether labels are being carried."""
        return self._trip is not None

    def carry_on(self, step: int = 1) -> None:
        """Carry the labels forward (or back, with -1) until they are lost; called again meanwhile, end it there."""
        if self.is_busy:
            self.cancel()
        else:
            self._start(step, None)

    def carry_to_queued(self) -> None:
        """Carry the labels to the next queued frame of the video, and go there."""
        key = self._frame.key
        if key is None or self.is_busy:
            return
        done = self._projects.tally.labelled
        ahead = [
            one.key.frame
            for one in self._navigator.queue.suggestions
            if one.key.video == key.video
            and key.frame < one.key.frame <= key.frame + QUEUED_WITHIN
            and one.key not in done
        ]
        if ahead:
            self._start(1, min(ahead))
        else:
            self._notices.tell(f"No frame of the queue is within {QUEUED_WITHIN} frames after this one.")

    @Slot()
    def cancel(self) -> None:
        """Carry no further; what was reached is kept."""
        if self._trip is not None:
            self._trip.cancelled.set()

    @Slot()
    def close(self) -> None:
        """End the thread."""
        self.cancel()
        self._background.close()

    def _start(self, step: int, until: int | None) -> None:
        project, key, annotation = self._projects.project, self._frame.key, self._frame.annotation
        if project is None or key is None or annotation is None:
            return
        if not np.isfinite(annotation.xy).any():
            self._notices.tell("There is no label in this frame to carry on.", "Label it first.")
            return
        video = next((one for one in project.videos if one.name == key.video), None)
        if video is None:
            return
        trip = self._trip = _Trip(
            video, key, annotation.individual, annotation.xy.copy(), step, until, threading.Event()
        )
        self._notices.set_busy(carrying_line(0, 0))
        self._background.run(lambda: self._carried(trip), lambda found: self._take(trip, found), self._give_up)

    def _carried(self, trip: _Trip) -> dict[FrameKey, Prediction]:
        """On the thread: open the video for itself and go through it."""
        source = trip.video.open(cache_bytes=_CACHE_BYTES)
        try:
            start = source.position(trip.key.frame)
            end = len(source) if trip.step > 0 else -1
            if trip.until is not None:
                end = source.position(trip.until) + trip.step
            positions = range(start + trip.step, end, trip.step)[:MOST_FRAMES]
            found: dict[FrameKey, Prediction] = {}
            for one in propagate_labels(np.asarray(source[start]), trip.xy, self._frames(source, positions, trip)):
                key = FrameKey(trip.key.video, source.number(positions[one.step - 1]))
                found[key] = Prediction(key, 0, one.xy.astype(np.float32), one.likelihood.astype(np.float32))
            return found
        finally:
            source.close()

    def _frames(self, source: FrameSource, positions: range, trip: _Trip) -> Iterator[NDArray[np.uint8]]:
        for done, position in enumerate(positions):
            if trip.cancelled.is_set():
                return
            if done % _TELL_EVERY == 0:
                self._moved.emit(done, len(positions))
            yield np.asarray(source[position])

    @Slot(int, int)
    def _tell(self, done: int, total: int) -> None:
        if self.is_busy:
            self._notices.set_busy(carrying_line(done, total))

    def _take(self, trip: _Trip, found: dict[FrameKey, Prediction]) -> None:
        self._trip = None
        self._notices.set_busy("")
        project = self._projects.project
        if project is None or trip.video not in project.videos:
            return
        self._frame.guesses.add_carried(found, trip.individual)
        last = max(found, key=lambda key: trip.step * key.frame, default=None)
        n = 0 if last is None else int(np.isfinite(found[last].xy[:, 0]).sum())
        arrived = last is not None and trip.until == last.frame
        message, hint = carried_sentence(
            len(found), n, None if last is None else last.frame, wanted=trip.until, stopped=trip.cancelled.is_set()
        )
        self._notices.tell(message, hint)
        if arrived and last is not None and self._frame.key == trip.key:
            self._navigator.go_to(last)

    def _give_up(self, error: AlPoseError) -> None:
        self._trip = None
        self._notices.refuse(error)


class PoseKnowledge(QObject):
    """Fits the prior when a project is opened, and again as its labels grow.

    Parameters
    ----------
    projects : ProjectSession
    guesses : FrameGuesses
        Are given the prior.
    editor : LabelEditor
    """

    def __init__(self, projects: ProjectSession, guesses: FrameGuesses, *, editor: LabelEditor) -> None:
        super().__init__()
        self._projects, self._guesses = projects, guesses
        self._n_known = 0
        """Labelled frames when the prior was fitted last."""
        projects.announced.connect(self._learn)
        editor.frameCompleted.connect(self._learn_if_grown)

    @Slot()
    def _learn_if_grown(self) -> None:
        project = self._projects.project
        if project is not None and project.labels.n_labelled >= _GROWTH * self._n_known:
            self._learn()

    @Slot()
    def _learn(self) -> None:
        """Fit what is labelled now, on the project's own thread."""
        project = self._projects.project
        if project is None:
            self._guesses.set_prior(None)
            return
        self._n_known = project.labels.n_labelled
        self._projects.run(
            lambda: prior_of(project.labels.spread_annotations(MOST_POSES)),
            then=lambda prior: self._take(project, prior),
        )

    def _take(self, project: Project, prior: PosePrior | None) -> None:
        if project is self._projects.project:
            self._guesses.set_prior(prior)
