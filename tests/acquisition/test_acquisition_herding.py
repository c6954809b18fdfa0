"""Uncertainty herding: worked numbers, greedy choice, and what doubt does to it."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from napari_al_pose.acquisition import ScoreContext
from napari_al_pose.acquisition.strategies import herding
from napari_al_pose.acquisition.strategies.herding import Herd, UncertaintyHerding, kernel_width
from napari_al_pose.domain import FrameKey, Skeleton

NONE = np.empty((0, 2))


def unit(angles):
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def context(features, likelihood, labelled=None, order=None):
    rows = list(range(len(features)) if order is None else order)
    return ScoreContext(
        keys=[FrameKey("mouse", row) for row in rows],
        skeleton=Skeleton(("nose",)),
        features=np.asarray(features)[rows],
        xy=np.zeros((len(rows), 1, 2)),
        likelihood=np.asarray(likelihood, float).reshape(-1, 1)[rows],
        labelled_features=labelled,
        batch_size=2,
    )


def test_worked_example():
    # Two labels at a right angle are sqrt(2) apart, so that k = exp(-d^2 / 2) = exp(cos - 1).
    rows, labelled = unit(np.array([0.0, np.pi])), unit(np.array([0.0, np.pi / 2]))
    assert_allclose(kernel_width(labelled, rows), np.sqrt(2))
    gains = Herd(rows, np.array([0.5, 0.8]), labelled).gains()
    # The first frame is labelled; (-1, 0) is covered by (0, 1), at exp(-1), and would cover itself wholly.
    assert_allclose(gains, [0, 0.8 * (1 - np.exp(-1)) / 2], atol=1e-12)


def test_of_two_crowds_the_doubted_one_is_chosen_and_then_the_other():
    features = unit(np.concatenate([np.linspace(0, 0.1, 20), np.linspace(1.4, 1.5, 10)]))
    likelihood = np.concatenate([np.full(20, 0.9), np.full(10, 0.2)])
    labelled = unit(np.array([2.6, 2.9]))  # far from both crowds; their distance is the kernel's width
    first, second = np.argsort(-UncertaintyHerding().score(context(features, likelihood, labelled)))[:2]
    assert first >= 20 > second
    # Where the model is as unsure of all, the larger crowd comes first: coverage.
    assert np.argmax(UncertaintyHerding().score(context(features, np.full(30, 0.5), labelled))) < 20


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.integers(0, 4), st.integers(0, 10_000))
def test_lazy_choice_is_the_greedy_one(n, m, seed):
    rng = np.random.default_rng(seed)
    rows, labelled, doubt = unit(rng.uniform(0, 3, n)), unit(rng.uniform(0, 3, m)), rng.random(n)
    picks, values = Herd(rows, doubt, labelled).choose(5)
    for count, value in enumerate(values):
        gains = Herd(rows, doubt, labelled)
        gains._width = Herd(rows, doubt, labelled)._width
        for pick in picks[:count]:
            gains._covered = np.maximum(gains._covered, gains._kernel(rows[pick : pick + 1])[0])
        left = np.delete(gains.gains(), picks[:count])
        assert_allclose(value, left.max(), atol=1e-9)
    assert len(set(picks)) == len(picks) == min(n, 5)


def test_rows_and_pieces_do_not_matter_and_odd_rows_are_nan(monkeypatch):
    rng = np.random.default_rng(1)
    features, likelihood = rng.normal(size=(60, 5)).astype(np.float32), rng.random(60)
    features[7] = 0
    features[9, 2] = np.nan
    likelihood[11] = np.nan
    whole = UncertaintyHerding().score(context(features, likelihood, features[:3]))
    assert np.flatnonzero(np.isnan(whole)).tolist() == [7, 9]
    order = rng.permutation(60)
    monkeypatch.setattr(herding, "_BLOCK", 7)
    assert_allclose(
        UncertaintyHerding().score(context(features, likelihood, features[:3], order)), whole[order], atol=1e-7
    )
    assert UncertaintyHerding().explain(context(features, likelihood), 7).sentence == "no usable image features"
    said = UncertaintyHerding().explain(context(features, likelihood, features[:3]), 20).sentence
    assert "doubtful frames" in said
    assert "label" in said
