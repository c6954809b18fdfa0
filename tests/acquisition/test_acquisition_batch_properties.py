"""Properties of a batch that hold for any pool: quotas, monotone scores, and the share that is drawn at random."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_al_pose.acquisition.fusion import pool_quantiles
from napari_al_pose.acquisition.ordering import video_order
from napari_al_pose.acquisition.quotas import allocate
from napari_al_pose.acquisition.selection import BatchRequest, diverse_batch, random_batch, select_batch
from napari_al_pose.domain import FrameKey, FrameRole, Suggestion
from napari_al_pose.engine.choosing import interleave

sizes = st.lists(st.integers(1, 30), min_size=1, max_size=4)


def pool_of(counts, seed):
    rng = np.random.default_rng(seed)
    keys = [FrameKey(f"v{i}", 40 * j) for i, n in enumerate(counts) for j in range(n)]
    return keys, rng.normal(size=(len(keys), 5))


@settings(deadline=None, max_examples=40)
@given(counts=sizes, n=st.integers(1, 25), seed=st.integers(0, 99))
def test_every_video_gets_its_quota(counts, n, seed):
    keys, features = pool_of(counts, seed)
    drawn = Counter(keys[row].video for row in random_batch(keys, n, seed=seed, taken=(), fps={}))
    order = video_order((key.video for key in keys), seed)
    in_order = [counts[int(name[1:])] for name in order]
    assert [drawn[name] for name in order] == allocate(n, in_order, in_order).tolist()
    first = Counter(keys[row].video for row in diverse_batch(keys, features, n, seed=seed, fps={}))
    for i, count in enumerate(counts):
        assert first[f"v{i}"] >= min(n // len(counts), count)


@settings(deadline=None, max_examples=40)
@given(
    values=st.lists(st.floats(-5, 5).map(lambda v: round(v, 3)), min_size=1, max_size=40),
    scale=st.floats(0.1, 9),
    shift=st.floats(-9, 9),
)
def test_quantiles_do_not_feel_a_monotone_rescale(values, scale, shift):
    """What the hybrid adds up: a signal counts the same in any unit, and on a curved scale."""
    column = np.array(values)
    known = pool_quantiles(column)
    np.testing.assert_allclose(pool_quantiles(scale * column + shift), known)
    np.testing.assert_allclose(pool_quantiles(np.exp(column)), known)


@settings(deadline=None, max_examples=25)
@given(counts=sizes, n=st.integers(1, 12), seed=st.integers(0, 99))
def test_a_batch_does_not_feel_a_shift_of_all_scores_or_of_all_names(counts, n, seed):
    keys, features = pool_of(counts, seed)
    scores = np.random.default_rng(seed).random(len(keys))
    request = BatchRequest(keys=keys, features=features, n=n, fps={}, seed=0)
    rows = select_batch(scores, request)
    assert select_batch(3 * scores - 7, request) == rows
    later = [FrameKey(f"x{key.video}", key.frame) for key in keys]
    assert select_batch(scores, replace(request, keys=later)) == rows


@given(n=st.integers(0, 40), m=st.integers(0, 12))
def test_frames_drawn_at_random_are_spread_through_the_queue(n, m):
    ranked = [Suggestion(FrameKey("v", i), float(n - i), "mpe") for i in range(n)]
    drawn = [Suggestion(FrameKey("w", i), float("nan"), "random", role=FrameRole.HOLDOUT) for i in range(m)]
    queue = interleave(ranked, drawn)
    assert [s for s in queue if s.role is FrameRole.TRAIN] == ranked
    assert [s for s in queue if s.role is FrameRole.HOLDOUT] == drawn
    if n and m:
        assert queue[0] == ranked[0]
        places = [i for i, s in enumerate(queue) if s.role is FrameRole.HOLDOUT]
        share = (n + m) / m
        assert all(abs(place - share * (i + 1)) <= 2 for i, place in enumerate(places))
