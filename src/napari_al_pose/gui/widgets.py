"""What the panels are put together from: sections, buttons, labels, and lists of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from qtpy.QtCore import (
    QAbstractListModel,
    QCoreApplication,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    Signal,
    Slot,
)
from qtpy.QtGui import QFocusEvent, QFontMetrics, QKeyEvent, QPainter, QPaintEvent, QPalette, QResizeEvent
from qtpy.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QListView,
    QMenu,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_al_pose.domain.views import time_left
from napari_al_pose.engine.messages import Progress
from napari_al_pose.gui.remembered import remember, remembered
from napari_al_pose.gui.state.key_choices import KeyChoices

_AROUND_LINES = 2
"""Pixels above and below the text of a row, together."""
_FEWEST_LETTERS = 8
"""That a choice among names shows at least."""
ROW = Qt.ItemDataRole.UserRole
"""Role under which a list's model gives the row itself."""


class Section(QWidget):
    """A titled part of the dock that can be folded; remembered until it is unfolded.

    Parameters
    ----------
    title : str
    """

    folded = Signal(bool)

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._key = f"folded/{title}"
        self._title = QToolButton()
        self._title.setText(title)
        self._title.setProperty("part", "fold")
        self._title.setToolTip("Fold or unfold this section")
        self._title.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._title.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._title.setAutoRaise(True)
        self._title.clicked.connect(lambda _checked=False: self.fold(not self.is_folded))
        self.side = label("", "dim")
        self.side.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.head = QHBoxLayout()
        self.head.setSpacing(6)
        self.head.addWidget(self._title)
        self.head.addWidget(self.side, 1)
        self._content = QWidget()
        self.body = QVBoxLayout(self._content)
        self.body.setContentsMargins(0, 0, 0, 0)
        self.body.setSpacing(4)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(3)
        rows.addWidget(line())
        rows.addLayout(self.head)
        rows.addWidget(self._content, 1)
        self._is_folded = False
        self._show(folded=remembered(self._key, "no") == "yes")

    @property
    def is_folded(self) -> bool:
        """Whether only the title is shown."""
        return self._is_folded

    def fold(self, folded: bool) -> None:
        """Show only the title, or everything; it stays so after a restart."""
        if folded != self._is_folded:
            self._show(folded=folded)
            remember(self._key, "yes" if folded else "no")
            self.folded.emit(folded)

    def _show(self, *, folded: bool) -> None:
        self._is_folded = folded
        self._content.setVisible(not folded)
        self._title.setArrowType(Qt.ArrowType.RightArrow if folded else Qt.ArrowType.DownArrow)
        vertical = QSizePolicy.Policy.Fixed if folded else QSizePolicy.Policy.Preferred
        self.setSizePolicy(QSizePolicy.Policy.Preferred, vertical)


class _WholeLabel(QLabel):
    """Keeps the height of all its lines; docks ask for the least height without asking for which width."""

    def setText(self, text: str) -> None:
        super().setText(text)
        self._keep_height()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._keep_height()

    def _keep_height(self) -> None:
        self.setMinimumHeight(max(0, self.heightForWidth(self.width())))  # -1 without a text


def label(text: str, part: str = "", *, wrap: bool = False, whole: bool = False) -> QLabel:
    """Return a label; ``part`` names its look in the style sheet, ``whole`` keeps it as high as its lines are."""
    made = _WholeLabel(text) if whole else QLabel(text)
    made.setProperty("part", part)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setWordWrap(wrap)
    return made


def line() -> QFrame:
    """Return the hair line above a section."""
    made = QFrame()
    made.setProperty("part", "line")
    made.setFixedHeight(1)
    return made


def button(text: str, tooltip: str, clicked: Callable[[], Any], *, part: str = "") -> QPushButton:
    """Return a button that leaves the keyboard to the canvas when it is clicked.

    Keys label frames; a click into the dock must not take them away. Tab still reaches it.
    """
    made = _quiet_button(text, tooltip)
    made.setProperty("part", part)
    made.clicked.connect(lambda _checked=False: clicked())
    return made


