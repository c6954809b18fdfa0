"""Coverage: worked numbers, and what it owes to labels."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from napari_al_pose.acquisition import ScoreContext
from napari_al_pose.acquisition.strategies import coverage
from napari_al_pose.acquisition.strategies.coverage import Coverage, coverage_gain
from napari_al_pose.acquisition.strategies.influence import mean_cosine_similarity
from napari_al_pose.domain import FrameKey, Skeleton

WORKED = np.array([[1, 0], [0.8, 0.6], [0.6, 0.8], [0, 1]])


def context(features, labelled=None, order=None):
    keys = [FrameKey("mouse", i) for i in range(len(features))]
    rows = range(len(keys)) if order is None else order
    return ScoreContext(
        keys=[keys[i] for i in rows],
        skeleton=Skeleton(("nose",)),
        features=np.asarray(features)[list(rows)],
        labelled_features=None if labelled is None else np.asarray(labelled),
    )


def test_worked_example():
    # Cosines to the label (1, 0) are 1, 0.8, 0.6, 0; the third frame has 0.6, 0.96, 1, 0.8 to the four.
    gain = Coverage().score(context(WORKED, [[2, 0]]))
    assert_allclose(gain, [0, (0.2 + 0.36 + 0.6) / 4, (0.16 + 0.4 + 0.8) / 4, (0.2 + 1) / 4], atol=1e-12)
    assert Coverage().explain(context(WORKED, [[2, 0]]), 2).sentence == (
        "stands for more unlabelled frames than any other"
    )
    assert Coverage().explain(context(WORKED, [[2, 0]]), 3).sentence == (
        "stands for more unlabelled frames than 67 % of the candidate frames"
    )


def test_without_labels_it_ranks_as_influence_does():
    features = np.random.default_rng(0).random((50, 6))
    expected = (mean_cosine_similarity(features) * 49 + 1) / 50  # a frame covers itself
    assert_allclose(coverage_gain(features, None), expected, atol=1e-12)
    assert_allclose(coverage_gain(features, np.empty((0, 6))), expected, atol=1e-12)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 30), st.integers(0, 5), st.integers(0, 10_000))
def test_labels_only_take_away_and_a_labelled_look_is_worth_nothing(n, m, seed):
    rng = np.random.default_rng(seed)
    features = rng.random((n, 4)) + 0.01
    labelled = np.vstack([features[:1], rng.random((m, 4)) + 0.01])
    fewer, more = coverage_gain(features, labelled[:1]), coverage_gain(features, labelled)
    assert (more <= fewer + 1e-12).all()
    assert (more >= 0).all()
    assert_allclose(more[0], 0, atol=1e-12)


def test_rows_and_pieces_do_not_matter(monkeypatch):
    features = np.random.default_rng(1).random((60, 5)).astype(np.float32)
    whole = Coverage().score(context(features, features[:3]))
    order = np.random.default_rng(2).permutation(60)
    monkeypatch.setattr(coverage, "_BLOCK", 7)
    assert_allclose(Coverage().score(context(features, features[:3], order)), whole[order], atol=1e-7)
    monkeypatch.setattr(coverage, "_MOST_COVERED", 20)
    fewer = Coverage().score(context(features, features[:3]))
    assert np.array_equal(Coverage().score(context(features, features[:3], order)), fewer[order])
    assert not np.array_equal(fewer, whole)


def test_frames_without_features_are_nan_and_cover_nothing():
    features = np.vstack([WORKED, [[0, 0]], [[np.nan, 1]]])
    gain = coverage_gain(features, np.vstack([[2, 0], [0, 0]]))
    assert_allclose(gain[:4], coverage_gain(WORKED, np.array([[2, 0]])), atol=1e-12)
    assert np.isnan(gain[4:]).all()
    assert Coverage().explain(context(features), 4).sentence == "no usable image features"
    assert coverage_gain(np.ones((0, 3)), None).shape == (0,)
