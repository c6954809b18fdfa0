"""What poses look like, learnt beside the window from the labels, for the guesses of the current frame."""

from __future__ import annotations

from qtpy.QtCore import QObject, Slot

from napari_al_pose.domain.frame_guess import MOST_POSES, prior_of
from napari_al_pose.domain.pose_prior import PosePrior
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.label_editor import LabelEditor
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.project import Project

_GROWTH = 1.1
"""The prior is fitted anew when there are so many times the labelled frames: fewer more tell little."""


class PoseKnowledge(QObject):
    """Fits the prior anew when a project is opened, and as its labels grow.

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
            self._frame.set_prior(None)
            return
        self._n_known = project.labels.n_labelled
        self._projects.run(
            lambda: prior_of(project.labels.spread_annotations(MOST_POSES)),
            then=lambda prior: self._take(project, prior),
        )

    def _take(self, project: Project, prior: PosePrior | None) -> None:
        if project is self._projects.project:
            self._frame.set_prior(prior)
