"""Frames in which animals are mixed up, lost, or found twice."""

from __future__ import annotations

import numpy as np
import pytest

from napari_al_pose.acquisition import Extra, ScoreContext
from napari_al_pose.acquisition.strategies.identity import AnimalCount, IdentityDoubt, exchange_costs, usual_number
from napari_al_pose.domain import FrameKey, Skeleton

SKELETON = Skeleton(("nose", "body", "tail"))
POSE = np.array([[0.0, 0], [20, 5], [40, 0]])
GONE = np.full((3, 2), np.nan)


def at(x, y):
    """Return the pose elsewhere."""
    return POSE + np.array([x, y])


def context(animals, *, beside=None, scores=None):
    xy = np.asarray(animals, float)
    extra = {Extra.ANIMALS_XY: xy, Extra.ANIMAL_SCORES: np.ones(xy.shape[:2]) if scores is None else np.array(scores)}
    if beside is not None:
        extra[Extra.NEIGHBOUR_XY] = np.asarray(beside, float)
    keys = [FrameKey("v", 10 * i) for i in range(len(xy))]
    return ScoreContext(keys=keys, skeleton=SKELETON, xy=xy[:, 0], likelihood=np.ones((len(xy), 3)), extra=extra)


def test_animals_that_touch_come_before_those_apart_and_one_alone_has_no_score():
    made = context([[POSE, POSE + 300], [POSE, at(8, 2)], [POSE, POSE + 60], [POSE, GONE]])
    scores = IdentityDoubt().score(made)
    assert scores[1] > scores[2] > scores[0] >= 0
    assert scores[1] <= 1
    assert np.isnan(scores[3])
    assert "touch" in IdentityDoubt().explain(made, 1).sentence
    assert "body lengths apart" in IdentityDoubt().explain(made, 0).sentence
    assert IdentityDoubt().explain(made, 3).sentence == "fewer than two animals are found"


def test_motion_tells_animals_apart_that_their_places_do_not():
    own = [[POSE, at(30, 0)]] * 2
    still, moved = [POSE, at(30, 0)], [at(15, 0), at(16, 0)]
    beside = np.stack([np.stack([np.stack(side, axis=0)] * 2, axis=1) for side in (still, moved)])
    clear, unclear = IdentityDoubt().score(context(own, beside=beside))
    assert unclear > clear
    # Where both came to one place, an exchange costs nothing.
    assert exchange_costs(np.array([POSE, POSE + 90]), np.array([POSE + 45, POSE + 45]), 40.0) == {
        (0, 1): pytest.approx(0)
    }


def test_another_number_of_animals_than_usual_comes_first():
    scores = [[0.9, 0.9, 0.1], [0.95, 0.9, 0.05], [0.9, 0.2, 0.0], [0.9, 0.9, 0.8]]
    made = context(np.tile(POSE, (4, 3, 1, 1)), scores=scores)
    assert usual_number(np.array(scores)) == 2
    values = AnimalCount().score(made)
    assert min(values[2:]) > max(values[:2])
    assert AnimalCount().explain(made, 2).sentence == "1 found; 2 in most frames"
    assert AnimalCount().explain(made, 0).sentence.startswith("2 found, as in most frames")


def test_a_frame_without_animals_is_unexpected_and_a_pool_without_any_is_not():
    assert AnimalCount().score(context(np.tile(GONE, (1, 2, 1, 1)), scores=[[0.0, 0.0]])).tolist() == [0.0]
    made = context(np.tile(POSE, (3, 2, 1, 1)), scores=[[1.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
    assert AnimalCount().score(made).tolist() == [0.0, 0.0, 2.0]
