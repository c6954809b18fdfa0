"""The rectangle of a video, dragged on a picture of it."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialogButtonBox
from session_tools import TIMEOUT, dialog_of

from napari_al_pose.domain.views.region import dragged, region_sentence
from napari_al_pose.gui.dialogs.region import RegionDialog
from napari_al_pose.project.region import region_of

pytestmark = pytest.mark.gui


@pytest.fixture
def dialog(actions, opened, window, qtbot):
    """The dialog for the video in front of the user."""
    qtbot.waitUntil(lambda: opened.frame.source is not None, timeout=TIMEOUT)
    actions.region()
    qtbot.waitUntil(lambda: bool(window.findChildren(RegionDialog)), timeout=TIMEOUT)
    shown = dialog_of(window, RegionDialog)
    shown.resize(700, 640)
    qtbot.waitUntil(shown.isVisible, timeout=TIMEOUT)
    return shown


def drag(qtbot, picture, start, end):
    places = [picture.place_of(*place).toPoint() for place in (start, end)]
    qtbot.mousePress(picture, Qt.MouseButton.LeftButton, pos=places[0])
    qtbot.mouseMove(picture, places[1])
    qtbot.mouseRelease(picture, Qt.MouseButton.LeftButton, pos=places[1])


def test_a_rectangle_is_dragged_kept_and_taken_back(dialog, actions, opened, window, qtbot):
    name = opened.frame.key.video
    height, width = opened.frame.source.shape[1:3]
    assert dialog.rectangle == (0, width, 0, height)
    drag(qtbot, dialog.picture, (500, 400), (100, 60))
    np.testing.assert_allclose(dialog.rectangle, (100, 500, 60, 400), atol=3)
    dialog.edges[0].setValue(120)
    dialog.accept()
    chosen = region_of(opened.projects.project, opened.projects.project.video(name), opened.frame.source)
    assert chosen[0] == 120
    assert set(opened.projects.settings.regions) == {name}

    actions.region()
    qtbot.waitUntil(lambda: any(d is not dialog for d in window.findChildren(RegionDialog)), timeout=TIMEOUT)
    again = next(d for d in window.findChildren(RegionDialog) if d.isVisible())
    assert again.rectangle == chosen
    again.buttons.button(QDialogButtonBox.StandardButton.Reset).click()
    again.everywhere.setChecked(True)
    again.accept()
    assert opened.projects.settings.regions == {video.name: (0, 0, 0, 0) for video in opened.projects.project.videos}
    assert region_of(opened.projects.project, opened.projects.project.video(name), opened.frame.source) is None


def test_what_is_too_small_is_not_taken(dialog, opened):
    dialog.show_rectangle((10, 20, 10, 200))
    assert not dialog.buttons.button(QDialogButtonBox.StandardButton.Ok).isEnabled()
    dialog.reject()
    assert opened.projects.settings.regions == {}


def test_the_words():
    assert dragged((50.4, 90), (10, -7), 100, 200) == (10, 50, 0, 90)
    assert region_sentence((0, 200, 0, 100), 100, 200, smallest=32) == "The whole frame is used."
    assert region_sentence((0, 100, 0, 50), 100, 200, smallest=32) == (
        "100 × 50 of 200 × 100 px are used, 25 % of the frame."
    )
    assert region_sentence((0, 31, 0, 50), 100, 200, smallest=32).startswith("Too small")
