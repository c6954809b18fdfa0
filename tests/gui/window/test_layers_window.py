"""The session in a real napari window: real mouse, keys and pixels."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from session_tools import TIMEOUT

from napari_al_pose.demo.annotator import MouseAnnotator
from napari_al_pose.domain import KeypointState
from napari_al_pose.domain.tools import Tool
from napari_al_pose.domain.views import bodypart_colours
from napari_al_pose.gui.layers.shapes import parse_colours
from napari_al_pose.gui.viewers import session_for

pytestmark = pytest.mark.gui


@pytest.fixture
def hand(viewer, session):
    return MouseAnnotator(viewer, session, {})


def colour_at(viewer, hand, x, y):
    """The colour of the canvas at source pixel ``(x, y)``, RGB in [0, 1]."""
    pixels = viewer.screenshot(canvas_only=True, flash=False)
    scale = pixels.shape[0] / hand.canvas.height()
    point = hand.to_canvas(x, y)
    row, column = round(point.y() * scale), round(point.x() * scale)
    return pixels[row, column, :3] / 255


def test_there_is_one_session_for_a_viewer(viewer, session):
    assert session_for(viewer) is session
    session.close()
    fresh = session_for(viewer)
    assert fresh is not session
    fresh.close()


def test_a_click_lands_where_it_was_made_and_is_seen_in_its_frame_only(viewer, session, hand, qtbot):
    red = parse_colours(bodypart_colours(len(session.frame.bodyparts)))[0]
    empty = colour_at(viewer, hand, 321, 123)
    hand.click(321, 123)
    np.testing.assert_allclose(session.frame.annotation.xy[0], [321, 123], atol=1.0)
    np.testing.assert_allclose(colour_at(viewer, hand, *session.frame.annotation.xy[0]), red, atol=0.05)
    hand.press(Qt.Key.Key_D)
    qtbot.waitUntil(lambda: session.frame.picture_is_current, timeout=TIMEOUT)
    np.testing.assert_allclose(colour_at(viewer, hand, 321, 123), empty, atol=0.1)
    hand.press(Qt.Key.Key_A)
    np.testing.assert_allclose(colour_at(viewer, hand, *session.frame.annotation.xy[0]), red, atol=0.05)


def test_the_frame_fills_the_canvas(viewer, session, hand):
    height, width = session.frame.size
    first, last = hand.to_canvas(0, 0), hand.to_canvas(width - 1, height - 1)
    shares = (last.x() - first.x()) / hand.canvas.width(), (last.y() - first.y()) / hand.canvas.height()
    assert 0.97 < max(shares) <= 1


def test_a_dragged_point_follows_and_the_view_stays(viewer, session, hand):
    hand.click(200, 200)
    centre = viewer.scene.camera.center
    hand.drag(np.array([200.0, 200.0]), np.array([260.0, 230.0]))
    np.testing.assert_allclose(session.frame.annotation.xy[0], [260, 230], atol=1.0)
    assert viewer.scene.camera.center == centre


def test_two_clicks_as_quick_as_a_double_click_place_two_bodyparts(viewer, session, hand):
    zoom = viewer.scene.camera.zoom
    hand.click(200, 200)
    QTest.mouseDClick(hand.canvas, Qt.MouseButton.LeftButton, pos=hand.to_canvas(220, 210))
    QTest.mouseRelease(hand.canvas, Qt.MouseButton.LeftButton, pos=hand.to_canvas(220, 210))
    assert (session.frame.annotation.states == KeypointState.PLACED).sum() == 2
    assert viewer.scene.camera.zoom == zoom


def test_a_frame_that_comes_while_the_button_is_down_gets_no_label(viewer, session, hand, qtbot):
    here, left = session.frame.key, Qt.MouseButton.LeftButton
    QTest.mousePress(hand.canvas, left, pos=hand.to_canvas(200, 200))
    hand.press(Qt.Key.Key_D)
    qtbot.waitUntil(lambda: session.frame.key != here and session.frame.picture_is_current, timeout=TIMEOUT)
    QTest.mouseRelease(hand.canvas, left, pos=hand.to_canvas(200, 200))
    assert session.frame.annotation.is_empty
    assert not session.projects.tally.labelled


def test_the_keys_reach_the_session(session, hand, qtbot):
    control, shift = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
    hand.press(Qt.Key.Key_X)
    assert session.frame.annotation.states[0] == KeypointState.NOT_VISIBLE
    hand.press(Qt.Key.Key_Z, control)
    assert session.frame.annotation.is_empty
    hand.press(Qt.Key.Key_Z, control | shift)
    assert not session.frame.annotation.is_empty
    hand.press(Qt.Key.Key_W)
    hand.press(Qt.Key.Key_Backspace)
    assert session.frame.annotation.is_empty
    hand.press(Qt.Key.Key_Down)
    assert session.frame.bodypart == session.frame.bodyparts[1]
    hand.press(Qt.Key.Key_3, shift)  # as a French keyboard has digits
    assert session.options.tool is Tool.SELECT
    hand.press(Qt.Key.Key_2)
    assert session.options.tool is Tool.ADD
    hand.press(Qt.Key.Key_D, shift)
    assert session.frame.position == 10
    hand.press(Qt.Key.Key_H)
    assert session.frame.scoremap_choice == "*"


def test_a_closed_session_leaves_no_layer_and_no_thread(make_napari_viewer, engine, sample_copy, qtbot):
    before = set(threading.enumerate())
    viewer = make_napari_viewer(show=True)
    session = session_for(viewer)
    session.projects.open_project(sample_copy)
    qtbot.waitUntil(lambda: session.frame.picture_is_current, timeout=TIMEOUT)
    session.close()
    assert not viewer.layers
    assert session.projects.project is None

    def no_thread_of_ours():
        started = [thread.name for thread in threading.enumerate() if thread not in before]
        assert not [name for name in started if name.startswith("al-pose")]

    qtbot.waitUntil(no_thread_of_ours, timeout=TIMEOUT)
