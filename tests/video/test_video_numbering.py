"""Frames have the numbers of a plain decode, however the file was muxed, copied, cut, joined or damaged."""

from __future__ import annotations

import tempfile
from pathlib import Path

import av
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from muxings import CODECS, CONTAINERS, Muxing, check_file
from numbered_videos import read_number

from napari_al_pose.video import open_source
from napari_al_pose.video.index_cache import load_or_build

CONFIG = {
    "deadline": None,
    "derandomize": True,
    "phases": (Phase.explicit, Phase.generate),
    "report_multiple_bugs": False,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much, HealthCheck.too_slow],
}
USUAL = sorted(CONTAINERS.keys() - {"h264", "hevc"})


def check(muxing):
    assume((muxing.codec, (muxing.container, *muxing.copies)[-1]) != ("hevc_b", "flv"))  # FFmpeg decodes it two ways
    with tempfile.TemporaryDirectory() as folder:
        path = muxing.make(Path(folder))
        assume(path is not None)
        check_file(path)


@settings(max_examples=30, **CONFIG)
@given(st.sampled_from(sorted(CODECS)), st.sampled_from(USUAL), st.lists(st.sampled_from(USUAL), max_size=2))
def test_copies_between_containers(codec, container, copies):
    check(Muxing(codec, container, tuple(copies)))


@settings(max_examples=15, **CONFIG)
@given(st.sampled_from(sorted(CODECS)), st.sampled_from(USUAL), st.sampled_from(USUAL), st.integers(1, 20))
def test_beginnings_in_the_middle_of_a_group(codec, container, copy, first):
    check(Muxing(codec, container, (copy,), first_packet=first))


@settings(max_examples=15, **CONFIG)
@given(st.sampled_from(sorted(CODECS)), st.sampled_from(["ts", "mpg", "mkv", "h264", "hevc"]), st.booleans())
def test_joined_files(codec, container, begins_late):
    copies = (container,) if begins_late else ()
    check(Muxing(codec, container, copies, first_packet=5 if begins_late else 0, joined=True))


@settings(max_examples=15, **CONFIG)
@given(st.sampled_from(sorted(CODECS)), st.sampled_from(["ts", "mkv", "avi", "mpg", "flv"]), st.floats(0.3, 0.95))
def test_files_cut_off(codec, container, share):
    check(Muxing(codec, container, share=share))


@pytest.mark.parametrize("muxing", [Muxing("h264_b", "h264"), Muxing("h264_open", "avi"), Muxing("mpeg4_b", "avi")])
def test_files_cut_in_a_packet_that_then_does_not_decode(muxing, tmp_path):
    path = muxing.make(tmp_path)
    content = path.read_bytes()
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    for place, size in places[33:38]:
        path.write_bytes(content[: place + size // 8])
        check_file(path)


@pytest.mark.parametrize(
    "muxing",
    [
        Muxing("h264_open", "mp4", ("asf",), share=0.5959539938188296),
        Muxing("h264_open", "h264", ("flv",), share=0.8288330454827164),
        Muxing("mjpeg", "mov", ("asf",), share=0.7195407599983439),
    ],
)
def test_files_cut_in_the_last_packet(muxing, tmp_path):
    path = muxing.make(tmp_path)
    check_file(path)
    with open_source(path) as video:
        assert [video[i].shape for i in range(len(video))]
        assert path.name in video.notice


def test_a_file_cut_in_a_packet_says_where_it_ends(tmp_path):
    path = Muxing("h264_b", "h264").make(tmp_path)
    with av.open(str(path)) as container:
        place = [packet.pos for packet in container.demux(video=0)][36]
    path.write_bytes(path.read_bytes()[: place + 40])
    with open_source(path) as video:
        assert len(video) == 36
        assert read_number(video[35]) == 35
        assert video.notice == "made.h264: it ends at frame 35: the file is cut off, what follows does not decode"


@settings(max_examples=20, **CONFIG)
@given(
    st.sampled_from(["h264", "h264_b", "hevc_b", "mpeg4", "mpeg4_b", "mpeg2_b", "mjpeg"]),
    st.sampled_from(["mp4", "mov", "mkv"]),
    st.lists(st.integers(13, 47), min_size=1, max_size=2),
)
def test_damaged_packets(codec, container, ranks):
    check(Muxing(codec, container, damaged=tuple(ranks)))


@pytest.mark.parametrize(
    ("muxing", "counted"),
    [
        (Muxing("h264_b", "mp4"), False),
        (Muxing("h264", "avi"), False),
        (Muxing("hevc_b", "mov"), False),
        (Muxing("mjpeg", "avi"), False),
        (Muxing("mpeg4_b", "mp4"), False),
        (Muxing("h264_b", "ts"), False),
        (Muxing("h264_b", "avi", ("mp4",)), True),
        (Muxing("h264_b", "avi", ("mkv",)), True),
        (Muxing("h264_b", "ts", joined=True), True),
    ],
    ids=str,
)
def test_only_files_in_doubt_are_decoded_for_their_numbers(muxing, counted, tmp_path):
    path = muxing.make(tmp_path)
    assert path is not None
    assert load_or_build(path).counted == counted
