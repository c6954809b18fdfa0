"""The learned policy: plain trees, features that know the picks before them, and what it chooses and says."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_al_pose.acquisition import ScoreContext
from napari_al_pose.acquisition.boosted_trees import BoostedTrees, RegressionTree
from napari_al_pose.acquisition.candidate_features import FEATURE_NAMES, CandidateFeatures
from napari_al_pose.acquisition.strategies.policy import LearnedPolicy, read_ranker, shipped_ranker
from napari_al_pose.domain import AlPoseError, FrameKey, Skeleton


def stump(name, *, threshold=0.5, low=-1.0, high=1.0):
    """One question: is the feature above the threshold?"""
    return RegressionTree(
        feature=np.array([FEATURE_NAMES.index(name), -1, -1]),
        threshold=np.array([threshold, 0.0, 0.0]),
        left=np.array([1, 0, 0]),
        right=np.array([2, 0, 0]),
        missing_left=np.array([True, False, False]),
        value=np.array([(low + high) / 2, low, high]),
    )


def trees(*parts):
    return BoostedTrees(FEATURE_NAMES, 0.5, tuple(parts))


def context(n=12, labelled=(0,), order=None, likelihood=None):
    """A mouse that walks to the right and looks ever more different, a frame labelled."""
    rows = list(range(n)) if order is None else list(order)
    angle = np.linspace(0, 1.5, n)
    features = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    body = np.array([[0.0, 0.0], [10.0, 0.0]])
    xy = body + np.stack([20.0 * np.arange(n), np.zeros(n)], axis=1)[:, None]
    sure = np.full((n, 2), 0.9) if likelihood is None else np.asarray(likelihood, float)
    return ScoreContext(
        keys=[FrameKey("mouse", 10 * row) for row in rows],
        skeleton=Skeleton(("nose", "tail")),
        features=features[rows],
        xy=xy[rows],
        likelihood=sure[rows],
        labelled_features=features[list(labelled)] if labelled else None,
        labelled_keys=[FrameKey("mouse", 10 * row) for row in labelled],
        labelled_xy=xy[list(labelled)] if labelled else None,
        batch_size=3,
        n_frames={"mouse": 10 * n},
    )


def column(features, name):
    return features.table()[:, FEATURE_NAMES.index(name)]


def test_trees_predict_what_their_questions_say_and_share_it_out():
    ranker = trees(stump("doubt"), stump("typical", low=0.0, high=0.5))
    rows = np.zeros((3, len(FEATURE_NAMES)))
    rows[1, FEATURE_NAMES.index("doubt")] = 0.9
    rows[2] = np.nan
    assert_allclose(ranker.predict(rows), [-0.5, 1.5, -0.5])
    told = ranker.contributions(rows[1])
    assert_allclose(told[FEATURE_NAMES.index("doubt")], 1.0)
    assert_allclose(told[FEATURE_NAMES.index("typical")], -0.25)
    # With the means at the roots, they sum to the prediction.
    assert_allclose(told.sum() + 0.5 + 0.0 + 0.25, ranker.predict(rows[1:2])[0])


def test_trees_survive_json():
    ranker = trees(stump("doubt", threshold=0.123456), stump("gap in time"))
    again = BoostedTrees.from_json(json.loads(json.dumps(ranker.to_json())), names=FEATURE_NAMES, where="policy.json")
    rows = np.random.default_rng(0).random((40, len(FEATURE_NAMES)))
    assert_allclose(again.predict(rows), ranker.predict(rows))


def test_a_file_that_holds_no_ranker_is_refused_by_name():
    good = trees(stump("doubt")).to_json()
    endless = json.loads(json.dumps(good))
    endless["trees"][0]["left"] = [0, 0, 0]
    outside = json.loads(json.dumps(good))
    outside["trees"][0]["feature"] = [99, -1, -1]
    for bad in ({}, [], {**good, "form": 2}, endless, outside, {**good, "trees": [{}]}, {**good, "trees": 3}):
        with pytest.raises(AlPoseError, match=r"mine.json does not hold a ranker"):
            BoostedTrees.from_json(bad, names=FEATURE_NAMES, where="mine.json")
    with pytest.raises(AlPoseError, match="made for other features"):
        BoostedTrees.from_json({**good, "names": ["doubt"], "trees": []}, names=FEATURE_NAMES, where="mine.json")


def test_a_ranker_is_read_from_its_file(tmp_path):
    ranker = trees(stump("doubt"))
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(ranker.to_json()))
    rows = np.random.default_rng(0).random((9, len(FEATURE_NAMES)))
    assert_allclose(read_ranker(path).predict(rows), ranker.predict(rows))
    for text in ("{", "[" * 100_000, "7"):
        path.write_text(text)
        with pytest.raises(AlPoseError, match=r"policy.json"):
            read_ranker(path)
    with pytest.raises(AlPoseError, match=r"gone\.json"):
        read_ranker(tmp_path / "gone.json")


def test_features_are_quantiles_and_follow_the_picks():
    features = CandidateFeatures(context())
    assert column(features, "gap in time").argmax() == 11
    assert column(features, "unlike labels").argmax() == 11
    assert column(features, "place unlike labels").argmax() == 11
    assert_allclose(column(features, "labels"), 0.0)  # one label: log2
    features.pick(11)
    assert column(features, "gap in time").argmax() in (5, 6)
    assert column(features, "place unlike labels").argmax() in (5, 6)
    assert column(features, "unlike labels")[11] < 0.2
    assert column(features, "coverage gained")[11] < 0.2
    assert_allclose(column(features, "labels"), 1.0)
    assert_allclose(column(features, "picked"), 1 / 3)


def test_a_copy_goes_its_own_way():
    first = CandidateFeatures(context())
    before = first.table()
    other = first.copy()
    other.pick(11)
    assert_array_equal(first.table(), before)
    assert not np.array_equal(other.table(), before, equal_nan=True)


def test_doubt_and_scarce_bodyparts_are_seen():
    likelihood = np.full((12, 2), 0.9)
    likelihood[4] = 0.3, 0.1
    known = context(likelihood=likelihood)
    assert column(CandidateFeatures(known), "doubt").argmax() == 4
    hidden = known.labelled_xy.copy()
    hidden[:, 1] = np.nan
    likelihood[:, 1] = np.linspace(0.1, 0.9, 12)  # the tail is scarce, and the last frame shows it most
    scarce = context(likelihood=likelihood)
    features = CandidateFeatures(
        ScoreContext(
            keys=scarce.keys,
            skeleton=scarce.skeleton,
            features=scarce.features,
            xy=scarce.xy,
            likelihood=scarce.likelihood,
            labelled_xy=hidden,
        )
    )
    assert column(features, "scarce bodyparts").argmax() == 11


def test_the_policy_chooses_one_after_the_other():
    policy = LearnedPolicy(ranker=trees(stump("gap in time", threshold=0.95)))
    scores = policy.score(context(13, labelled=(0,)))
    order = np.argsort(-scores)
    assert order[0] == 12, "farthest from the only label"
    assert order[1] == 6, "then in the middle of the gap that is left"


def test_the_policy_is_the_same_in_any_order_of_the_frames():
    policy = LearnedPolicy(ranker=trees(stump("gap in time", threshold=0.8), stump("doubt covered")))
    order = np.random.default_rng(1).permutation(12)
    assert_allclose(policy.score(context(order=order)), policy.score(context())[order])


def test_the_policy_says_what_speaks_for_a_frame():
    policy = LearnedPolicy(ranker=trees(stump("gap in time", threshold=0.8), stump("doubt", threshold=0.6, high=0.2)))
    assert policy.explain(context(), 11).sentence == "chosen for how far in time from any label it is"
    assert policy.explain(context(), 1).sentence == "no single feature stands out"
    one = context(1, labelled=())
    assert np.isfinite(policy.score(one)).all()
    assert policy.explain(one, 0).sentence


def test_the_trees_that_come_with_the_package_rank_and_say_why():
    assert len(shipped_ranker().trees) > 50
    about = context(n=30, likelihood=np.linspace(0.1, 0.9, 60).reshape(30, 2))
    scores = LearnedPolicy().score(about)
    assert np.isfinite(scores).all()
    assert len(np.unique(scores)) > 20
    assert LearnedPolicy().explain(about, int(np.argmax(scores))).sentence
