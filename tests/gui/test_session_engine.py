"""The session with the real engine process: rank, look, train, stop, cancel, die."""

from __future__ import annotations

import os
import signal

import numpy as np
import psutil
import pytest
from session_tools import TIMEOUT

from napari_al_pose.domain.settings import LoopSettings, TrainSettings
from napari_al_pose.gui.state.session import new_session
from napari_al_pose.project import open_project
from napari_al_pose.samples import ground_truth

pytestmark = [pytest.mark.gui, pytest.mark.slow]

LONG = 120_000
QUICK = LoopSettings(
    strategy="mpe",
    batch_size=5,
    train_after=0,
    holdout_share=0.2,
    pool_size=30,
    train=TrainSettings(steps=6, long_side=128, batch_size=2),
)


@pytest.fixture
def errors():
    return []


@pytest.fixture
def session(qtbot, sample_copy, errors):
    with open_project(sample_copy) as project:
        project.save_settings(QUICK)
    session = new_session()
    session.notices.raised.connect(lambda message, hint, is_error: errors.append(message) if is_error else None)
    session.projects.open_project(sample_copy)
    qtbot.waitUntil(lambda: session.frame.source is not None and session.learning.engine_state == "ready", timeout=LONG)
    qtbot.waitUntil(lambda: len(session.navigator.queue) > 0, timeout=LONG)
    yield session
    session.close()


def label_queue(session, n):
    truth = ground_truth(session.projects.project.root)
    for _ in range(n):
        session.navigator.next_suggestion()
        video, frame = session.frame.key.video, session.frame.key.frame
        xy, visible = truth[video]
        for index, name in enumerate(session.frame.bodyparts):
            if visible[frame, index]:
                session.editor.place(name, *map(float, xy[frame, index]))
            else:
                session.editor.mark_not_visible(name)


def engine_pid():
    """Return the process id of the one engine there is."""
    children = psutil.Process().children(recursive=True)
    (found,) = [child.pid for child in children if "napari_al_pose.engine.child" in child.cmdline()]
    return found


def test_a_whole_round(session, qtbot, errors):
    assert {suggestion.model_version for suggestion in session.navigator.queue.suggestions} == {0}
    label_queue(session, 4)
    in_front, labels = session.frame.key, session.frame.annotation
    session.learning.train()
    qtbot.waitUntil(lambda: session.learning.training.running, timeout=TIMEOUT)
    qtbot.waitUntil(lambda: bool(session.learning.rounds) and not session.learning.training.busy, timeout=LONG)
    assert not errors
    assert session.learning.training.losses
    assert session.learning.rounds[0].number == 1
    assert session.frame.key == in_front
    np.testing.assert_array_equal(session.frame.annotation.xy, labels.xy)
    assert session.navigator.queue.current.key == in_front
    session.navigator.next_suggestion()
    assert session.navigator.suggestion.model_version == 1
    assert session.frame.guess is not None
    qtbot.waitUntil(lambda: session.frame.guesses.looked is not None, timeout=LONG)
    assert session.frame.guesses.looked.key == session.frame.key
    assert session.frame.guesses.looked.scoremaps.maps.shape[0] == len(session.frame.bodyparts)


def test_killing_the_engine_in_training_loses_nothing(session, qtbot, errors):
    session.projects.set_settings(
        QUICK.model_copy(update={"train": TrainSettings(steps=500, long_side=128, batch_size=2)})
    )
    label_queue(session, 3)
    session.learning.train()
    qtbot.waitUntil(lambda: session.learning.training.step > 1, timeout=LONG)
    os.kill(engine_pid(), signal.SIGKILL)
    qtbot.waitUntil(lambda: session.learning.engine_state == "dead", timeout=TIMEOUT)
    assert not session.learning.training.busy
    assert "signal 9" in errors[-1]
    assert session.frame.annotation.is_complete
    session.learning.restart_engine()
    qtbot.waitUntil(lambda: session.learning.engine_state == "ready", timeout=LONG)
    session.learning.train()
    qtbot.waitUntil(lambda: session.learning.training.step > 1, timeout=LONG)
    session.learning.stop_and_keep()
    qtbot.waitUntil(lambda: bool(session.learning.rounds) and not session.learning.training.busy, timeout=LONG)
    assert session.learning.rounds[0].steps < 500
    session.learning.train()
    qtbot.waitUntil(lambda: session.learning.training.step > 1, timeout=LONG)
    session.learning.cancel_training()
    qtbot.waitUntil(lambda: not session.learning.training.busy, timeout=LONG)
    assert len(session.learning.rounds) == 1
    assert session.projects.project.models.versions() == [1]
