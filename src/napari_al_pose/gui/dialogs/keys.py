"""Giving actions other keys."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeyEvent, QKeySequence
from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_al_pose.domain import AlPoseError
from napari_al_pose.gui.key_table import HELP, napari_name, spoken
from napari_al_pose.gui.state.key_choices import KeyChoices
from napari_al_pose.gui.widgets import label

_MODIFIERS = (Qt.Key.Key_Shift, Qt.Key.Key_Control, Qt.Key.Key_Alt, Qt.Key.Key_Meta, Qt.Key.Key_AltGr)


class KeyDialog(QDialog):
    """A row an action: choose one, press the key it shall have; a key that is taken is refused with the reason.

    Parameters
    ----------
    keys : KeyChoices
    parent : QWidget, optional
    """

    def __init__(self, keys: KeyChoices, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._keys = keys
        self.setWindowTitle("Change keys")
        self.setMinimumSize(480, 520)
        self._table = _KeyTable(self._on_key)
        self._answer = label("Choose an action, then press its new key.", "dim", wrap=True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        restore = QPushButton("Restore all")
        buttons.addButton(restore, QDialogButtonBox.ButtonRole.ResetRole)
        restore.clicked.connect(lambda _checked=False: self._restore())
        buttons.rejected.connect(self.reject)
        rows = QVBoxLayout(self)
        rows.addWidget(self._table, 1)
        rows.addWidget(self._answer)
        rows.addWidget(buttons)
        self._fill()

    @property
    def answer(self) -> str:
        """What became of the last key that was pressed."""
        return self._answer.text()

    def _fill(self) -> None:
        changeable = [key for key in self._keys.table if HELP not in key.keys]
        row = self._table.currentRow()
        self._table.setRowCount(len(changeable))
        for index, key in enumerate(changeable):
            title = QTableWidgetItem(key.title)
            title.setData(Qt.ItemDataRole.UserRole, key.name)
            self._table.setItem(index, 0, title)
            self._table.setItem(index, 1, QTableWidgetItem(" or ".join(map(spoken, key.keys))))
        self._table.setCurrentCell(max(row, 0), 0)

    def _on_key(self, pressed: str) -> None:
        item = self._table.item(self._table.currentRow(), 0)
        if item is None:
            return
        name = item.data(Qt.ItemDataRole.UserRole)
        wanted = next(key for key in self._keys.table if key.name == name)
        try:
            self._keys.change(wanted, pressed)
        except AlPoseError as error:
            self._answer.setText(str(error))
            return
        self._answer.setText(f"{spoken(pressed)}: {wanted.title}")
        self._fill()

    def _restore(self) -> None:
        self._keys.restore()
        self._answer.setText("All keys are the defaults again.")
        self._fill()


class _KeyTable(QTableWidget):
    def __init__(self, on_key: Any) -> None:
        super().__init__(0, 2)
        self._on_key = on_key
        self.setHorizontalHeaderLabels(["Action", "Key"])
        self.verticalHeader().hide()
        self.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        self.setSelectionMode(QTableWidget.SelectionMode.SingleSelection)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in _MODIFIERS:
            return
        if event.key() == Qt.Key.Key_Escape:
            super().keyPressEvent(event)
            return
        text = QKeySequence(event.keyCombination()).toString(QKeySequence.SequenceFormat.PortableText)
        self._on_key(napari_name(text))
        event.accept()
