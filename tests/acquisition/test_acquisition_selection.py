"""What every batch must be: full, unique, unlabelled, spread, and the same whatever the row order."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_al_pose.acquisition.clusters import kmeans, round_robin
from napari_al_pose.acquisition.quotas import level
from napari_al_pose.acquisition.selection import (
    BatchRequest,
    diverse_batch,
    random_batch,
    select_batch,
    select_best,
    select_ranked,
)
from napari_al_pose.acquisition.spacing import Spacing
from napari_al_pose.domain import FrameKey


def make_pool(rng, per_video=(40, 25), step=7, d=6):
    """Pool of random frames: keys in random row order, features that drift."""
    keys = [FrameKey(f"v{i}", step * j) for i, n in enumerate(per_video) for j in range(n)]
    features = np.vstack([np.cumsum(rng.normal(size=(n, d)), axis=0) + rng.normal(size=d) * 5 for n in per_video])
    order = rng.permutation(len(keys))
    return [keys[row] for row in order], features[order]


def batch(keys, scores, features, n, *, labelled=(), labelled_features=None, fps=None, seed=0):
    request = BatchRequest(
        keys=keys,
        features=features,
        n=n,
        labelled_keys=list(labelled),
        labelled_features=labelled_features,
        fps=fps or {},
        seed=seed,
    )
    return select_batch(scores, request)


def best(keys, scores, n, *, labelled=(), fps=None, seed=0):
    request = BatchRequest(
        keys=keys, features=np.zeros((len(keys), 1)), n=n, labelled_keys=labelled, fps=fps or {}, seed=seed
    )
    return select_best(scores, request)


pools = st.builds(
    lambda seed, sizes, step: make_pool(np.random.default_rng(seed), sizes, step),
    st.integers(0, 1000),
    st.lists(st.integers(1, 30), min_size=1, max_size=4),
    st.sampled_from([1, 7, 40]),
)


@settings(deadline=None, max_examples=40)
@given(pool=pools, n=st.integers(1, 30), data=st.data())
def test_batch_is_full_unique_and_unlabelled(pool, n, data):
    keys, features = pool
    scores = np.array(
        data.draw(st.lists(st.sampled_from([0.0, 1.0, 2.0, np.nan]), min_size=len(keys), max_size=len(keys)))
    )
    labelled = data.draw(st.lists(st.sampled_from(keys), max_size=6, unique=True))
    open_ = len(keys) - len(labelled)
    for rows in (
        batch(keys, scores, features, n, labelled=labelled, labelled_features=features[:2]),
        best(keys, scores, n, labelled=labelled, fps={}, seed=0),
        diverse_batch(keys, features, n, seed=0, fps={}, labelled_keys=labelled),
        random_batch(keys, n, seed=0, taken=labelled, fps={}),
    ):
        assert len(rows) == len(set(rows)) == min(n, open_)
        assert not {keys[row] for row in rows} & set(labelled)


@settings(deadline=None, max_examples=25)
@given(pool=pools, n=st.integers(1, 12), seed=st.integers(0, 99), levels=st.integers(1, 50))
def test_row_order_does_not_matter(pool, n, seed, levels):
    keys, features = pool
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, len(keys)).astype(float)
    order = rng.permutation(len(keys))
    shuffled = [keys[row] for row in order]
    fps = {"v0": 25.0}

    def chosen(keys, features, scores):
        return [
            [keys[row] for row in rows]
            for rows in (
                batch(keys, scores, features, n, fps=fps, seed=seed),
                best(keys, scores, n, labelled=(), fps=fps, seed=seed),
                diverse_batch(keys, features, n, seed=seed, fps=fps),
                random_batch(keys, n, seed=seed, taken=(), fps=fps),
            )
        ]

    assert chosen(keys, features, scores) == chosen(shuffled, features[order], scores[order])


@settings(deadline=None, max_examples=25)
@given(pool=pools, n=st.integers(1, 12), seed=st.integers(0, 99))
def test_scale_and_shift_of_the_scores_do_not_matter(pool, n, seed):
    keys, features = pool
    scores = np.random.default_rng(seed).integers(0, 20, len(keys)).astype(float)
    first = batch(keys, scores, features, n)
    for other in (scores + 100, scores * 1e-3, np.exp(scores / 5), scores**3):
        assert batch(keys, other, features, n) == first


@pytest.mark.parametrize("scores", [np.full(65, np.nan), np.full(65, 3.0), np.full(65, np.inf)])
def test_scores_that_say_nothing_degrade_to_a_stratified_draw(scores):
    keys, features = make_pool(np.random.default_rng(0))
    rows = batch(keys, scores, features, 13)
    assert rows == random_batch(keys, 13, seed=0, taken=(), fps={})
    assert Counter(keys[row].video for row in rows) == {"v0": 8, "v1": 5}


def test_frames_that_cannot_be_scored_come_last():
    keys, features = make_pool(np.random.default_rng(0), per_video=(40,), step=100)
    scores = np.full(40, np.nan)
    scores[[4, 9, 30]] = [1.0, 2.0, 3.0]
    assert set(batch(keys, scores, features, 3)) <= set(batch(keys, scores, features, 8))
    assert best(keys, scores, 3, labelled=(), fps={}, seed=0) == [30, 9, 4]


def test_one_burst_of_high_scores_gives_one_frame():
    rng = np.random.default_rng(1)
    keys = [FrameKey("v", i) for i in range(400)]
    features = rng.normal(size=(400, 5))
    scores = np.linspace(0, 1, 400)
    scores[200:210] += 10  # adjacent frames, all better than the rest
    rows = batch(keys, scores, features, 10, fps={"v": 30.0})
    assert sum(200 <= row < 210 for row in rows) == 1
    frames = sorted(keys[row].frame for row in rows)
    assert np.diff(frames).min() >= 15


def test_gap_to_labelled_frames_is_kept_until_it_cannot_be():
    keys = [FrameKey("v", i) for i in range(100)]
    features = np.random.default_rng(0).normal(size=(100, 4))
    scores = np.zeros(100)
    scores[48:53] = 1
    labelled = [FrameKey("v", 50)]
    rows = batch(keys, scores, features, 3, labelled=labelled, fps={"v": 30.0})
    assert all(abs(row - 50) >= 15 for row in rows)
    assert len(batch(keys, scores, features, 99, labelled=labelled, fps={"v": 30.0})) == 99


def test_batch_takes_from_each_look_not_the_best_of_one():
    # 30 frames of one look score highest; three other looks follow.
    rng = np.random.default_rng(0)
    looks = np.repeat(np.eye(4), [30, 10, 10, 10], axis=0)
    features = looks + rng.normal(scale=0.01, size=(60, 4))
    keys = [FrameKey("v", 100 * i) for i in range(60)]
    scores = np.r_[np.linspace(1, 0.9, 30), np.linspace(0.5, 0.4, 30)]
    rows = batch(keys, scores, features, 12)
    assert set(looks[rows].argmax(axis=1)) == {0, 1, 2, 3}
    assert rows[0] == 0
    assert set(looks[best(keys, scores, 12, labelled=(), fps={}, seed=0)].argmax(axis=1)) == {0}


def test_what_looks_like_a_labelled_frame_is_passed_over():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(50, 8))
    keys = [FrameKey("v", 100 * i) for i in range(50)]
    scores = np.linspace(1, 0, 50)
    labelled = [FrameKey("w", 0)]
    assert 0 in batch(keys, scores, features, 5, labelled=labelled, labelled_features=features[:0])
    assert 0 not in batch(keys, scores, features, 5, labelled=labelled, labelled_features=2 * features[:1])


def test_no_video_owns_the_candidates():
    rng = np.random.default_rng(0)
    keys = [FrameKey(video, 100 * i) for video in ("a", "b") for i in range(300)]
    scores = np.r_[np.full(300, 5.0) + rng.random(300), rng.random(300)]
    features = rng.normal(size=(600, 4))
    rows = batch(keys, scores, features, 20)
    assert {keys[row].video for row in rows} == {"a", "b"}


def test_first_batch_shows_every_video_and_look():
    rng = np.random.default_rng(0)
    looks = np.tile(np.repeat(np.eye(5), 20, axis=0), (2, 1))
    keys = [FrameKey(video, 10 * i) for video in ("a", "b") for i in range(100)]
    rows = diverse_batch(keys, looks + rng.normal(scale=0.02, size=(200, 5)), 10, seed=0, fps={})
    assert Counter(keys[row].video for row in rows) == {"a": 5, "b": 5}
    assert Counter(looks[rows].argmax(axis=1).tolist()) == dict.fromkeys(range(5), 2)
    assert [keys[row].video for row in rows] == ["a", "b"] * 5


def test_first_batch_is_apart_in_time():
    keys = [FrameKey("v", i) for i in range(300)]
    rng = np.random.default_rng(2)
    rows = diverse_batch(keys, rng.normal(size=(300, 8)), 12, seed=0, fps={"v": 30.0})
    assert np.diff(sorted(rows)).min() >= 15


def test_first_batch_gives_every_video_its_quota():
    keys, features = make_pool(np.random.default_rng(0), per_video=(60, 30, 2))
    counts = Counter(keys[row].video for row in diverse_batch(keys, features, 20, seed=0, fps={}))
    assert counts == {"v0": 10, "v1": 8, "v2": 2}
    assert set(Counter(keys[row].video for row in diverse_batch(keys, features, 2, seed=0, fps={}))) == {"v0", "v1"}


def test_random_draw_follows_the_lengths_of_the_videos():
    keys, _ = make_pool(np.random.default_rng(0), per_video=(50, 50), step=50)
    rows = random_batch(keys, 20, seed=1, taken=(), fps={}, n_frames={"v0": 90_000, "v1": 10_000})
    assert Counter(keys[row].video for row in rows) == {"v0": 18, "v1": 2}
    assert rows == random_batch(keys, 20, seed=1, taken=(), fps={}, n_frames={"v0": 90_000, "v1": 10_000})
    assert rows != random_batch(keys, 20, seed=2, taken=(), fps={}, n_frames={"v0": 90_000, "v1": 10_000})


def test_random_draw_reaches_every_frame_about_as_often():
    keys = [FrameKey("v", 100 * i) for i in range(30)]
    drawn = Counter(row for seed in range(600) for row in random_batch(keys, 5, seed=seed, taken=(), fps={}))
    assert len(drawn) == 30
    assert max(drawn.values()) < 2 * min(drawn.values())


def test_random_draw_spans_the_video_and_keeps_away_from_taken_frames():
    keys = [FrameKey("v", i) for i in range(1000)]
    taken = [FrameKey("v", 500)]
    for seed in range(20):
        frames = sorted(random_batch(keys, 10, seed=seed, taken=taken, fps={"v": 30.0}))
        assert np.diff(frames).max() < 250
        assert all(abs(frame - 500) >= 15 for frame in frames)


def test_empty_pools_and_batches():
    assert batch([], np.zeros(0), np.zeros((0, 3)), 5) == []
    assert diverse_batch([], np.zeros((0, 3)), 5, seed=0, fps={}) == []
    assert random_batch([], 5, seed=0, taken=(), fps={}) == []
    key = [FrameKey("v", 0)]
    assert batch(key, np.zeros(1), np.ones((1, 3)), 0) == []
    assert batch(key, np.zeros(1), np.ones((1, 3)), 3, labelled=key) == []


def test_round_robin():
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.95])
    clusters = np.array([0, 0, 0, 1, 1, 2])
    ranked = np.argsort(-scores).tolist()
    assert round_robin(ranked, clusters) == [5, 0, 3, 1, 4, 2]
    assert round_robin(ranked, clusters, first="label") == [0, 3, 5, 1, 4, 2]  # the residency's
    assert round_robin([], clusters) == []


def test_kmeans_numbers_clusters_by_their_first_row():
    rows = np.array([[5.0, 5], [0, 0], [5, 5.1], [9, 0], [0, 0.1]])
    labels, centres = kmeans(rows, 3, seed=0)
    assert labels.tolist() == [0, 1, 0, 2, 1]
    assert np.allclose(centres, [[5, 5.05], [0, 0.05], [9, 0]])


def test_kmeans_of_fewer_different_rows_than_clusters():
    labels, centres = kmeans(np.repeat(np.eye(2), 5, axis=0), 6, seed=0)
    assert labels.tolist() == [0] * 5 + [1] * 5
    assert len(centres) == 2


@given(
    st.lists(st.integers(0, 500), max_size=20, unique=True), st.integers(0, 500), st.sampled_from([10.0, 30.0, 100.0])
)
def test_spacing_is_to_the_nearest_taken_frame(taken, frame, fps):
    spacing = Spacing([FrameKey("v", t) for t in taken] + [FrameKey("w", frame)], {"v": fps})
    gap = max(5, round(fps / 2))
    assert spacing.fits(FrameKey("v", frame)) == all(abs(frame - t) >= gap for t in taken)
    for _ in range(10):
        spacing.relax()
    assert spacing.fits(FrameKey("v", frame)) == (frame not in taken)


@pytest.mark.parametrize(
    ("n", "have", "capacities", "sure", "most"),
    [
        (4, [0, 3, 1], [9, 9, 9], [2, 0, 1], [3, 0, 2]),
        (5, [0, 3, 1], [9, 9, 9], [2, 0, 1], [3, 0, 2]),
        (6, [0, 3, 1], [9, 9, 9], [3, 0, 2], [4, 1, 3]),
        (6, [0, 3, 1], [2, 9, 9], [2, 0, 2], [2, 1, 3]),
        (2, [0, 0, 0], [9, 9, 9], [0, 0, 0], [1, 1, 1]),
        (9, [0, 0], [1, 2], [1, 1], [1, 2]),
        (0, [1], [1], [0], [0]),
    ],
)
def test_level_fills_the_lowest_first(n, have, capacities, sure, most):
    found = level(n, have, capacities)
    assert [part.tolist() for part in found] == [sure, most]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 24), st.integers(1, 6))
def test_no_video_is_left_behind_whatever_the_scores_say(seed, n, n_videos):
    rng = np.random.default_rng(seed)
    pool = [FrameKey(f"v{v}", 1000 * i) for v in range(n_videos) for i in range(12)]
    labelled = [FrameKey(f"v{v}", 1000 * i + 500) for v in range(n_videos) for i in range(int(rng.integers(4)))]
    scores = np.array([10.0 * int(key.video[1:]) for key in pool]) + rng.random(len(pool))  # one video outscores all
    picks = batch(pool, scores, rng.standard_normal((len(pool), 6)), n, labelled=labelled)
    assert len(set(picks)) == min(n, len(pool))
    had = Counter(key.video for key in labelled)
    got = Counter(pool[row].video for row in picks)
    after = {f"v{v}": had[f"v{v}"] + got[f"v{v}"] for v in range(n_videos)}
    for video, count in after.items():
        # Nobody gets more while another, with frames left, has two fewer.
        if got[video]:
            assert count - min((after[v] for v in after if got[v] < 12), default=count) <= 1


def test_the_best_as_they_come_are_the_best_however_near():
    keys = [FrameKey("v", frame) for frame in range(20)]
    scores = np.r_[np.arange(19.0), np.nan]
    request = BatchRequest(keys=keys, features=np.ones((20, 1)), n=4, labelled_keys=[FrameKey("v", 17)], fps={}, seed=0)
    assert select_ranked(scores, request) == [18, 16, 15, 14]
    assert select_ranked(np.zeros(20), request) == [0, 1, 2, 3]
