"""The window's one estimate of the time left, and the curve that ends where the result is."""

from __future__ import annotations

import itertools

import pytest

from napari_al_pose.domain import ErrorSummary, Round
from napari_al_pose.domain.views.formatting import time_left
from napari_al_pose.engine.messages import Finished, Progress, Train, Trained, TrainStep, TrialStep
from napari_al_pose.gui.state.job_views import AFTERWARDS_SECONDS, RoundClock, TrainingView, advanced, started


def round_of(mean):
    error = ErrorSummary(mean, mean, mean, mean, 8)
    return Round(1, 3, 20, 8, "hybrid", error, "2026-01-01T00:00:00", 60.0, 100)


def play(clock, view, replies):
    """Return the view, and the time left after each ``(seconds, reply)``."""
    shown = []
    for now, reply in replies:
        view = clock.timed(advanced(view, reply), now)
        shown.append(view.seconds_left)
    return view, shown


def test_the_time_left_of_a_round_goes_down_through_all_of_its_parts():
    clock, view = RoundClock(), started(TrainingView(), Train(1))
    trial = [(float(t), TrialStep(1, t, 20, 1.0, 20 - t + 60.0)) for t in range(1, 21)]
    steps = [(20.0 + t, TrainStep(1, t, 60, 1.0, float("nan"), 60.0 - t)) for t in range(1, 61)]
    view, shown = play(clock, view, trial + steps)
    assert shown[0] == pytest.approx(79 + AFTERWARDS_SECONDS)
    assert all(later <= earlier + 0.01 for earlier, later in itertools.pairwise(shown))
    after = [(81.0, Trained(1, round_of(3.0), False)), (82.0, Progress(1, "Looking", 1, 10, 9.0)), (90.0, Finished(1))]
    view, shown = play(clock, view, after)
    assert 0 < shown[1] <= AFTERWARDS_SECONDS
    assert not view.busy
    view, shown = play(clock, started(view, Train(2)), [(100.0, TrainStep(2, 1, 60, 1.0, float("nan"), 59.0))])
    assert shown[0] == pytest.approx(59 + 9), "what followed the last training took 9 s"


def test_no_time_is_said_before_the_training_itself_is_timed():
    clock, view = RoundClock(), started(TrainingView(), Train(1))
    replies = [(float(t), Progress(1, "reading labelled frames", t, 3, 3.0 - t)) for t in range(1, 4)]
    replies.append((4.0, TrainStep(1, 1, 60, 1.0, float("nan"), 120.0)))
    _, shown = play(clock, view, replies)
    assert [time_left(seconds) for seconds in shown[:3]] == ["", "", ""]
    assert shown[3] == pytest.approx(120 + AFTERWARDS_SECONDS)


def test_one_slow_step_does_not_make_the_time_left_jump():
    clock, view = RoundClock(), started(TrainingView(), Train(1))
    replies = [(float(t), TrainStep(1, t, 60, 1.0, float("nan"), 60.0 - t)) for t in range(1, 30)]
    replies.append((30.0, TrainStep(1, 30, 60, 1.0, float("nan"), 120.0)))
    _, shown = play(clock, view, replies)
    assert shown[-1] < shown[-2] + 0.3 * 90


def test_steps_that_become_slow_near_the_end_do_not_leave_no_time():
    clock, view = RoundClock(), started(TrainingView(), Train(1))
    replies = [(float(t), TrainStep(1, t, 60, 1.0, float("nan"), 60.0 - t)) for t in range(1, 58)]
    replies += [(57.0 + 40 * n, TrainStep(1, 57 + n, 60, 1.0, float("nan"), 40.0 * (3 - n))) for n in (1, 2)]
    _, shown = play(clock, view, replies)
    assert min(shown[-2:]) >= 10
    after = [(200.0, Trained(1, round_of(3.0), False)), (260.0, Progress(1, "Looking", 4, 23, -1.0))]
    _, shown = play(clock, view, after)
    assert time_left(shown[-1]) == "", "it takes longer than was foreseen"


def test_the_live_curve_ends_with_the_result():
    view = started(TrainingView(), Train(1))
    for step, error in ((50, 47.0), (100, 40.0)):
        view = advanced(view, TrainStep(1, step, 100, 0.1, error, 0.0))
    view = advanced(view, Trained(1, round_of(11.1), True))
    assert view.holdout == ((50, 47.0), (100, 11.1))


def test_nothing_can_be_kept_of_the_trial_of_both_starts():
    view = advanced(started(TrainingView(), Train(1)), TrialStep(1, 3, 20, 0.5, 70.0))
    assert view.is_trying
    assert not view.can_stop_and_keep
    assert (view.trial, view.trial_steps) == (((3, 0.5),), 20)
    assert not started(view, Train(2)).trial, "the next round has axes of its own"
