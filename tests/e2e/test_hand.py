"""The hand that plays the demo finds what a person sees, and fails where a person would."""

from __future__ import annotations

import pytest
from qtpy.QtWidgets import QFileDialog, QLineEdit, QMenu, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from napari_al_pose.demo.annotator import WaitedTooLongError
from napari_al_pose.demo.hand import Hand

pytestmark = pytest.mark.gui


@pytest.fixture
def desk(qtbot):
    """A window with a button of each kind, and what was done with them."""
    made = QWidget()
    made.done = []
    rows = QVBoxLayout(made)
    go, off, more, browse = (QPushButton(text, made) for text in ("&Go", "Off", "More", "Browse…"))
    off.setEnabled(False)
    menu = QMenu(more)
    for entry in ("First…\tCtrl+1", "Second…"):
        menu.addAction(entry).triggered.connect(lambda _checked=False, entry=entry: made.done.append(entry))
    more.setMenu(menu)
    go.clicked.connect(lambda: made.done.append("go"))
    browse.clicked.connect(lambda: made.done.append(QFileDialog.getOpenFileName(made, "Open")[0]))
    for widget in (go, off, more, browse, QLineEdit("old", made), QPlainTextEdit(made)):
        rows.addWidget(widget)
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    return made


def test_it_presses_and_chooses_what_shows_a_text(desk):
    hand = Hand()
    hand.press("Go", within=desk)
    hand.choose("More", "First…")
    assert desk.done == ["go", "First…\tCtrl+1"]
    assert hand.clicks == 3


def test_it_types_over_what_was_there_line_by_line(desk):
    hand = Hand()
    hand.fill(desk.findChild(QLineEdit), "new")
    hand.fill(desk.findChild(QPlainTextEdit), "snout\ntail")
    assert desk.findChild(QLineEdit).text() == "new"
    assert desk.findChild(QPlainTextEdit).toPlainText() == "snout\ntail"
    assert hand.fields == 2


def test_it_answers_a_file_dialog(desk, tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("Task: x", encoding="utf-8")
    hand = Hand()
    hand.answer_file_dialog(file)
    hand.press("Browse…", within=desk)
    assert desk.done == [str(file)]


def test_a_button_that_cannot_be_pressed_is_not(desk):
    with pytest.raises(WaitedTooLongError, match="Off"):
        Hand().press("Off", within=desk, seconds=0.2)


def test_a_menu_without_the_entry_is_closed_and_told(desk, monkeypatch):
    monkeypatch.setattr("napari_al_pose.demo.hand._LOOKS", 2)
    with pytest.raises(WaitedTooLongError, match="Third"):
        Hand().choose("More", "Third…")
    assert desk.done == []
