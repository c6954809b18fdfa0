"""Strategies that look at predictions and poses, and those that combine others: worked numbers."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pytest
from numpy.testing import assert_allclose

from napari_al_pose.acquisition import Peaks, ScoreContext
from napari_al_pose.acquisition.fusion import min_max, pool_quantiles
from napari_al_pose.acquisition.reliability import agreement, animal_size, update
from napari_al_pose.acquisition.strategies.baselines import Random, Uniform
from napari_al_pose.acquisition.strategies.confidence import LeastConfidence, Margin, peak_margins
from napari_al_pose.acquisition.strategies.dynamic import Dynamic
from napari_al_pose.acquisition.strategies.hybrid import Hybrid
from napari_al_pose.acquisition.strategies.influence import Influence
from napari_al_pose.acquisition.strategies.mpe import MultiplePeakEntropy
from napari_al_pose.acquisition.strategies.pca_error import PcaError, fit_space, reprojection_error
from napari_al_pose.acquisition.strategies.pose_novelty import PoseNovelty, fit_poses, novelty
from napari_al_pose.acquisition.strategies.vl4pose import StaticVL4Pose, expected_log_likelihood, fit_links
from napari_al_pose.domain import FrameKey, ScoremapGrid, Skeleton

NAMES = ("nose", "left ear", "tail base")
GRID = ScoremapGrid(1.0, 1.0, 0.0, 0.0)


def context(n, names=NAMES, links=(), **kwargs):
    keys = [FrameKey("mouse", i) for i in range(n)]
    return ScoreContext(keys=keys, skeleton=Skeleton(names, links), **kwargs)


# ---- confidence ----------------------------------------------------------------------------------


def test_least_confidence():
    likelihood = np.array([[0.9, 0.8, 0.7], [0.9, 0.1, 0.9]], np.float32)
    pool = context(2, xy=np.zeros((2, 3, 2)), likelihood=likelihood)
    assert_allclose(LeastConfidence().score(pool), [0.2, 1.1 / 3], atol=1e-6)
    explanation = LeastConfidence().explain(pool, 1)
    assert explanation.sentence == "left ear: likelihood 0.10"
    assert_allclose([reason.score for reason in explanation.reasons], [0.1, 0.9, 0.1], atol=1e-6)


def test_margins():
    values = np.array([[0.8, 0.6, 0.1], [0.8, np.nan, np.nan], [0.5, 0.5, np.nan], [np.nan] * 3])
    nowhere = np.full(values.shape, -1)
    assert_allclose(peak_margins(Peaks(values, nowhere, nowhere)), [0.25, 1.0, 0.0, 0.0])


def test_the_smallest_margin_comes_first():
    maps = np.zeros((2, 1, 16, 16))
    maps[:, 0, 3, 3] = 0.8
    maps[0, 0, 12, 12] = 0.1
    maps[1, 0, 12, 12] = 0.7
    pool = context(2, names=("nose",), scoremaps=maps, grid=GRID)
    scores = Margin().score(pool)
    assert_allclose(scores, [-0.875, -0.125])
    assert scores.argmax() == 1  # VATL4Pose, which maximises the margin, takes the clear frame
    assert Margin().explain(pool, 1).sentence == "the model sees two possible places for the nose"


# ---- baselines -----------------------------------------------------------------------------------


def test_random_is_seeded_and_differs_between_rounds():
    pool = context(50)
    first = Random().score(pool)
    assert np.array_equal(first, Random().score(pool))
    assert not np.array_equal(first, Random().score(dataclasses.replace(pool, seed=1)))


def test_uniform_spans_every_video_by_its_length():
    keys = [FrameKey(video, 10 * i) for video in ("a", "b") for i in range(100)]
    pool = ScoreContext(keys=keys, skeleton=Skeleton(NAMES), batch_size=10, n_frames={"a": 4000, "b": 1000}, seed=2)
    scores = Uniform().score(pool)
    assert sorted(scores) == list(range(-199, 1))
    chosen = [keys[row] for row in np.argsort(-scores)[:10]]
    assert Counter(key.video for key in chosen) == {"a": 8, "b": 2}
    gaps = np.diff(sorted(key.frame for key in chosen if key.video == "a"))
    assert gaps.min() >= 120
    assert gaps.max() <= 130
    twice = [keys[row] for row in np.argsort(-scores)[:20]]
    assert Counter(key.video for key in twice) == {"a": 16, "b": 4}


# ---- poses ---------------------------------------------------------------------------------------

LABELLED = np.array(
    [
        [[0, 0], [2, 0], [0, 1]],
        [[0, 0], [2.2, 0], [0, 1]],
        [[0, 0], [1.8, 0], [0, 1.2]],
        [[0, 0], [2, 0], [0, 0.8]],
    ]
)
QUERIES = np.array([[[0, 0], [2, 0], [0, 1]], [[0, 0], [3, 0], [0, 1]], [[0, 0], [2, 0], [0, 2.0]]])


def test_mahalanobis_worked_example():
    model = fit_poses(LABELLED, shrinkage=0.1)
    assert_allclose(model.mean, [2, 1, 2.242518], atol=1e-6)
    assert_allclose(3 * novelty(QUERIES, model) ** 2, [0.010122, 55.685958, 60.447309], atol=1e-5)


def test_mahalanobis_unshrunk_is_degenerate_and_the_default_is_not():
    every = novelty(LABELLED, fit_poses(LABELLED, shrinkage=0.0))
    assert_allclose(3 * every**2, 2.25, atol=1e-3)  # (n - 1)^2 / n whatever the pose
    shrunk = novelty(LABELLED, fit_poses(LABELLED))
    assert np.ptp(shrunk) > 0.1
    assert novelty(QUERIES, fit_poses(LABELLED))[1:].min() > 2 * shrunk.max()


def test_novelty_with_missing_bodyparts():
    model = fit_poses(LABELLED, shrinkage=0.1)
    poses = np.stack([QUERIES[1], QUERIES[1], QUERIES[1]])
    poses[1, 2] = np.nan  # one pair left: 3 px where 2 is usual
    poses[2, 1:] = np.nan
    scores = novelty(poses, model)
    assert scores[1] == pytest.approx((3 - model.mean[0]) / np.sqrt(model.covariance[0, 0]))
    assert np.isnan(scores[2])
    half_blind = LABELLED.copy()
    half_blind[:, 2] = np.nan
    assert np.isfinite(novelty(QUERIES, fit_poses(half_blind))).all()


def test_copies_of_one_pose_and_too_few_labels():
    same = fit_poses(np.repeat(LABELLED[:1], 5, axis=0))
    scores = novelty(QUERIES, same)
    assert np.isfinite(scores).all()
    assert scores[0] == pytest.approx(0)
    assert scores[1] > 10
    assert fit_poses(LABELLED[:2]) is None


def test_unsure_predictions_are_not_novel_but_missing():
    xy = np.repeat(LABELLED[:1], 3, axis=0)
    xy[1, 1], xy[2, 1] = [9, 0], [90, 0]
    likelihood = np.full((3, 3), 0.9)
    likelihood[2, 1] = 0.05
    pool = context(3, xy=xy, likelihood=likelihood, labelled_xy=LABELLED)
    scores = PoseNovelty().score(pool)
    assert scores.argmax() == 1
    assert scores[2] == pytest.approx(0, abs=1.0)
    explanation = PoseNovelty().explain(pool, 1)
    assert explanation.sentence.startswith("nose to left ear: 9 px, labelled 2 ± ")
    few = dataclasses.replace(pool, labelled_xy=LABELLED[:2])
    assert np.isnan(PoseNovelty().score(few)).all()
    assert PoseNovelty().explain(few, 0).sentence == "too few labelled poses to compare with"


def test_pca_worked_example():
    poses = np.array([[[0, 0], [1, 0]], [[0, 0], [2, 0]], [[0, 0], [3, 0]], [[0, 0], [4, 0]]], float)
    space = fit_space(poses, n_components=1)
    assert_allclose(reprojection_error(np.array([[[0, 0], [2, 1]]], float), space), [[0, 1]], atol=1e-12)
    assert len(fit_space(poses).components) == 1  # all of the variance


def test_pca_error_ranks_impossible_poses_and_falls_back_below_enough_labels():
    rng = np.random.default_rng(0)
    body = np.array([[0.0, 0], [4, 0], [9, 1]])
    labelled = body + rng.normal(size=(20, 1, 2)) * 3 + rng.normal(scale=0.02, size=(20, 3, 2))
    xy = np.repeat(body[None], 4, axis=0) + np.arange(4)[:, None, None]
    xy[2, 1] += [0, 6]
    pool = context(4, xy=xy, likelihood=np.ones((4, 3)), labelled_xy=labelled)
    scores = PcaError().score(pool)
    assert scores.argmax() == 2
    explanation = PcaError().explain(pool, 2)
    assert explanation.sentence.startswith("left ear: ")
    few = dataclasses.replace(pool, labelled_xy=labelled[:5])
    assert_allclose(PcaError().score(few), PoseNovelty().score(few))
    assert PcaError().explain(few, 2) == PoseNovelty().explain(few, 2)


# ---- VL4Pose -------------------------------------------------------------------------------------


def link(lengths, weights_u, weights_v, mean, log_variance):
    arrays = [np.asarray(a, float)[None] for a in (lengths, weights_u, weights_v)]
    return expected_log_likelihood(*arrays, mean=mean, log_variance=log_variance)[0]


def chain(b_places, weights):
    """T8's chain A (0, 0), B, C (3, 8) with one or more places for B."""
    b = np.asarray(b_places, float)
    ab = np.linalg.norm(b, axis=1)[None, :]
    bc = np.linalg.norm(b - [3, 8], axis=1)[:, None]
    return link(ab, [1.0], weights, 5, 0.0), link(bc, weights, [1.0], 4, np.log(4))


