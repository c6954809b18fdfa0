"""The tracks of the video in front of the user: read beside the window, changed by the user, kept at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from qtpy.QtCore import QObject, Signal, Slot

from napari_al_pose.domain import AlPoseError, FrameKey
from napari_al_pose.domain.track_edits import TrackAct, TrackEdit, TrackEdits, new_track_name
from napari_al_pose.domain.views.tracks import RunOverview, edit_sentence
from napari_al_pose.gui.background import Background
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.label_checks import LabelChecks
from napari_al_pose.gui.state.learning import Learning
from napari_al_pose.gui.state.navigator import Navigator
from napari_al_pose.gui.state.notices import Notices
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.project import Project
from napari_al_pose.project.run_errors import RunErrors, run_errors
from napari_al_pose.project.run_overview import is_followed, run_overview
from napari_al_pose.project.video_predictions import VideoRun

_BETWEEN_S = 5.0
"""Least seconds between two readings of a video that is being predicted."""


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """What was read of a video."""

    video: str
    run: VideoRun | None
    overview: RunOverview | None
    followed: bool = False
    errors: RunErrors = field(default_factory=RunErrors)


class TrackEditor(QObject):
    """Shows what a model said about the whole video, and changes its tracks from the current frame on.

    Parameters
    ----------
    projects : ProjectSession
    frame : CurrentFrame
        Is told how the animals of the frame follow from those before.
    navigator : Navigator
    checks : LabelChecks
        Takes back the changes of labels, in one order with these.
    learning : Learning
        Knows which models there are, and when a video is predicted.
    notices : Notices
    """

    changed = Signal()
    """Another video, other predictions, or other tracks."""

    def __init__(
        self,
        projects: ProjectSession,
        frame: CurrentFrame,
        *,
        navigator: Navigator,
        checks: LabelChecks,
        learning: Learning,
        notices: Notices,
    ) -> None:
        super().__init__()
        self._projects, self._frame, self._navigator = projects, frame, navigator
        self._checks, self._learning, self._notices = checks, learning, notices
        self._background = Background("al-pose-tracks", self)
        self._read = _Read("", None, None)
        self._stop = threading.Event()
        self._read_at = 0.0
        self._was_exporting = False
        frame.keyChanged.connect(self._on_frame)
        learning.modelChanged.connect(self.read_anew)
        learning.exportChanged.connect(self._on_export)
        projects.left.connect(self._forget)
        projects.closing.connect(self._close)

    # ---- what is known ------------------------------------------------------------------------

    @property
    def overview(self) -> RunOverview | None:
        """A summary of the whole video; None if it is not predicted."""
        return self._read.overview

    @property
    def errors(self) -> RunErrors:
        """How far the predictions lie from the labels there were when they were read."""
        return self._read.errors

    @property
    def run(self) -> VideoRun | None:
        """The newest predictions of the whole video."""
        return self._read.run

    @property
    def tracks(self) -> tuple[str, ...]:
        """The names of the tracks; none if the model knows one animal or the video is not predicted."""
        return () if self._read.run is None else self._read.run.tracks

    @property
    def can_edit(self) -> bool:
        """Whether there are tracks to change: all animals have been followed to the end of the video."""
        return self._read.followed and not self._projects.read_only

    @property
    def row(self) -> int | None:
        """The row of the current frame in the predictions."""
        key, run = self._frame.key, self._read.run
        return None if key is None or run is None or key.video != self._read.video else run.row(key.frame)

    @property
    def current(self) -> int:
        """The track of the chosen individual."""
        return self._frame.individual_index if self._frame.individual_index < len(self.tracks) else 0

    @property
    def can_undo(self) -> bool:
        """Whether there is a change, of labels or of tracks, to take back."""
        return self._checks.can_undo or (self.can_edit and bool(self._edits.done))

    @property
    def can_redo(self) -> bool:
        """Whether there is a change, of labels or of tracks, to bring back."""
        return self._checks.can_redo or (self.can_edit and bool(self._edits.undone))

    # ---- changes ------------------------------------------------------------------------------

    def swap(self, track: int | None = None, other: int | None = None) -> None:
        """Exchange two tracks from the current frame on; by default that of the chosen individual and the nearest."""
        one = self.current if track is None else track
        found = self._nearest(one) if other is None else other
        if found is None:
            self._say_why_not()
        else:
            self._edit(TrackAct.SWAP, one, other=found)

    def split(self, track: int | None = None) -> None:
        """End a track before the current frame; what follows is a new one."""
        name = new_track_name(self.tracks)
        self._edit(TrackAct.SPLIT, self.current if track is None else track, name=name)

    def join(self, track: int, other: int) -> None:
        """Fill the gaps of ``track`` with the poses of ``other``, from the current frame on."""
        self._edit(TrackAct.JOIN, track, other=other)

    def name(self, track: int, name: str) -> None:
        """Rename a track. Given the name of another track, exchange both in the whole video."""
        name, names = name.strip(), self.tracks
        if not name or name == names[track]:
            return
        if name in names:
            self._edit(TrackAct.SWAP, track, other=names.index(name), row=0)
        else:
            self._edit(TrackAct.NAME, track, name=name, row=0)

    def undo(self) -> None:
        """Take back the last change, be it of labels or of this video's tracks."""
        project = self._projects.project
        last = self._edits.done[-1] if self.can_edit and self._edits.done else None
        if project is None or last is None or project.labels.next_steps[0] > last.after:
            self._checks.undo()
        else:
            self._keep(self._edits.without_last(), "The change of the tracks was undone.")

    def redo(self) -> None:
        """Bring back what was taken back last, be it of labels or of this video's tracks."""
        project = self._projects.project
        last = self._edits.undone[-1] if self.can_edit and self._edits.undone else None
        following = 0 if project is None else project.labels.next_steps[1]
        if project is None or last is None or 0 < following <= last.after:
            self._checks.redo()
        else:
            self._keep(self._edits.with_last_undone(), "The change of the tracks was redone.")

    def key_of(self, row: int) -> FrameKey:
        """Return the frame of a row of the predictions."""
        run = self._read.run
        number = row if run is None else int(run.numbers(row, row + 1)[0])
        return FrameKey(self._read.video, number)

    # ---- reading ------------------------------------------------------------------------------

    @Slot()
    def read_anew(self) -> None:
        """Read the current video's predictions again."""
        project, key = self._projects.project, self._frame.key
        if project is None or key is None:
            self._forget()
            return
        self._stop.set()
        stop = self._stop = threading.Event()
        self._read_at = time.monotonic()
        threshold = self._frame.guesses.model_thresholds.pose
        video = key.video
        self._background.run(
            lambda: _read(project, video, threshold, stop.is_set),
            lambda read: self._take(read, stop),
            self._notices.refuse,
        )

    @Slot()
    def _on_frame(self) -> None:
        key = self._frame.key
        if key is not None and key.video != self._read.video:
            self._take(_Read(key.video, None, None), self._stop)
            self.read_anew()
        else:
            self._tell_frame()

    @Slot()
    def _on_export(self) -> None:
        busy = self._learning.export.busy
        ended, self._was_exporting = self._was_exporting and not busy, busy
        if ended or (busy and not self._read.followed and time.monotonic() - self._read_at > _BETWEEN_S):
            self.read_anew()

    @Slot()
    def _forget(self) -> None:
        self._stop.set()
        self._read = _Read("", None, None)
        self.changed.emit()

    @Slot()
    def _close(self) -> None:
        self._stop.set()
        self._background.close(wait=False)

    def _take(self, read: _Read, stop: threading.Event) -> None:
        key = self._frame.key
        if stop is self._stop and key is not None and key.video == read.video:
            self._read = read
            self._tell_frame()
            self.changed.emit()

    def _tell_frame(self) -> None:
        """Tell the current frame which animal was tracked to which place."""
        row, run = self.row, self._read.run
        if run is None or row is None or not self._read.followed or self._navigator.is_playing:
            self._frame.guesses.follow(None)
            return
        try:
            self._frame.guesses.follow(run.prediction(int(run.numbers(row, row + 1)[0])))
        except AlPoseError as error:
            self._notices.refuse(error)

    # ---- inside -------------------------------------------------------------------------------

    @property
    def _edits(self) -> TrackEdits:
        return TrackEdits() if self._read.run is None else self._read.run.edits

    def _edit(self, act: TrackAct, track: int, *, other: int = -1, name: str = "", row: int | None = None) -> None:
        project, here = self._projects.writable(), self.row
        if project is None:
            return
        if not self._read.followed or here is None:
            self._say_why_not()
            return
        # An individual that the model does not know, or one track twice.
        if track >= len(self.tracks) or other >= len(self.tracks) or other == track:
            return
        edit = TrackEdit(act, here if row is None else row, track, other, name, project.labels.next_steps[0])
        self._keep(self._edits.with_edit(edit), edit_sentence(edit, self.tracks, self.key_of(here).frame))

    def _keep(self, edits: TrackEdits, sentence: str) -> None:
        run = self._read.run
        if run is None or self._projects.writable() is None:
            return
        try:
            run.set_edits(edits)
        except AlPoseError as error:
            self._notices.refuse(error)
            return
        self._tell_frame()
        self._notices.tell(sentence, "")
        self.read_anew()

    def _nearest(self, track: int) -> int | None:
        """Return the track whose animal is nearest in the current frame; the only other one where none is seen."""
        run, row = self._read.run, self.row
        others = [i for i in range(len(self.tracks)) if i != track]
        if run is None or row is None or not others:
            return None
        middles = _middles(run, row)
        gaps = np.nan_to_num(np.hypot(*(middles - middles[track]).T), nan=np.inf)
        return min(others, key=lambda other: (float(gaps[other]), other))

    def _say_why_not(self) -> None:
        if self._read.run is None or not self._read.run.is_complete:
            self._notices.tell("This video has no tracks yet.", "Predict the whole video first: Export.")
        elif not self.tracks:
            self._notices.tell("This model knows one animal.", "There is no track to swap it with.")
        else:
            self._notices.tell("The animals are still being followed.", "Change their tracks when that is done.")


def _middles(run: VideoRun, row: int) -> np.ndarray:
    """Return where the middle of each track's animal is in a row, (T, 2); NaN where it has none."""
    poses = run.rows(row, row + 1)[0].reshape(len(run.tracks), -1, 3)[..., :2]
    there = np.isfinite(poses[..., 0])
    sums = np.where(there[..., None], poses, 0).sum(axis=1)
    n = there.sum(axis=1)[:, None]
    return np.where(n > 0, sums / np.maximum(n, 1), np.nan)


def _read(project: Project, video: str, threshold: float, cancelled: Callable[[], bool]) -> _Read:
    """Read what the newest model that has seen the whole video said about it; before there is one, another program."""
    footage = next((one.footage for one in project.videos if one.name == video), "")
    for version in (*reversed(project.models.versions()), 0):
        run = project.video_predictions.find(version, video, footage=footage)
        if run is not None and run.header.n_done and run.header.bodyparts == project.skeleton.bodyparts:
            overview = run_overview(run, threshold=threshold, cancelled=cancelled)
            errors = run_errors(run, project.labels, project.skeleton.individuals)
            return _Read(video, run, overview, is_followed(run), errors)
    return _Read(video, None, None)
