"""Sessions on a copy of the sample project, with the engine scripted; the real one has tests of its own."""

from __future__ import annotations

import pytest
from qtpy.QtCore import QSettings
from session_tools import TIMEOUT, ScriptedEngine, note_errors, of_session

from leaks import nothing_is_left  # noqa: F401


@pytest.fixture(autouse=True)
def own_settings(tmp_path):
    """Keep what the window remembers (recent projects, modes, keys, folded sections) apart from other tests'."""
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(tmp_path / "settings"))


@pytest.fixture
def engine(monkeypatch):
    """The `ScriptedEngine` that sessions made in this test talk to."""
    from napari_al_pose.gui.state import engine_bridge

    made = ScriptedEngine()
    monkeypatch.setattr(engine_bridge, "EngineClient", made.connect)
    return made


@pytest.fixture
def session(qtbot, engine):
    """A session without a viewer; its errors are noted in ``session.notices.errors``."""
    from napari_al_pose.gui.state.session import new_session

    session = note_errors(new_session())
    yield session
    session.close()


@pytest.fixture
def opened(session, sample_copy, qtbot):
    """The session with a copy of the sample project open and a frame in front, where the user wants to be."""
    session.projects.open_project(sample_copy)
    qtbot.waitUntil(
        lambda: session.frame.source is not None and session.learning.engine_state != "starting", timeout=TIMEOUT
    )
    session.navigator.go_to(session.frame.key)
    return session


@pytest.fixture
def window(qtbot):
    """What dialogs open over."""
    from qtpy.QtWidgets import QWidget

    made = QWidget()
    qtbot.addWidget(made)
    return made


@pytest.fixture
def actions(session, window):
    """The header's actions on the session."""
    from napari_al_pose.gui.actions import WindowActions

    made = of_session(WindowActions, session, window=window)
    yield made
    made.close()
