"""Batches that are even in time and take the best of each stretch."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_al_pose.acquisition import strategies
from napari_al_pose.acquisition.batches import make_batch
from napari_al_pose.acquisition.stretches import select_from_stretches
from napari_al_pose.domain import FrameKey

APART = 1000
"""Frames between two of the pool, so that no rule on time comes between."""


def pool_of(*counts):
    return [FrameKey(f"v{i}", APART * j) for i, n in enumerate(counts) for j in range(n)]


def select(keys, scores, n, labelled=()):
    rows = select_from_stretches(keys, np.asarray(scores, float), n, labelled_keys=labelled, fps={}, seed=0)
    return [keys[row] for row in rows]


@given(n_pool=st.integers(2, 60), n=st.integers(1, 20), seed=st.integers(0, 99))
def test_first_batch_is_the_best_frame_of_each_equal_stretch(n_pool, n, seed):
    keys = pool_of(n_pool)
    scores = np.random.default_rng(seed).permutation(n_pool)
    n = min(n, n_pool)
    stretches = np.arange(n_pool) * n // n_pool
    best = {int(np.flatnonzero(stretches == s)[scores[stretches == s].argmax()]) for s in range(n)}
    picks = select(keys, scores, n)
    assert {key.frame // APART for key in picks} == best
    by_pick = [scores[key.frame // APART] for key in picks]
    assert by_pick == sorted(by_pick, reverse=True)


@settings(deadline=None)
@given(counts=st.lists(st.integers(5, 40), min_size=1, max_size=4), batch=st.integers(1, 12), seed=st.integers(0, 99))
def test_batch_after_batch_stays_even_whatever_the_scores_say(counts, batch, seed):
    """No two neighbours of what is labelled are farther apart than two of the stretches that could be."""
    rng, keys = np.random.default_rng(seed), pool_of(*counts)
    labelled: list[FrameKey] = []
    for _ in range(3):
        left = [key for key in keys if key not in labelled]
        picks = select([left[i] for i in rng.permutation(len(left))], rng.random(len(left)), batch, labelled)
        assert len(set(picks)) == len(picks) == min(batch, len(left))
        assert not set(picks) & set(labelled)
        labelled += picks
    done = Counter(key.video for key in labelled)
    full = {f"v{i}": n for i, n in enumerate(counts)}
    open_ = [done[video] for video in full if done[video] < full[video]]
    assert max(open_, default=0) - min(open_, default=0) <= 1, "videos are level"


@given(n_pool=st.integers(12, 80), first=st.integers(1, 6), second=st.integers(1, 6), seed=st.integers(0, 99))
def test_second_batch_goes_where_nothing_is_labelled(n_pool, first, second, seed):
    rng, keys = np.random.default_rng(seed), pool_of(n_pool)
    labelled = [keys[i] for i in rng.choice(n_pool, first, replace=False)]
    left = [key for key in keys if key not in labelled]
    picks = select(left, rng.random(len(left)), second, labelled)
    stretch = {key: i * (first + second) // n_pool for i, key in enumerate(keys)}
    assert len({stretch[key] for key in picks}) == second
    assert not {stretch[key] for key in picks} & {stretch[key] for key in labelled}


def test_scores_that_say_nothing_give_a_draw():
    keys = pool_of(30)
    picks = select(keys, np.zeros(30), 5)
    assert len(set(picks)) == 5
    assert picks != select(keys, np.arange(30), 5)
    assert select([], [], 5) == select(keys, np.arange(30), 0) == []
    assert select(keys, np.arange(30), 5, labelled=keys) == []


def test_frames_near_a_labelled_one_are_passed_over():
    keys = [FrameKey("v", i) for i in range(100)]
    picks = select(keys, np.arange(100), 3, labelled=[FrameKey("v", 99), FrameKey("v", 49)])
    assert all(abs(a.frame - b) >= 15 for a in picks for b in (49, 99))


def test_hybrid_has_its_batch_made_so():
    keys, scores = pool_of(60), np.r_[np.zeros(40), np.linspace(0.5, 1, 20)]
    options = {"labelled_keys": (), "labelled_features": None, "fps": {}, "seed": 0}
    features = np.random.default_rng(0).normal(size=(60, 4))
    frames = {
        name: sorted(
            keys[row].frame // APART for row in make_batch(strategies()[name], keys, scores, features, 3, **options)
        )
        for name in ("hybrid", "mpe", "kcenter")
    }
    assert frames["hybrid"] == [0, 20, 59]
    assert min(frames["mpe"]) >= 40
    assert frames["kcenter"] == [57, 58, 59]
