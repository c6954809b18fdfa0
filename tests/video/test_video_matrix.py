"""Every codec in every container that FFmpeg here can write it to."""

from __future__ import annotations

import io
import random
from dataclasses import replace

import av
import pytest
from numbered_videos import Recipe, read_number

from napari_al_pose.video import open_source

N = 30
ENCODERS = {
    "h264": Recipe("", "libx264", {"bf": "3", "b_strategy": "0"}),
    "hevc": Recipe("", "libx265", {"x265-params": "log-level=none:bframes=3"}),
    "mjpeg": Recipe("", "mjpeg", pixels="yuvj420p"),
    "mpeg4": Recipe("", "mpeg4", {"bf": "2"}),
    "vp9": Recipe("", "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "12"}),
    "av1": Recipe("", "libsvtav1", {"preset": "8", "crf": "3"}),
    "ffv1": Recipe("", "ffv1"),
    "rawvideo": Recipe("", "rawvideo"),
    "mpeg2video": Recipe("", "mpeg2video", {"bf": "2"}),
    "mpeg1video": Recipe("", "mpeg1video", {"bf": "2"}),
}
MUXERS = {"mp4": "mp4", "mov": "mov", "avi": "avi", "mkv": "matroska", "webm": "webm", "m4v": "ipod", "mpg": "mpeg"}
UNSAID = {"mpg": {"mpeg1video", "mpeg2video", "h264"}}
"""Of muxers that don't say what they take."""
REFUSED = {("vp9", "mov"), ("av1", "mov")}
"""Pairs that a muxer says it takes, and does not."""


def pairs() -> list[tuple[str, str]]:
    found = []
    for extension, muxer in MUXERS.items():
        taken = UNSAID.get(extension) or av.open(io.BytesIO(), "w", format=muxer).supported_codecs
        found += [(codec, extension) for codec in ENCODERS if codec in taken and (codec, extension) not in REFUSED]
    return found


@pytest.mark.parametrize(("codec", "extension"), pairs(), ids=lambda part: part)
def test_frames_of_every_codec_in_every_container(written, codec, extension):
    recipe = replace(ENCODERS[codec], file=f"every_{codec}.{extension}", n_frames=N, gop=10)
    if (codec, extension) == ("rawvideo", "mov"):
        recipe = replace(recipe, pixels="uyvy422")  # QuickTime knows no planar pictures
    with open_source(written(recipe), cache_bytes=0) as video:
        assert len(video) == N
        shuffled = random.Random(1).sample(range(N), N)
        for order in (shuffled, range(N), range(0, N, 4), reversed(range(N))):
            for i in order:
                assert read_number(video[i]) == i
        assert video.notice == ""


def test_the_usual_pairs_are_among_them():
    assert {("h264", "mp4"), ("hevc", "mov"), ("mjpeg", "avi"), ("av1", "webm"), ("mpeg2video", "mpg")} <= set(pairs())
    assert len(pairs()) > 30
