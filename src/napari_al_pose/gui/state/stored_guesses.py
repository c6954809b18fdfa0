"""Poses of whole videos on disk, looked up beside the window: for frames that the engine has not looked at."""

from __future__ import annotations

from qtpy.QtCore import QObject, Signal

from napari_al_pose.domain import AlPoseError, FrameKey, Prediction
from napari_al_pose.gui.background import Background
from napari_al_pose.project import Project
from napari_al_pose.project.stored_poses import stored_pose


class StoredGuesses(QObject):
    """Answers the newest wish; one look-up is under way at a time.

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
        """Look up what model ``version`` said about a frame; 0 asks for what another program said."""
        self._wish = (project, version, key)
        self._next()

    def close(self) -> None:
        """Look nothing up any more."""
        self._wish = None
        self._background.close(wait=False)

    def _next(self) -> None:
        if self._busy or self._wish is None:
            return
        (project, version, key), self._wish = self._wish, None
        self._busy = True
        self._background.run(lambda: stored_pose(project, version, key), self._deliver, self._give_up)

    def _deliver(self, prediction: Prediction | None) -> None:
        self._busy = False
        if prediction is not None:
            self.found.emit(prediction)
        self._next()

    def _give_up(self, _error: AlPoseError) -> None:
        # A file that was just replaced: the next frame is looked up anew.
        self._busy = False
        self._next()
