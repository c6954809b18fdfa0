"""The way through a video on the timeline: buttons, and a field for the frame's number."""

from __future__ import annotations

import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QLineEdit, QToolButton
from session_tools import of_session

from napari_al_pose.gui.panels.timeline import Timeline
from napari_al_pose.gui.theme import theme_colours


@pytest.fixture
def timeline(opened, qtbot):
    made = of_session(Timeline, opened, colours=theme_colours("dark"))
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    return made


def press(timeline, name):
    (found,) = (each for each in timeline.findChildren(QToolButton) if each.accessibleName() == name)
    QTest.mouseClick(found, Qt.MouseButton.LeftButton)
    return found


def type_number(timeline, text):
    field = timeline.transport.findChild(QLineEdit)
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, text)
    return field


def test_a_number_that_is_typed_is_where_one_goes(opened, timeline):
    field = type_number(timeline, "55")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert opened.frame.key.frame == 55
    assert timeline.transport.place.startswith("55 of 120 · ")
    assert not field.hasFocus(), "the keys go to the canvas again"


def test_a_number_beyond_the_end_leads_to_the_last_frame(opened, timeline):
    field = type_number(timeline, "5000")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert opened.frame.key.frame == 119
    assert field.text() == "119"


def test_escape_takes_back_what_was_typed(opened, timeline):
    before = opened.frame.key
    field = type_number(timeline, "77")
    QTest.keyClick(field, Qt.Key.Key_Escape)
    assert field.text() == str(before.frame)
    assert opened.frame.key == before


def test_only_numbers_can_be_typed(opened, timeline):
    assert type_number(timeline, "1d2").text() == "12"


def test_buttons_step_and_end_at_the_ends_of_the_video(opened, timeline):
    opened.navigator.step(-1000)
    press(timeline, "Previous frame")
    assert opened.frame.key.frame == 0
    press(timeline, "Next frame")
    press(timeline, "Next frame")
    assert opened.frame.key.frame == 2
    press(timeline, "Previous frame")
    assert opened.frame.key.frame == 1


def test_the_button_shows_whether_the_video_plays(opened, timeline):
    wanted = []
    timeline.transport.playWanted.connect(lambda: wanted.append(True))
    play = press(timeline, "Play")
    assert wanted
    opened.navigator.set_playing(True)
    assert play.isChecked()
    opened.navigator.set_playing(False)
    assert not play.isChecked()
