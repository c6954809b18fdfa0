"""Strategies that look at image features: worked numbers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from napari_al_pose.acquisition import ScoreContext
from napari_al_pose.acquisition.strategies.dacs import DensityAwareCoreSet, choose, natural_breaks, shares, sparsity
from napari_al_pose.acquisition.strategies.duw import UncertaintyWeightedKCenter, weigh
from napari_al_pose.acquisition.strategies.kcenter import KCenter, farthest_first, nearest_distance
from napari_al_pose.acquisition.strategies.kmeans_batch import KMeansBatch
from napari_al_pose.acquisition.strategies.probcover import ProbCover, ball_radius, cover
from napari_al_pose.acquisition.strategies.typiclust import TypiClust, typicality
from napari_al_pose.domain import FrameKey, Skeleton


def context(features, **kwargs):
    keys = [FrameKey("mouse", i) for i in range(len(features))]
    return ScoreContext(keys=keys, skeleton=Skeleton(("nose",)), features=np.asarray(features, float), **kwargs)


def looks(sizes, rng, noise=0.02):
    """Features of ``sizes[i]`` frames of each look ``i``."""
    centres = np.repeat(np.eye(len(sizes)), sizes, axis=0)
    return centres + rng.normal(scale=noise, size=centres.shape)


def order(scores):
    return np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable").tolist()


def test_kcenter_worked_example():
    rows = np.array([[0.0, 0], [1, 0], [2, 0], [6, 0], [6, 3], [10, 0]])
    picks, radii, left = farthest_first(rows, nearest_distance(rows, rows[:1]), 3)
    assert picks == [5, 4, 3]
    assert_allclose(radii, [10, 5, 3])
    assert_allclose(left, [0, 1, 2, 0, 0, 0])


def test_kcenter_never_takes_a_row_twice_even_among_copies():
    rows = np.zeros((5, 2))
    picks, _, _ = farthest_first(rows, np.zeros(5), 9)
    assert picks == [0, 1, 2, 3, 4]


def test_kcenter_scores_rank_as_it_chooses():
    rng = np.random.default_rng(0)
    features = looks([20, 20, 20, 1], rng)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    known = features[:1]
    scores = KCenter().score(context(features, labelled_features=5 * known, batch_size=3))
    picks, _, _ = farthest_first(features, nearest_distance(features, known), 9)
    assert order(scores)[:9] == picks
    looks_taken = {int(np.searchsorted([20, 40, 60], row, side="right")) for row in picks[:3]}
    assert looks_taken == {1, 2, 3}  # none of the one that is labelled


def test_kcenter_without_labels_starts_from_the_most_typical():
    rng = np.random.default_rng(0)
    features = looks([40, 5, 5], rng)
    ranked = order(KCenter().score(context(features)))
    assert ranked[0] < 40
    assert {r // 5 for r in ranked[1:3]} == {8, 9}
    explained = KCenter().explain(context(features), 0).sentence
    assert explained == "no frame is labelled yet to compare with"
    explained = KCenter().explain(context(features, labelled_features=np.eye(3)[:1]), ranked[1]).sentence
    assert explained.startswith("less like any labelled frame than ")


@pytest.mark.parametrize("strategy", [KCenter(), KMeansBatch(), TypiClust(), ProbCover(), DensityAwareCoreSet()])
def test_frames_without_features_are_not_chosen(strategy):
    features = looks([20, 20], np.random.default_rng(0))
    features[3] = 0
    features[4] = np.nan
    scores = strategy.score(context(features))
    assert np.isnan(scores[[3, 4]]).all()
    assert np.isfinite(scores).sum() > 20
    assert np.isnan(strategy.score(context(np.zeros((4, 2))))).all()


def test_duw_worked_example():
    distance, uncertainty = np.array([3.0, 2, 1]), np.array([0.0, 1, 0.5])
    worth = weigh(uncertainty, 0.5)(distance)
    assert_allclose(worth, [0.5, 0.833333, 0.416667], atol=1e-6)
    assert worth.argmax() == 1
    # VATL4Pose's unscaled distance and weight of 0.01 never changes the order.
    for reliability in (0.0, 0.5, 0.9):
        theirs = (1 - reliability) * distance + 0.01 * reliability * uncertainty
        assert np.argsort(-theirs).tolist() == [0, 1, 2]


def test_duw_goes_from_distance_to_uncertainty():
    features = looks([10, 10, 10], np.random.default_rng(1))
    likelihood = np.ones((30, 1))
    likelihood[5] = 0.1
    given = {"likelihood": likelihood, "xy": np.zeros((30, 1, 2)), "labelled_features": features[:1]}
    far = order(UncertaintyWeightedKCenter().score(context(features, **given, reliability=0.0)))
    sure = order(UncertaintyWeightedKCenter().score(context(features, **given, reliability=1.0)))
    assert {row // 10 for row in far[:2]} == {1, 2}
    assert sure[0] == 5


def test_typicality_worked_example():
    rows = np.array([[0.0], [0.1], [0.2], [1], [5]])
    assert_allclose(typicality(rows, 2), [6.666222, 9.999000, 6.666222, 1.176457, 0.227272], atol=1e-6)
    assert typicality(rows[:1], 2).tolist() == [0.0]
    assert typicality(rows[:2], 0) == pytest.approx([1 / 0.10001] * 2)


def test_typiclust_takes_unlabelled_clusters_first_and_the_largest_of_them():
    rng = np.random.default_rng(0)
    features = looks([30, 20, 12, 3], rng)
    labelled = np.eye(4)[:1]  # of the largest look
    scores = TypiClust().score(context(features, labelled_features=labelled, batch_size=2))
    chosen = order(scores)[:2]
    assert 30 <= chosen[0] < 50
    assert 50 <= chosen[1] < 62
    of_second = features[30:50] / np.linalg.norm(features[30:50], axis=1, keepdims=True)
    assert chosen[0] == 30 + typicality(of_second, 10).argmax()


def test_probcover_takes_what_covers_most_and_covers_everything():
    angles = np.deg2rad([0, 1, 2, 3, 4, 40, 41, 42, 80])
    rows = np.c_[np.cos(angles), np.sin(angles)]
    radius = 2 * np.sin(np.deg2rad(2.5) / 2)  # 2.5 degrees
    nothing = np.zeros(9, bool)
    assert cover(rows, nothing, radius, 9) == [2, 5, 8]  # 2 covers 0 to 4
    covered = np.zeros(9, bool)
    covered[:5] = True
    assert cover(rows, covered, radius, 9) == [5, 8]
    assert cover(rows, nothing, radius, 1) == [2]


def test_probcover_counts_every_row_whatever_the_block(monkeypatch):
    # The published code drops the last block of rows if it is not full.
    rows = looks([30, 23], np.random.default_rng(0), noise=0.01)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    whole = cover(rows, np.zeros(53, bool), 0.02, 10)
    monkeypatch.setattr("napari_al_pose.acquisition.strategies.probcover._BLOCK", 7)
    assert cover(rows, np.zeros(53, bool), 0.02, 10) == whole
    assert ball_radius(np.ones((3, 1))) == 1e-3


def test_probcover_says_how_many_look_alike():
    features = looks([10, 5], np.random.default_rng(0), noise=1e-6)
    assert ProbCover().explain(context(features), 0).sentence == "looks like 9 other candidate frames"


def test_dacs_worked_example():
    rows = np.array([0, 0.1, 0.22, 0.3, 0.4, 0.5, 3, 3.6, 4.2, 8])[:, None]
    value = sparsity(rows, 2)
    assert_allclose(value, [0.16, 0.11, 0.1, 0.09, 0.1, 0.15, 0.9, 0.6, 0.9, 4.1])
    assert_allclose(natural_breaks(value, 3), [0.16, 0.9])
    assert_allclose(shares(np.array([6, 3, 1])), [0.085403, 0.283548, 0.631049], atol=1e-6)
    distance = nearest_distance(rows, rows[:1])
    assert choose(rows, distance, 5, k=2, n_groups=3) == [9, 8, 6, 5, 2]


def test_natural_breaks_are_the_best_there_are():
    rng = np.random.default_rng(0)
    values = rng.random(12)
    ordered = np.sort(values)

    def squares(i, j):
        return ((ordered[i:j] - ordered[i:j].mean()) ** 2).sum()

    best = min(
        ((squares(0, i) + squares(i, j) + squares(j, 12)), ordered[i - 1], ordered[j - 1])
        for i in range(1, 11)
        for j in range(i + 1, 12)
    )
    assert_allclose(natural_breaks(values, 3), best[1:])


def test_kmeans_takes_one_of_each_look_first():
    features = looks([30, 20, 10], np.random.default_rng(0))
    ranked = order(KMeansBatch().score(context(features, batch_size=3)))
    assert [np.searchsorted([30, 50], row, side="right") for row in ranked[:6]] == [0, 1, 2, 0, 1, 2]
