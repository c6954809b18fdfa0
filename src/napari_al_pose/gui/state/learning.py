"""What the engine does for the project: training, ranking, looking, exporting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal, Slot

from napari_al_pose.domain import Round
from napari_al_pose.domain.labelling import LabelTally, time_to_train
from napari_al_pose.domain.pose_export import ExportOptions
from napari_al_pose.domain.views import QueueEnd, queue_end
from napari_al_pose.engine.messages import Adopt, Described, Rank, Ranked, Train, Trained
from napari_al_pose.gui.state.engine_bridge import EngineBridge
from napari_al_pose.gui.state.job_views import ExportView, TrainingView
from napari_al_pose.gui.state.loading import LoadedProject, mark_holdout
from napari_al_pose.gui.state.navigator import Navigator
from napari_al_pose.gui.state.notices import Notices
from napari_al_pose.gui.state.project_session import Beginning, ProjectSession
from napari_al_pose.project import Project
from napari_al_pose.project.imported_predictions import take_in, video_of
from napari_al_pose.project.video_predictions import VideoRun

if TYPE_CHECKING:
    from napari_al_pose.acquisition import Strategy

RANKING_SETTINGS = {"strategy", "batch_size", "holdout_share", "pool_size", "regions"}
"""Settings that change the queue."""


class Learning(QObject):
    """Keeps the engine, its jobs, and the rounds they have made.

    Parameters
    ----------
    projects : ProjectSession
    navigator : Navigator
        Is given the queue.
    engine : EngineBridge
    notices : Notices
    """

    modelChanged = Signal()
    """A new model version is there; `rounds` has its round."""
    trainingChanged = Signal()
    """`training` moved on; a few times a second at most."""
    exportChanged = Signal()
    """`export` moved on; about once a second."""
    engineChanged = Signal()
    modelDescribed = Signal(object)
    """The `Described` that was asked for."""
    predictionsAdded = Signal()
    """What other programs predicted is in the project now."""

    def __init__(
        self,
        projects: ProjectSession,
        navigator: Navigator,
        *,
        engine: EngineBridge,
        notices: Notices,
    ) -> None:
        super().__init__()
        self._projects, self._navigator = projects, navigator
        self._engine, self._notices = engine, notices
        self._rounds: tuple[Round, ...] = ()
        self._n_trained_on = 0
        self._marking: Future[LabelTally | None] | None = None
        self._engine_trouble = ""
        """Why the engine ended, as the user was told."""
        self._why_empty = ""
        self._is_stale = False
        """Whether the engine has read the project as it was, and must start afresh before its next work."""
        self._settings = projects.settings
        self._connect_engine()
        projects.entered.connect(self._on_entered)
        projects.left.connect(self._on_left)
        projects.announced.connect(self.modelChanged)
        projects.begun.connect(self._on_begun)
        projects.settingsChanged.connect(self._on_settings)
        projects.videosChanged.connect(self._on_videos)
        navigator.videoReopened.connect(self._on_reopened)

    def _connect_engine(self) -> None:
        engine = self._engine
        engine.failed.connect(self._on_failed)
        engine.stateChanged.connect(self._on_engine)
        engine.trainingChanged.connect(self.trainingChanged)
        engine.exportChanged.connect(self.exportChanged)
        engine.hear(Described, self.modelDescribed.emit)
        engine.hear(Ranked, self._on_ranked)
        engine.hear(Trained, self._on_trained)

    # ---- what is known ------------------------------------------------------------------------

    @property
    def rounds(self) -> tuple[Round, ...]:
        """The project's finished rounds."""
        return self._rounds

    @property
    def why_empty(self) -> str:
        """Why the last ranking chose no frame; "" if it chose some."""
        return self._why_empty

    @property
    def queue_end(self) -> QueueEnd | None:
        """What follows where every frame of the queue is labelled; None while one is left, or the queue is empty."""
        navigator, training = self._navigator, self.training
        if not navigator.queue.suggestions or navigator.first_open is not None:
            return None
        return queue_end(
            engine_state=self.engine_state,
            job=training.kind,
            will_train=self.will_train,
            seconds_left=training.seconds_left,
            read_only=self._projects.read_only,
            n_trainable=self._projects.n_trainable,
            why_empty=self._why_empty,
        )

    @property
    def strategies(self) -> dict[str, Strategy]:
        """Every installed acquisition strategy by name."""
        from napari_al_pose.acquisition import installed_strategies  # scikit-learn behind it: only when asked for

        return dict(installed_strategies())

    @property
    def n_new(self) -> int:
        """Training frames that were done since the last training began."""
        return max(0, self._projects.n_trainable - self._n_trained_on)

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

    @property
    def _is_up(self) -> bool:
        return self.engine_state not in ("off", "dead")

    # ---- requests -----------------------------------------------------------------------------

    def train(self) -> None:
        """Train the next model on the labels as they are now, then rank the queue again."""
        project = self._projects.writable()
        if project is None or self.training.running or self.will_train:
            return
        if not self._is_up:
            self._notices.warn("The engine is not running.", "Restart the engine, then train.")
            return
        tally = self._projects.tally
        if not tally.labelled:
            self._notices.tell("There is nothing to train on yet.", "Label some frames of the queue first.")
            return
        self._n_trained_on = self._projects.n_trainable
        self._end_ranking()  # the training ranks anew
        self._marking = self._projects.run(
            lambda: mark_holdout(project), then=lambda marked: self._train(project, marked)
        )
        self.trainingChanged.emit()  # `will_train`

    @property
    def will_train(self) -> bool:
        """Whether a training was asked for that has not begun: its test frames are being marked, or a ranking ends."""
        marking = self._marking
        marks = marking is not None and not (marking.done() and (marking.cancelled() or marking.exception()))
        return marks or self._engine.will_train

    @Slot()
    def train_when_due(self) -> None:
        """Train if there are as many new frames as the settings ask for."""
        due = time_to_train(self.n_new, self._projects.settings.train_after)
        if self._is_up and due and not self.training.running:
            self.train()

    def stop_and_keep(self) -> None:
        """End the training now and keep what it has learnt."""
        self._engine.end_job(keep=True)

    def cancel_training(self) -> None:
        """End the engine's long job (training, ranking) and keep nothing of it."""
        self._engine.end_job()

    def restart_engine(self) -> None:
        """Start the engine again after it died."""
        project = self._projects.project
        if project is not None and not self._is_up:
            self._start_engine(project)

    def describe_model(self, path: Path) -> None:
        """Ask what a model that another program trained knows; `modelDescribed` tells."""
        if self._is_up:
            self._engine.describe(path)
        else:
            self._notices.warn("The engine is not running.", "Restart the engine, then choose the model.")

    def adopt_model(self, path: Path, chosen: Mapping[str, str] = MappingProxyType({})) -> None:
        """Make a model that another program trained the newest one, then rank the queue with it.

        ``chosen`` gives, by the project's bodypart, the model's; nothing ("") where its guess is not wanted.
        """
        if self._projects.writable() is None or self.training.running:
            return
        if not self._is_up:
            self._notices.warn("The engine is not running.", "Restart the engine, then choose the model.")
            return
        self._end_ranking()  # the new model ranks anew
        self._engine.begin(Adopt, str(path), dict(chosen))

    def export_videos(self, videos: Sequence[str], options: ExportOptions) -> None:
        """Predict and write whole videos, by name or file; ``exportChanged`` tells how it goes."""
        project = self._projects.writable()
        if project is None:
            return
        if not self._is_up:
            self._notices.warn("The engine is not running.", "Restart the engine, then export.")
            return
        self._start_afresh(project)
        self._engine.export(videos, options)

    def cancel_export(self) -> None:
        """End the export; what is predicted is kept and not predicted again."""
        self._engine.end_export()

    def add_predictions(self, paths: Sequence[Path]) -> None:
        """Take in what other programs predicted; it ranks the queue and gives guesses until there is a model."""
        project = self._projects.writable()
        if project is not None:
            self._projects.run(
                lambda: [take_in(project, video_of(project, path), path) for path in paths],
                then=self._on_predictions_added,
            )

    def _start_engine(self, project: Project) -> None:
        """Start the engine, which ends the one there was; frames of a training that is lost by this count as new."""
        self._is_stale = False
        self._count_from_last_round()
        self._engine.start(project.root)

    def _start_afresh(self, project: Project) -> None:
        """Restart the engine if it must read the project again and has no work."""
        if self._is_stale and self._is_up and not self.training.busy and not self.export.busy:
            self._start_engine(project)

    def _count_from_last_round(self) -> None:
        self._n_trained_on = self._rounds[-1].n_train if self._rounds else 0

    def _train(self, project: Project, marked: LabelTally | None) -> None:
        self._marking = None
        if project is not self._projects.project:
            return
        if marked is not None:
            self._projects.set_tally(marked)
        n_trained_on = self._n_trained_on
        self._start_afresh(project)
        self._n_trained_on = n_trained_on
        self._engine.begin(Train)

    def _end_ranking(self) -> None:
        if self.training.kind == "rank":
            self._engine.end_job()

    def _rank_anew(self, project: Project) -> None:
        if not self.training.running:  # it ends with a ranking, by the new settings
            self._end_ranking()
            self._start_afresh(project)
            self._engine.begin(Rank, project.settings.strategy)

    # ---- the project and the frame ------------------------------------------------------------

    @Slot(object)
    def _on_entered(self, loaded: LoadedProject) -> None:
        self._settings = loaded.project.settings
        self._rounds = loaded.project.rounds.all()
        self._count_from_last_round()

    @Slot()
    def _on_left(self) -> None:
        self._engine.stop()
        self._rounds, self._n_trained_on, self._why_empty = (), 0, ""

    @Slot(object)
    def _on_begun(self, beginning: Beginning) -> None:
        project = self._projects.project
        if project is None:
            return
        self._is_stale = not beginning.interrupt
        if beginning.interrupt:
            self._start_engine(project)
        else:
            self._start_afresh(project)
        if beginning.rank:
            self._engine.begin(Rank, project.settings.strategy)

    @Slot()
    def _on_settings(self) -> None:
        project, before = self._projects.project, self._settings
        now = self._settings = self._projects.settings
        if project is not None and now.model_dump(include=RANKING_SETTINGS) != before.model_dump(
            include=RANKING_SETTINGS
        ):
            self._rank_anew(project)

    @Slot()
    def _on_videos(self) -> None:
        if self._projects.project is not None:
            self._engine.begin(Rank, self._projects.settings.strategy)

    @Slot(str)
    def _on_reopened(self, video: str) -> None:
        """Start the engine afresh: it reads the video too."""
        project = self._projects.project
        if self.training.running:
            self._notices.tell(
                f"The engine still uses the old copy of {video}.", "Restart the engine when its work is done."
            )
        elif project is not None:
            self._engine.start(project.root)

    # ---- the engine's answers -----------------------------------------------------------------

    @Slot(str, str)
    def _on_failed(self, message: str, hint: str) -> None:
        if self.engine_state == "dead":
            self._engine_trouble = message
        self._notices.warn(message, hint)

    @Slot()
    def _on_engine(self) -> None:
        if self._engine_trouble and self.engine_state in ("ready", "working"):
            self._notices.withdraw(self._engine_trouble)
            self._engine_trouble = ""
        self.engineChanged.emit()

    def _on_trained(self, reply: Trained) -> None:
        self._rounds = (*self._rounds, reply.round)
        self.modelChanged.emit()
        if reply.notice:
            self._notices.tell(reply.notice)

    def _on_ranked(self, reply: Ranked) -> None:
        project, navigator, version = self._projects.project, self._navigator, reply.model_version
        if project is None:
            return
        self._why_empty = reply.why_empty
        navigator.take_ranking(reply.suggestions)
        suggestions = navigator.queue.suggestions
        if suggestions != reply.suggestions and not project.read_only:
            # The engine has saved the queue without the current frame.
            self._projects.run(lambda: project.queue.save(reply.strategy, version, suggestions))
        if reply.notice:
            self._notices.tell(reply.notice)

    def _on_predictions_added(self, runs: Sequence[VideoRun]) -> None:
        names = ", ".join(run.header.video for run in runs)
        later = "They are not used any more, because there is a model." if self._rounds else ""
        self._notices.tell(f"Added predictions of {names}.", later)
        self.predictionsAdded.emit()
        if self._projects.project is not None:
            self._rank_anew(self._projects.project)
