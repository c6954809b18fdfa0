"""The way back: earlier states of a frame, and labels that another program changed too."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from qtpy.QtCore import QObject, QTimer, Signal, Slot

from napari_al_pose.domain import FrameKey
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.label_editor import LabelEditor
from napari_al_pose.gui.state.notices import Notices
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.project import Conflict
from napari_al_pose.project.conflicts import UNTIL_DECIDED


class LabelRepair(QObject):
    """What a user can do to labels beyond labelling.

    Parameters
    ----------
    projects : ProjectSession
    frame : CurrentFrame
    editor : LabelEditor
    notices : Notices
    """

    conflictsChanged = Signal()
    """There are other labels to decide about, or none any more."""

    def __init__(self, projects: ProjectSession, frame: CurrentFrame, *, editor: LabelEditor, notices: Notices) -> None:
        super().__init__()
        self._projects, self._frame, self._editor, self._notices = projects, frame, editor, notices
        self._conflicts: tuple[Conflict, ...] = ()
        self._told: list[str] = []
        notices.raised.connect(self._on_notice)
        projects.projectChanged.connect(self._look_for_conflicts)
        projects.written.connect(self._look_for_conflicts)

    @property
    def conflicts(self) -> tuple[Conflict, ...]:
        """Labels changed both here and by another program that nobody has decided about."""
        return self._conflicts

    def bring_back(self, key: FrameKey, action: int) -> None:
        """Give the frame ``key`` the labels it had after ``action``, and go there."""
        project = self._projects.writable()
        if project is not None:
            with self._notices.warning():
                project.labels.history.bring_back(key, action)
                self._editor.follow_change(project, key)

    def decide_conflicts(self, conflicts: Sequence[Conflict], theirs: Collection[Conflict]) -> None:
        """Settle conflicts: ``theirs`` become labels, the others stay as they are here; one undo step a frame."""
        project = self._projects.writable()
        if project is None:
            return
        with self._notices.warning():
            for key in dict.fromkeys(conflict.key.frame_key for conflict in conflicts):
                of_frame = [conflict for conflict in conflicts if conflict.key.frame_key == key]
                taken = [conflict for conflict in of_frame if conflict in theirs]
                project.labels.conflicts.decide(of_frame, taken)
                self._projects.count([project.labels.annotation(key, who) for who in self._frame.individuals])
                self._projects.touch(key.video)
        self._frame.reload()
        self._look_for_conflicts()

    @Slot()
    def _look_for_conflicts(self) -> None:
        project = self._projects.project
        found = () if project is None or project.read_only else tuple(project.labels.conflicts.all())
        if found != self._conflicts:
            self._conflicts = found
            self.conflictsChanged.emit()
            self._withdraw()

    @Slot(str, str, bool)
    def _on_notice(self, message: str, _hint: str, _is_error: bool) -> None:
        if UNTIL_DECIDED in message:
            self._told.append(message)
            if self._conflicts:
                QTimer.singleShot(0, self, self._withdraw)  # the notice is being raised at this moment

    def _withdraw(self) -> None:
        """Take back the notices of conflicts: the window asks about them, or they are decided."""
        told, self._told = self._told, []
        for message in told:
            self._notices.withdraw(message)
