"""What labelling took, worked out by hand from a log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from napari_al_pose.domain import Annotation, ErrorSummary, FrameKey, KeypointState, Prediction, Round
from napari_al_pose.domain.effort import Act, Gesture, gesture_of, measure
from napari_al_pose.domain.views.effort import CurveAxis, curve_over, effort_lines, newest_line, round_line

START = datetime(2026, 1, 1, tzinfo=UTC)


def log(*steps: tuple[float, Gesture, int], session: str = "s") -> list[Act]:
    """Return acts of ``(seconds after the one before, gesture, frame)``."""
    acts, now = [], START
    for number, (after, gesture, frame) in enumerate(steps, start=1):
        now += timedelta(seconds=after)
        points = 3 if gesture is Gesture.ACCEPTED else 1
        acts.append(Act(number, now, session, gesture, FrameKey("v", frame), points))
    return acts


WORK = log(
    (0, Gesture.PLACED, 1),  # what came before it is nobody's
    (2, Gesture.PLACED, 1),
    (3, Gesture.PLACED, 1),
    (5, Gesture.PLACED, 2),  # 2.5 of it placing
    (4, Gesture.CORRECTED, 2),
    (1, Gesture.ACCEPTED, 2),
    (300, Gesture.CORRECTED, 3),  # a pause
    (1, Gesture.UNDONE, 3),
)


def test_seconds_of_each_kind_are_medians_without_pauses():
    found = measure(WORK, {})
    assert (found.place.seconds, found.place.n) == (2.5, 2)
    assert (found.drag.seconds, found.drag.n) == (4.0, 1)
    assert (found.accept.seconds, found.undo.seconds) == (1.0, 1.0)
    assert (found.look.seconds, found.look.n) == (2.5, 1)
    assert found.pauses == 1
    assert found.seconds == 2 + 3 + 5 + 4 + 1 + 1


def test_rounds_end_where_their_model_learnt():
    found = measure(WORK, {1: 3, 2: 6})
    assert [one.number for one in found.rounds] == [1, 2, 3]
    first, second, third = found.rounds
    assert (first.placed, first.clicks, first.frames, first.seconds) == (3, 3, 1, 5)
    assert (second.accepted, second.corrected, second.placed, second.seconds) == (3, 1, 1, 10)
    assert (third.corrected, third.undone, third.seconds) == (1, 1, 1)
    assert found.frames == 3
    assert found.clicks == 6
    assert found.seconds_a_frame == pytest.approx(16 / 3)


def test_times_of_two_sessions_are_not_compared():
    other = [Act(9, START + timedelta(seconds=1), "t", Gesture.PLACED, FrameKey("v", 9), 1)]
    assert measure([*log((0, Gesture.PLACED, 1)), *other], {}).seconds == 0


def test_a_clock_that_was_put_back_makes_a_pause_not_a_negative_time():
    assert measure(log((0, Gesture.PLACED, 1), (-50, Gesture.PLACED, 1)), {}).seconds == 0


def test_nothing_labelled_says_so():
    found = measure([], {1: 10})
    assert found.rounds == ()
    assert found.seconds_a_frame is None
    assert effort_lines(found) == ["Nothing has been labelled in the window yet."]
    assert newest_line(()) == ""


def test_the_line_of_a_round():
    second = measure(WORK, {1: 3, 2: 6}).rounds[1]
    assert round_line(second) == "Round 2: 3 of 5 points accepted, 1 corrected, 1 placed, 10 s"
    assert round_line(measure(WORK, {1: 3}).rounds[0]) == "Round 1: 3 points placed, 5 s"


def test_all_lines_read_well():
    lines = effort_lines(measure(WORK, {}))
    assert lines[1] == "3 frames in 16 s: 5 s and 2.0 clicks a frame, 1 pause left out"
    assert "Placing a point: 2.5 s (2)" in lines


def finished(number: int, n_train: int, mean: float | None) -> Round:
    error = None if mean is None else ErrorSummary(mean, mean, mean - 1, mean + 1, 5)
    return Round(number, 0, n_train, 5, "hybrid", error, "2026-01-01T00:00:00+00:00", 1.0, 10)


def test_errors_are_drawn_against_what_labelling_took():
    rounds = [finished(1, 5, 9.0), finished(2, 8, None), finished(3, 12, 4.0)]
    effort = measure(WORK, {1: 3, 2: 6, 3: 8})
    assert curve_over(rounds, effort, CurveAxis.FRAMES).labels == (5, 12)
    assert curve_over(rounds, effort, CurveAxis.CLICKS).labels == (3, 6)
    assert curve_over(rounds, effort, CurveAxis.MINUTES).labels == pytest.approx((5 / 60, 16 / 60))
    assert curve_over(rounds, None, CurveAxis.CLICKS).labels == (5, 12)
    assert curve_over(rounds, effort, CurveAxis.CLICKS).mean == (9.0, 4.0)
    assert curve_over([], effort, CurveAxis.MINUTES).labels == ()


def test_a_point_that_is_placed_moved_or_put_elsewhere():
    frame = Annotation.empty(FrameKey("v", 1), 2)
    guess = Prediction(frame.key, 1, np.array([[1, 2], [np.nan, np.nan]], np.float32), np.ones(2, np.float32))
    assert gesture_of(frame, guess, 0) is Gesture.CORRECTED
    assert gesture_of(frame, guess, 1) is gesture_of(frame, None, 0) is Gesture.PLACED
    frame.states[0] = KeypointState.PLACED
    assert gesture_of(frame, guess, 0) is Gesture.MOVED
