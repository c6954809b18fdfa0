"""The box of strategies: the few that matter, the one chosen last, and the way to all of them."""

from __future__ import annotations

from collections.abc import Mapping

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QComboBox, QStyleOptionComboBox, QWidget

from napari_al_pose.acquisition import Strategy
from napari_al_pose.acquisition.catalogue import RECOMMENDED, describe, offered_title, short_list
from napari_al_pose.gui.dialogs.strategies import StrategyDialog
from napari_al_pose.gui.remembered import remember, remembered

_LAST = "strategy/chosen_last"
_MORE = "More…"


class StrategyBox(QComboBox):
    """Offers the short list of strategies, and the one chosen last among all of them, in other projects too."""

    picked = Signal(str)
    """The name of the strategy that the user chose."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._strategies: dict[str, Strategy] = {}
        self._strategy = ""
        self.setToolTip("How frames are chosen")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.activated.connect(self._on_activated)

    @property
    def strategy(self) -> str:
        """The strategy that is shown; "" for none."""
        return str(self.currentData() or "")

    def offer(self, strategies: Mapping[str, Strategy], strategy: str) -> None:
        """Offer the short list of ``strategies`` and show ``strategy``, each explained by its tooltip."""
        self._strategies, self._strategy = dict(strategies), strategy
        self.clear()
        for name in short_list(strategies, also=(remembered(_LAST, ""), strategy)):
            self.addItem(offered_title(strategies[name]), name)
            self.setItemData(self.count() - 1, describe(strategies[name]), Qt.ItemDataRole.ToolTipRole)
        self.insertSeparator(self.count())
        self.addItem(_MORE)
        tip = "All strategies: what each looks for, needs and costs, and how it did"
        self.setItemData(self.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.setCurrentIndex(self.findData(strategy))
        about = f" {describe(strategies[strategy])}" if strategy in strategies else ""
        self.setToolTip(f"How frames are chosen.{about}")

    def show_all(self) -> None:
        """Open the list of all strategies."""
        dialog = StrategyDialog(self._strategies, self._strategy, self.window())
        dialog.chosen.connect(self._on_chosen)
        dialog.open()

    def initStyleOption(self, option: QStyleOptionComboBox) -> None:
        """Leave out the word *recommended* in the closed box, which has no room for it."""
        super().initStyleOption(option)
        option.currentText = option.currentText.removesuffix(RECOMMENDED)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll the panel instead of changing the strategy, which would rank all frames again."""
        event.ignore()

    def _on_activated(self, index: int) -> None:
        if self.itemText(index) == _MORE:
            self.setCurrentIndex(self.findData(self._strategy))
            self.show_all()
        else:
            self._strategy = self.strategy
            self.picked.emit(self._strategy)

    def _on_chosen(self, name: str) -> None:
        remember(_LAST, name)
        self.offer(self._strategies, name)
        self.picked.emit(name)
