"""The labels worth a second look."""

from __future__ import annotations

from qtpy.QtCore import QObject, Signal, Slot

from napari_al_pose.domain.label_checks import LabelCheck
from napari_al_pose.domain.views.label_checks import still_to_check
from napari_al_pose.engine.messages import Checked
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.engine_bridge import EngineBridge
from napari_al_pose.gui.state.navigator import Navigator
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.project import Project


class LabelChecks(QObject):
    """What the last round made of the labels; a label that is moved is no longer listed.

    Parameters
    ----------
    projects : ProjectSession
    frame : CurrentFrame
    navigator : Navigator
    engine : EngineBridge
        Finds them.
    """

    changed = Signal()
    listWanted = Signal()
    """The list is to be shown."""

    def __init__(
        self, projects: ProjectSession, frame: CurrentFrame, *, navigator: Navigator, engine: EngineBridge
    ) -> None:
        super().__init__()
        self._projects, self._frame, self._navigator = projects, frame, navigator
        self._checks: tuple[LabelCheck, ...] = ()
        engine.hear(Checked, self._on_checked)
        projects.projectChanged.connect(self._on_project)
        frame.annotationChanged.connect(self._on_annotation)

    @property
    def all(self) -> tuple[LabelCheck, ...]:
        """Labels to check, the most suspicious first."""
        return self._checks

    def show_list(self) -> None:
        """Have the window list the labels to check."""
        self.listWanted.emit()

    def show(self, check: LabelCheck) -> None:
        """Go to the label."""
        self._navigator.go_to(check.key)
        self._frame.choose_bodypart(check.bodypart)

    def find_right(self, check: LabelCheck) -> None:
        """Say that a label is right as it stands; it is not listed again unless it is moved."""
        project = self._projects.project
        self._set(tuple(other for other in self._checks if other != check))
        if project is not None and not project.read_only:
            self._projects.run(lambda: project.checks.find_right(check))

    def _on_checked(self, reply: Checked) -> None:
        self._set(reply.checks)

    @Slot()
    def _on_project(self) -> None:
        self._set(())
        project = self._projects.project
        if project is not None:
            self._projects.run(project.checks.load, then=lambda checks: self._take(project, checks))

    def _take(self, project: Project, checks: tuple[LabelCheck, ...]) -> None:
        if project is self._projects.project:
            self._set(checks)

    @Slot()
    def _on_annotation(self) -> None:
        annotation = self._frame.annotation
        if annotation is not None and self._checks:
            self._set(still_to_check(self._checks, annotation, self._frame.bodyparts))

    def _set(self, checks: tuple[LabelCheck, ...]) -> None:
        if checks != self._checks:
            self._checks = checks
            self.changed.emit()
