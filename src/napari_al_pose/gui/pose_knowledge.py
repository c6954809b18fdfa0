"""What poses look like, learnt beside the window from the labels, for the guesses of the current frame."""

from __future__ import annotations

from qtpy.QtCore import QObject, Slot

from napari_al_pose.domain.frame_guess import prior_of
from napari_al_pose.domain.pose_prior import PosePrior
from napari_al_pose.gui.current_frame import CurrentFrame
from napari_al_pose.gui.label_editor import LabelEditor
from napari_al_pose.gui.project_session import ProjectSession
from napari_al_pose.project import Project


class PoseKnowledge(QObject):
    """Fits the prior anew when a project is opened and after each frame that was completed.

    Parameters
    ----------
    projects : ProjectSession
    frame : CurrentFrame
        Is given the prior.
    editor : LabelEditor
    """

    def __init__(self, projects: ProjectSession, frame: CurrentFrame, *, editor: LabelEditor) -> None:
        super().__init__()
        self._projects, self._frame = projects, frame
        projects.announced.connect(self._learn)
        editor.frameCompleted.connect(self._learn)

    @Slot()
    def _learn(self) -> None:
        """Fit what is labelled now, on the project's own thread."""
        project = self._projects.project
        if project is None:
            self._frame.set_prior(None)
        else:
            self._projects.run(
                lambda: prior_of(project.labels.annotations()), then=lambda prior: self._take(project, prior)
            )

    def _take(self, project: Project, prior: PosePrior | None) -> None:
        if project is self._projects.project:
            self._frame.set_prior(prior)
