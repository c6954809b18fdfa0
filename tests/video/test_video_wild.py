"""Files as other people's cameras and programs write them."""

from __future__ import annotations

import struct

import av
import numpy as np
import pytest
from muxings import check_file, damage, plain_numbers
from numbered_videos import Recipe, draw_number, read_number

from napari_al_pose.video import open_source

N = 30


def exif(orientation: int) -> bytes:
    """Return a JPEG segment that says how a picture is turned (Exif 2.3: tag 0x0112)."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    body = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0)
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


def write_with_exif(path, honest, orientation):
    """Put EXIF into each picture of an MJPEG video, as Canon's cameras do."""
    with av.open(str(honest)) as source, av.open(str(path), "w") as target:
        template = source.streams.video[0]
        stream = target.add_stream_from_template(template)
        for packet in source.demux(template):
            if not packet.size:
                continue
            content = bytes(packet)
            copy = av.Packet(content[:2] + exif(orientation) + content[2:])
            copy.stream, copy.pts, copy.dts, copy.is_keyframe = stream, packet.dts, packet.dts, True
            copy.time_base = packet.time_base
            target.mux(copy)
    return path


@pytest.mark.parametrize(
    ("orientation", "turns"), [(1, 0), (3, 2), (6, -1), (8, 1)], ids=["upright", "head down", "right", "left"]
)
def test_pictures_that_carry_exif(written, tmp_path, orientation, turns):
    honest = written(Recipe("exif.avi", "mjpeg", {"qscale": "2"}, n_frames=N, pixels="yuvj420p"))
    path = write_with_exif(tmp_path / "canon.avi", honest, orientation)
    with open_source(path) as video:
        assert len(video) == N
        for i in (0, N - 1, 7, 6):
            assert read_number(np.rot90(video[i], -turns)) == i
        assert video.notice == ""


@pytest.mark.parametrize("container", ["mp4", "mkv", "mov"])
def test_an_unmarked_cover_before_the_film(tmp_path, container):
    path = tmp_path / f"cover.{container}"
    with av.open(str(path), "w") as target:
        cover = target.add_stream("mjpeg", rate=25)
        film = target.add_stream("libx264", rate=25, options={"bf": "2"})
        for stream, pixels in ((cover, "yuvj420p"), (film, "yuv420p")):
            stream.width, stream.height, stream.pix_fmt = 128, 64, pixels
        for stream, numbers in ((cover, [999]), (film, range(N))):
            for i, number in enumerate(numbers):
                frame = av.VideoFrame.from_ndarray(draw_number(number), format="rgb24")
                frame.pts = i
                target.mux(stream.encode(frame))
            target.mux(stream.encode())
    with open_source(path) as video:
        assert [read_number(frame) for frame in video] == list(range(N))


@pytest.mark.parametrize("codec", ["libx264", "mjpeg", "mpeg4"])
def test_dropped_frames_in_avi_are_no_end(tmp_path, codec):
    """A recorder that drops frames writes empty packets, and counts them in the header."""
    path = tmp_path / "dropped.avi"
    with av.open(str(path), "w") as target:
        stream = target.add_stream(codec, rate=25, options={"bf": "2"} if codec == "libx264" else {})
        stream.width, stream.height = 128, 64
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        packets = []
        for i in range(60):
            frame = av.VideoFrame.from_ndarray(draw_number(i), format="rgb24")
            frame.pts = i
            packets += stream.encode(frame)
        packets += stream.encode()
        for rank, packet in enumerate(packets):
            packet.pts = packet.dts = rank + 4 * (rank // 10)
            target.mux(packet)
    with open_source(path) as video:
        assert [read_number(frame) for frame in video] == list(range(60))
        assert video.notice == ""
    assert check_file(path) == "right"


def test_an_avi_that_is_cut_off_still_says_so(written, tmp_path):
    whole = written(Recipe("long.avi", "mjpeg", n_frames=90, pixels="yuvj420p")).read_bytes()
    path = tmp_path / "cut.avi"
    path.write_bytes(whole[: len(whole) // 2])
    with open_source(path) as video:
        assert 0 <= len(video) - len(plain_numbers(path)) <= 1  # the last picture may be torn
        assert "cut off" in video.notice or "stops" in video.notice


def test_a_damaged_keyframe_looks_the_same_from_everywhere(written, tmp_path):
    path = tmp_path / "corrupt.mp4"
    path.write_bytes(written(Recipe("sound.mp4", "libx264", {"bf": "3", "b_strategy": "0"}, n_frames=60)).read_bytes())
    damage(path, (24,))
    assert check_file(path) == "right but for damage that is named"
    with open_source(path) as video:
        video[30]
        assert {*range(24, 36)} <= {i for i in range(60) if video.is_damaged(i)} | {24}


@pytest.mark.parametrize("codec", ["wmv2", "msmpeg4", "msmpeg4v2"])
def test_a_cut_avi_that_calls_every_packet_a_keyframe(written, tmp_path, codec):
    recipe = Recipe(f"{codec}.avi", codec, {"qscale": "2"}, n_frames=60)
    path = tmp_path / "cut.avi"
    whole = written(recipe).read_bytes()
    path.write_bytes(whole[: whole.rindex(b"idx1") - 60])
    with open_source(path, cache_bytes=0) as video:
        assert len(video.keyframes) < 10
        assert len(video) > 10
        for i in (len(video) - 5, 3, 1, *range(len(video) - 4)):
            assert read_number(video[i]) == i


def test_what_is_torn_at_the_end_has_no_number(written, tmp_path):
    whole = written(Recipe("flash.flv", "libx264", {"bf": "0"}, n_frames=90)).read_bytes()
    path = tmp_path / "cut.flv"
    path.write_bytes(whole[: len(whole) // 2])
    with open_source(path) as video:
        assert "cut off" in video.notice
        assert [read_number(frame) for frame in video] == list(range(len(video)))
        assert "not decode" not in video.notice
