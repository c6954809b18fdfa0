"""Every frame of every kind of file comes under its own number, in whatever order it is asked for."""

from __future__ import annotations

import random
from contextlib import suppress
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numbered_videos import Recipe, read_number

from napari_al_pose.video import VideoFile, open_source
from napari_al_pose.video.damage import Damage
from napari_al_pose.video.decoder import FrameDecoder, SupersededError
from napari_al_pose.video.numbering import build_index

FEW_FRAMES = 200_000
"""Cache bytes that hold eight of the small test frames, so that reads have to decode again and again."""

B_FRAMES = {"bf": "3", "b_strategy": "0"}

H264 = Recipe("h264.mp4", "libx264", B_FRAMES)
OPEN_GOP = Recipe("open_gop.mkv", "libx264", {"x264-params": "open-gop=1:bframes=3:b-adapt=0"})
AVI_B = Recipe("h264.avi", "libx264", B_FRAMES)
TS = Recipe("h264.ts", "libx264", B_FRAMES)
VFR = Recipe(
    "vfr.mkv",
    "libx264",
    B_FRAMES,
    times=lambda i: 40 * i + (i * 7919) % 31 + 500 * (i > 20),
    time_base=Fraction(1, 1000),
)
SHARED_TIMES = Recipe("fast.mkv", "mjpeg", rate=3000, n_frames=90, pixels="yuvj420p")
REFRESH = Recipe("refresh.mkv", "libx264", {"x264-params": "intra-refresh=1:bframes=0"}, n_frames=90)

RECIPES = [
    H264,
    OPEN_GOP,
    AVI_B,
    TS,
    VFR,
    SHARED_TIMES,
    REFRESH,
    Recipe("one_gop.mp4", "libx264", B_FRAMES, gop=250),
    Recipe("h264.mov", "libx264", B_FRAMES),
    Recipe("h264.m4v", "libx264", B_FRAMES),
    Recipe("fragmented.mp4", "libx264", B_FRAMES, muxing={"movflags": "frag_keyframe+empty_moov"}),
    Recipe("hevc.mp4", "libx265", {"x265-params": "log-level=none:bframes=3"}),
    Recipe("mpeg4.avi", "mpeg4", {"bf": "2"}),
    Recipe("mpeg4.mp4", "mpeg4", {"bf": "2"}),
    Recipe("mpeg2.mpg", "mpeg2video", {"bf": "2"}),
    Recipe("mjpeg.avi", "mjpeg", pixels="yuvj420p"),
    Recipe("vp8.webm", "libvpx", {"auto-alt-ref": "1", "lag-in-frames": "16", "deadline": "realtime"}),
    Recipe("vp9.webm", "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"}),
    Recipe("av1.mp4", "libsvtav1", {"preset": "8", "crf": "3"}),
    Recipe("ffv1.mkv", "ffv1", pixels="yuv420p"),
    Recipe("grey16.mkv", "ffv1", pixels="gray16le"),
    Recipe("ten_bits.mkv", "ffv1", pixels="yuv420p10le"),
    Recipe("alpha.mkv", "ffv1", pixels="bgra"),
    Recipe("raw.avi", "rawvideo", pixels="yuv420p"),
    Recipe("odd.mkv", "ffv1", pixels="yuv444p", size=(131, 67)),
    Recipe("late.mkv", "libx264", B_FRAMES, times=lambda i: i + 100),
    Recipe("late.mp4", "libx264", B_FRAMES, times=lambda i: i + 100),
    Recipe("late.ts", "libx264", B_FRAMES, times=lambda i: i + 100),
    Recipe("early.mp4", "libx264", B_FRAMES, times=lambda i: i - 10, n_hidden=10),
    Recipe("single.mp4", "libx264", n_frames=1),
    Recipe("single.avi", "mjpeg", n_frames=1, pixels="yuvj420p"),
]


@pytest.fixture(params=RECIPES, ids=lambda recipe: recipe.file)
def recipe(request) -> Recipe:
    return request.param


@pytest.fixture
def video(recipe, written):
    with VideoFile(written(recipe), cache_bytes=FEW_FRAMES) as video:
        yield video


