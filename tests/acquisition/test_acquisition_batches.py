"""Batches that are drawn from the stretches of time without labels."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_al_pose.acquisition import installed_strategies
from napari_al_pose.acquisition.batches import BatchRequest, draw_stratified, make_batch
from napari_al_pose.domain import FrameKey

APART = 1000
"""Frames between two of the pool, so that no rule on time comes between."""


def pool_of(*counts):
    return [FrameKey(f"v{i}", APART * j) for i, n in enumerate(counts) for j in range(n)]


def select(keys, scores, n, labelled=(), seed=0):
    features = np.zeros((len(keys), 1))
    request = BatchRequest(keys=keys, features=features, n=n, labelled_keys=labelled, fps={}, seed=seed)
    rows = draw_stratified(np.asarray(scores, float), request)
    return [keys[row] for row in rows]


@given(n_pool=st.integers(2, 60), n=st.integers(1, 20), seed=st.integers(0, 99))
def test_first_batch_has_a_frame_of_each_equal_stretch_in_the_order_of_scores(n_pool, n, seed):
    keys = pool_of(n_pool)
    scores = np.random.default_rng(seed).permutation(n_pool)
    n = min(n, n_pool)
    places = [key.frame // APART for key in select(keys, scores, n, seed=seed)]
    assert sorted(place * n // n_pool for place in places) == list(range(n))
    assert [scores[place] for place in places] == sorted(scores[places], reverse=True)


def test_every_frame_of_a_stretch_can_be_drawn_whatever_its_score():
    keys = pool_of(12)
    drawn = Counter(key.frame // APART for seed in range(200) for key in select(keys, np.arange(12), 3, seed=seed))
    assert sorted(drawn) == list(range(12))
    assert min(drawn.values()) > 25, "50 are expected"


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


def test_the_same_frames_are_drawn_from_rows_in_any_order_and_with_any_scores():
    keys = pool_of(20, 13)
    labelled = keys[3:30:9]
    expected = select(keys, np.arange(33), 8, labelled)
    mixed = np.random.default_rng(0).permutation(33)
    assert select([keys[i] for i in mixed], np.arange(33)[mixed], 8, labelled) == expected
    assert set(select(keys, np.full(33, np.nan), 8, labelled)) == set(expected)
    assert set(select(keys, np.arange(33), 8, labelled, seed=1)) != set(expected)


def test_pools_with_nothing_left():
    keys = pool_of(30)
    assert select([], [], 5) == select(keys, np.arange(30), 0) == []
    assert select(keys, np.arange(30), 5, labelled=keys) == []
    assert sorted(select(keys, np.arange(30), 5, labelled=keys[2:])) == keys[:2]


def test_frames_near_a_labelled_one_are_passed_over():
    keys = [FrameKey("v", i) for i in range(100)]
    picks = select(keys, np.arange(100), 3, labelled=[FrameKey("v", 99), FrameKey("v", 49)])
    assert all(abs(a.frame - b) >= 15 for a in picks for b in (49, 99))


def test_hybrid_has_its_batch_made_so():
    keys, scores = pool_of(60), np.r_[np.zeros(40), np.linspace(0.5, 1, 20)]
    features = np.random.default_rng(0).normal(size=(60, 4))
    request = BatchRequest(keys=keys, features=features, n=3, fps={}, seed=0)

    def places(name):
        rows = make_batch(installed_strategies()[name], scores, request)
        return [keys[row].frame // APART for row in rows]

    assert sorted(place // 20 for place in places("hybrid")) == [0, 1, 2]
    assert places("hybrid")[0] >= 40
    assert min(places("mpe")) >= 40
    assert places("kcenter") == [59, 58, 57]
