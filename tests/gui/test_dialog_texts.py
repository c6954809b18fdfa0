"""No text of a dialog is cut off, and each dialog fits the screen, at both sizes and in napari's style."""

from __future__ import annotations

import pytest
from napari._qt.qt_resources import get_stylesheet
from qtpy.QtWidgets import QDialog, QPushButton, QVBoxLayout, QWidget
from session_tools import TIMEOUT, button_with, cut_off, of_session, overlapping

from napari_al_pose.domain.pretrained import PRETRAINED
from napari_al_pose.engine.messages import Describe, Described, Failed
from napari_al_pose.gui.actions import WindowActions
from napari_al_pose.gui.dialogs.conflicts import ConflictDialog
from napari_al_pose.gui.dialogs.keys import KeyDialog
from napari_al_pose.gui.dialogs.leaving import STAY
from napari_al_pose.gui.dialogs.strategies import StrategyDialog
from napari_al_pose.gui.panels.key_overlay import KeyOverlay
from napari_al_pose.gui.panels.pool_map import PoolMap
from napari_al_pose.gui.theme import style_sheet, theme_colours
from napari_al_pose.gui.thumbnails import Thumbnails, source_opener

pytestmark = pytest.mark.gui

SCREENS = [(1366, 768), (1600, 1000)]
BARS = 70
"""Height that a desktop's own bars take."""


@pytest.fixture(params=SCREENS, ids=lambda size: "x".join(map(str, size)))
def screen(request):
    return request.param


@pytest.fixture
def window(qtbot, screen):
    """What dialogs open over, as large as the screen and in the style they have there."""
    made = QWidget()
    made.setStyleSheet(get_stylesheet("dark") + style_sheet(theme_colours("dark")))
    made.resize(*screen)
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    return made


@pytest.fixture
def actions(opened, window):
    made = of_session(WindowActions, opened, window=window)
    yield made
    made.close()


def of_map(session, window):
    opener = source_opener(session.projects.project)
    return of_session(PoolMap, session, thumbnails=Thumbnails(opener), colours=theme_colours("dark"), parent=window)


DIALOGS = {
    "settings": lambda actions, _session, _window: actions.settings(),
    "a new project": lambda actions, _session, _window: actions.new(),
    "import": lambda actions, _session, _window: actions.import_labels(),
    "export": lambda actions, _session, _window: actions.export(),
    "export labels": lambda actions, _session, _window: actions.export_labels(),
    "bodyparts": lambda actions, _session, _window: actions.edit_bodyparts(),
    "history": lambda actions, _session, _window: actions.history(),
    "crop": lambda actions, _session, _window: actions.region(),
    "a trained model": lambda actions, _session, _window: actions.adopt_model(),
    "keys": lambda _actions, session, window: KeyDialog(session.keys, window).show(),
    "strategies": lambda _actions, session, window: StrategyDialog(session.learning.strategies, "mpe", window).show(),
    "map": lambda _actions, session, window: of_map(session, window).show(),
}


@pytest.fixture
def the_dialog(window, qtbot):
    """Waits for the one dialog over the window, and returns it."""

    def dialogs():
        return [each for each in window.findChildren(QDialog) if each.isVisible()]

    def found():
        qtbot.waitUntil(lambda: len(dialogs()) == 1, timeout=TIMEOUT)
        (dialog,) = dialogs()
        qtbot.waitExposed(dialog)
        return dialog

    yield found
    for dialog in dialogs():
        dialog.close()
        dialog.deleteLater()


def fits(dialog, screen):
    return dialog.width() <= screen[0] and dialog.height() <= screen[1] - BARS


@pytest.mark.parametrize("name", DIALOGS)
def test_a_dialog_fits_and_says_all(actions, opened, window, the_dialog, screen, name):
    opened.editor.place(opened.frame.bodyparts[0], 40.0, 50.0)
    DIALOGS[name](actions, opened, window)
    dialog = the_dialog()
    assert fits(dialog, screen)
    assert not cut_off(dialog)
    assert not overlapping(dialog)


def test_what_a_trained_model_knows_fits(actions, opened, the_dialog, screen, engine, tmp_path):
    actions.adopt_model()
    dialog, path = the_dialog(), tmp_path / "superanimal_topviewmouse_hrnet_w32.pt"
    dialog.choose_file(path)
    (request,) = engine.asked(Describe)
    mine, theirs = opened.frame.bodyparts, PRETRAINED[0].animal.bodyparts
    suggested = {name: theirs[i] if i < 2 else "" for i, name in enumerate(mine)}
    engine.says(Described(request.job, str(path), PRETRAINED[0].network, theirs, suggested))
    assert dialog.use_button.isEnabled()
    assert fits(dialog, screen)
    assert not cut_off(dialog)
    dialog.boxes[mine[1]].setCurrentIndex(dialog.boxes[mine[0]].currentIndex())
    assert dialog.complaint.text()
    assert fits(dialog, screen)
    assert not cut_off(dialog)
    engine_says = "The file is damaged, or not a snapshot of a network that can be used here."
    dialog.choose_file(path)
    engine.says(Failed(engine.asked(Describe)[-1].job, engine_says, "Choose a snapshot that DeepLabCut 3 wrote."))
    assert engine_says in dialog.complaint.text()
    assert not cut_off(dialog)


def test_the_question_about_conflicts_fits(session, window, disputed, the_dialog, screen):
    actions = of_session(WindowActions, session, window=window)
    session.projects.open_project(disputed[0])
    dialog = the_dialog()
    assert isinstance(dialog, ConflictDialog)
    assert fits(dialog, screen)
    assert not cut_off(dialog)
    actions.close()


@pytest.mark.parametrize("what", ["Close the window", "Open another project", "Change the bodyparts"])
def test_the_question_before_a_training_is_left_fits(actions, training, the_dialog, screen, what):
    actions.leaving.ask(lambda: None, what=what)
    dialog = the_dialog()
    assert what in dialog.text()
    assert fits(dialog, screen)
    assert not cut_off(dialog)
    button_with(dialog, STAY).click()


def test_the_list_of_keys_fits(opened, window):
    overlay = KeyOverlay(opened.keys, window, "dark")
    overlay.toggle()
    assert overlay.isVisible()
    assert not cut_off(overlay)


def test_what_is_cut_off_is_found(window, qtbot):
    rows = QVBoxLayout(window)
    button = QPushButton("A long text that has no room")
    button.setFixedWidth(60)
    rows.addWidget(button)
    qtbot.waitUntil(button.isVisible, timeout=TIMEOUT)
    assert cut_off(window) == ["A long text that has no room"]
    button.setToolTip("A long text that has no room")
    assert not cut_off(window)


def test_what_lies_over_another_is_found(window, qtbot):
    rows = QVBoxLayout(window)
    one, other = QPushButton("One"), QPushButton("Other")
    rows.addWidget(one)
    rows.addWidget(other)
    qtbot.waitUntil(other.isVisible, timeout=TIMEOUT)
    assert not overlapping(window)
    other.move(one.pos())
    assert overlapping(window) == [("QPushButton 'One'", "QPushButton 'Other'")]
