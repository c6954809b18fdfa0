"""Each number is what its name says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_al_pose.domain import KeypointState
from napari_al_pose.pose import error_report, summarise
from napari_al_pose.pose.metrics import distances

PLACED, UNSEEN, HIDDEN = KeypointState.PLACED, KeypointState.UNSEEN, KeypointState.NOT_VISIBLE


def test_numbers_by_hand():
    annotated = np.array([[[0.0, 0], [100, 0]], [[0, 0], [np.nan, np.nan]]])
    predicted = np.array([[[3.0, 4], [100, 12]], [[0, 7], [5, 5]]])
    states = np.array([[PLACED, PLACED], [PLACED, HIDDEN]], np.int8)
    report = error_report(predicted, annotated, states, ["a", "b"])
    assert report.mean == pytest.approx((5 + 12 + 7) / 3)
    assert report.median == 7
    assert report.p95 == 12
    assert report.rmse == pytest.approx(np.sqrt((25 + 144 + 49) / 3))
    assert report.rmse != pytest.approx(report.mean)
    assert report.reference_px == 100
    assert report.pck == pytest.approx(
        {"5px": 1 / 3, "10px": 2 / 3, "20px": 1.0, "0.05ref": 1 / 3, "0.1ref": 2 / 3, "0.2ref": 1.0}
    )
    assert report.per_bodypart == {"a": 6.0, "b": 12.0}
    assert (report.n_frames, report.n_keypoints) == (2, 3)


def test_unseen_and_hidden_keypoints_count_nowhere():
    states = np.array([[PLACED, UNSEEN, HIDDEN]], np.int8)
    annotated = np.array([[[1.0, 1.0], [9.0, 9.0], [9.0, 9.0]]])
    errors = distances(np.zeros((1, 3, 2)), annotated, states)
    assert errors[0, 0] == pytest.approx(np.sqrt(2))
    assert np.isnan(errors[0, 1:]).all()


def test_a_keypoint_not_found_is_not_dropped():
    report = error_report(np.full((1, 1, 2), np.nan), np.zeros((1, 1, 2)), np.array([[PLACED]]), ["a"])
    assert report.mean == np.inf
    assert report.pck["20px"] == 0


def test_nothing_to_measure_is_nan():
    states = np.zeros((2, 1), np.int8)
    report = error_report(np.zeros((2, 1, 2)), np.zeros((2, 1, 2)), states, ["a"])
    assert np.isnan([report.mean, report.median, report.rmse, report.per_bodypart["a"]]).all()
    summary = summarise(np.zeros((2, 1, 2)), np.zeros((2, 1, 2)), states)
    assert summary.n_frames == 0
    assert np.isnan(summary.mean)


def test_a_reference_length_can_be_given():
    states = np.array([[PLACED]])
    report = error_report(np.array([[[3.0, 0]]]), np.zeros((1, 1, 2)), states, ["a"], reference_px=20)
    assert report.pck["0.1ref"] == 0
    assert report.pck["0.2ref"] == 1


def test_one_frame_has_no_interval():
    summary = summarise(np.ones((1, 2, 2)), np.zeros((1, 2, 2)), np.full((1, 2), PLACED))
    assert np.isnan([summary.low, summary.high]).all()
    assert summary.mean == pytest.approx(np.sqrt(2))


@settings(max_examples=30, deadline=None)
@given(n=st.integers(2, 40), seed=st.integers(0, 1000))
def test_the_interval_holds_the_mean_and_repeats(n, seed):
    rng = np.random.default_rng(seed)
    predicted = rng.normal(0, 5, (n, 3, 2))
    states = np.full((n, 3), PLACED)
    summary = summarise(predicted, np.zeros((n, 3, 2)), states)
    assert summary.low <= summary.mean <= summary.high
    assert summary == summarise(predicted, np.zeros((n, 3, 2)), states)
    assert summary.n_frames == n


def test_the_interval_is_of_frames_not_of_keypoints():
    """Keypoints that err together make the interval as wide as one keypoint a frame would."""
    rng = np.random.default_rng(0)
    one = np.abs(rng.normal(10, 4, (30, 1, 1))) * np.array([1.0, 0.0])
    many = np.repeat(one, 8, axis=1)
    few = summarise(one, np.zeros_like(one), np.full((30, 1), PLACED))
    lots = summarise(many, np.zeros_like(many), np.full((30, 8), PLACED))
    assert lots.high - lots.low == pytest.approx(few.high - few.low)
