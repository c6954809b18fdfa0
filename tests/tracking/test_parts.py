"""Poses that have each other's parts are put together again."""

from __future__ import annotations

import numpy as np
import pytest

from napari_al_pose.tracking import Bones, follow, keypoints
from napari_al_pose.tracking.parts import Contacts, touching

SHAPE = np.array([[0, 0], [10, 3], [20, 0], [30, -3]], float)
LENGTHS = np.hypot(*np.moveaxis(SHAPE[:, None] - SHAPE, -1, 0))


def passing(n=60):
    """Return two animals, (n, 2, 4, 2), that pass each other close by, and turn meanwhile."""
    time = np.arange(n)[:, None, None]
    one = SHAPE + time * (4.0, 0)
    other = np.add(SHAPE[::-1], (236, 9)) - time * (4.0, 0)
    return np.stack([one, other], axis=1) + np.random.default_rng(0).normal(0, 0.5, (n, 2, 4, 2))


def in_any_order(poses, seed=1):
    order = np.random.default_rng(seed).permuted(np.tile([0, 1], (len(poses), 1)), axis=1)
    return np.take_along_axis(poses, order[..., None, None], axis=1)


@pytest.mark.parametrize("parts", [[0, 1], [3], [1, 2]])
def test_heads_or_tails_of_the_other_go_back_to_their_animal(parts):
    truth = passing()
    poses = truth.copy()
    poses[25:36, :, parts] = truth[25:36, ::-1, parts]
    poses = in_any_order(poses)
    given = follow(poses, np.full(poses.shape[:3], 0.9)).given
    tracks = np.stack([keypoints(*frame, np.nan) for frame in zip(poses, given, strict=True)])
    if not np.array_equal(tracks[0], truth[0]):
        tracks = tracks[:, ::-1]
    np.testing.assert_array_equal(tracks, truth)


def test_bones_are_learnt_from_animals_that_are_apart():
    poses = np.stack([passing(), passing()[:, ::-1]])[0]
    bones = Bones.unknown(4)
    assert bones.tree() == []
    near = touching(poses).any(axis=(1, 2))
    assert 8 < near.sum() < 40
    assert bones.seen(poses[near], np.full((near.sum(), 2, 4), 0.9)).tree() == []
    whole = bones.seen(poses[:30], np.full((30, 2, 4), 0.9)).seen(poses[30:], np.full((30, 2, 4), 0.9))
    at_once = bones.seen(poses, np.full((60, 2, 4), 0.9))
    np.testing.assert_allclose(whole.sums, at_once.sums)
    assert at_once.tree() == [(0, 1), (1, 2), (2, 3)]
    np.testing.assert_allclose(at_once.sums[1] / at_once.sums[0], LENGTHS, atol=0.6)
    assert bones.seen(poses, np.full((60, 2, 4), 0.3)).tree() == []  # not from what is unsure


def test_the_likeliest_of_all_labellings_is_found():
    rng = np.random.default_rng(4)
    tree = [(0, 1), (1, 2), (1, 3), (0, 4)]
    for _ in range(20):
        extra, changes = rng.normal(0, 2, 5), rng.normal(0.5, 1, (5, 5))
        cost, sides = Contacts(tree, {(0, 1): changes}).likeliest((0, 1), extra)

        def of(which, extra=extra, changes=changes):
            return extra[which].sum() + sum(changes[bone] for bone in tree if which[bone[0]] != which[bone[1]])

        every = [np.array(np.unravel_index(i, (2,) * 5), bool) for i in range(32)]
        assert cost == pytest.approx(min(map(of, every)))
        assert of(sides) == pytest.approx(cost)
