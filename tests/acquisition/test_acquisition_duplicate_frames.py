"""A picture that does not change is asked for once, and no video is left out for its name."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_al_pose.acquisition.batches import draw_stratified
from napari_al_pose.acquisition.duplicate_frames import drop_duplicate_frames, small_picture
from napari_al_pose.acquisition.ordering import rank_order, video_order
from napari_al_pose.acquisition.pool import choose_pool
from napari_al_pose.acquisition.selection import BatchRequest, diverse_batch, random_batch, select_batch
from napari_al_pose.domain import FrameKey

RNG = np.random.default_rng(0)
SCENE = RNG.integers(60, 200, (15, 20, 3)).astype(np.uint8).repeat(16, axis=0).repeat(16, axis=1)  # 240 x 320


def frame(*, animal=None, noise=0.0, light=1.0, size=(6, 10)):
    """Return a picture of the scene, with a dark animal at (y, x)."""
    picture = SCENE.astype(float) * light
    if animal is not None:
        y, x = animal
        picture[y : y + size[0], x : x + size[1]] = 10
    return (picture + RNG.normal(0, noise, picture.shape)).clip(0, 255).astype(np.uint8)


def kept_of(frames, **options):
    keys = [FrameKey("v", 300 * i) for i in range(len(frames))]
    return drop_duplicate_frames(keys, np.stack([small_picture(f) for f in frames]), **options).tolist()


@pytest.mark.parametrize("noise", [0, 3, 10])
@pytest.mark.parametrize("light", [0.0, 0.03])
def test_a_still_scene_is_one_picture_whatever_noise_and_light_do(noise, light):
    assert kept_of([frame(noise=noise, light=1 + light * np.sin(i)) for i in range(20)]) == [0]


@pytest.mark.parametrize("noise", [0, 5])
def test_a_small_animal_that_moves_makes_other_pictures(noise):
    places = [(40 + 9 * i, 50 + 12 * i) for i in range(12)]
    assert kept_of([frame(animal=place, noise=noise) for place in places]) == list(range(12))


def test_a_picture_that_comes_back_much_later_is_asked_for_once():
    places = [(40, 50), (100, 120), (40, 50), (150, 200), (100, 120)]
    assert kept_of([frame(animal=place, noise=3) for place in places]) == [0, 1, 3]


def test_what_looks_like_a_labelled_frame_is_left_out():
    labelled = np.stack([small_picture(frame(noise=3))])
    frames = [frame(noise=3), frame(animal=(40, 50), noise=3)]
    assert kept_of(frames, labelled_keys=[FrameKey("v", 7)], labelled_pictures=labelled) == [1]
    assert kept_of(frames, labelled_keys=[FrameKey("other", 7)], labelled_pictures=labelled) == [0, 1]


def test_videos_do_not_hide_each_other_and_row_order_does_not_matter():
    keys = [FrameKey(video, i) for i in range(4) for video in "ab"]
    pictures = np.stack([small_picture(frame(noise=2))] * 8)
    assert {keys[row] for row in drop_duplicate_frames(keys, pictures)} == {FrameKey("a", 0), FrameKey("b", 0)}
    order = np.random.default_rng(1).permutation(8)
    rows = drop_duplicate_frames([keys[i] for i in order], pictures)
    assert {keys[order[row]] for row in rows} == {FrameKey("a", 0), FrameKey("b", 0)}
    assert drop_duplicate_frames([], pictures[:0]).tolist() == []


# ---- ties between videos --------------------------------------------------------------------------

NAMES = [f"v{i:03d}" for i in range(120)]
MANY = [FrameKey(name, 100 * i) for name in NAMES for i in range(5)]
FEATURES = np.random.default_rng(0).normal(size=(len(MANY), 4))


def batches(seed, labelled=()):
    request = BatchRequest(keys=MANY, features=FEATURES, n=20, labelled_keys=labelled, fps={}, seed=seed)
    alike = np.repeat([1.0, 0.5], [len(MANY) - 1, 1])  # all but one are equal
    yield diverse_batch(MANY, FEATURES, 20, seed=seed, fps={}, labelled_keys=labelled)
    yield random_batch(MANY, 20, seed=seed, taken=labelled, fps={})
    yield select_batch(alike, request)
    yield draw_stratified(alike, request)


def test_a_batch_smaller_than_the_number_of_videos_comes_from_all_over_them():
    for first, again, other in zip(batches(0), batches(0), batches(1), strict=True):
        assert first == again
        videos = {MANY[row].video for row in first}
        assert len(videos) == 20
        assert not videos <= set(NAMES[:60])
        assert not videos <= set(NAMES[60:])
        assert videos != {MANY[row].video for row in other}


def test_the_next_batch_goes_to_videos_without_labels():
    for number in (0, 2, 3):  # what is drawn at random to measure on goes by length alone
        first = [MANY[row] for row in [*batches(0)][number]]
        second = [MANY[row] for row in [*batches(0, first)][number]]
        assert not {key.video for key in first} & {key.video for key in second}


@pytest.mark.parametrize(
    "names",
    [
        [f"mouse{m}_trial{t}" for m in "ABCD" for t in range(10)],
        [f"2024-01-0{d}-cam{c}" for d in range(1, 5) for c in range(10)],
        [f"{m} {t:02d} x" for m in ("ann", "bob", "cid", "dan") for t in range(10)],
    ],
)
def test_groups_that_names_show_take_turns(names):
    order = video_order(names, 3)
    assert sorted(order) == sorted(names)
    length = {"m": 6, "2": 10}.get(names[0][0], 3)
    assert set(Counter(name[:length] for name in order[:8]).values()) == {2}


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(max_size=8), max_size=12), st.integers(0, 9))
def test_the_order_is_of_all_videos_and_the_same_every_time(names, seed):
    order = video_order(names, seed)
    assert sorted(order) == sorted(set(names))
    assert video_order(reversed(names), seed) == order


def test_equal_scores_go_by_the_draw():
    order = video_order(NAMES, 5)
    ranked = rank_order(MANY, np.ones(len(MANY)), seed=5)
    assert [MANY[row].video for row in ranked[::5]] == order


class Video:
    """As much of a video as choosing needs."""

    keyframes = ()

    def __len__(self):
        return 30

    def number(self, position):
        return position


def test_of_more_videos_than_candidates_others_come_in_as_labelling_goes_on():
    sources = {name: Video() for name in NAMES}
    first = {key.video for key in choose_pool(sources, 40, labelled=())}
    assert first == {key.video for key in choose_pool(sources, 40, labelled=())}
    assert not first <= set(NAMES[:60])
    second = {key.video for key in choose_pool(sources, 40, labelled=[FrameKey(NAMES[0], 3)])}
    assert len(first | second) > 50