def test_vl4pose_worked_example():
    assert_allclose(chain([[3, 4]], [1.0]), [-0.918939, -1.612086], atol=1e-6)
    assert_allclose(chain([[6, 8]], [1.0]), [-13.418939, -1.737086], atol=1e-6)
    both = sum(chain([[3, 4], [6, 8]], [0.7, 0.3]))
    assert both == pytest.approx(-6.318524, abs=1e-6)  # the expectation
    # AL4Pose's code adds up log-likelihoods: two good places look less likely than one.
    one, two = sum(chain([[3, 4]], [1.0])), sum(chain([[3, 4], [3, 4]], [0.5, 0.5]))
    assert two == pytest.approx(one)


def test_static_lengths_have_a_prior():
    poses = np.array([[[0, 0], [10, 0]], [[0, 0], [10, 0]]], float)
    fitted = fit_links(poses, [(0, 1)])
    assert fitted.mean[0] == pytest.approx(np.log(10))
    assert fitted.log_variance[0] == pytest.approx(np.log(5 * 0.15**2 / 7))
    assert fit_links(np.full((2, 2, 2), np.nan), [(0, 1)]).links == []


def test_static_vl4pose_ranks_wrong_lengths_and_keeps_border_peaks():
    maps = np.zeros((3, 2, 40, 40))
    maps[:, 0, 1, 5] = 1.0  # one cell from the border
    maps[0, 1, 1, 15] = 1.0
    maps[1, 1, 1, 35] = 1.0
    maps[2, 1, 1, 15] = 0.6
    maps[2, 1, 1, 35] = 0.6
    pool = context(
        3,
        names=("nose", "ear"),
        links=(("nose", "ear"),),
        scoremaps=maps,
        grid=GRID,
        labelled_xy=np.array([[[0, 0], [10, 0]], [[5, 5], [5, 15]]], float),
    )
    scores = StaticVL4Pose().score(pool)
    assert scores[0] < scores[2] < scores[1]
    assert scores[2] == pytest.approx((scores[0] + scores[1]) / 2)
    explanation = StaticVL4Pose().explain(pool, 1)
    assert explanation.sentence == "nose to ear: 30 px, usually 10 px"
    assert explanation.reasons[1].peaks == ((35.0, 1.0, 1.0),)
    # In a video of twice the size the same cells are twice as far apart.
    larger = ScoremapGrid(2.0, 2.0, 0.0, 0.0)
    resized = dataclasses.replace(pool, keys=[FrameKey("rat", 0), *pool.keys[1:]], grids={"rat": larger})
    assert StaticVL4Pose().score(resized)[0] > scores[0]
    assert_allclose(StaticVL4Pose().score(resized)[1:], scores[1:])
    assert StaticVL4Pose().explain(resized, 0).sentence == "nose to ear: 20 px, usually 10 px"
    unknown = dataclasses.replace(pool, grid=None)
    assert np.isnan(StaticVL4Pose().score(unknown)).all()
    assert StaticVL4Pose().explain(unknown, 0).sentence == "no scale to judge lengths by"
    bare = dataclasses.replace(pool, skeleton=Skeleton(("nose", "ear")))
    assert np.isnan(StaticVL4Pose().score(bare)).all()
    assert StaticVL4Pose().explain(bare, 0).sentence == "no link of the skeleton to judge"


