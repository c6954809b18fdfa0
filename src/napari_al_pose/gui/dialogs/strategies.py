"""The choice among all strategies: by family, by words, and by their descriptions."""

from __future__ import annotations

from collections.abc import Mapping

from qtpy.QtCore import QEvent, QObject, Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QLineEdit,
    QScrollArea,
    QSplitter,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_al_pose.acquisition import Family, Strategy
from napari_al_pose.acquisition.catalogue import StrategyEntry, by_family, strategy_entries
from napari_al_pose.gui.widgets import label

_ENTRY = Qt.ItemDataRole.UserRole
_MOVES = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)


class StrategyDialog(QDialog):
    """All strategies by family. Words narrow the list; arrow keys move in it while words are typed.

    Parameters
    ----------
    strategies : mapping of str to Strategy
    current : str
        The strategy in use.
    parent : QWidget, optional
    """

    chosen = Signal(str)
    """The name of the strategy to use."""

    def __init__(self, strategies: Mapping[str, Strategy], current: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("How frames are chosen")
        self.resize(820, 500)
        self._entries = strategy_entries(strategies)
        self._current = current
        self.words = QLineEdit()
        self.words.setPlaceholderText("Search: doubt, DeepLabCut, labelled frames…")
        self.words.setToolTip("Lists the strategies whose description has all of these words")
        self.words.setClearButtonEnabled(True)
        self.words.installEventFilter(self)
        self.words.textChanged.connect(self._narrow)
        self.tree = QTreeWidget()
        self.tree.setHeaderHidden(True)
        self.tree.setAccessibleName("Strategies")
        self.tree.currentItemChanged.connect(lambda item, _before: self._tell(item))
        self.tree.itemDoubleClicked.connect(lambda _item, _column: self._use())
        self._about = _About()
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self._ok = self._buttons.button(QDialogButtonBox.StandardButton.Ok)
        self._ok.setText("Use this strategy")
        self._buttons.accepted.connect(self._use)
        self._buttons.rejected.connect(self.reject)
        self._lay_out()
        self._narrow("")
        self.words.setFocus()

    @property
    def told(self) -> str:
        """The description of the current row."""
        return self._about.text

    @property
    def offered(self) -> tuple[str, ...]:
        """Names of the strategies in the list, from top to bottom."""
        families = [self.tree.topLevelItem(i) for i in range(self.tree.topLevelItemCount())]
        items = [family.child(j) for family in families if family is not None for j in range(family.childCount())]
        return tuple(item.data(0, _ENTRY).name for item in items if item is not None)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let arrow keys move in the list while words are typed."""
        if watched is self.words and isinstance(event, QKeyEvent) and event.key() in _MOVES:
            if event.type() == QEvent.Type.KeyPress:
                QApplication.sendEvent(self.tree, event)
            return True
        return super().eventFilter(watched, event)

    def _lay_out(self) -> None:
        halves = QSplitter()
        halves.addWidget(self.tree)
        halves.addWidget(self._about)
        halves.setSizes([360, 460])
        halves.setChildrenCollapsible(False)
        rows = QVBoxLayout(self)
        rows.addWidget(self.words)
        rows.addWidget(halves, 1)
        rows.addWidget(self._buttons)

    def _narrow(self, words: str) -> None:
        """List the strategies that ``words`` fit; the one in use is current if it is among them, else the first."""
        self.tree.clear()
        current: QTreeWidgetItem | None = None
        for family, entries in by_family(entry for entry in self._entries if entry.fits(words)).items():
            heading = QTreeWidgetItem(self.tree, [family.title])
            heading.setToolTip(0, family.summary)
            heading.setData(0, _ENTRY, family)
            font = heading.font(0)
            font.setBold(True)
            heading.setFont(0, font)
            heading.setExpanded(True)
            for entry in entries:
                item = QTreeWidgetItem(heading, [entry.title])
                item.setToolTip(0, entry.summary)
                item.setData(0, _ENTRY, entry)
                if entry.name == self._current or current is None:
                    current = item
        if current is None:
            self._tell(None)
        else:
            self.tree.setCurrentItem(current)

    def _tell(self, item: QTreeWidgetItem | None) -> None:
        told = None if item is None else item.data(0, _ENTRY)
        self._about.tell(told)
        self._ok.setEnabled(isinstance(told, StrategyEntry))

    def _use(self) -> None:
        item = self.tree.currentItem()
        entry = None if item is None else item.data(0, _ENTRY)
        if isinstance(entry, StrategyEntry):
            self.accept()
            self.chosen.emit(entry.name)


class _About(QScrollArea):
    """The description of a strategy or a family."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        content = QWidget()
        self._title = label("", "title", wrap=True)
        font = self._title.font()
        font.setPointSizeF(1.25 * font.pointSizeF())
        font.setBold(True)
        self._title.setFont(font)
        self._name = label("", "dim")
        self._summary, self._needs, self._cost = (label("", wrap=True) for _ in range(3))
        heading = "Against evenly spread frames, by mean error unless another measure is named (negative is better)"
        self._heading = label(heading, "dim", wrap=True)
        self._measured = label("", wrap=True)
        self._lines = (self._summary, self._needs, self._cost, self._heading, self._measured)
        rows = QVBoxLayout(content)
        rows.setSpacing(8)
        for line in (self._title, self._name, *self._lines):
            line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            rows.addWidget(line)
        rows.addStretch(1)
        self.setWidget(content)

    @property
    def text(self) -> str:
        """What is told, a line for each paragraph."""
        return "\n".join(one.text() for one in (self._title, self._name, *self._lines) if not one.isHidden())

    def tell(self, about: StrategyEntry | Family | None) -> None:
        """Show what is known of ``about``; None if no strategy fits the words."""
        if isinstance(about, StrategyEntry):
            texts = [about.title, about.name, about.summary, about.needs, about.cost]
            texts += [self._heading.text(), "\n".join(about.measured)]
        elif isinstance(about, Family):
            texts = [about.title, "", f"{about.summary}.", "", "", "", ""]
        else:
            texts = ["No strategy has all of these words", "", "", "", "", "", ""]
        for one, text in zip((self._title, self._name, *self._lines), texts, strict=True):
            one.setVisible(bool(text))
            if one is not self._heading:
                one.setText(text)
