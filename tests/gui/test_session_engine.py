"""The session with the real engine process: rank, look, train, stop, cancel, die."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest
from session_tools import TIMEOUT

from napari_al_pose.domain.settings import LoopSettings, TrainSettings
from napari_al_pose.gui.session import Session
from napari_al_pose.project import open_project
from napari_al_pose.samples import ground_truth

pytestmark = [pytest.mark.gui, pytest.mark.slow]

LONG = 120_000
QUICK = LoopSettings(
    strategy="mpe",
    batch_size=5,
    learn_after=0,
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
    session = Session()
    session.noticeRaised.connect(lambda message, hint, is_error: errors.append(message) if is_error else None)
    session.open_project(sample_copy)
    qtbot.waitUntil(lambda: session.source is not None and session.engine_state == "ready", timeout=LONG)
    qtbot.waitUntil(lambda: len(session.queue) > 0, timeout=LONG)
    yield session
    session.close()


def label_queue(session, n):
    truth = ground_truth(session.project.root)
    for _ in range(n):
        session.next_suggestion()
        video, frame = session.current.video, session.current.frame
        xy, visible = truth[video]
        for index, name in enumerate(session.bodyparts):
            if visible[frame, index]:
                session.place(name, *map(float, xy[frame, index]))
            else:
                session.mark_not_visible(name)


def test_a_whole_round(session, qtbot, errors):
    assert {suggestion.model_version for suggestion in session.queue.suggestions} == {0}
    label_queue(session, 4)
    in_front, labels = session.current, session.annotation
    session.learn()
    qtbot.waitUntil(lambda: session.training.running, timeout=TIMEOUT)
    qtbot.waitUntil(lambda: bool(session.rounds) and not session.training.busy, timeout=LONG)
    assert not errors
    assert session.training.losses
    assert session.rounds[0].number == 1
    assert session.current == in_front
    np.testing.assert_array_equal(session.annotation.xy, labels.xy)
    assert session.queue.current.key == in_front
    session.next_suggestion()
    assert session.suggestion.model_version == 1
    assert session.guess is not None
    qtbot.waitUntil(lambda: session.looked is not None, timeout=LONG)
    assert session.looked.key == session.current
    assert session.looked.scoremaps.maps.shape[0] == len(session.bodyparts)


def test_killing_the_engine_in_training_loses_nothing(session, qtbot, errors):
    session.set_settings(QUICK.model_copy(update={"train": TrainSettings(steps=500, long_side=128, batch_size=2)}))
    label_queue(session, 3)
    session.learn()
    qtbot.waitUntil(lambda: session.training.step > 1, timeout=LONG)
    os.kill(session._engine._client.pid, signal.SIGKILL)
    qtbot.waitUntil(lambda: session.engine_state == "dead", timeout=TIMEOUT)
    assert not session.training.busy
    assert "signal 9" in errors[-1]
    assert session.annotation.is_complete
    session.restart_engine()
    qtbot.waitUntil(lambda: session.engine_state == "ready", timeout=LONG)
    session.learn()
    qtbot.waitUntil(lambda: session.training.step > 1, timeout=LONG)
    session.stop_and_keep()
    qtbot.waitUntil(lambda: bool(session.rounds) and not session.training.busy, timeout=LONG)
    assert session.rounds[0].steps < 500
    session.learn()
    qtbot.waitUntil(lambda: session.training.step > 1, timeout=LONG)
    session.cancel_training()
    qtbot.waitUntil(lambda: not session.training.busy, timeout=LONG)
    assert len(session.rounds) == 1
    assert session.project.models.versions() == [1]
