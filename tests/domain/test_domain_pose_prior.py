"""The prior over poses: alignment, shrinkage, missing points, mixtures."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf_shrinkage

from napari_al_pose.domain.pose_gaussian import given_others, ledoit_wolf
from napari_al_pose.domain.pose_prior import fit_prior
from napari_al_pose.domain.similarity import align, to_complex

SHAPE = np.array([[0, 0], [10, 8], [-10, 8], [0, 30], [0, 60]], float)


def poses(n: int, *, seed: int = 0, noise: float = 0.5, turned: bool = True) -> np.ndarray:
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(n):
        angle = rng.uniform(-np.pi, np.pi) if turned else rng.normal(0, 0.05)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        pose = (SHAPE + rng.normal(0, noise, SHAPE.shape)) @ turn.T * rng.uniform(0.8, 1.2)
        made.append(pose + rng.uniform(50, 400, 2))
    return np.array(made)


def test_poses_that_are_moved_turned_and_scaled_are_one_pose():
    prior = fit_prior(poses(12, noise=0.0))
    (part,) = prior.components
    a, b = align(part.mean, to_complex(SHAPE), np.ones(5))
    assert np.abs((to_complex(SHAPE) - b) / a - part.mean).max() < 1e-9
    assert np.sqrt(np.mean(np.abs(part.mean) ** 2)) == pytest.approx(1.0)
    assert not np.isnan(part.covariance).any()


def test_the_weight_of_the_identity_is_ledoit_and_wolfs():
    flat = np.random.default_rng(0).normal(size=(9, 6)) @ np.diag([1, 2, 3, 1, 1, 5])
    flat -= flat.mean(axis=0)
    assert ledoit_wolf(flat) == pytest.approx(ledoit_wolf_shrinkage(flat, assume_centered=True))
    assert ledoit_wolf(np.zeros((4, 3))) == 1.0


def test_direction_is_learnt_only_where_poses_have_one():
    assert fit_prior(poses(30, turned=False)).direction[1] > 5
    assert fit_prior(poses(30, turned=True)).direction[1] < 2


def test_size_is_in_the_unit_of_the_poses():
    middle, deviation = fit_prior(poses(30)).log_size
    radius = np.sqrt(((SHAPE - SHAPE.mean(axis=0)) ** 2).sum(axis=1).mean())
    assert middle == pytest.approx(np.log(radius), abs=0.1)
    assert 0.08 <= deviation < 0.25


def test_missing_points_are_learnt_from_the_poses_that_show_them():
    known = poses(40)
    gaps = known.copy()
    gaps[::3, 4] = np.nan
    gaps[1::4, 1] = np.nan
    whole, part = (fit_prior(which).components[0] for which in (known, gaps))
    a, b = align(whole.mean, part.mean, np.ones(5))
    assert np.abs((part.mean - b) / a - whole.mean).max() < 0.03


def test_a_bodypart_that_no_label_shows_is_left_out():
    gaps = poses(10)
    gaps[:, 2] = np.nan
    prior = fit_prior(gaps)
    assert prior.known.tolist() == [0, 1, 3, 4]
    assert prior.n_bodyparts == 5


@pytest.mark.parametrize(
    "labels",
    [
        poses(2),
        poses(10)[:, :2],
        np.full((10, 5, 2), np.nan),
        np.full((10, 5, 2), 7.0),
        np.zeros((0, 5, 2)),
        np.where(np.arange(5)[None, :, None] < 2, poses(10), np.nan),
    ],
)
def test_too_little_to_learn_from_gives_none(labels):
    assert fit_prior(labels) is None


def test_fewer_labels_of_a_bodypart_make_a_wider_prior_of_it():
    gaps = poses(20)
    gaps[3:, 4] = np.nan
    own = np.diag(fit_prior(gaps).components[0].covariance).reshape(5, 2).sum(axis=1)
    all_ = np.diag(fit_prior(poses(20)).components[0].covariance).reshape(5, 2).sum(axis=1)
    assert own[4] > 2 * all_[4]


def test_two_ways_to_hold_a_tail_make_a_mixture():
    rng = np.random.default_rng(0)
    two = poses(60, noise=0.3)
    offset = np.where(rng.random(60) < 0.5, 1.0, -1.0)
    axis = two[:, 4] - two[:, 3]
    side = np.stack([-axis[:, 1], axis[:, 0]], axis=1)
    two[:, 4] = two[:, 3] + side * offset[:, None]
    assert len(fit_prior(two).components) >= 2
    assert len(fit_prior(poses(60, noise=0.3)).components) == 1
    assert len(fit_prior(two, most_components=1).components) == 1


def test_the_same_labels_give_the_same_prior():
    first, second = fit_prior(poses(25)), fit_prior(poses(25))
    assert np.array_equal(first.components[0].covariance, second.components[0].covariance)


def test_what_others_say_of_a_point_is_the_conditional_gaussian():
    rng = np.random.default_rng(1)
    root = rng.normal(size=(6, 6))
    covariance = root @ root.T + np.eye(6)
    offset = rng.normal(size=6)
    expected, spread = given_others(np.linalg.inv(covariance), offset[0::2] + 1j * offset[1::2])
    one, rest = [2, 3], [0, 1, 4, 5]
    gain = covariance[np.ix_(one, rest)] @ np.linalg.inv(covariance[np.ix_(rest, rest)])
    assert [expected[1].real, expected[1].imag] == pytest.approx((gain @ offset[rest]).tolist())
    assert spread[1] == pytest.approx(covariance[np.ix_(one, one)] - gain @ covariance[np.ix_(rest, one)])
