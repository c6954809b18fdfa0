"""Choosing a strategy: the few that matter in the box, all of them by family and by words."""

from __future__ import annotations

import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication
from session_tools import can_press, dialog_of, press

from napari_al_pose.acquisition import Family, installed_strategies
from napari_al_pose.gui.dialogs.strategies import StrategyDialog
from napari_al_pose.gui.panels.strategy_box import StrategyBox

pytestmark = pytest.mark.gui


@pytest.fixture
def box(qtbot):
    made = StrategyBox()
    qtbot.addWidget(made)
    made.offer(installed_strategies(), "hybrid")
    made.show()
    qtbot.waitExposed(made)
    return made


def all_of(box):
    """Choose More… as a person does: with the keyboard, in the open list."""
    row = box.count() - 1
    box.setCurrentIndex(row)
    box.activated.emit(row)
    return dialog_of(box.window(), StrategyDialog)


def offered(box):
    return [box.itemData(i) for i in range(box.count()) if box.itemData(i)]


def test_all_strategies_are_listed_once_by_family(box):
    dialog = all_of(box)
    assert box.strategy == "hybrid", "the way to all is no strategy"
    assert sorted(dialog.offered) == sorted(installed_strategies())
    tree = dialog.tree
    headings = [tree.topLevelItem(i).text(0) for i in range(tree.topLevelItemCount())]
    assert headings == [family.title for family in Family if family is not Family.OTHER]
    dialog.grab()


def test_words_narrow_the_list_and_keys_choose(box, qtbot):
    dialog = all_of(box)
    chosen = []
    box.picked.connect(chosen.append)
    qtbot.keyClicks(dialog.words, "sleap SCORES")
    assert dialog.offered == ("sleap_scores",)
    dialog.words.clear()
    qtbot.keyClicks(dialog.words, "deeplabcut k-means")
    assert dialog.offered[0] == "dlc_kmeans"
    before = dialog.told
    qtbot.keyClick(dialog.words, Qt.Key.Key_Down)
    assert dialog.told != before, "arrow keys move in the list while words are typed"
    qtbot.keyClick(dialog.words, Qt.Key.Key_Up)
    qtbot.keyClick(dialog.words, Qt.Key.Key_Return)
    assert chosen == ["dlc_kmeans"]
    assert box.strategy == "dlc_kmeans"


def test_each_is_told_of_with_what_was_measured_or_that_nothing_was(box, qtbot):
    dialog = all_of(box)
    assert "openfield: -2.6 % (-8.1 to +3.6), undecided (30 pairs)" in dialog.told
    qtbot.keyClicks(dialog.words, "minmax")
    told = dialog.told
    assert "Not measured." in told
    assert "Needs nothing." in told
    assert "Costs image features" in told
    dialog.words.setText("no strategy is like this")
    assert dialog.offered == ()
    assert "No strategy has all of these words" in dialog.told
    qtbot.keyClick(dialog.words, Qt.Key.Key_Return)
    assert dialog.isVisible(), "there is nothing to use"


def test_a_family_is_explained_and_cannot_be_used(box):
    dialog = all_of(box)
    dialog.tree.setCurrentItem(dialog.tree.topLevelItem(1))
    assert Family.DOUBT.summary in dialog.told
    assert not can_press(dialog, "Use this strategy")
    dialog.tree.itemDoubleClicked.emit(dialog.tree.currentItem(), 0)
    assert dialog.isVisible()


def test_what_was_chosen_last_stays_in_the_box(box, qtbot):
    dialog = all_of(box)
    dialog.words.setText("kcenter")
    press(dialog, "Use this strategy")
    assert "kcenter" in offered(box)
    other = StrategyBox()
    qtbot.addWidget(other)
    other.offer(installed_strategies(), "hybrid")
    assert offered(other) == ["hybrid", "uherding", "mpe", "coverage", "uniform", "kcenter"]


def test_cancel_changes_nothing(box, qtbot):
    dialog = all_of(box)
    chosen = []
    box.picked.connect(chosen.append)
    dialog.words.setText("kcenter")
    qtbot.keyClick(dialog.words, Qt.Key.Key_Escape)
    assert not chosen
    assert box.strategy == "hybrid"
    assert "kcenter" not in offered(box)


def test_the_wheel_over_the_box_chooses_nothing(box):
    chosen = []
    box.picked.connect(chosen.append)
    middle = QPointF(box.rect().center())
    turn = QWheelEvent(
        middle,
        box.mapToGlobal(middle),
        QPoint(),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(box, turn)
    assert not chosen
    assert box.strategy == "hybrid"
