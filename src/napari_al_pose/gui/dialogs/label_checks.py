"""The list of labels worth a second look, beside the window."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout, QWidget

from napari_al_pose.domain.views.label_checks import check_heading, check_rows
from napari_al_pose.gui.state.label_checks import LabelChecks
from napari_al_pose.gui.widgets import label


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
        self.right = QPushButton("Keep my label")
        self.right.setToolTip("Keep the label as it is and don't list it again")
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
