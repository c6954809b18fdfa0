"""The way of the Tab key through the panels of a real window, and what keys do there."""

from __future__ import annotations

from itertools import pairwise

import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractScrollArea, QApplication
from session_tools import TIMEOUT, button_with

from napari_al_pose.domain import FrameKey, Suggestion
from napari_al_pose.engine.messages import Finished, Ranked
from napari_al_pose.gui import dock as dock_module
from napari_al_pose.gui.layers.napari_widgets import canvas_widget
from napari_al_pose.gui.widgets import RowsView

pytestmark = pytest.mark.gui
MOST_STOPS = 80


@pytest.fixture
def window(make_napari_viewer, engine, sample_copy, monkeypatch, qtbot):
    """napari's window on a low screen, with a project, a queue, and the keyboard."""
    monkeypatch.setattr(dock_module, "LOW_SCREEN", 100_000)
    viewer = make_napari_viewer(show=True)
    _, dock = viewer.window.add_plugin_dock_widget("napari-al-pose", "Active-learning pose labeller")
    session = dock.session
    session.projects.open_project(sample_copy)
    qtbot.waitUntil(lambda: session.frame.source is not None, timeout=TIMEOUT)
    video = session.frame.key.video
    engine.says(Ranked(1, "hybrid", 0, tuple(Suggestion(FrameKey(video, n), 1.0, "") for n in (3, 9)), ""))
    engine.says(Finished(1))
    made = dock.window()
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow, timeout=TIMEOUT)
    return dock


def stops(dock):
    """Go once around the window with the Tab key, from the canvas."""
    canvas_widget(dock._viewer).setFocus()
    met = []
    for _ in range(MOST_STOPS):
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
        if QApplication.focusWidget() in met:
            return met
        met.append(QApplication.focusWidget())
    raise AssertionError(met)


def test_tab_goes_through_the_dock_from_above_and_stops_only_at_what_is_seen(window):
    met = [each for each in stops(window) if window.isAncestorOf(each)]
    heights = [each.mapTo(window, each.rect().center()).y() for each in met]
    row = 30
    assert all(after > before - row for before, after in pairwise(heights)), heights
    assert not [each for each in met if isinstance(each, QAbstractScrollArea) and not isinstance(each, RowsView)]


def test_tab_never_leads_behind_a_tab(window):
    assert not [each for each in stops(window) if window.curves.isAncestorOf(each)]


def test_a_line_shows_what_has_the_keyboard(window):
    button = button_with(window.queue, "Next frame")
    button.setFocus()
    assert window.focus_ring.around is button
    assert button.grab().toImage().pixelColor(button.width() // 2, 1) == window.focus_ring._colour
    canvas_widget(window._viewer).setFocus()
    assert window.focus_ring.around is None


def test_enter_on_a_row_chooses_it_and_accepts_nothing(window):
    bodyparts, said = window.session.frame.bodyparts, []
    window.session.notices.raised.connect(lambda *what: said.append(what))
    view = window.bodyparts.findChild(RowsView)
    view.setFocus()
    view.setCurrentIndex(view.model().index(0))
    QTest.keyClick(view, Qt.Key.Key_Down)
    QTest.keyClick(view, Qt.Key.Key_Return)
    assert window.session.frame.bodypart == bodyparts[1]
    assert not said  # "There is no guess to accept": the window took the key as well


def test_keys_of_the_window_work_with_the_keyboard_in_a_list(window, qtbot):
    frame = window.session.frame
    view, before = window.queue.findChild(RowsView), frame.position
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_D)
    qtbot.waitUntil(lambda: frame.position == before + 1, timeout=TIMEOUT)
