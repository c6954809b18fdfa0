"""Sessions on a copy of the sample project, with the engine scripted; the real one has tests of its own."""

from __future__ import annotations

import pandas as pd
import pytest
from qtpy.QtCore import QSettings
from session_tools import TIMEOUT, ScriptedEngine, note_errors, of_session

from leaks import nothing_is_left  # noqa: F401
from napari_al_pose.domain import FrameKey
from napari_al_pose.engine.messages import Finished, TrainStep
from napari_al_pose.gui.garbage import GarbageCollection
from napari_al_pose.project import open_project


@pytest.fixture(autouse=True, scope="session")
def collected_on_this_thread(qapp):
    """Destroy what earlier tests left on the thread of Qt's objects, as in a window, with or without a session."""
    collection = GarbageCollection(qapp)
    yield collection
    collection.close()


@pytest.fixture(autouse=True)
def collected(collected_on_this_thread):
    """Do what the timer would have done if the test had waited for it."""
    yield
    collected_on_this_thread.collect()


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


@pytest.fixture
def disputed(sample_copy):
    """Two frames in which this program and another one changed two labels each."""
    with open_project(sample_copy) as project:
        video, parts = project.videos[0].name, project.skeleton.bodyparts
        keys = [FrameKey(video, 3), FrameKey(video, 8)]
        for key in keys:
            project.labels.place_many(key, {part: (100.0 + i, 50.0) for i, part in enumerate(parts)})
        project.export_labels()
        path = project.root / "labeled-data" / video / f"CollectedData_{project.scorer}.h5"
        for key in keys:
            project.labels.place_many(key, {part: (110.0 + i, 60.0) for i, part in enumerate(parts[:2])})
    table = pd.read_hdf(path, "df_with_missing")
    table.iloc[:, :4] += 7
    table.to_hdf(path, key="df_with_missing", mode="w")
    table.to_csv(path.with_suffix(".csv"))
    return sample_copy, keys


@pytest.fixture
def training(opened, qtbot, engine):
    """The engine, in the middle of a training."""
    for index, name in enumerate(opened.frame.bodyparts):
        opened.editor.place(name, 40 + 20 * index, 50)
    engine.says(Finished(opened.learning.training.job))  # the first ranking
    opened.learning.train()
    qtbot.waitUntil(lambda: opened.learning.training.running, timeout=TIMEOUT)
    engine.sent.clear()
    engine.says(TrainStep(opened.learning.training.job, 20, 100, 0.1, float("nan"), 60.0))
    qtbot.waitUntil(lambda: opened.learning.training.can_stop_and_keep, timeout=TIMEOUT)
    return engine
