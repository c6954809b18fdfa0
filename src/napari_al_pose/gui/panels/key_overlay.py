"""All keys on one sheet over the window; Esc or ? puts it away."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtGui import QKeyEvent, QPainter
from qtpy.QtWidgets import QGridLayout, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from napari_al_pose.gui.dialogs.keys import KeyDialog
from napari_al_pose.gui.key_table import MOUSE, Key, spoken
from napari_al_pose.gui.state.key_choices import KeyChoices
from napari_al_pose.gui.theme import see_through, style_sheet, theme_colours
from napari_al_pose.gui.widgets import button, label

_COLUMNS = 3
_MARGIN = 36
_KEY_WIDTH = 90


class KeyOverlay(QWidget):
    """Lies over the whole window while it is open and takes the keyboard.

    Parameters
    ----------
    keys : KeyChoices
    window : QWidget
        What it covers.
    theme : str
        napari's theme.
    """

    def __init__(self, keys: KeyChoices, window: QWidget, theme: str) -> None:
        super().__init__(window)
        self._keys = keys
        self._colours = theme_colours(theme)
        self._focused: QWidget | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setStyleSheet(
            style_sheet(self._colours)
            + f"QLabel {{ background: transparent; }} QLabel[part='key'] {{ color: {self._colours.accent.name()};"
            " font-weight: 600; }"
            "QScrollArea, QScrollArea > QWidget > QWidget { background: transparent; border: none; }"
        )
        self._rows = QVBoxLayout(self)
        self._rows.setContentsMargins(_MARGIN, _MARGIN // 2, _MARGIN, _MARGIN // 2)
        self._sheet: QWidget | None = None
        keys.changed.connect(self._fill)
        self._fill()
        window.installEventFilter(self)
        self.hide()

    def toggle(self) -> None:
        """Show the keys, or put them away."""
        if self.isVisible():
            self.close_sheet()
            return
        window = self.parentWidget()
        self._focused = None if window is None else window.focusWidget()
        self._cover(window)
        self.show()
        self.raise_()
        self.setFocus()

    def close_sheet(self) -> None:
        """Put the keys away and give the keyboard back to where it was."""
        self.hide()
        if self._focused is not None:
            with suppress(RuntimeError):  # it may have gone meanwhile
                self._focused.setFocus()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # Every other key is swallowed: nobody labels a frame they can't see.
        if event.key() in (Qt.Key.Key_Escape, Qt.Key.Key_Question, Qt.Key.Key_F1):
            self.close_sheet()
        event.accept()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self._follow()
        elif event.type() == QEvent.Type.LayoutRequest:
            # A window that grows with what it holds tells nobody before it has done so.
            QTimer.singleShot(0, self, self._follow)
        return False

    def _follow(self) -> None:
        if self.isVisible():
            self._cover(self.parentWidget())

    def _cover(self, window: QWidget | None) -> None:
        if window is not None:
            self.setGeometry(window.rect())

    def paintEvent(self, event: Any) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), see_through(self._colours.background, 0.95))
        painter.end()

    def _fill(self) -> None:
        if self._sheet is not None:
            self._rows.removeWidget(self._sheet)
            self._sheet.deleteLater()
        self._sheet = self._make_sheet()
        self._rows.addWidget(self._sheet)

    def _make_sheet(self) -> QWidget:
        made = QWidget()
        rows = QVBoxLayout(made)
        rows.setContentsMargins(0, 0, 0, 0)
        head = QHBoxLayout()
        head.addWidget(label("Keys", "project"))
        head.addStretch(1)
        head.addWidget(button("Change keys…", "Give an action another key", self._change))
        head.addWidget(button("Close", "Esc or ?", self.close_sheet))
        rows.addLayout(head)
        columns = QHBoxLayout()
        columns.setSpacing(36)
        for blocks in _balanced(self._blocks(), _COLUMNS):
            columns.addWidget(_column(blocks), 1, Qt.AlignmentFlag.AlignTop)
        scrolled, inner = QScrollArea(), QWidget()
        inner.setLayout(columns)
        scrolled.setWidget(inner)
        scrolled.setWidgetResizable(True)
        rows.addWidget(scrolled, 1)
        return made

    def _blocks(self) -> list[tuple[str, list[tuple[str, str]]]]:
        groups: dict[str, list[Key]] = {}
        for key in self._keys.table:
            groups.setdefault(key.group, []).append(key)
        blocks = [
            (title, [(" or ".join(map(spoken, key.keys)), key.title) for key in keys]) for title, keys in groups.items()
        ]
        return [*blocks, ("Mouse", list(MOUSE))]

    def _change(self) -> None:
        dialog = KeyDialog(self._keys, self)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()


def _balanced(blocks: list[tuple[str, list[tuple[str, str]]]], n: int) -> list[list[tuple[str, list[tuple[str, str]]]]]:
    """Return the blocks in ``n`` columns of about the same height, in their order."""
    room = sum(len(rows) + 2 for _, rows in blocks) / n
    columns: list[list[tuple[str, list[tuple[str, str]]]]] = [[] for _ in range(n)]
    filled, column = 0.0, 0
    for block in blocks:
        height = len(block[1]) + 2
        if columns[column] and filled + height / 2 > room * (column + 1) and column + 1 < n:
            column += 1
        columns[column].append(block)
        filled += height
    return columns


def _column(blocks: list[tuple[str, list[tuple[str, str]]]]) -> QWidget:
    made = QWidget()
    grid = QGridLayout(made)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(14)
    grid.setVerticalSpacing(3)
    grid.setColumnMinimumWidth(0, _KEY_WIDTH)
    grid.setColumnStretch(1, 1)
    row = 0
    for title, rows in blocks:
        head = label(title, "title", wrap=True)
        head.setContentsMargins(0, 10, 0, 2)
        grid.addWidget(head, row, 0, 1, 2)
        for key, text in rows:
            row += 1
            grid.addWidget(label(key, "key"), row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(label(text, wrap=True), row, 1)
        row += 1
    return made
