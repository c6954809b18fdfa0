"""The labels worth a second look: what the session knows of them, and the list beside the window."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Qt, Signal, Slot
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout, QWidget

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.label_checks import LabelCheck
from napari_al_pose.domain.views.label_checks import check_heading, check_rows, still_to_check
from napari_al_pose.engine.messages import Checked
from napari_al_pose.gui.background import Background
from napari_al_pose.gui.panels.parts import label

if TYPE_CHECKING:
    from napari_al_pose.gui.session import Session


class LabelChecks(QObject):
    """What the last round made of the labels; a label that is moved is no longer listed.

    Parameters
    ----------
    session : Session
        Becomes the parent.
    checked : Signal
        The engine's, with a `Checked`.
    desk : Background
        Where files are written.
    """

    changed = Signal()

    def __init__(self, session: Session, checked: Any, desk: Background) -> None:
        super().__init__(session)
        self._session = session
        self._desk = desk
        self._checks: tuple[LabelCheck, ...] = ()
        checked.connect(self._on_checked)
        session.projectChanged.connect(self._on_project)
        session.annotationChanged.connect(self._on_annotation)

    @property
    def all(self) -> tuple[LabelCheck, ...]:
        """Labels to check, the most suspicious first."""
        return self._checks

    def show(self, check: LabelCheck) -> None:
        """Go to the label."""
        self._session.go_to(check.key)
        self._session.choose_bodypart(check.bodypart)

    def find_right(self, check: LabelCheck) -> None:
        """Say that a label is right as it stands; it is not listed again unless it is moved."""
        project = self._session.project
        self._set(tuple(other for other in self._checks if other != check))
        if project is not None and not project.read_only:
            self._desk.run(lambda: project.checks.find_right(check), then=_nothing, failed=self._refuse)

    def _refuse(self, error: AlPoseError) -> None:
        self._session.noticeRaised.emit(error.message, error.hint, True)

    @Slot(object)
    def _on_checked(self, reply: Checked) -> None:
        self._set(reply.checks)

    def _on_project(self) -> None:
        self._set(())
        project = self._session.project
        if project is not None:
            self._desk.run(project.checks.load, then=self._take_from(project), failed=self._refuse)

    def _take_from(self, project: Any) -> Callable[[tuple[LabelCheck, ...]], None]:
        return lambda checks: self._set(checks) if project is self._session.project else None

    def _on_annotation(self) -> None:
        annotation = self._session.annotation
        if annotation is not None and self._checks:
            self._set(still_to_check(self._checks, annotation, self._session.bodyparts))

    def _set(self, checks: tuple[LabelCheck, ...]) -> None:
        if checks != self._checks:
            self._checks = checks
            self.changed.emit()


class LabelCheckDialog(QDialog):
    """The list, beside the window: a click goes to the label, the canvas stays usable.

    Parameters
    ----------
    checks : LabelChecks
    parent : QWidget, optional
    """

    def __init__(self, checks: LabelChecks, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._checks = checks
        self.setWindowTitle("Check these labels")
        self.resize(460, 420)
        self.heading = label("", "dim", wrap=True)
        self.list = QListWidget()
        self.list.itemClicked.connect(lambda item: self._show(item))
        self.list.itemActivated.connect(lambda item: self._show(item))
        self.right = QPushButton("It is right")
        self.right.setToolTip("Keep the label as it stands and don't list it again")
        self.right.clicked.connect(self._find_right)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.addButton(self.right, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        rows = QVBoxLayout(self)
        rows.addWidget(self.heading)
        rows.addWidget(self.list, 1)
        rows.addWidget(buttons)
        checks.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show the labels to check; the row chosen stays chosen."""
        at = self.list.currentRow()
        self.list.clear()
        for row in check_rows(self._checks.all):
            item = QListWidgetItem(f"{row.title}\n{row.detail}")
            item.setData(Qt.ItemDataRole.UserRole, row.check)
            self.list.addItem(item)
        self.list.setCurrentRow(min(max(at, 0), self.list.count() - 1))
        self.heading.setText(check_heading(len(self._checks.all)))
        self.right.setEnabled(self.list.count() > 0)

    def _show(self, item: QListWidgetItem) -> None:
        self._checks.show(item.data(Qt.ItemDataRole.UserRole))

    def _find_right(self) -> None:
        item = self.list.currentItem()
        if item is not None:
            self._checks.find_right(item.data(Qt.ItemDataRole.UserRole))


def _nothing(_result: object) -> None:
    """Take a result nobody waits for."""