def orders(n_frames: int) -> dict[str, list[int]]:
    everything = list(range(n_frames))
    shuffled = random.Random(3).sample(everything, n_frames)
    strided = [i for start in range(7) for i in everything[start::7]]
    zigzag = [i for pair in zip(everything, reversed(everything), strict=True) for i in pair]
    return {
        "random": shuffled,
        "backward": everything[::-1],
        "forward": everything,
        "strided": strided,
        "strided back": strided[::-1],
        "zigzag": zigzag,
    }


def test_every_frame_in_every_order(video, recipe):
    assert video.shape == (len(recipe.shown), recipe.size[1], recipe.size[0], 3)
    for name, order in orders(len(video)).items():
        assert [read_number(video[i]) for i in order] == [recipe.shown[i] for i in order], name
    assert video.notice == ""


def test_the_first_read_may_be_anywhere(recipe, written):
    n_frames = len(recipe.shown)
    for position in {n_frames - 1, n_frames * 2 // 3, n_frames // 2}:
        with VideoFile(written(recipe)) as video:
            assert read_number(video[position]) == recipe.shown[position]


def test_frames_are_the_same_pixels_however_they_are_reached(video):
    forward = [video[i].copy() for i in range(len(video))]
    for i in reversed(range(len(video))):
        np.testing.assert_array_equal(video[i], forward[i])


@pytest.mark.parametrize("recipe", [H264, OPEN_GOP, AVI_B, TS, VFR, SHARED_TIMES, REFRESH], ids=lambda r: r.file)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_walk_through_a_video(written, recipe, data):
    cache_bytes = data.draw(st.sampled_from([0, FEW_FRAMES, 10_000_000]))
    with VideoFile(written(recipe), cache_bytes=cache_bytes) as video:
        position = st.integers(0, len(video) - 1)
        here = data.draw(position)
        for step in data.draw(st.lists(st.one_of(st.integers(-4, 4), position.map(lambda i: i + 1000)), max_size=25)):
            here = step - 1000 if step > 500 else min(max(here + step, 0), len(video) - 1)
            assert read_number(video[here]) == here


@pytest.mark.parametrize("recipe", [H264, OPEN_GOP, AVI_B, TS, VFR, REFRESH], ids=lambda r: r.file)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_spans_that_are_given_up_leave_no_trace(written, recipe, data):
    path = written(recipe)
    index = build_index(path)
    damage = Damage(index)
    decoder = FrameDecoder(path, index, damage, threads=2)
    position = st.integers(0, len(index) - 1)
    for first, last, patience in data.draw(st.lists(st.tuples(position, position, st.integers(0, 20)), max_size=12)):
        patience_left = iter(range(patience))
        first, last = sorted((first, last))
        got = []
        with suppress(SupersededError):
            for number, frame in decoder.frames(
                first, last, superseded=lambda left=patience_left: next(left, None) is None
            ):
                got.append((number, read_number(frame)))
        assert got == [(number, number) for number in range(first, first + len(got))]
    decoder.close()
    assert not len(damage.frames)


def test_times_follow_the_file(written):
    with open_source(written(VFR)) as video:
        expected = [(VFR.times(i) - VFR.times(0)) / 1000 for i in range(len(video))]
        assert [video.seconds(i) for i in range(len(video))] == pytest.approx(expected, abs=1e-3)
        assert video.fps == pytest.approx((len(video) - 1) / expected[-1])


@pytest.mark.parametrize("file", ["late.mkv", "h264.mp4", "h264.avi", "h264.ts"])
def test_times_start_at_zero(written, file):
    recipe = next(recipe for recipe in RECIPES if recipe.file == file)
    with open_source(written(recipe)) as video:
        assert [video.seconds(i) for i in (0, 1, 50)] == pytest.approx([0, 0.04, 2], abs=1e-3)
        assert video.fps == pytest.approx(25, abs=0.01)


def test_keyframes_are_where_the_encoder_put_them(written):
    with open_source(written(H264)) as video:
        assert video.keyframes.tolist() == [0, 12, 24, 36, 48]
    with open_source(written(RECIPES[10])) as video:
        assert video.keyframes[0] == 0
