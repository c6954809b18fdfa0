"""napari's slider goes where the timeline does its work, and comes back where it does not."""

from __future__ import annotations

import numpy as np
import pytest
from session_tools import TIMEOUT

from napari_al_pose.gui.layers.napari_widgets import slider_widget

pytestmark = pytest.mark.gui


@pytest.fixture
def labeller(make_napari_viewer, engine, sample_copy, qtbot):
    """A viewer with the labeller docked, and the session with a project open."""
    viewer = make_napari_viewer()
    _, dock = viewer.window.add_plugin_dock_widget("napari-al-pose", "Active-learning pose labeller")
    dock.session.projects.open_project(sample_copy)
    qtbot.waitUntil(lambda: dock.session.frame.source is not None and dock.timeline is not None, timeout=TIMEOUT)
    return viewer, dock.session


def is_there(viewer):
    return not slider_widget(viewer).isHidden()


def test_it_goes_with_naparis_panels_and_comes_back_with_them(labeller):
    viewer, options = labeller[0], labeller[1].options
    assert is_there(viewer), "in a napari that was open already nothing of it goes by itself"
    options.set("wide", True)
    assert not is_there(viewer)
    options.set("wide", False)
    assert is_there(viewer)


def test_it_stays_for_an_axis_that_the_timeline_does_not_know(labeller):
    viewer, session = labeller
    session.options.set("wide", True)
    stack = viewer.add_image(np.zeros((3, 120, 8, 8), np.uint8))
    assert is_there(viewer)
    viewer.layers.remove(stack)
    assert not is_there(viewer)


def test_it_comes_back_with_the_end_of_the_project(labeller, qtbot):
    viewer, session = labeller
    session.options.set("wide", True)
    session.projects.close_project()
    qtbot.waitUntil(lambda: is_there(viewer), timeout=TIMEOUT)


def test_it_comes_back_when_the_timeline_is_put_away(labeller, qtbot):
    viewer, session = labeller
    session.options.set("wide", True)
    viewer.window.dock_widgets["Pose timeline"].parent().hide()
    qtbot.waitUntil(lambda: is_there(viewer), timeout=TIMEOUT)
