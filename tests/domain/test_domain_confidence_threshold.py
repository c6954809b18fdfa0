from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from napari_al_pose.domain import FrameKey, Prediction
from napari_al_pose.domain.confidence_threshold import (
    EVEN_CHANCE,
    HIGHEST,
    LOWEST,
    Thresholds,
    believed,
    confidence_threshold,
    is_doubtful,
    margin,
)
from napari_al_pose.domain.suggestion import Reliability, Round


def measured(*bins):
    return Reliability(tuple(bins), 0.0)


@pytest.mark.parametrize(
    ("reliability", "expected"),
    [
        (None, EVEN_CHANCE),
        (measured((0.9, 0.9, 100)), EVEN_CHANCE),
        (measured((0.3, 0.1, 5), (0.9, 0.9, 7)), EVEN_CHANCE),
        (measured((0.3, 0.1, 50), (0.7, 0.9, 50)), 0.5),
        (measured((0.4, 0.2, 50), (0.6, 0.4, 50), (0.9, 0.9, 50)), 0.66),
        (measured((0.2, 0.6, 50), (0.4, 0.3, 50), (0.6, 0.7, 50)), 0.5),
        (measured((0.3, 0.7, 50), (0.9, 0.95, 50)), LOWEST),
        (measured((0.3, 0.1, 50), (0.9, 0.3, 50)), HIGHEST),
    ],
)
def test_guesses_are_believed_from_where_more_of_them_are_right_than_wrong(reliability, expected):
    assert confidence_threshold(reliability) == pytest.approx(expected)


def test_what_has_no_place_is_neither_believed_nor_doubted():
    xy = np.array([[1, 2], [3, 4], [np.nan, np.nan]], np.float32)
    guess = Prediction(FrameKey("v", 0), 1, xy, np.array([0.7, 0.35, 0.0], np.float32))
    assert is_doubtful(guess, 0.5).tolist() == [False, True, False]
    np.testing.assert_array_equal(believed(guess, 0.5), [[1, 2], [np.nan, np.nan], [np.nan, np.nan]])
    assert guess.xy[1].tolist() == [3, 4]


def test_a_round_says_from_where_each_bodypart_is_believed():
    finished = Round(
        1, 3, 8, 2, "hybrid", None, "", 1.0, 100, thresholds=(("nose", 0.3), ("ear", 0.99), ("tail", math.nan))
    )
    known = Thresholds.of_round(finished, ("tail", "new", "ear", "nose"))
    np.testing.assert_allclose(known.for_bodyparts(4), [EVEN_CHANCE, EVEN_CHANCE, HIGHEST, 0.3])
    assert known.for_bodyparts(2).tolist() == [EVEN_CHANCE, EVEN_CHANCE], "not of these bodyparts"
    old = replace(finished, thresholds=(), reliability=measured((0.4, 0.2, 50), (0.6, 0.4, 50), (0.9, 0.9, 50)))
    np.testing.assert_allclose(Thresholds.of_round(old, ("nose", "ear")).for_bodyparts(2), [0.66, 0.66])


def test_each_bodypart_is_believed_from_its_own_threshold():
    guess = Prediction(FrameKey("v", 0), 1, np.ones((3, 2), np.float32), np.array([0.6, 0.6, 0.6], np.float32))
    thresholds = np.array([0.3, 0.9, 0.5])
    assert is_doubtful(guess, thresholds).tolist() == [False, True, False]
    assert np.isfinite(believed(guess, thresholds)).all(axis=1).tolist() == [True, False, True]
    above = margin(guess, thresholds)
    assert above[1] < 0 < above[2] < above[0]
