from __future__ import annotations

import numpy as np
import pytest

from napari_al_pose.domain import Annotation, FrameKey, FrameRole, KeypointState, Prediction
from napari_al_pose.domain.asked_bodyparts import (
    DRAWN,
    asked_bodyparts,
    is_answered,
    is_drawn,
    is_whole_frame,
    scarcity,
)

K = 40


def guess(key, *likelihood):
    return Prediction(key, 1, np.ones((len(likelihood), 2), np.float32), np.array(likelihood, np.float32))


def frame_with_a_draw(*, of=K):
    """Return a frame in which a bodypart is drawn, and which."""
    for number in range(1000):
        drawn = np.flatnonzero(is_drawn(FrameKey("v", number), "", of))
        if len(drawn) == 1:
            return FrameKey("v", number), int(drawn[0])
    raise AssertionError


def test_a_share_is_drawn_evenly_and_the_same_every_time():
    drawn = np.stack([is_drawn(FrameKey("mouse", n), "", K) for n in range(2000)])
    is_drawn.cache_clear()
    again = np.stack([is_drawn(FrameKey("mouse", n), "", K) for n in range(2000)])
    np.testing.assert_array_equal(drawn, again)
    assert drawn.mean() == pytest.approx(DRAWN, abs=0.005)
    assert np.all(np.abs(drawn.mean(axis=0) - DRAWN) < 0.03)
    assert any((is_drawn(FrameKey("mouse", n), "mouse2", K) != drawn[n]).any() for n in range(50))
    assert is_drawn(FrameKey("\udce9", 0), "", K).shape == (K,), "a file's name that is no UTF-8"


def test_the_worst_is_asked_for_first_and_what_was_drawn_last():
    key, drawn = frame_with_a_draw()
    likelihood = np.full(K, 0.9)
    worst, bad = [k for k in (3, 5, 7) if k != drawn][:2]
    likelihood[worst], likelihood[bad] = 0.4, 0.3
    thresholds = np.full(K, 0.5)
    thresholds[worst] = 0.8  # less likely beside its own threshold, though not in itself
    empty = Annotation.empty(key, K)
    assert asked_bodyparts(empty, guess(key, *likelihood), thresholds) == [worst, bad, drawn]
    assert asked_bodyparts(empty, None, thresholds) == list(range(K))
    states = empty.states.copy()
    states[[worst, drawn]] = KeypointState.NOT_VISIBLE
    labelled = Annotation(key, empty.xy, states)
    assert asked_bodyparts(labelled, guess(key, *likelihood), thresholds) == [bad]


def test_a_frame_is_answered_once_what_was_drawn_is_too():
    key, drawn = frame_with_a_draw(of=4)
    sure, empty = guess(key, 0.9, 0.9, 0.9, 0.9), Annotation.empty(key, 4)
    states = empty.states.copy()
    states[(drawn + 1) % 4] = KeypointState.NOT_VISIBLE
    begun = Annotation(key, empty.xy, states)
    assert not is_answered([empty], [sure], [0.5])
    assert not is_answered([begun], [sure], [0.5])
    states = states.copy()
    states[drawn] = KeypointState.NOT_VISIBLE
    assert is_answered([Annotation(key, empty.xy, states)], [sure], [0.5])


def test_every_fifth_frame_and_test_frames_are_whole():
    assert [is_whole_frame(row, FrameRole.TRAIN) for row in range(-1, 6)] == [False] * 5 + [True, False]
    assert is_whole_frame(0, FrameRole.HOLDOUT)


def test_doubt_about_bodyparts_with_few_labels_counts_more():
    assert scarcity(np.array([40, 20, 0])).tolist() == [1.0, 1.25, 1.5]
    assert scarcity(np.zeros(2, int)).tolist() == [1.5, 1.5]
