"""What labelling takes, measured beside the window from the log of edits."""

from __future__ import annotations

from collections.abc import Mapping

from qtpy.QtCore import QObject, QTimer, Signal, Slot

from napari_al_pose.domain.effort import Act, Effort, measure
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.learning import Learning
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.project import Project

_SETTLED_MS = 800
"""Edits that follow each other faster are read together."""


class EffortMeter(QObject):
    """Keeps the labelling effort of the open project up to date.

    Parameters
    ----------
    projects : ProjectSession
    frame : CurrentFrame
    learning : Learning
        Its rounds end where their model learnt.
    """

    changed = Signal()

    def __init__(self, projects: ProjectSession, frame: CurrentFrame, *, learning: Learning) -> None:
        super().__init__()
        self._projects, self._learning = projects, learning
        self._acts: tuple[Act, ...] = ()
        self._effort: Effort | None = None
        self._of: Project | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SETTLED_MS)
        self._timer.timeout.connect(self._read)
        frame.annotationChanged.connect(self._timer.start)
        projects.announced.connect(self._read)
        projects.closing.connect(self._timer.stop)
        learning.modelChanged.connect(self._read)

    @property
    def effort(self) -> Effort | None:
        """What labelling took so far; None until the log was read."""
        return self._effort

    @Slot()
    def _read(self) -> None:
        """Read on in the log, on the project's own thread."""
        project = self._projects.project
        if project is not self._of:
            self._of, self._acts, self._effort = project, (), None
            self.changed.emit()
        if project is not None:
            known = self._acts
            learnt_from = {one.number: one.labels_revision for one in self._learning.rounds}
            self._projects.run(
                lambda: _measured(project, known, learnt_from), then=lambda found: self._take(project, *found)
            )

    def _take(self, project: Project, acts: tuple[Act, ...], effort: Effort) -> None:
        if project is self._projects.project and len(acts) >= len(self._acts):
            self._acts, self._effort = acts, effort
            self.changed.emit()


def _measured(
    project: Project, known: tuple[Act, ...], learnt_from: Mapping[int, int]
) -> tuple[tuple[Act, ...], Effort]:
    acts = (*known, *project.labels.acts(after=known[-1].number if known else 0))
    return acts, measure(acts, learnt_from)
