"""Frames like mistakes, and frames that one of several scores rates high."""

from __future__ import annotations

import numpy as np
import pytest

from napari_al_pose.acquisition import Extra, ScoreContext, installed_strategies
from napari_al_pose.acquisition.reliability import worst_error
from napari_al_pose.acquisition.strategies.mistakes import LikeMistakes
from napari_al_pose.acquisition.strategies.refine import Refine
from napari_al_pose.domain import FrameKey, ScoremapGrid, Skeleton


def unit(angles):
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


WALK, REAR, TUBE = np.linspace(0, 0.1, 30), np.linspace(1.4, 1.5, 6), np.linspace(2.8, 2.9, 6)
"""Three looks: much walking, some rearing, some time in a tube."""


def context(errors=None, doubt=(0.5, 0.5, 0.5), batch_size=2):
    features = unit(np.concatenate([WALK, REAR, TUBE]))
    likelihood = 1 - np.repeat(doubt, [len(WALK), len(REAR), len(TUBE)])
    maps = np.zeros((len(features), 1, 8, 8), np.float32)
    maps[:, 0, 4, 4] = likelihood
    labelled = unit(np.array([0.2, 1.2, 2.6]))  # one of each look, near it and not in it
    return ScoreContext(
        keys=[FrameKey("mouse", row) for row in range(len(features))],
        skeleton=Skeleton(("nose",)),
        features=features,
        xy=np.zeros((len(features), 1, 2)),
        likelihood=likelihood[:, None],
        scoremaps=maps,
        grid=ScoremapGrid(1.0, 1.0, 0.0, 0.0),
        labelled_features=labelled,
        labelled_keys=[FrameKey("mouse", 1000 + row) for row in range(3)],
        extra={} if errors is None else {Extra.ERRORS_LABELLED: np.array(errors, float)},
        batch_size=batch_size,
    )


def look_of(row):
    return "walk" if row < len(WALK) else "rear" if row < len(WALK) + len(REAR) else "tube"


def looks(strategy, about, n=2):
    return [look_of(row) for row in np.argsort(-strategy.score(about), kind="stable")[:n]]


def test_frames_like_the_one_that_went_wrong_come_first():
    assert looks(LikeMistakes(), context([0.03, 0.9, 0.05]), 1) == ["rear"]
    assert looks(LikeMistakes(), context([0.03, 0.05, np.inf]), 1) == ["tube"]
    # A mistake that has been learnt from is no longer doubted, and counts for less than one that has not.
    assert looks(LikeMistakes(), context([0.03, 0.9, 0.9], doubt=(0.5, 0.02, 0.5)), 1) == ["tube"]
    told = LikeMistakes().explain(context([0.03, 0.9, 0.05]), len(WALK)).sentence
    assert told.startswith("looks more like a frame with a lost bodypart than")


@pytest.mark.parametrize("errors", [None, [np.nan] * 3, [0.19] * 3])
def test_without_a_mistake_doubt_alone_decides(errors):
    about = context(errors, doubt=(0.1, 0.1, 0.9))
    np.testing.assert_allclose(LikeMistakes().score(about), installed_strategies()["uherding"].score(about))
    assert "no mistake is known yet" in LikeMistakes().explain(about, 0).sentence


def test_the_largest_error_of_a_frame_counts_and_a_missed_bodypart_most():
    annotated = np.array([[[0.0, 0], [10, 0]], [[50, 0], [60, 0]]])
    predicted = annotated + np.array([[[0.0, 0], [0, 4]], [[1, 0], [0, 0]]])
    assert worst_error(predicted, annotated, 20.0) == pytest.approx(0.2)
    predicted[1, 0] = np.nan
    assert worst_error(predicted, annotated, 20.0) == np.inf
    annotated[1, 0] = np.nan  # nobody said where it is
    assert worst_error(predicted, annotated, 20.0) == pytest.approx(0.2)
    assert np.isnan(worst_error(predicted, np.full_like(annotated, np.nan), 20.0))
    assert np.isnan(worst_error(predicted, annotated, float("nan")))


def test_refine_keeps_what_any_score_rates_high_and_spreads_over_it():
    about = context(doubt=(0.1, 0.9, 0.1))
    scores = Refine().score(about)
    kept = np.flatnonzero(scores >= 0)
    assert len(kept) == 10  # five for each of two
    assert {look_of(row) for row in kept} >= {"walk", "rear"}  # typical ones and doubtful ones
    assert len(set(looks(Refine(), about))) == 2  # not two of a kind
    assert scores[scores < 0].max() <= -1
    assert np.isfinite(scores).all()


def test_refine_says_which_score_it_was():
    about = context(doubt=(0.1, 0.9, 0.1))
    said = {Refine().explain(about, row).sentence.split(",")[0] for row in range(len(about.keys))}
    assert said & {"unsure keypoints", "scoremaps with several peaks"}
    assert "looks like many other frames" in said