def menu_button(text: str, tooltip: str, menu: QMenu) -> QPushButton:
    """Return a button that opens ``menu`` and leaves the keyboard to the canvas."""
    made = _quiet_button(text, tooltip)
    made.setMenu(menu)
    return made


def _quiet_button(text: str, tooltip: str) -> QPushButton:
    made = QPushButton(text)
    made.setToolTip(tooltip)
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    made.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
    return made


class CalmBar(QProgressBar):
    """A progress bar that is painted with the rest of the window.

    Qt's own paints with every value, at once: whatever has changed around it is painted too, before it is laid out,
    and stands there, cut off, for as long as the window is busy.
    """

    def setRange(self, minimum: int, maximum: int) -> None:
        with self._unpainted():
            super().setRange(minimum, maximum)

    def setValue(self, value: int) -> None:
        with self._unpainted():
            super().setValue(value)

    @contextmanager
    def _unpainted(self) -> Iterator[None]:
        self.setUpdatesEnabled(False)
        try:
            yield
        finally:
            self.setUpdatesEnabled(True)


def thin_bar(height: int = 7) -> CalmBar:
    """Return a progress bar without a text of its own."""
    made = CalmBar()
    made.setTextVisible(False)
    made.setFixedHeight(height)
    return made


def lay_out(widget: QWidget) -> None:
    """Lay out a widget and all in it now, the innermost first.

    Qt does so later, and does it for the window first. Where other docks are shown at the same time, that paints the
    widget as it was laid out before, and so it stands there for as long as the window is busy.
    """
    for each in reversed((widget, *widget.findChildren(QWidget))):
        QCoreApplication.sendPostedEvents(each, QEvent.Type.LayoutRequest)


def row_height(font: QFontMetrics, least: int, *, lines: int = 1) -> int:
    """Return the height of a row with so many lines of text: ``least`` pixels, unless the user's font needs more."""
    return max(least, lines * font.height() + _AROUND_LINES)


