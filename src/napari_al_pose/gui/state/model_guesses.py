"""Models' predictions for the current frame: from the engine, and from what is stored."""

from __future__ import annotations

from qtpy.QtCore import QObject, Signal, Slot

from napari_al_pose.domain import AlPoseError, FrameKey, Prediction
from napari_al_pose.domain.confidence_threshold import Thresholds
from napari_al_pose.engine.messages import Adopted, Looked, Ranked, Trained
from napari_al_pose.gui.background import Background
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.engine_bridge import EngineBridge
from napari_al_pose.gui.state.learning import Learning
from napari_al_pose.gui.state.navigator import Navigator
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.project import Project


class ModelGuesses(QObject):
    """Gives the current frame what the newest model says about it.

    Parameters
    ----------
    projects : ProjectSession
    frame : CurrentFrame
        Its guesses are made of what is said here.
    navigator : Navigator
    learning : Learning
        Its newest model is asked.
    engine : EngineBridge
    """

    def __init__(
        self,
        projects: ProjectSession,
        frame: CurrentFrame,
        *,
        navigator: Navigator,
        learning: Learning,
        engine: EngineBridge,
    ) -> None:
        super().__init__()
        self._projects, self._frame, self._navigator = projects, frame, navigator
        self._learning, self._engine = learning, engine
        self._stored = _StoredPoses(self)
        self._stored.found.connect(self._on_stored)
        engine.stateChanged.connect(self._on_engine)
        engine.hear(Looked, self._on_looked)
        engine.hear(Trained, self._on_trained)
        engine.hear(Adopted, lambda _reply: self._look())
        engine.hear(Ranked, self._on_ranked)
        projects.projectChanged.connect(self._on_project)
        projects.begun.connect(self._look)
        projects.closing.connect(self._stored.close)
        frame.keyChanged.connect(self._look)
        frame.keyChanged.connect(self._want_stored)
        navigator.playingChanged.connect(self._look)
        learning.predictionsAdded.connect(self._want_stored)

    @Slot()
    def _on_project(self) -> None:
        """Believe guesses of the newest round, for the bodyparts that there are now."""
        project, rounds = self._projects.project, self._learning.rounds
        if project is None:
            return
        # Before there is a model of ours the guesses are another program's, whose likelihoods nobody has measured.
        measured = Thresholds.of_round(rounds[-1], project.skeleton.bodyparts) if rounds else None
        self._frame.guesses.believe_from(measured or Thresholds(project.config.pcutoff))

    @Slot()
    def _on_engine(self) -> None:
        if self._engine.state == "starting":
            self._look()  # answered as soon as it is up

    @Slot()
    def _look(self) -> None:
        """Request the newest model's prediction for the current frame."""
        if self._frame.key is not None and not self._navigator.is_playing:
            self._engine.look(self._frame.key)

    @Slot()
    def _want_stored(self) -> None:
        """Look up the current frame's pose among those of whole videos, if nothing is known of it yet."""
        project, key, rounds = self._projects.project, self._frame.key, self._learning.rounds
        if project is not None and key is not None and not self._frame.guesses.is_predicted:
            version = self._engine.model_version or (rounds[-1].number if rounds else 0)
            self._stored.want(project, version, key)

    @Slot(object)
    def _on_stored(self, prediction: Prediction) -> None:
        if prediction.key == self._frame.key:
            self._frame.guesses.add_predictions({prediction.key: prediction})

    def _on_looked(self, reply: Looked) -> None:
        prediction = reply.prediction
        is_new = prediction is not None and prediction.model_version >= self._engine.model_version
        if reply.key == self._frame.key and is_new:
            self._frame.guesses.take_look(reply)

    def _on_trained(self, reply: Trained) -> None:
        project = self._projects.project
        if project is not None:
            self._frame.guesses.believe_from(Thresholds.of_round(reply.round, project.skeleton.bodyparts))
        self._look()

    def _on_ranked(self, reply: Ranked) -> None:
        project, version = self._projects.project, reply.model_version
        if project is None:
            return
        self._frame.guesses.set_predictions({guess.key: guess for guess in reply.guesses})
        if version:
            self._projects.run(
                lambda: project.predictions.load(version), then=lambda pool: self._add_pool(version, pool)
            )

    def _add_pool(self, version: int, pool: dict[FrameKey, Prediction]) -> None:
        if version == self._engine.model_version:
            self._frame.guesses.add_predictions(pool)


class _StoredPoses(QObject):
    """Looks up the stored prediction for a frame. One look-up runs at a time; the newest request goes next.

    Parameters
    ----------
    parent : QObject
    """

    found = Signal(object)
    """The `Prediction` that was wished for."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._background = Background("al-pose-guesses", self)
        self._wish: tuple[Project, int, FrameKey] | None = None
        self._busy = False

    def want(self, project: Project, version: int, key: FrameKey) -> None:
        """Look up what model ``version`` predicted for a frame; version 0 is another program."""
        self._wish = (project, version, key)
        self._next()

    def close(self) -> None:
        """Stop looking up."""
        self._wish = None
        self._background.close(wait=False)

    def _next(self) -> None:
        if self._busy or self._wish is None:
            return
        (project, version, key), self._wish = self._wish, None
        self._busy = True
        self._background.run(lambda: project.stored_pose(version, key), self._deliver, self._give_up)

    def _deliver(self, prediction: Prediction | None) -> None:
        self._busy = False
        if prediction is not None:
            self.found.emit(prediction)
        self._next()

    def _give_up(self, _error: AlPoseError) -> None:
        # A file that was just replaced: the next frame is looked up anew.
        self._busy = False
        self._next()
