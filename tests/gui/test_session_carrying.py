"""Labels carried along in the sample's real video, in a session."""

from __future__ import annotations

import numpy as np
import pytest
from session_tools import TIMEOUT

from napari_al_pose.domain import FrameKey, Prediction, Suggestion
from napari_al_pose.engine.messages import Finished, Looked, Ranked
from napari_al_pose.samples.synthetic import ground_truth

pytestmark = pytest.mark.gui


@pytest.fixture
def told(opened):
    """What the user is told, as it is said."""
    messages = []
    opened.notices.raised.connect(lambda message, hint, _error: messages.append((message, hint)))
    return messages


@pytest.fixture
def truth(opened):
    """The true poses of the current video, whose frame 20 is in front of the user and labelled."""
    frame = opened.frame
    poses = ground_truth(opened.projects.project.root)[frame.key.video][0]
    opened.navigator.go_to(FrameKey(frame.key.video, 20))
    for name, (x, y) in zip(frame.bodyparts, poses[20], strict=True):
        if np.isfinite(x):
            opened.editor.place(name, float(x), float(y))
    return poses


def wait(session, qtbot) -> None:
    qtbot.waitUntil(lambda: not session.carrier.is_busy, timeout=TIMEOUT)


@pytest.mark.parametrize("step", [1, -1])
def test_guesses_appear_in_the_frames_after_or_before(opened, truth, qtbot, told, step):
    video = opened.frame.key.video
    opened.carrier.carry_on(step)
    assert opened.carrier.is_busy
    wait(opened, qtbot)
    assert told[-1][0].startswith("Carried")
    for i in (1, 2):
        opened.navigator.go_to(FrameKey(video, 20 + step * i))
        length = np.hypot(*np.ptp(truth[20][np.isfinite(truth[20][:, 0])], axis=0))
        off = np.hypot(*(opened.frame.guess.xy - truth[20 + step * i]).T) / length
        assert np.nanmean(off[np.isfinite(off)] < 0.1) > 0.7
        assert opened.frame.guess.model_version == 0
        assert opened.frame.annotation.is_empty
    assert opened.notices.busy == ""


def test_the_next_queued_frame_is_reached_and_shown(opened, truth, qtbot, told, engine):
    video = opened.frame.key.video
    suggestions = tuple(Suggestion(FrameKey(video, n), 1.0, "mpe") for n in (90, 23, 5))
    job = opened.learning.training.job
    engine.says(Ranked(job, "mpe", 0, suggestions, ()))
    engine.says(Finished(job))
    qtbot.waitUntil(lambda: len(opened.navigator.queue) >= 3, timeout=TIMEOUT)
    opened.carrier.carry_to_queued()
    wait(opened, qtbot)
    assert opened.frame.key.frame == 23
    assert opened.frame.guess is not None
    assert "to frame 23" in told[-1][0]
    opened.navigator.go_to(FrameKey(video, 100))
    opened.carrier.carry_to_queued()
    assert "No frame of the queue" in told[-1][0]


def test_what_the_model_is_surer_of_stays_the_models(opened, truth, qtbot, engine):
    video, n = opened.frame.key.video, len(opened.frame.bodyparts)
    opened.carrier.carry_on()
    wait(opened, qtbot)
    key = FrameKey(video, 21)
    opened.navigator.go_to(key)
    carried = opened.frame.guess.xy.copy()
    likelihood = np.full(n, 0.1, np.float32)
    likelihood[0] = 0.999
    guess = Prediction(key, 1, np.full((n, 2), 7, np.float32), likelihood)
    engine.says(Looked(0, key, None, guess))
    qtbot.waitUntil(lambda: opened.frame.guesses.looked is not None, timeout=TIMEOUT)
    assert opened.frame.guess.xy[0].tolist() == [7, 7]
    there = np.isfinite(carried[:, 0])
    np.testing.assert_array_equal(opened.frame.guess.xy[1:][there[1:]], carried[1:][there[1:]])


def test_a_second_press_ends_it_and_keeps_what_was_reached(opened, truth, qtbot, told):
    opened.carrier.carry_on()
    opened.carrier.carry_on()
    wait(opened, qtbot)
    assert told[-1][0].startswith(("Carried", "The labels could not"))


def test_without_a_label_nothing_is_carried(opened, told):
    opened.navigator.go_to(FrameKey(opened.frame.key.video, 50))
    opened.carrier.carry_on()
    assert not opened.carrier.is_busy
    assert "no label" in told[-1][0]


def test_closing_the_project_meanwhile_leaves_nothing_behind(opened, truth, qtbot):
    opened.carrier.carry_on()
    opened.projects.close_project()
    wait(opened, qtbot)
    assert opened.notices.busy == ""
    assert not opened.notices.errors