class NamesBox(QComboBox):
    """A choice among names that somebody gave: it is as wide as there is room, and its list as the names need."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(_FEWEST_LETTERS)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def showPopup(self) -> None:
        names = self.view()
        names.setMinimumWidth(names.sizeHintForColumn(0) + names.verticalScrollBar().sizeHint().width())
        super().showPopup()


class KeyTip(QObject):
    """The tooltip of a widget that names keys, as they are now and when the user has changed them.

    Parameters
    ----------
    widget : QWidget
        Becomes the parent.
    text : str
        With ``{name}`` for the key of an action, see `napari_al_pose.gui.key_table.with_keys`.
    keys : KeyChoices
    """

    def __init__(self, widget: QWidget, text: str, keys: KeyChoices) -> None:
        super().__init__(widget)
        self._widget, self._text, self._keys = widget, text, keys
        keys.changed.connect(self.show)
        self.show()

    @Slot()
    def show(self) -> None:
        """Name the keys as they are now."""
        self._widget.setToolTip(self._keys.named(self._text))


class KeyedMenu(QMenu):
    """A menu whose entries name the keys that do the same.

    Parameters
    ----------
    keys : KeyChoices
    parent : QWidget
    """

    def __init__(self, keys: KeyChoices, parent: QWidget) -> None:
        super().__init__(parent)
        self._keys = keys
        self.setToolTipsVisible(True)

    def add(
        self,
        text: str,
        action: Callable[[], Any],
        key_name: str = "",
        *,
        enabled: bool = True,
        checked: bool | None = None,
    ) -> None:
        """Add an entry; its key is found under ``key_name``, a `Key.name`."""
        made = self.addAction(self._keys.named(f"{text}\t{{{key_name}}}") if key_name else text)
        made.setEnabled(enabled)
        if checked is not None:
            made.setCheckable(True)
            made.setChecked(checked)
        made.triggered.connect(lambda _checked=False: action())


def show_steps(bar: CalmBar, step: Progress) -> None:
    """Show in a bar how far a piece of work is, with its counts and the time left."""
    bar.setRange(0, step.total)
    bar.setValue(step.done)
    left = time_left(step.seconds_left)
    counted = f"{step.stage}: {step.done:,} of {step.total:,}" + (f", {left}" if left else "")
    bar.setFormat(counted if step.total else step.stage)


def tool_button(text: str, tooltip: str, *, part: str, checkable: bool = False) -> QToolButton:
    """Return a small flat button that leaves the keyboard to the canvas when it is clicked."""
    made = QToolButton()
    made.setText(text)
    made.setToolTip(tooltip)
    made.setProperty("part", part)
    made.setCheckable(checkable)
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return made


class RowsModel(QAbstractListModel):
    """A list of frozen rows, each shown by a delegate.

    Parameters
    ----------
    text : callable
        ``text(row)`` is read out by screen readers and found by typing.
    tooltip : callable
    """

    def __init__(self, text: Callable[[Any], str], tooltip: Callable[[Any], str], parent: Any = None) -> None:
        super().__init__(parent)
        self._rows: tuple[Any, ...] = ()
        self._text = text
        self._tooltip = tooltip

    @property
    def rows(self) -> tuple[Any, ...]:
        """What is shown."""
        return self._rows

    def set_rows(self, rows: Sequence[Any]) -> None:
        """Show ``rows``; only those that differ are painted again."""
        old, new = self._rows, tuple(rows)
        if len(old) != len(new):
            self.beginResetModel()
            self._rows = new
            self.endResetModel()
            return
        self._rows = new
        for i, (before, after) in enumerate(zip(old, new, strict=True)):
            if before != after:
                self.touch(i)

    def touch(self, row: int) -> None:
        """Paint ``row`` again."""
        self.dataChanged.emit(self.index(row), self.index(row))

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = self._rows[index.row()]
        if role == ROW:
            return row
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(row)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tooltip(row)
        return None


_MOVING = {
    Qt.Key.Key_Up,
    Qt.Key.Key_Down,
    Qt.Key.Key_PageUp,
    Qt.Key.Key_PageDown,
    Qt.Key.Key_Home,
    Qt.Key.Key_End,
}
_CHOOSING = {Qt.Key.Key_Return, Qt.Key.Key_Enter}


class RowsView(QListView):
    """A list that shows a `RowsModel`.

    With the keyboard in it, keys that move go through its rows and Enter chooses one; all others are the window's.

    Parameters
    ----------
    model : RowsModel
    """

    chosen = Signal(object)
    """The row that was clicked, or on which Enter was pressed."""

    def __init__(self, model: RowsModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setModel(model)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSelectionMode(QListView.SelectionMode.NoSelection)
        self.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setUniformItemSizes(True)
        self.clicked.connect(lambda index: self.chosen.emit(index.data(ROW)))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        plain = event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
        index = self.currentIndex()
        if plain and event.key() in _MOVING:
            super().keyPressEvent(event)
        elif plain and event.key() in _CHOOSING and index.isValid():
            self.chosen.emit(index.data(ROW))  # and nothing else: the window would accept guesses
        else:
            event.ignore()

    def currentChanged(
        self, current: QModelIndex | QPersistentModelIndex, previous: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().currentChanged(current, previous)
        self.viewport().update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.viewport().update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the rows, and with the keyboard in the list a line around that on which Enter acts."""
        super().paintEvent(event)
        if self.hasFocus() and self.currentIndex().isValid():
            painter = QPainter(self.viewport())
            painter.setPen(self.palette().color(QPalette.ColorRole.Text))
            painter.drawRect(self.visualRect(self.currentIndex()).adjusted(0, 0, -1, -1))
            painter.end()
