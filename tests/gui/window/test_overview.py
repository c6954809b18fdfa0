"""The inset that shows the whole frame while the view shows a part of it."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from session_tools import TIMEOUT

from napari_al_pose.gui.layers.napari_widgets import canvas_widget
from napari_al_pose.gui.layers.overview import Overview
from napari_al_pose.gui.viewers import stack_for

pytestmark = pytest.mark.gui


@pytest.fixture
def inset(viewer, session):
    (found,) = canvas_widget(viewer).findChildren(Overview)
    return found


def brightness(image, x, y):
    return image.pixelColor(x, y).lightness()


def test_it_comes_with_the_close_up_and_goes_with_it(viewer, session, inset):
    assert not inset.isVisible()
    stack_for(viewer).toggle_close_up()
    assert inset.isVisible()
    canvas = canvas_widget(viewer)
    assert canvas.rect().contains(inset.geometry())
    height, width = session.frame.size
    assert inset.width() / inset.height() == pytest.approx(width / height, rel=0.02)
    stack_for(viewer).toggle_close_up()
    assert not inset.isVisible()


def test_what_is_in_sight_is_bright(viewer, session, inset):
    height, width = session.frame.size
    viewer.scene.camera.zoom *= 4
    viewer.scene.camera.center = (0, height * 0.25, width * 0.25)
    image = inset.grab().toImage()
    inside = (round(inset.width() * 0.25), round(inset.height() * 0.25))
    outside = (round(inset.width() * 0.75), round(inset.height() * 0.75))
    frame = session.frame.source[session.frame.position]
    for (x, y), bright in ((inside, True), (outside, False)):
        row, column = round(y / inset.height() * height), round(x / inset.width() * width)
        step = max(1, round(max(frame.shape[:2]) / 200))
        around = frame[max(0, row - 2 * step) : row + 2 * step, max(0, column - 2 * step) : column + 2 * step]
        shown = np.mean([brightness(image, x + dx, y + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)])
        expected = (around.max(axis=2).astype(float) + around.min(axis=2)).mean() / 2
        assert shown == pytest.approx(expected if bright else expected / 2, abs=25)


def test_a_click_looks_elsewhere_and_labels_nothing(viewer, session, inset, qtbot):
    stack_for(viewer).toggle_close_up()
    qtbot.mouseClick(inset, Qt.MouseButton.LeftButton, pos=QPoint(inset.width() // 4, inset.height() * 3 // 4))
    height, width = session.frame.size
    y, x = viewer.scene.camera.center[-2:]
    assert x == pytest.approx(width / 4, abs=width / 50)
    assert y == pytest.approx(height * 3 / 4, abs=height / 50)
    assert inset.in_sight.center().x() == pytest.approx(x)
    assert not session.frame.annotation.states.any()


def test_it_can_be_put_away_and_follows_the_window_and_the_frame(viewer, session, inset, qtbot):
    stack_for(viewer).toggle_close_up()
    session.options.toggle("overview")
    assert not inset.isVisible()
    session.options.toggle("overview")
    assert inset.isVisible()
    viewer.window.resize(1000, 700)
    canvas = canvas_widget(viewer)
    qtbot.waitUntil(lambda: canvas.rect().contains(inset.geometry()), timeout=TIMEOUT)
    before = inset.grab().toImage()
    session.navigator.step(60)
    qtbot.waitUntil(lambda: session.frame.picture_is_current, timeout=TIMEOUT)
    assert inset.grab().toImage() != before
    session.projects.close_project()
    qtbot.waitUntil(lambda: not inset.isVisible(), timeout=TIMEOUT)
