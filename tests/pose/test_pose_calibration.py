"""Likelihoods become what they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_al_pose.domain import KeypointState
from napari_al_pose.pose.calibration import (
    Calibration,
    CalibrationSet,
    calibrate_bodyparts,
    calibration_set,
    fit_calibration,
    reliability,
    reliability_of,
)

PLACED, UNSEEN, HIDDEN = KeypointState.PLACED, KeypointState.UNSEEN, KeypointState.NOT_VISIBLE


def said(logits: np.ndarray, *, slope: float, shift: float, seed: int = 0) -> CalibrationSet:
    """Return answers of a network whose likelihoods are off by ``slope`` and ``shift``."""
    chance = 1 / (1 + np.exp(-(slope * logits + shift)))
    found = np.random.default_rng(seed).random(len(logits)) < chance
    return CalibrationSet(1 / (1 + np.exp(-logits)), found, np.ones(len(logits)))


@pytest.mark.parametrize(("slope", "shift"), [(1.0, 0.0), (0.5, 0.0), (2.0, -1.0), (1.0, 2.0)])
def test_many_answers_give_the_calibration_back(slope, shift):
    logits = np.random.default_rng(1).normal(0, 2, 4000)
    fitted = fit_calibration(said(logits, slope=slope, shift=shift))
    assert fitted.slope == pytest.approx(slope, rel=0.12)
    assert fitted.shift == pytest.approx(shift, abs=0.15)


def test_calibrating_makes_likelihoods_believable():
    logits = np.random.default_rng(1).normal(1, 1.5, 300)
    learn, check = (said(logits, slope=0.4, shift=1.5, seed=seed) for seed in (1, 2))
    before = reliability(check.raw, check)
    after = reliability(fit_calibration(learn)(check.raw.astype(np.float32)), check)
    assert before is not None
    assert after is not None
    assert after.expected_error < 0.5 * before.expected_error
    assert sum(n for _, _, n in after.bins) == 300


def test_a_handful_of_answers_moves_little_and_none_nothing():
    before = Calibration(0.8, 0.3)
    assert fit_calibration(CalibrationSet(np.empty(0), np.empty(0, bool), np.empty(0)), before=before) == before
    one = fit_calibration(CalibrationSet(np.array([0.9]), np.array([False]), np.ones(1)), before=before)
    assert abs(one.slope - before.slope) < 0.3
    assert one.shift < before.shift


def test_a_bodypart_with_few_answers_goes_by_what_all_say():
    many = said(np.random.default_rng(1).normal(0, 2, 400), slope=1.0, shift=-1.5)
    few = CalibrationSet(np.array([0.6]), np.array([True]), np.ones(1))
    none = CalibrationSet(np.empty(0), np.empty(0, bool), np.empty(0))
    wrong = said(np.random.default_rng(2).normal(0, 2, 400), slope=1.0, shift=-3.0)
    of_many, of_few, of_none, of_wrong = (one.raw_for(0.5) for one in calibrate_bodyparts([many, few, none, wrong]))
    assert of_many == pytest.approx(1 / (1 + np.exp(-1.5)), abs=0.07)
    assert of_wrong > of_none > of_many
    assert Calibration(2.0, 1.0).raw_for(float(Calibration(2.0, 1.0)(np.float32(0.3)))) == pytest.approx(0.3, abs=1e-4)
    assert of_few == pytest.approx(of_none, abs=0.1)


@settings(max_examples=50, deadline=None)
@given(
    raw=st.lists(st.floats(0, 1), min_size=1, max_size=60),
    found=st.booleans(),
    slope=st.floats(0.2, 5),
    shift=st.floats(-5, 5),
)
def test_whatever_is_said_the_fit_is_finite_and_keeps_the_order(raw, found, slope, shift):
    given_answers = CalibrationSet(np.array(raw), np.full(len(raw), found), np.ones(len(raw)))
    fitted = fit_calibration(given_answers, before=Calibration(slope, shift))
    values = fitted(np.sort(np.array(raw, np.float32)))
    assert np.isfinite(values).all()
    assert ((values >= 0) & (values <= 1)).all()
    assert (np.diff(values) >= 0).all()


def test_hidden_keypoints_count_as_not_found_and_unseen_ones_not_at_all():
    states = np.array([[PLACED, PLACED, HIDDEN, UNSEEN]], np.int8)
    annotated = np.array([[[0.0, 0], [100, 0], [np.nan, np.nan], [np.nan, np.nan]]])
    predicted = np.array([[[0.0, 9], [100, 11], [5, 5], [5, 5]]])
    raw = np.array([[0.9, 0.8, 0.7, 0.6]])
    got = calibration_set(raw, predicted, annotated, states, reference_px=100)
    np.testing.assert_array_equal(got.found, [True, False, False])
    np.testing.assert_allclose(got.raw, [0.9, 0.8, 0.7])
    assert got.weights[2] < got.weights[0]
    assert reliability_of(raw, predicted, annotated, np.full((1, 4), UNSEEN)) is None


def test_as_it_comes_nothing_is_touched():
    raw = np.linspace(0, 1, 5, dtype=np.float32)
    assert Calibration()(raw) is raw
