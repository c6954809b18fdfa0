"""What the window shows: the part of `Session` that only tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_al_pose.domain import Annotation, FrameKey, FrameRole, Prediction, Round, Skeleton, Suggestion
from napari_al_pose.domain.queue import Queue
from napari_al_pose.domain.settings import LoopSettings
from napari_al_pose.domain.views import LabelTally
from napari_al_pose.engine.messages import Looked
from napari_al_pose.gui.bridge import EngineBridge
from napari_al_pose.gui.exporting import ExportView
from napari_al_pose.gui.key_table import KEYS, with_keys
from napari_al_pose.gui.options import ViewOptions
from napari_al_pose.gui.sources import CachedSource
from napari_al_pose.gui.training import TrainingView

if TYPE_CHECKING:
    from napari_al_pose.acquisition import Strategy
    from napari_al_pose.gui.keys import KeyBindings
    from napari_al_pose.project import Project

ALL_BODYPARTS = "*"
"""Scoremap choice: every bodypart in its own colour."""


class SessionState(QObject):
    """Signals and read-only properties of a session; see `napari_al_pose.gui.session`."""

    projectChanged = Signal()
    frameChanged = Signal()
    sourceChanged = Signal()
    annotationChanged = Signal()
    bodypartChanged = Signal()
    individualChanged = Signal()
    queueChanged = Signal()
    modelChanged = Signal()
    trainingChanged = Signal()
    exportChanged = Signal()
    poolMapped = Signal(object)
    engineChanged = Signal()
    lookedChanged = Signal()
    scoremapChoiceChanged = Signal()
    settingsChanged = Signal()
    videosChanged = Signal()
    busyChanged = Signal()
    keysWanted = Signal()
    checksWanted = Signal()
    noticeRaised = Signal(str, str, bool)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._engine = EngineBridge(self)
        self._project: Project | None = None
        self._skeleton: Skeleton | None = None
        self._reshaping = False
        self._current: FrameKey | None = None
        self._source: CachedSource | None = None
        self._annotations: tuple[Annotation, ...] = ()
        self._guess: Prediction | None = None
        self._looked: Looked | None = None
        self._bodypart = self._individual = ""
        self._queue = Queue()
        self._rounds: tuple[Round, ...] = ()
        self._scoremap_choice = ""
        self._tally = LabelTally()
        self._n_trained_on = 0
        self._busy = ""
        self.options = ViewOptions(self)
        self.keys: KeyBindings | None = None
        """The keys on the viewer; None without one."""
        self._picture_check: Callable[[], bool] = lambda: False

    def with_keys(self, text: str) -> str:
        """Return ``text`` with each ``{name}`` of an action replaced by the key that does it now."""
        return with_keys(text, KEYS if self.keys is None else self.keys.table)

    @property
    def project(self) -> Project | None:
        """The open project."""
        return self._project

    @property
    def read_only(self) -> bool:
        """Whether labels can only be looked at: no project, or another window holds it."""
        return self._project is None or self._project.read_only

    @property
    def current(self) -> FrameKey | None:
        """The frame in front of the user."""
        return self._current

    @property
    def source(self) -> CachedSource | None:
        """The open video of the current frame; None while it is being opened."""
        return self._source

    @property
    def position(self) -> int:
        """Position of the current frame in `source`; -1 without a source or where it lacks that frame."""
        if self._source is None or self._current is None:
            return -1
        try:
            return self._source.position(self._current.frame)
        except KeyError:
            return -1

    @property
    def picture_is_current(self) -> bool:
        """Whether the pixels on the canvas are the current frame's; clicks are taken only then."""
        return self._picture_check()

    def set_picture_check(self, check: Callable[[], bool]) -> None:
        """Say how to find out `picture_is_current`; whoever draws the video does."""
        self._picture_check = check

    @property
    def annotation(self) -> Annotation | None:
        """The labels of the chosen individual in the current frame."""
        return self._annotations[self.individual_index] if self._annotations else None

    @property
    def annotations(self) -> tuple[Annotation, ...]:
        """The labels of every individual in the current frame, in the project's order; empty without a frame."""
        return self._annotations

    @property
    def role(self) -> FrameRole:
        """What the current frame is for, or will be with its first label."""
        marked = {annotation.role for annotation in self._annotations}
        if self.suggestion is not None:
            marked.add(self.suggestion.role)
        return FrameRole.HOLDOUT if FrameRole.HOLDOUT in marked else FrameRole.TRAIN

    @property
    def guess(self) -> Prediction | None:
        """The model's guess for what is not labelled in the current frame; NaN where a label is."""
        return self._guess

    @property
    def looked(self) -> Looked | None:
        """Scoremaps and prediction of the current frame by the newest model, once the engine has sent them."""
        return self._looked

    @property
    def suggestion(self) -> Suggestion | None:
        """The queue's entry for the current frame, or None."""
        return None if self._current is None else self._queue.suggestion(self._current)

    @property
    def skeleton(self) -> Skeleton | None:
        """What is labelled. The project's own is ahead of it while the bodyparts are being changed."""
        return self._skeleton

    @property
    def bodyparts(self) -> tuple[str, ...]:
        """The project's bodyparts in labelling order; empty without a project."""
        return () if self._skeleton is None else self._skeleton.bodyparts

    @property
    def bodypart(self) -> str:
        """The bodypart the next click places; empty without a project."""
        return self._bodypart

    @property
    def individuals(self) -> tuple[str, ...]:
        """The project's individuals; one nameless one in a single-animal project, none without a project."""
        return () if self._skeleton is None else self._skeleton.individuals

    @property
    def individual(self) -> str:
        """The individual the next click labels; "" in a single-animal project."""
        return self._individual

    @property
    def individual_index(self) -> int:
        """Its place among `individuals`."""
        return self.individuals.index(self._individual) if self._individual in self.individuals else 0

    @property
    def queue(self) -> Queue:
        """The queue; the value is replaced, never changed."""
        return self._queue

    @property
    def rounds(self) -> tuple[Round, ...]:
        """The project's finished rounds."""
        return self._rounds

    @property
    def settings(self) -> LoopSettings:
        """The project's settings; the defaults without a project."""
        return LoopSettings.model_validate({}) if self._project is None else self._project.settings

    @property
    def strategies(self) -> dict[str, Strategy]:
        """Every installed acquisition strategy by name."""
        from napari_al_pose.acquisition import installed_strategies  # scikit-learn behind it: only when asked for

        return dict(installed_strategies())

    @property
    def scoremap_choice(self) -> str:
        """Which scoremap lies over the video: "" none, "*" all, else a bodypart."""
        return self._scoremap_choice

    @property
    def n_complete_since_training(self) -> int:
        """Complete training frames since the last training began."""
        return max(0, self._tally.n_trainable - self._n_trained_on)

    @property
    def n_complete(self) -> int:
        """Frames in which every bodypart was looked at."""
        return len(self._tally.complete)

    @property
    def tally(self) -> LabelTally:
        """Which frames are labelled, complete, hold-out; replaced with the project, updated with every edit."""
        return self._tally

    @property
    def busy(self) -> str:
        """What is being opened ("Opening mouse1: 40 %"); empty while nothing is."""
        return self._busy

    @property
    def training(self) -> TrainingView:
        """The engine's long job."""
        return self._engine.training

    @property
    def export(self) -> ExportView:
        """The export of whole videos that runs, or what came of the last one."""
        return self._engine.export_view

    @property
    def engine_state(self) -> str:
        """One of ``"off"``, ``"starting"``, ``"ready"``, ``"working"``, ``"dead"``."""
        return self._engine.state
