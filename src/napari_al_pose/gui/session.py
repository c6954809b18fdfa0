"""One viewer's labelling session: what is open, what is in front of the user, and what can be done with it.

Panels, layers and keys talk to `Session` only, through its properties, methods and signals, and hold no state of their
own. Nothing here waits for a decode, the disk (beyond one small SQLite commit) or the engine: what takes time runs
elsewhere and ends in a signal.

Signals
-------
projectChanged()
    Another project, or none. Everything else may have changed with it.
frameChanged()
    Another frame is current (`current`, `annotation`, `guess`, `suggestion`, `bodypart` are already its own).
sourceChanged()
    `source` is another video, or None while one is being opened.
annotationChanged()
    Labels or guess of the current frame changed.
bodypartChanged(), individualChanged(), queueChanged(), settingsChanged(), scoremapChoiceChanged()
    As named. ``queueChanged`` also when the position in the queue moved.
modelChanged()
    A new model version is there; `rounds` has its round.
trainingChanged()
    `training` moved on; a few times a second.
poolMapped(mapped: PoolMapped)
    The map of the pool that was asked for.
exportChanged()
    `export` moved on; about once a second.
engineChanged()
    `engine_state` changed.
lookedChanged()
    `looked` is now the answer for the current frame, or None.
busyChanged()
    `busy`, a line about what is being opened, changed.
conflictsChanged()
    `conflicts`, labels that another program changed too, are others.
videosChanged()
    The project has more videos.
keysWanted()
    The list of keys is to be shown, or put away.
noticeRaised(message: str, hint: str, is_error: bool)
    Something for the user to read.

Every method may be called at any time; what is impossible ends in ``noticeRaised`` or does nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from qtpy.QtCore import QCoreApplication, QObject, Slot

from napari_al_pose.domain import AlPoseError, FrameKey, Prediction
from napari_al_pose.domain.exporting import ExportOptions
from napari_al_pose.domain.labelling import time_to_learn
from napari_al_pose.domain.settings import LoopSettings
from napari_al_pose.domain.views import LabelTally
from napari_al_pose.domain.views.exporting import exported_sentence
from napari_al_pose.engine.messages import Exported, Looked, Ranked, Trained
from napari_al_pose.gui.label_checks import LabelChecks
from napari_al_pose.gui.loading import mark_holdout
from napari_al_pose.gui.repair import Repair
from napari_al_pose.gui.state import ALL_BODYPARTS
from napari_al_pose.gui.stored_guesses import StoredGuesses
from napari_al_pose.project import Project
from napari_al_pose.project.outside_predictions import take_in, video_of
from napari_al_pose.project.video_predictions import VideoRun

__all__ = ["ALL_BODYPARTS", "Session", "session_for"]

RANKING_SETTINGS = ("strategy", "batch_size", "holdout_share", "pool_size", "regions")
"""Settings that change the queue."""

_sessions: WeakKeyDictionary[Any, Session] = WeakKeyDictionary()


def session_for(viewer: Any) -> Session:
    """Return the one session of ``viewer``, made on first use with its layers, mouse and keys.

    It lasts until `Session.close`: whoever docks the panels calls that when the dock is destroyed, and leaving
    the application does it too.

    Parameters
    ----------
    viewer : napari.Viewer
        Or the `PublicOnlyProxy` of one, as plug-in widgets get it.
    """
    from napari_al_pose.gui.keys import KeyBindings
    from napari_al_pose.gui.layers import LayerStack

    real = getattr(viewer, "__wrapped__", viewer)
    session = _sessions.get(real)
    if session is None or session.is_closed:
        session = _sessions[real] = Session()
        stack = LayerStack(real, session)
        keys = session.keys = KeyBindings(real, session, stack)
        session.closing.connect(keys.unbind)
        session.closing.connect(stack.close)
    return session


class Session(Repair):
    """See the module's docstring for the signals, `SessionState` for the properties."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.label_checks = LabelChecks(self, self._engine.checked, self._desk)
        """The labels worth a second look."""
        self._last_scoremap = ALL_BODYPARTS
        self.frameCompleted.connect(self._learn_when_due)
        engine = self._engine
        engine.stateChanged.connect(self.engineChanged)
        engine.trainingChanged.connect(self.trainingChanged)
        engine.looked.connect(self._on_looked)
        engine.ranked.connect(self._on_ranked)
        engine.mapped.connect(self.poolMapped)
        engine.trained.connect(self._on_trained)
        engine.adopted.connect(self._on_model)
        engine.exportChanged.connect(self.exportChanged)
        engine.exported.connect(self._on_exported)
        self._stored = StoredGuesses(self)
        self._stored.found.connect(self._on_stored)
        self.closing.connect(self._stored.close)
        self.frameChanged.connect(self._want_stored)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.close)

    def show_keys(self) -> None:
        """Have the window list the keys, or put the list away."""
        self.keysWanted.emit()

    def show_checks(self) -> None:
        """Have the window list the labels worth a second look."""
        self.checksWanted.emit()

    # ---- learning -----------------------------------------------------------------------------

    def learn(self) -> None:
        """Train the next model on the labels as they are now, then rank the queue anew."""
        project = self._writable()
        if project is None or self.training.running:
            return
        if self.engine_state in ("off", "dead"):
            self.notice_error("The engine does not run.", "Restart the engine, then learn.")
            return
        if not self._tally.labelled:
            self.noticeRaised.emit(
                "There is nothing to learn from yet.", "Label some frames of the queue first.", False
            )
            return
        self._n_trained_on = self._tally.n_trainable
        if self.training.kind == "rank":
            self._engine.end_job()  # the training ranks anew
        self._desk.run(lambda: mark_holdout(project), then=lambda t: self._train(project, t), failed=self._refuse)

    def stop_and_keep(self) -> None:
        """End the training now and keep what it has learnt."""
        self._engine.end_job(keep=True)

    def cancel_training(self) -> None:
        """End the engine's long job (training, ranking) and keep nothing of it."""
        self._engine.end_job()

    def restart_engine(self) -> None:
        """Start the engine again after it died."""
        if self._project is not None and self.engine_state in ("off", "dead"):
            self._engine.start(self._project.root)
            if self._current is not None:
                self._engine.look(self._current)

    def adopt_model(self, path: Path) -> None:
        """Make a model that another program trained the newest one, then rank the queue with it."""
        if self._writable() is None or self.training.running:
            return
        if self.engine_state in ("off", "dead"):
            self.notice_error("The engine does not run.", "Restart the engine, then choose the model.")
            return
        if self.training.kind == "rank":
            self._engine.end_job()  # the new model ranks anew
        self._engine.adopt(path)

    def export_videos(self, videos: Sequence[str], options: ExportOptions) -> None:
        """Predict and write whole videos, by name or file; ``exportChanged`` tells how it goes."""
        if self._writable() is None:
            return
        if self.engine_state in ("off", "dead"):
            self.notice_error("The engine does not run.", "Restart the engine, then export.")
            return
        self._engine.export(videos, options)

    def cancel_export(self) -> None:
        """End the export; what is predicted is kept and not predicted again."""
        self._engine.end_export()

    def map_pool(self, strategy: str, layout: str) -> None:
        """Ask for a map of the pool by ``strategy``; ``poolMapped`` brings it, the queue stays as it is."""
        if self._project is not None and self.training.kind != "map":
            self._engine.map_pool(strategy, layout)

    def add_predictions(self, paths: Sequence[Path]) -> None:
        """Take in what other programs predicted; it ranks the queue and gives guesses until there is a model."""
        project = self._writable()
        if project is not None:
            self._desk.run(
                lambda: [take_in(project, video_of(project, path), path) for path in paths],
                then=self._on_predictions_added,
                failed=self._refuse,
            )

    def set_strategy(self, name: str) -> None:
        """Rank the queue by the strategy ``name`` from now on."""
        self.set_settings(self.settings.model_copy(update={"strategy": name}))

    def set_settings(self, settings: LoopSettings) -> None:
        """Store ``settings``; the queue is ranked anew where they change it."""
        project, before = self._writable(), self.settings
        if project is None or settings == before:
            return
        try:
            project.save_settings(settings)
        except AlPoseError as error:
            self.notice_error(error.message, error.hint)
            return
        self.settingsChanged.emit()
        if any(getattr(settings, name) != getattr(before, name) for name in RANKING_SETTINGS):
            self._rank_anew(project)

    def set_scoremap(self, choice: str) -> None:
        """Lay a scoremap over the video: "" none, "*" all, else a bodypart."""
        if choice != self._scoremap_choice and choice in ("", ALL_BODYPARTS, *self.bodyparts):
            self._last_scoremap = self._scoremap_choice or self._last_scoremap
            self._scoremap_choice = choice
            self.scoremapChoiceChanged.emit()

    def toggle_scoremap(self) -> None:
        """Hide the scoremap, or show the one chosen last."""
        last = self._last_scoremap if self._last_scoremap in self.bodyparts else ALL_BODYPARTS
        self.set_scoremap("" if self._scoremap_choice else last)

    def _learn_when_due(self) -> None:
        up = self.engine_state in ("starting", "ready", "working")
        due = time_to_learn(self.n_complete_since_training, self.settings.learn_after)
        if up and due and not self.training.running:
            self.learn()

    def _train(self, project: Project, tally: LabelTally | None) -> None:
        if project is not self._project:
            return
        if tally is not None:
            self._tally = tally
            self._read_annotation()
            self.annotationChanged.emit()
        self._engine.train()

    def _rank_anew(self, project: Project) -> None:
        if self.training.running:
            return  # it ends with a ranking, by the new settings
        if self.training.kind == "rank":
            self._engine.end_job()
        self._engine.rank(project.settings.strategy)

    # ---- the engine's answers -----------------------------------------------------------------

    @Slot(object)
    def _on_looked(self, reply: Looked) -> None:
        prediction = reply.prediction
        if reply.key != self._current or prediction is None or prediction.model_version < self._engine.model_version:
            return
        self._looked = reply
        self._read_guess()
        self.lookedChanged.emit()
        self.annotationChanged.emit()

    @Slot(object)
    def _on_trained(self, reply: Trained) -> None:
        self._rounds = (*self._rounds, reply.round)
        self.modelChanged.emit()
        if reply.notice:
            self.noticeRaised.emit(reply.notice, "", False)
        self._on_model()

    @Slot()
    def _on_model(self, _reply: object = None) -> None:
        """Show what a new model makes of the frame in front of the user."""
        if self._current is not None:
            self._engine.look(self._current)

    @Slot(object)
    def _on_ranked(self, reply: Ranked) -> None:
        project = self._project
        if project is None:
            return
        queue = self._queue = self._queue.after_rerank(reply.suggestions)
        if queue.suggestions != reply.suggestions and not project.read_only:
            # The engine has saved the queue without the frame in front of the user.
            self._desk.run(
                lambda: project.queue.save(reply.strategy, reply.model_version, queue.suggestions),
                then=lambda _result: None,
                failed=self._refuse,
            )
        self._predictions = {guess.key: guess for guess in reply.guesses}
        self.queueChanged.emit()
        self._read_guess()
        self.annotationChanged.emit()
        self._shelf.prefetch(self._queue.upcoming(3))
        if reply.notice:
            self.noticeRaised.emit(reply.notice, "", False)
        if reply.model_version:
            version = reply.model_version
            self._desk.run(
                lambda: project.predictions.load(version),
                then=lambda pool: self._add_predictions(version, pool),
                failed=self._refuse,
            )

    def _add_predictions(self, version: int, pool: dict[FrameKey, Prediction]) -> None:
        if version == self._engine.model_version:
            self._predictions = {**pool, **self._predictions}

    def _on_predictions_added(self, runs: Sequence[VideoRun]) -> None:
        names = ", ".join(run.header.video for run in runs)
        later = "They are not asked any more, as there is a model." if self._rounds else ""
        self.noticeRaised.emit(f"Predictions of {names} are taken in.", later, False)
        self._want_stored()
        if self._project is not None:
            self._rank_anew(self._project)

    @Slot()
    def _want_stored(self) -> None:
        """Look up the current frame's pose among those of whole videos, if nothing is known of it yet."""
        project, key = self._project, self._current
        if project is not None and key is not None and self._looked is None and key not in self._predictions:
            version = self._engine.model_version or (self._rounds[-1].number if self._rounds else 0)
            self._stored.want(project, version, key)

    @Slot(object)
    def _on_stored(self, prediction: Prediction) -> None:
        if prediction.key == self._current and prediction.key not in self._predictions:
            self._predictions[prediction.key] = prediction
            self._read_guess()
            self.annotationChanged.emit()

    @Slot(object)
    def _on_exported(self, reply: Exported) -> None:
        self.noticeRaised.emit(exported_sentence(len(reply.videos), reply.paths), reply.notice, False)
