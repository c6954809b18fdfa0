"""Worked examples with known numbers, and what the published code of the methods gets wrong."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from napari_al_pose.acquisition import Extra, ScoreContext, installed_strategies
from napari_al_pose.acquisition.fusion import min_max
from napari_al_pose.acquisition.ordering import rank_order
from napari_al_pose.acquisition.peaks import find_peaks
from napari_al_pose.acquisition.strategies.badge import plus_plus
from napari_al_pose.acquisition.strategies.confidence import peak_margins
from napari_al_pose.acquisition.strategies.deeplabcut_baselines import Jump, small_grey
from napari_al_pose.acquisition.strategies.disagreement import place_variance, shrunk
from napari_al_pose.acquisition.strategies.dissimilar import DissimilarPairs, dissimilar_pairs
from napari_al_pose.acquisition.strategies.dropquery import candidates, votes
from napari_al_pose.acquisition.strategies.egl import ExpectedGradientLength, neighbour_probabilities
from napari_al_pose.acquisition.strategies.kcenter import nearest_labelled
from napari_al_pose.acquisition.strategies.lightning_motion import motion_energy
from napari_al_pose.acquisition.strategies.lightning_temporal import above_rolling_median, largest_step
from napari_al_pose.acquisition.strategies.minmax import MinMax
from napari_al_pose.acquisition.strategies.pca_error import fit_space, reprojection_error
from napari_al_pose.acquisition.strategies.ppal import difficulty, medoids
from napari_al_pose.acquisition.strategies.sleap_baselines import Stride
from napari_al_pose.acquisition.strategies.thc import continuity, scoremap_change, shifted
from napari_al_pose.acquisition.strategies.wpu import fit_autoencoder, pose_features
from napari_al_pose.acquisition.vectors import unit_rows
from napari_al_pose.domain import FrameKey, Skeleton
from napari_al_pose.pose.auxiliary import heads

NOSE = Skeleton(("nose",))


def keys(n, step=30, video="v"):
    return [FrameKey(video, step * i) for i in range(n)]


# ---- worked examples ------------------------------------------------------------------------------


def test_t7_scoremap_continuity():
    maps = np.array(
        [
            [[[0, 1], [0, 0]], [[0.5, 0], [0, 0]]],
            [[[1, 0], [0, 0]], [[0.5, 0], [0, 0]]],
            [[[0, 1], [0, 0]], [[0, 0], [0, 0.5]]],
        ]
    )
    change = np.full((3, 2, 2), np.nan)
    change[1:, 0] = scoremap_change(maps[1:], maps[:-1], relative=False)
    change[:-1, 1] = scoremap_change(maps[:-1], maps[1:], relative=False)
    assert_allclose(continuity(change).mean(axis=-1), [2.0, 2.5, 3.0])
    assert np.isnan(continuity(np.full((1, 2, 2), np.nan))).all()
    relative = scoremap_change(maps[0], maps[1])
    assert_allclose(relative, [1.0, 0.0])
    assert_allclose(scoremap_change(10 * maps[0], 10 * maps[1]), relative)


def test_t7_a_moving_animal_does_not_change():
    rng = np.random.default_rng(0)
    maps = np.zeros((2, 12, 12))
    maps[:, 3:6, 3:6] = rng.uniform(0.2, 1, (2, 3, 3))
    moved = shifted(maps, (4, 2))
    assert_allclose(scoremap_change(maps, moved), 1.0)
    assert_allclose(scoremap_change(maps, shifted(moved, (-4, -2))), 0.0)
    assert not shifted(maps, (40, 0)).any()


def test_t9_learning_losses():
    expected, true = torch.tensor([[1.0, 0.5]]), torch.tensor([[0.2, 0.6]])
    assert float(heads.learning_loss_pp(expected, true)) == pytest.approx(0.286742, abs=1e-6)
    assert float(heads.learning_loss(expected, true)) == pytest.approx(1.5)


def test_t10_aleatoric():
    squared, s = torch.tensor([[9.0, 1.0]]), torch.tensor([[np.log(4.0), 0.0]], dtype=torch.float32)
    mask = torch.ones(1, 2)
    assert float(heads.position_likelihood(squared, s, mask)) == pytest.approx(1.505647, abs=1e-6)
    # AL4Pose: half of s, right in one dimension only.
    assert float(heads.length_likelihood(squared.sqrt(), torch.zeros(1, 2), s, mask)) == pytest.approx(
        1.159074, abs=1e-6
    )


def test_t10_missing_bodyparts_do_not_lower_the_mean():
    """AL4Pose averages over the masked ones too."""
    squared, s = torch.tensor([[9.0, 1.0, 777.0]]), torch.tensor([[np.log(4.0), 0.0, 3.0]], dtype=torch.float32)
    masked = heads.position_likelihood(squared, s, torch.tensor([[1.0, 1.0, 0.0]]))
    assert float(masked) == pytest.approx(1.505647, abs=1e-6)


def test_t12_expected_gradient_length():
    shares, sigma = neighbour_probabilities(np.array([1.0, 2.0, 3.0]), 2.0)
    assert sigma == pytest.approx(1.155532, abs=1e-5)
    assert_allclose(shares, [0.727177, 0.236462, 0.036361], atol=1e-5)
    # y = w x with w = 2, x = 3; labels 5 and 8 are as likely as 3 to 1. The gradients are 6 and -12.
    gradients = np.array([[2 * (6 - 5) * 3, 2 * (6 - 8) * 3]]) ** 2.0
    context = context_of(
        {
            Extra.EMBEDDING: np.zeros((1, 1)),
            Extra.EMBEDDING_LABELLED: np.array([[1.0], [1.0]]),
            Extra.GRADIENT_LENGTHS: gradients,
        },
        n=1,
    )
    assert_allclose(ExpectedGradientLength().score(context), gradients.mean())
    assert np.array([0.75, 0.25]) @ gradients[0] == 63.0


def test_t12_perplexity_is_that_of_nats():
    """AL4Pose raises 2 to an entropy in nats: its perplexity of 2 is one of 2 to the power of 1 / ln 2."""
    shares, sigma = neighbour_probabilities(np.array([1.0, 2.0, 3.0]), 2 ** (1 / np.log(2)))
    assert sigma == pytest.approx(1.844050, abs=1e-5)
    assert_allclose(shares, [0.512362, 0.329614, 0.158023], atol=1e-5)
    far, _ = neighbour_probabilities(np.array([1e4, 2e4, 3e4]), 2.0)  # no underflow
    assert_allclose(far, [0.727177, 0.236462, 0.036361], atol=1e-5)
    assert_allclose(neighbour_probabilities(np.array([1.0, 2.0]), 20.0)[0], [0.5, 0.5])


def test_t14_lightning_pose():
    track = np.array([[[0, 0], [1, 1]], [[3, 4], [1, 1]], [[3, 4], [1, 3]]], float)
    beside = np.full((3, 2, 2, 2), np.nan)
    beside[1:, 0], beside[:-1, 1] = track[:-1], track[1:]
    assert_allclose(largest_step(track, beside), [[5, 0], [5, 2], [0, 2]])
    poses = np.array([[[0, 0], [x, 0]] for x in (1, 2, 3, 4)], float)
    space = fit_space(poses, n_components=1)
    assert_allclose(reprojection_error(np.array([[[0, 0], [2, 1]]], float), space), [[0, 1]], atol=1e-12)


def test_t16_cke():
    mean = np.array([[1, 2], [3, -1], [0, 4]])
    deviation = np.array([[0.5, 0.5], [1, 0], [0, 2]])
    assert_allclose(shrunk(mean, deviation), [[0.85, 1.85], [2.7, -1], [0, 3.4]])


# ---- the other new ones, by hand ------------------------------------------------------------------


def test_rolling_median_takes_away_what_is_usual():
    steps = np.ones((30, 1))
    steps[12] = 9
    steps[4] = np.nan
    found = above_rolling_median(steps, keys(30))
    assert found[12, 0] == 8
    assert np.isnan(found[4, 0])
    assert_allclose(np.delete(found, [4, 12]), 0)


def test_variance_of_places():
    looks = np.array([[[[0, 0]], [[2, 0]], [[np.nan, np.nan]]], [[[0, 0]], [[np.nan, np.nan]], [[np.nan, np.nan]]]])
    variance = place_variance(looks)
    assert variance[0, 0] == 2.0
    assert np.isnan(variance[1, 0])


def test_most_dissimilar_pairs_are_disjoint():
    angle = np.deg2rad([0, 10, 90, 175])
    rows = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    assert dissimilar_pairs(rows, 5) == [(0, 3), (1, 2)]
    context = context_of({}, n=4, features=rows, batch_size=2)
    assert DissimilarPairs().score(context).tolist() == [0, -2, -3, -1]
    assert DissimilarPairs().explain(context, 0).sentence == "looks least like v, frame 90"


def test_min_max_does_not_update():
    rows = np.array([[1, 0.0], [0.0, 1], [0.05, 1], [1, 0.1]])
    with_labels = context_of({}, n=4, features=rows, labelled_features=rows[:1])
    scores = MinMax().score(with_labels)
    assert rank_order(with_labels.keys, scores).tolist() == [1, 2, 3, 0]
    assert scores[2] > 1.3  # near frame 1, and still second
    alone = MinMax().score(context_of({}, n=4, features=rows))
    unit = unit_rows(rows)
    near, far = np.linalg.norm(unit[1] - unit[2]), np.linalg.norm(unit[0] - unit[3])
    assert_allclose(alone, [far, near, near, far], atol=1e-6)


def test_dropquery_lowers_the_threshold():
    pose = np.zeros((3, 1, 2))
    looks = np.zeros((3, 3, 1, 2))
    looks[0], looks[1, 0] = 9, 9
    assert votes(pose, looks, size=100.0).tolist() == [3, 1, 0]
    assert candidates(np.array([3, 1, 0]), 3, 1).tolist() == [0]
    assert candidates(np.array([3, 1, 0]), 3, 2).tolist() == [0, 1]
    assert candidates(np.array([3, 1, 0]), 3, 99).tolist() == [0, 1, 2]


def test_ppal_difficulty_and_medoids():
    assert_allclose(difficulty(np.array([1.0, 0.0])), [1.0, 1.2], atol=1e-3)
    angle = np.deg2rad([0, 2, 4, 90, 92, 94, 94.5])
    assert medoids(np.stack([np.cos(angle), np.sin(angle)], axis=1), 2) in ([1, 5], [5, 1], [4, 1], [1, 4])


def test_badge_begins_with_the_longest_and_never_takes_a_copy():
    rows = np.array([[1.0, 0], [5, 0], [5, 0], [0, 1]])
    picks = plus_plus(rows, 4, np.random.default_rng(0))
    assert picks[0] == 1
    assert sorted(picks) == [0, 1, 3]


def test_unnatural_poses_stand_out():
    rng = np.random.default_rng(0)
    base = np.array([[0, 0], [10, 4], [20, 0], [34, 2.0]])
    links = [(0, 1), (1, 2), (2, 3)]
    poses = base + rng.normal(scale=0.4, size=(40, 4, 2)) + rng.uniform(0, 50, (40, 1, 2))
    fitted = fit_autoencoder(pose_features(poses, links))
    odd = base.copy()
    odd[1, 1] = -9  # a negative centred coordinate, which the published sigmoid can't give; and an obtuse angle
    both = fitted.errors(pose_features(np.stack([base + 7, odd]), links)).mean(axis=1)
    assert both[1] > 10 * both[0]
    features = pose_features(np.stack([base, odd]), links)
    assert features[:, : 2 * 4].min() < 0
    acute, obtuse = np.array([[1, 0], [0, 0], [1, 1.0]]), np.array([[1, 0], [0, 0], [-1, -1.0]])
    angles = pose_features(np.stack([acute, obtuse]), [(0, 1), (1, 2)])[:, 6:]
    assert_allclose(angles[0], -angles[1], atol=1e-12)  # arctan|.| folds them onto each other


def test_deeplabcut_s_outliers():
    xy = np.zeros((40, 1, 2))
    beside = np.zeros((40, 2, 1, 2))
    beside[7, 1] = 21.0
    beside[8, 0] = 13.0
    pictures = np.random.default_rng(0).integers(0, 255, (40, 64, 64, 3), dtype=np.uint8)
    context = context_of(
        {Extra.THUMBNAILS: pictures, Extra.NEIGHBOUR_XY: beside}, n=40, xy=xy, likelihood=np.ones((40, 1))
    )
    assert rank_order(context.keys, Jump().score(context))[0] == 7
    assert Jump().explain(context, 7).sentence == "nose moves by 30 px: a jump"
    assert small_grey(pictures).shape == (40, 900)
    assert_allclose(small_grey(pictures).mean(axis=0), 0, atol=1e-9)


def test_motion_energy_does_not_overflow():
    black, white = np.zeros((1, 64, 64, 3), np.uint8), np.full((1, 64, 64, 3), 255, np.uint8)
    assert motion_energy(black, white).tolist() == [64 * 64 * 3 * 255]  # float16 ends at 65,504
    assert motion_energy(white, black).tolist() == [64 * 64 * 3 * 255]


def test_the_nearest_labelled_frame_is_named():
    rows = np.array([[1, 0.0], [0, 1], [0, 0]])
    known = np.array([[0.1, 1], [1, 0.1]])
    context = context_of({}, n=3, features=rows, labelled_features=known, labelled_keys=keys(2, step=100, video="w"))
    assert nearest_labelled(context, 0) == FrameKey("w", 100)
    assert nearest_labelled(context, 1) == FrameKey("w", 0)
    assert nearest_labelled(context, 2) is None
    assert nearest_labelled(dataclasses.replace(context, labelled_features=None), 0) is None


def test_hybrid_counts_jumps_in_time():
    """One frame whose nose jumps comes before its equals."""
    n = 20
    beside = np.zeros((n, 2, 1, 2))
    beside[11] = 40
    context = context_of(
        {Extra.NEIGHBOUR_XY: beside},
        n=n,
        features=np.ones((n, 3)),
        xy=np.zeros((n, 1, 2)),
        likelihood=np.ones((n, 1)),
    )
    assert rank_order(context.keys, installed_strategies()["hybrid"].score(context))[0] == 11
    assert installed_strategies()["hybrid"].explain(context, 11).sentence


# ---- what the published code gets wrong, where no other test says so ------------------------------


def test_vatl_margin_the_ambiguous_comes_first():
    maps = np.zeros((2, 1, 16, 16))
    maps[0, 0, 4, 4], maps[0, 0, 12, 12] = 0.8, 0.75
    maps[1, 0, 4, 4], maps[1, 0, 12, 12] = 0.8, 0.1
    context = dataclasses.replace(context_of({}, n=2), scoremaps=maps)
    assert np.argmax(installed_strategies()["margin"].score(context)) == 0
    peaks = find_peaks(maps, min_distance=2, threshold_abs=0.05, threshold_rel=None)
    assert_allclose(peak_margins(peaks)[:, 0], [0.0625, 0.875])


def test_vatl_constant_scores_fuse_to_zeros():
    assert min_max(np.full(4, 0.3)).tolist() == [0, 0, 0, 0]


def test_vatl_duw_trusts_a_good_model():
    """Unscaled distances and a weight of 0.01 make it core-set whatever the model is worth."""
    from napari_al_pose.acquisition.strategies.duw import weigh

    distance, doubt = np.array([3.0, 2, 1]), np.array([0.0, 1, 0.5])
    assert np.argmax(weigh(doubt, 0.5)(distance)) == 1
    for trust in (0.0, 0.5, 0.9):
        assert np.argmax((1 - trust) * distance + 0.01 * trust * doubt) == 0


def test_sleap_stride_reaches_the_end():
    """SLEAP steps by floor(399 / 200) = 1 and takes the first 200 frames."""
    context = context_of({}, n=399, step=1, batch_size=200)
    chosen = rank_order(context.keys, Stride().score(context))[:200]
    assert chosen.max() > 390
    assert np.diff(np.sort(chosen)).max() <= 2


def test_probcover_sees_the_last_frames_too():
    """The published code drops the last partial block of rows."""
    from napari_al_pose.acquisition.strategies.probcover import _BLOCK, cover

    rows = np.eye(3)[[0] * _BLOCK + [1, 2, 2]]
    picks = cover(rows, np.zeros(len(rows), bool), 0.5, 3)
    assert {int(np.argmax(rows[pick])) for pick in picks} == {0, 1, 2}


def test_a_plateau_is_one_peak_and_the_border_counts():
    maps = np.zeros((64, 64))
    maps[3, 30], maps[40, 40] = 1.0, 0.05
    found = find_peaks(maps, min_distance=8, threshold_abs=None, threshold_rel=None)
    assert (found.rows[0], found.columns[0]) == (3, 30)
    lost = find_peaks(maps, min_distance=8, threshold_abs=None, threshold_rel=None, exclude_border=True)
    assert (lost.rows[0], lost.columns[0]) == (40, 40)


def context_of(extra, *, n, step=30, features=None, **others):
    return ScoreContext(keys=keys(n, step), skeleton=NOSE, extra=extra, features=features, **others)
