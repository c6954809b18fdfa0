"""What every installed strategy must keep to, on one made-up pool."""

from __future__ import annotations

import dataclasses
import logging

import numpy as np
import pytest

from napari_al_pose.acquisition import (
    Batching,
    Explanation,
    Extra,
    Requires,
    ScoreContext,
    installed_strategies,
    traits,
)
from napari_al_pose.acquisition.ordering import rank_order
from napari_al_pose.acquisition.selection import BatchRequest, select_batch, select_best
from napari_al_pose.domain import FrameKey, ScoremapGrid, Skeleton

SKELETON = Skeleton(("nose", "left ear", "tail base"), (("nose", "left ear"), ("left ear", "tail base")))
EVERY = sorted(installed_strategies())


def request_of(pool):
    return BatchRequest(
        keys=pool.keys, features=pool.features, n=6, labelled_features=pool.labelled_features, fps={}, seed=0
    )


def made_up(seed=0, n=60, n_labelled=8):
    """A pool of two videos with everything a strategy may ask for; one frame has no usable features."""
    rng = np.random.default_rng(seed)
    keys = [FrameKey("a", 50 * i) for i in range(n // 2)] + [FrameKey("b", 40 * i) for i in range(n - n // 2)]
    body = np.array([[10.0, 10], [16, 20], [40, 30]])
    maps = np.zeros((n, 3, 24, 24), np.float32)
    xy = body + rng.normal(scale=2, size=(n, 3, 2))
    for i, k in np.ndindex(n, 3):
        column, row = np.clip(np.round(xy[i, k] / 2), 0, 23).astype(int)
        maps[i, k, row, column] = rng.uniform(0.2, 1)
        if rng.random() < 0.4:
            maps[i, k, rng.integers(24), rng.integers(24)] = rng.uniform(0.1, 0.9)
    maps[3, 1] = 0.0
    features = rng.normal(size=(n, 8)) + 3 * np.repeat(np.eye(8)[:4], -(-n // 4), axis=0)[:n]
    features[7] = 0
    return ScoreContext(
        keys=keys,
        skeleton=SKELETON,
        extra=extras(rng, xy, features, n_labelled),
        labelled_keys=[FrameKey("a", 5000 + i) for i in range(n_labelled)],
        features=features,
        xy=xy,
        likelihood=maps.max(axis=(2, 3)),
        scoremaps=maps,
        grid=ScoremapGrid(2.0, 2.0, 0.5, 0.5),
        labelled_features=rng.normal(size=(n_labelled, 8)),
        labelled_xy=body + rng.normal(scale=1, size=(n_labelled, 3, 2)),
        reliability=0.4,
        batch_size=6,
        n_frames={"a": 3000, "b": 1000},
        seed=3,
    )


def extras(rng, xy, features, m):
    """One of every array a strategy may ask for."""
    n, k, _ = xy.shape
    looks = xy[:, None] + rng.normal(scale=rng.uniform(0, 3, (n, 1, 1, 1)), size=(n, 4, k, 2))
    neighbours = xy[:, None] + rng.normal(scale=8, size=(n, 2, k, 2))
    change = rng.uniform(0, 1, (n, 2, k))
    for side in (neighbours, change):
        side[0, 0] = side[1, 1] = side[2] = np.nan
    made = {
        Extra.NEIGHBOUR_XY: neighbours,
        Extra.ANIMALS_XY: np.stack([xy, xy + rng.uniform(0, 60, (n, 1, 2))], axis=1),
        Extra.ANIMAL_SCORES: rng.uniform(0, 1, (n, 2)),
        Extra.SCOREMAP_CHANGE: change,
        Extra.EMBEDDING: features[:, :6],
        Extra.EMBEDDING_LABELLED: rng.normal(size=(m, 6)),
        Extra.KEYPOINT_FEATURES: rng.uniform(0, 1, (n, k, 5)),
        Extra.KEYPOINT_FEATURES_LABELLED: rng.uniform(0, 1, (m, k, 5)),
        Extra.DROPOUT_XY: looks,
        Extra.TURNED_XY: looks + 1,
        Extra.ENSEMBLE_XY: looks[:, :2],
        Extra.PREDICTED_LOSS: rng.normal(size=n),
        Extra.PREDICTED_LOSS_PP: rng.normal(size=n),
        Extra.LOG_VARIANCE: rng.normal(size=(n, k)),
        Extra.LINK_LENGTHS: np.stack([rng.uniform(0.2, 1, (n, 2)), rng.normal(size=(n, 2))], axis=-1),
        Extra.GRADIENT_LENGTHS: rng.uniform(0, 1, (n, m)),
        Extra.FULL_GRADIENT_LENGTHS: rng.uniform(0, 1, (n, m)),
        Extra.BODYPART_QUALITY: np.array([0.9, 0.5, 0.0]),
        Extra.ERRORS_LABELLED: np.linspace(0, 0.5, m),
        Extra.ALEXNET: features + 1,
        Extra.DINOV2: features**2,
        Extra.DINOV2_LABELLED: rng.normal(size=(m, features.shape[1])),
        Extra.THUMBNAILS: rng.integers(0, 255, (n, 64, 64, 3), dtype=np.uint8),
        Extra.MOTION_ENERGY: np.where(np.arange(n) == 4, np.nan, rng.uniform(0, 1, n)),
    }
    assert set(made) == set(Extra)
    return made


OF_THE_POOL = [name for name in Extra if not name.endswith("_labelled") and name != Extra.BODYPART_QUALITY]


def reordered(context, order):
    rows = {
        name: getattr(context, name)[order]
        for name in ("features", "xy", "likelihood", "scoremaps")
        if getattr(context, name) is not None
    }
    extra = {name: values[order] if name in OF_THE_POOL else values for name, values in context.extra.items()}
    return dataclasses.replace(context, keys=[context.keys[row] for row in order], extra=extra, **rows)


@pytest.fixture(scope="module")
def pool():
    return made_up()


@pytest.mark.parametrize("name", EVERY)
def test_one_score_a_frame_that_tells_frames_apart(name, pool):
    scores = installed_strategies()[name].score(pool)
    assert scores.shape == (60,)
    assert scores.dtype == np.float64
    assert not np.isinf(scores).any()
    assert len(np.unique(scores[np.isfinite(scores)])) > 1


@pytest.mark.parametrize("name", EVERY)
def test_the_order_of_rows_does_not_matter(name, pool):
    order = np.random.default_rng(5).permutation(60)
    shuffled = reordered(pool, order)
    strategy = installed_strategies()[name]
    scores, others = strategy.score(pool), strategy.score(shuffled)
    np.testing.assert_allclose(others, scores[order], atol=1e-9)
    ranked = [pool.keys[row] for row in rank_order(pool.keys, scores)]
    assert [shuffled.keys[row] for row in rank_order(shuffled.keys, others)] == ranked


@pytest.mark.parametrize("name", EVERY)
def test_every_frame_can_be_explained(name, pool):
    strategy = installed_strategies()[name]
    for index in (0, 3, 7, 59):
        explanation = strategy.explain(pool, index)
        assert isinstance(explanation, Explanation)
        assert explanation.sentence
        assert not explanation.sentence.endswith(".")
        assert "nan" not in explanation.sentence
        if explanation.reasons:
            assert tuple(reason.bodypart for reason in explanation.reasons) == SKELETON.bodyparts


@pytest.mark.parametrize("name", EVERY)
def test_it_needs_no_more_than_it_says(name, pool):
    strategy = installed_strategies()[name]
    fields = {
        Requires.PREDICTIONS: ("xy", "likelihood"),
        Requires.SCOREMAPS: ("scoremaps", "grid"),
        Requires.FEATURES: ("features", "labelled_features"),
        Requires.LABELS: ("labelled_xy",),
    }
    dropped = {name: None for flag, names in fields.items() if flag not in strategy.requires for name in names}
    extra = {name: pool.extra[name] for name in traits(strategy).needs}
    bare = dataclasses.replace(pool, extra=extra, **dropped)
    assert not strategy.requires & ~bare.available
    assert strategy.score(bare).shape == (60,)
    assert strategy.explain(bare, 0).sentence
    if strategy.requires or traits(strategy).needs:
        empty = ScoreContext(keys=pool.keys, skeleton=SKELETON)
        with pytest.raises(ValueError, match="Expected a context with"):
            strategy.score(empty)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("n", [1, 2, 5])
def test_tiny_pools(name, n, pool):
    tiny = reordered(pool, np.arange(n))
    tiny = dataclasses.replace(tiny, labelled_features=None, labelled_xy=pool.labelled_xy[:1])
    strategy = installed_strategies()[name]
    assert strategy.score(tiny).shape == (n,)
    assert strategy.explain(tiny, 0).sentence


@pytest.mark.parametrize("name", EVERY)
def test_frames_that_all_look_alike(name, pool):
    same = reordered(pool, np.arange(60))
    for field in ("features", "xy", "likelihood", "scoremaps"):
        array = getattr(pool, field)
        same = dataclasses.replace(same, **{field: np.repeat(array[:1], 60, axis=0)})
    of_the_pool = {name: np.repeat(pool.extra[name][5:6], 60, axis=0) for name in OF_THE_POOL}
    same = dataclasses.replace(same, extra={**pool.extra, **of_the_pool})
    scores = installed_strategies()[name].score(same)
    assert not np.isinf(scores).any()
    rows = select_best(scores, request_of(same))
    assert len(set(rows)) == 6


@pytest.mark.parametrize("name", EVERY)
def test_the_best_make_a_batch(name, pool, caplog):
    strategy = installed_strategies()[name]
    scores = strategy.score(pool)
    if traits(strategy).batching is Batching.BEST:
        rows = select_best(scores, request_of(pool))
    else:
        with caplog.at_level(logging.INFO):
            rows = select_batch(scores, request_of(pool))
        assert "at random" not in caplog.text
    assert len(set(rows)) == 6


@pytest.mark.parametrize("name", EVERY)
def test_it_says_what_it_costs_and_what_takes_its_place(name):
    found = installed_strategies()
    own = traits(found[name])
    assert own.cost
    assert own.fallback in found
    assert own.needs <= set(Extra)
    seen, other = {name}, own.fallback
    while traits(found[other]).needs and other not in seen:  # whatever is missing, the chain of fallbacks ends
        seen.add(other)
        other = traits(found[other]).fallback
    assert not traits(found[other]).needs
