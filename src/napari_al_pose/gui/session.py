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
bodypartChanged(), queueChanged(), settingsChanged(), scoremapChoiceChanged()
    As named. ``queueChanged`` also when the position in the queue moved.
modelChanged()
    A new model version is there; `rounds` has its round.
trainingChanged()
    `training` moved on; at most ten times a second.
engineChanged()
    `engine_state` changed.
lookedChanged()
    `looked` is now the answer for the current frame, or None.
busyChanged()
    `busy`, a line about what is being opened, changed.
noticeRaised(message: str, hint: str, is_error: bool)
    Something for the user to read.

Every method may be called at any time; what is impossible ends in ``noticeRaised`` or does nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from napari_al_pose.domain import FrameKey
from napari_al_pose.domain.settings import LoopSettings
from napari_al_pose.gui.state import ALL_BODYPARTS, SessionState
from napari_al_pose.gui.training import TrainingView

__all__ = ["ALL_BODYPARTS", "Session", "session_for"]

_sessions: WeakKeyDictionary[Any, Session] = WeakKeyDictionary()


def session_for(viewer: Any) -> Session:
    """Return the one session of ``viewer``, made on first use.

    Parameters
    ----------
    viewer : napari.Viewer
        Or the `PublicOnlyProxy` of one, as plug-in widgets get it.
    """
    real = getattr(viewer, "__wrapped__", viewer)
    if real not in _sessions:
        _sessions[real] = Session()
    return _sessions[real]


class Session(SessionState):
    """See the module's docstring for the signals and `SessionState` for the properties."""

    @property
    def training(self) -> TrainingView:
        return TrainingView()

    @property
    def engine_state(self) -> str:
        return "off"

    # ---- project ------------------------------------------------------------------------------

    def open_project(self, path: Path | str) -> None:
        """Open the project folder or ``config.yaml`` at ``path`` in place of the open one.

        Returns at once; ``projectChanged`` or ``noticeRaised`` follows.
        """

    def new_project(self, **details: Any) -> None:
        """Make a project and open it; ``details`` as in `napari_al_pose.project.create_project`."""

    def close_project(self) -> None:
        """Write what is to be written and close the project, its videos and its engine."""

    def add_videos(self, paths: list[Path]) -> None:
        """Add videos to the project."""

    def set_settings(self, settings: LoopSettings) -> None:
        """Store ``settings``; the queue is ranked anew where they change it."""

    def set_strategy(self, name: str) -> None:
        """Rank the queue by the strategy ``name`` from now on."""

    def close(self) -> None:
        """Close everything and stop every thread; the session cannot be used afterwards."""

    # ---- moving -------------------------------------------------------------------------------

    def go_to(self, key: FrameKey) -> None:
        """Bring the frame ``key`` in front of the user."""

    def next_suggestion(self) -> None:
        """Go to the next frame of the queue."""

    def previous_suggestion(self) -> None:
        """Go back to the frame of the queue before this one."""

    def step(self, delta: int) -> None:
        """Go ``delta`` frames along in the same video; stops at its ends."""

    def next_labelled(self) -> None:
        """Go to the next frame with labels, through all videos."""

    def previous_labelled(self) -> None:
        """Go to the frame with labels before this one, through all videos."""

    # ---- labelling ----------------------------------------------------------------------------

    def choose_bodypart(self, name: str) -> None:
        """Let the next click place ``name``."""

    def next_bodypart(self) -> None:
        """Choose the bodypart after the chosen one, going round."""

    def previous_bodypart(self) -> None:
        """Choose the bodypart before the chosen one, going round."""

    def place(self, bodypart: str, x: float, y: float) -> None:
        """Label ``bodypart`` at source pixel ``(x, y)`` in the current frame."""

    def mark_not_visible(self, bodypart: str | None = None) -> None:
        """Say that ``bodypart`` (default: the chosen one) cannot be seen in the current frame."""

    def clear(self, bodypart: str | None = None) -> None:
        """Take back the label of ``bodypart`` (default: the chosen one): nobody has looked at it."""

    def accept_guess(self, bodypart: str | None = None) -> None:
        """Make the model's guess for ``bodypart`` (default: for all that is not labelled) labels."""

    def undo(self) -> None:
        """Take back the last edit, in whatever frame it was, and go there."""

    def redo(self) -> None:
        """Do again what was last taken back, and go there."""

    # ---- learning -----------------------------------------------------------------------------

    def learn(self) -> None:
        """Train the next model on the labels as they are now, then rank the queue anew."""

    def stop_and_keep(self) -> None:
        """End the training now and keep what it has learnt."""

    def cancel_training(self) -> None:
        """End the engine's long job (training, ranking, a whole video) and keep nothing of it."""

    def restart_engine(self) -> None:
        """Start the engine again after it died."""

    def predict_video(self, name: str) -> None:
        """Predict the video ``name`` with the newest model and write the result beside it."""

    def set_scoremap(self, choice: str) -> None:
        """Lay a scoremap over the video: "" none, "*" all, else a bodypart."""
