"""The picture follows the size of the canvas until the user looks elsewhere."""

from __future__ import annotations

import pytest
from session_tools import TIMEOUT

from napari_al_pose.gui.layers.napari_widgets import canvas_widget
from napari_al_pose.gui.viewers import stack_for

pytestmark = pytest.mark.gui


def fills(viewer, session):
    """How much of the canvas the frame fills, along the side where it fills more."""
    canvas, zoom = canvas_widget(viewer), viewer.scene.camera.zoom
    height, width = session.frame.size
    return max(height * zoom / canvas.height(), width * zoom / canvas.width())


def test_a_fitted_picture_is_fitted_to_a_smaller_and_a_larger_window(viewer, session, qtbot):
    for size in ((800, 600), (1100, 850)):
        viewer.window.resize(*size)
        qtbot.waitUntil(lambda: fills(viewer, session) == pytest.approx(0.99, abs=0.02), timeout=TIMEOUT)


def test_a_view_of_the_users_own_stays(viewer, session, qtbot):
    viewer.scene.camera.zoom *= 3
    zoom, before = viewer.scene.camera.zoom, canvas_widget(viewer).size()
    viewer.window.resize(800, 600)
    qtbot.waitUntil(lambda: canvas_widget(viewer).size() != before, timeout=TIMEOUT)
    qtbot.wait(300)
    assert viewer.scene.camera.zoom == zoom
    stack_for(viewer).fit_view()
    viewer.window.resize(1100, 850)
    qtbot.waitUntil(lambda: fills(viewer, session) == pytest.approx(0.99, abs=0.02), timeout=TIMEOUT)
