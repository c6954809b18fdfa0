"""Influence: the worked numbers and the sign."""

from __future__ import annotations

import logging

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from napari_al_pose.acquisition import ScoreContext, vectors
from napari_al_pose.acquisition.ordering import rank_order
from napari_al_pose.acquisition.strategies.influence import Influence, mean_cosine_similarity
from napari_al_pose.domain import FrameKey, Skeleton

WORKED = np.array([[1, 0], [0.8, 0.6], [0.6, 0.8], [-0.6, 0.8]])


def context(features):
    keys = [FrameKey("mouse", i) for i in range(len(features))]
    return ScoreContext(keys=keys, skeleton=Skeleton(("nose",)), features=np.asarray(features))


def test_worked_example():
    scores = Influence().score(context(WORKED))
    assert_allclose(scores, [0.266667, 0.586667, 0.613333, -0.106667], atol=1e-6)
    assert rank_order(context(WORKED).keys, scores).tolist() == [2, 1, 0, 3]


def test_same_order_as_the_residencys_summed_distances_and_not_vatl4poses():
    summed_distance = (1 - WORKED @ WORKED.T).sum(axis=1)
    assert_allclose(summed_distance, [2.2, 1.24, 1.16, 3.32])
    ours = np.argsort(-mean_cosine_similarity(WORKED)).tolist()
    assert ours == np.argsort(summed_distance).tolist()
    vatl4pose = np.argsort(-summed_distance).tolist()  # takes the largest distance: outliers first
    assert vatl4pose == ours[::-1]


@settings(deadline=None, max_examples=50)
@given(st.integers(2, 40), st.integers(1, 8), st.integers(0, 10_000))
def test_identity_is_the_mean_of_all_pairs(n, d, seed):
    features = np.random.default_rng(seed).normal(size=(n, d)) + 0.1
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    pairs = unit @ unit.T
    np.fill_diagonal(pairs, 0)
    assert_allclose(mean_cosine_similarity(features), pairs.sum(axis=1) / (n - 1), atol=1e-12)


def test_pieces_do_not_matter(monkeypatch):
    features = np.random.default_rng(0).normal(size=(101, 7))
    whole = mean_cosine_similarity(features)
    monkeypatch.setattr(vectors, "_CHUNK_VALUES", 21)
    assert_allclose(mean_cosine_similarity(features), whole, atol=1e-12)


def test_frames_without_features_are_ranked_last_and_do_not_count(caplog):
    features = np.vstack([WORKED, [[0, 0]], [[np.nan, 1]]])
    with caplog.at_level(logging.WARNING):
        scores = mean_cosine_similarity(features)
    assert "2 of 6 frames" in caplog.text
    assert_allclose(scores[:4], mean_cosine_similarity(WORKED), atol=1e-12)
    assert np.isnan(scores[4:]).all()
    assert rank_order([FrameKey("m", i) for i in range(6)], scores).tolist() == [2, 1, 0, 3, 4, 5]


def test_one_frame_has_nothing_to_be_like():
    assert np.isnan(mean_cosine_similarity(np.ones((1, 3)))).all()
    assert mean_cosine_similarity(np.ones((0, 3))).shape == (0,)


def test_explanation_says_how_typical():
    explain = Influence().explain
    assert explain(context(WORKED), 2).sentence == "the most typical of the candidate frames"
    assert explain(context(WORKED), 0).sentence == "more typical than 33 % of the candidate frames"
    assert explain(context(WORKED), 3).sentence == "the least typical of the candidate frames"
    assert explain(context([[1, 0], [0, 0], [1, 1]]), 1).sentence == "no usable image features"
    assert explain(context(WORKED), 2).reasons == ()
