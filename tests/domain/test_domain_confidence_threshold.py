from __future__ import annotations

import numpy as np
import pytest

from napari_al_pose.domain import FrameKey, Prediction
from napari_al_pose.domain.confidence_threshold import (
    EVEN_CHANCE,
    HIGHEST,
    LOWEST,
    believed,
    confidence_threshold,
    is_doubtful,
)
from napari_al_pose.domain.suggestion import Reliability


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
