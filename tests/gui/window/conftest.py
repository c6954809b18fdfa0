"""The session in a real napari window, with the sample project's first picture on the canvas."""

from __future__ import annotations

import pytest
from session_tools import TIMEOUT

from napari_al_pose.gui.viewers import session_for


@pytest.fixture
def viewer(make_napari_viewer, engine):
    made = make_napari_viewer(show=True)
    made.window.resize(1200, 900)
    return made


@pytest.fixture
def session(viewer, sample_copy, qtbot):
    session = session_for(viewer)
    session.projects.open_project(sample_copy)
    qtbot.waitUntil(lambda: session.frame.picture_is_current, timeout=TIMEOUT)
    yield session
    session.close()
