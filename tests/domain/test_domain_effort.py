"""What labelling took, worked out by hand from a log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from napari_al_pose.domain import FrameKey
from napari_al_pose.domain.effort import Act, Gesture, measure
from napari_al_pose.domain.views.effort import effort_lines, newest_line, round_line

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
    assert (first.placed, first.clicks, first.frames, first.seconds) == (2, 2, 1, 5)
    assert (second.accepted, second.corrected, second.placed, second.seconds) == (3, 1, 1, 10)
    assert (third.corrected, third.undone, third.seconds) == (1, 1, 1)
    assert found.frames == 3
    assert found.clicks == 5
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
    assert round_line(measure(WORK, {1: 3}).rounds[0]) == "Round 1: 2 points placed, 5 s"


def test_all_lines_read_well():
    lines = effort_lines(measure(WORK, {}))
    assert lines[1] == "3 frames in 16 s: 5 s and 1.7 clicks a frame, 1 pause left out"
    assert "Placing a point: 2.5 s (2)" in lines
