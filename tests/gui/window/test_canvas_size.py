"""The picture follows the size of the canvas until the user looks elsewhere."""

from __future__ import annotations

import av
import numpy as np
import pytest
from session_tools import TIMEOUT

from napari_al_pose.domain import FrameKey
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


LARGE = (1440, 1920)


@pytest.fixture
def large_video(sample_copy):
    """A video in the sample whose frames are three times as large as the others'."""
    with av.open(str(sample_copy.parent / "videos" / "large.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
        stream.height, stream.width = LARGE
        for level in (40, 80, 120):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((*LARGE, 3), level, np.uint8))))
        container.mux(stream.encode())
    return "large"


def test_points_and_view_follow_the_size_of_another_video(large_video, viewer, session, qtbot):
    labels, before = viewer.layers["labels"], session.frame.size
    size = labels.size[0]
    session.navigator.go_to(FrameKey(large_video, 1))
    qtbot.waitUntil(lambda: session.frame.picture_is_current and session.frame.size == LARGE, timeout=TIMEOUT)
    np.testing.assert_allclose(labels.size, size * LARGE[1] / before[1])
    assert viewer.layers["guesses"].size[0] > labels.size[0]
    # In the middle, though points that are not shown lie in the corner.
    np.testing.assert_allclose(viewer.scene.camera.center[-2:], (np.array(LARGE) - 1) / 2)
    assert fills(viewer, session) == pytest.approx(0.99, abs=0.02)
