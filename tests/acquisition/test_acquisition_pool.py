"""The pool spans every video, decodes cheaply, and holds no picture twice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_al_pose.acquisition.pool import choose_pool, drop_near_duplicates, is_blank, near_duplicate_limits
from napari_al_pose.acquisition.quotas import allocate, systematic
from napari_al_pose.domain import FrameKey


@dataclass
class Source:
    """Stands in for a video (or, with ``numbers``, a folder of images): no pixel of it is ever asked for."""

    n: int
    gop: int = 1
    numbers: tuple[int, ...] = ()
    fps: float = 30.0

    def __len__(self):
        return len(self.numbers) or self.n

    @property
    def keyframes(self):
        return np.arange(0, len(self), self.gop)

    def number(self, position):
        return self.numbers[position] if self.numbers else position


def frames(pool, video):
    return [key.frame for key in pool if key.video == video]


def test_every_video_takes_part_and_is_spanned_whole():
    pool = choose_pool({"long": Source(90_000), "short": Source(900)}, 110, labelled=())
    assert len(pool) == 110
    assert pool == sorted(pool)
    assert (len(frames(pool, "long")), len(frames(pool, "short"))) == (100, 10)  # as their square roots
    assert frames(pool, "short") == [44, 134, 224, 314, 404, 494, 584, 674, 764, 854]
    gaps = np.diff(frames(pool, "long"))
    assert gaps.min() == gaps.max() == 900


def test_keyframes_are_preferred_where_a_stretch_has_one():
    pool = choose_pool({"v": Source(10_000, gop=250)}, 20, labelled=())
    assert len(pool) == 20
    assert all(frame % 250 == 0 for frame in frames(pool, "v"))
    assert np.diff(frames(pool, "v")).max() <= 750
    long_gop = frames(choose_pool({"v": Source(1_000, gop=500)}, 10, labelled=()), "v")
    assert long_gop == [0, 149, 249, 349, 449, 500, 649, 749, 849, 949]


def test_short_videos_give_all_they_have():
    pool = choose_pool({"a": Source(5), "b": Source(1_000), "none": Source(0)}, 100, labelled=())
    assert frames(pool, "a") == [0, 1, 2, 3, 4]
    assert len(pool) == 100
    assert len(choose_pool({"a": Source(5), "b": Source(7)}, 100, labelled=())) == 12
    assert choose_pool({}, 100, labelled=()) == []


def test_images_keep_their_frame_numbers():
    pool = choose_pool({"m": Source(0, numbers=(7, 30, 31, 900))}, 10, labelled=[FrameKey("m", 31)])
    assert frames(pool, "m") == [7, 30, 900]


def test_labelling_changes_only_the_stretch_that_was_labelled():
    sources = {"v": Source(3_000, gop=30), "w": Source(3_000)}
    before = choose_pool(sources, 40, labelled=())
    taken = [before[3], before[30]]
    after = choose_pool(sources, 40, labelled=taken)
    assert len(after) == 40
    assert set(before) - set(after) == set(taken)
    assert not set(after) & set(taken)


@settings(deadline=None, max_examples=60)
@given(
    lengths=st.lists(st.integers(0, 400), min_size=1, max_size=5),
    gop=st.integers(1, 120),
    size=st.integers(1, 150),
    data=st.data(),
)
def test_pool_is_unique_unlabelled_and_as_large_as_can_be(lengths, gop, size, data):
    sources = {f"v{i}": Source(n, gop=gop) for i, n in enumerate(lengths)}
    everything = [FrameKey(name, i) for name, source in sources.items() for i in range(len(source))]
    labelled = data.draw(st.lists(st.sampled_from(everything), max_size=5, unique=True)) if everything else []
    pool = choose_pool(sources, size, labelled=labelled)
    assert len(set(pool)) == len(pool)
    assert not set(pool) & set(labelled)
    assert min(size, len(everything)) - len(labelled) <= len(pool) <= size


@given(
    total=st.integers(0, 200),
    parts=st.lists(st.tuples(st.floats(0.01, 1e6), st.integers(0, 60)), min_size=1, max_size=8),
)
def test_allocation_is_exact_within_capacities_and_monotone(total, parts):
    weights, capacities = zip(*parts, strict=True)
    given_out = allocate(total, weights, capacities)
    assert given_out.sum() == min(total, sum(capacities))
    assert (given_out <= capacities).all()
    assert (given_out >= 0).all()


def test_allocation_follows_the_weights():
    assert allocate(10, [3, 1, 1], [100, 100, 100]).tolist() == [6, 2, 2]
    assert allocate(4, [1, 1, 1], [100, 100, 100]).tolist() == [2, 1, 1]
    assert allocate(10, [8, 1, 1], [2, 100, 100]).tolist() == [2, 4, 4]
    assert allocate(2, [1, 5, 4], [9, 9, 9]).tolist() == [0, 1, 1]


@given(n=st.integers(1, 300), data=st.data())
def test_systematic_sample_is_unique_and_spans(n, data):
    quota = data.draw(st.integers(1, n))
    offset = data.draw(st.floats(0, 1, exclude_max=True))
    rows = systematic(n, quota, offset)
    assert len(set(rows.tolist())) == quota
    assert 0 <= rows.min() <= rows.max() < n
    assert np.diff(rows, prepend=rows[0]).max() <= -(-n // quota)


def walk(n, rng, still=()):
    """Features of an animal that moves, but for the frames in ``still``, which look like the one before."""
    steps = rng.normal(size=(n, 16))
    steps[list(still)] = 0
    return np.cumsum(steps, axis=0) + 20


def test_near_duplicates_in_time_and_looks_are_dropped():
    keys = [FrameKey("v", 15 * i) for i in range(60)]  # half a second apart
    still = range(20, 40)
    features = walk(60, np.random.default_rng(0), still)
    kept = drop_near_duplicates(keys, features, {"v": 30.0})
    dropped = set(range(60)) - set(kept.tolist())
    assert dropped <= set(still)
    # one is kept every 2 s so that a motionless stretch still has candidates
    assert [row for row in kept if row in still] == [24, 29, 34, 39]


def test_the_same_picture_far_apart_or_in_another_video_is_kept():
    features = np.ones((4, 3))
    keys = [FrameKey("a", 0), FrameKey("a", 1000), FrameKey("b", 0), FrameKey("b", 10)]
    assert drop_near_duplicates(keys, features, {"a": 30.0, "b": 30.0}).tolist() == [0, 1, 2]


def test_row_order_does_not_matter_to_what_is_kept():
    rng = np.random.default_rng(3)
    keys = [FrameKey(video, 10 * i) for video in "ab" for i in range(80)]
    features = np.vstack([walk(80, rng, range(10, 40)), walk(80, rng)])
    kept = {keys[row] for row in drop_near_duplicates(keys, features, {})}
    order = rng.permutation(160)
    shuffled = [keys[row] for row in order]
    rows = drop_near_duplicates(shuffled, features[order], {})
    assert rows.tolist() == sorted(rows.tolist())
    assert {shuffled[row] for row in rows} == kept
    assert len(kept) < 160


def test_frames_without_features_are_kept():
    keys = [FrameKey("a", i) for i in range(6)]
    assert drop_near_duplicates(keys, np.zeros((6, 4)), {}).tolist() == list(range(6))


def test_blank_frames():
    rng = np.random.default_rng(0)
    black = np.zeros((120, 161, 3), np.uint8)
    noise = rng.integers(20, 28, (120, 161, 3)).astype(np.uint8)
    dim = noise.copy()
    dim[40:60, 50:90] += 12  # an animal in the dark
    assert is_blank(black)
    assert is_blank(noise)
    assert is_blank(np.full((4, 4, 3), 200, np.uint8))
    assert not is_blank(dim)


def test_limit_is_a_videos_own_pace():
    rng = np.random.default_rng(0)
    keys = [FrameKey("fast", 10 * i) for i in range(100)] + [FrameKey("thin", 900 * i) for i in range(100)]
    angles = np.cumsum(rng.uniform(0.01, 0.05, 100))
    features = np.vstack([np.c_[np.cos(angles), np.sin(angles)], rng.normal(size=(100, 2))])
    limits = near_duplicate_limits(keys, features, {"fast": 10.0, "thin": 30.0})
    steps = 1 - np.cos(np.diff(angles))
    assert limits["fast"] == pytest.approx(np.percentile(steps, 10))
    assert limits["thin"] == 1e-6