# ---- combinations --------------------------------------------------------------------------------


def combined(reliability, n=12):
    rng = np.random.default_rng(0)
    maps = np.zeros((n, 3, 32, 32))
    maps[:, :, 5, 5] = 0.9
    maps[np.arange(n), 0, 20, 20] = np.linspace(0, 0.9, n)
    return context(
        n,
        scoremaps=maps,
        grid=GRID,
        features=rng.normal(size=(n, 4)) + 1,
        xy=np.zeros((n, 3, 2)),
        likelihood=rng.random((n, 3)),
        reliability=reliability,
    )


def test_dynamic_goes_from_influence_to_entropy():
    entropy = MultiplePeakEntropy(aggregation="mean")
    assert_allclose(Dynamic().score(combined(0.0)), min_max(Influence().score(combined(0.0))))
    assert_allclose(Dynamic().score(combined(1.0)), min_max(entropy.score(combined(1.0))))
    half = combined(0.5)
    expected = 0.5 * min_max(entropy.score(half)) + 0.5 * min_max(Influence().score(half))
    assert_allclose(Dynamic().score(half), expected)
    assert "; " in Dynamic().explain(half, 11).sentence


def test_hybrid_is_the_mean_quantile_of_what_can_be_doubted():
    pool = combined(1.0)
    entropy = pool_quantiles(MultiplePeakEntropy(aggregation="mean").score(pool))
    doubt = pool_quantiles(LeastConfidence().score(pool))
    assert_allclose(Hybrid().score(pool), (entropy + doubt) / 2)
    said = Hybrid().explain(pool, 11)
    assert said.sentence.startswith("no label nearby in time. The model sees two possible places for the nose")
    assert said.reasons
    without_maps = dataclasses.replace(pool, scoremaps=None, grid=None)
    assert_allclose(Hybrid().score(without_maps), doubt)


# ---- reliability ---------------------------------------------------------------------------------


def test_agreement_is_the_share_within_a_tenth_of_the_animal():
    annotated = np.array([[[0, 0], [30, 40], [np.nan, np.nan]], [[0, 0], [30, 40], [10, 10]]], float)
    assert animal_size(annotated) == 50
    predicted = annotated.copy()
    predicted[0, 0] += [3, 4]  # 5 px: just right
    predicted[1, 1] += [3, 5]
    predicted[1, 2] = np.nan
    predicted[0, 2] = 0  # nothing is annotated there
    assert agreement(predicted, annotated) == pytest.approx(3 / 5)
    assert agreement(predicted, np.full((2, 3, 2), np.nan)) == 0.0
    assert np.isnan(animal_size(annotated[:0]))


def test_reliability_remembers_half():
    assert update(update(0.0, 0.8), 0.6) == pytest.approx(0.5)
