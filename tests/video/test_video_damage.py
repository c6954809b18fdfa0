"""Cut and damaged files: what decodes is shown under its number, the rest is marked as such."""

from __future__ import annotations

import errno
import itertools
import random
import shutil
from types import SimpleNamespace

import av
import numpy as np
import pytest
from muxings import CODECS, Muxing, plain_numbers, read_every_way
from numbered_videos import Recipe, read_number, write_video

from napari_al_pose.domain import AlPoseError
from napari_al_pose.video import numbering, open_source
from napari_al_pose.video.container import open_container
from napari_al_pose.video.index_cache import load_or_build, renumber
from napari_al_pose.video.leftovers import DecodedTwice, Leftovers, leftover_search
from napari_al_pose.video.pixels import placeholder
from napari_al_pose.video.verification import verify

B = {"bf": "2", "b_strategy": "0"}
CUTTABLE = [
    Recipe("cut.mkv", "libx264", B, n_frames=120, size=(192, 96)),
    Recipe("cut.avi", "mpeg4", n_frames=120, size=(192, 96)),
    Recipe("cut_h264.avi", "libx264", B, n_frames=120, size=(192, 96)),
    Recipe("cut.ts", "libx264", B, n_frames=120, size=(192, 96)),
    Recipe("front.mp4", "libx264", B, n_frames=120, size=(192, 96), muxing={"movflags": "faststart"}),
]


def cut(path, tmp_path, share=0.5):
    whole = path.read_bytes()
    half = tmp_path / path.name
    half.write_bytes(whole[: int(len(whole) * share)])
    return half


@pytest.mark.parametrize("recipe", CUTTABLE, ids=lambda recipe: recipe.file)
def test_a_file_cut_in_half_shows_its_half(recipe, written, tmp_path):
    with open_source(cut(written(recipe), tmp_path)) as video:
        n_frames = len(video)
        assert 20 < n_frames < 110
        readable = range(n_frames - 3)  # the very last ones may be torn
        for i in random.Random(0).sample(readable, len(readable)):
            assert read_number(video[i]) == i
        for i in range(n_frames - 3, n_frames):
            assert video[i].shape == video.shape[1:]
        if not recipe.file.endswith(".ts"):  # a transport stream promises nothing
            assert recipe.file in video.notice
            assert "cut off" in video.notice or "stops" in video.notice


@pytest.mark.parametrize("name", ["cut.mp4", "cut.mov"])
def test_a_cut_file_without_its_table_says_what_to_do(name, written, tmp_path):
    path = cut(written(Recipe(name, "libx264", n_frames=120, size=(192, 96))), tmp_path)
    with pytest.raises(AlPoseError, match=name) as error:
        open_source(path)
    assert "copy the file again" in error.value.hint


@pytest.fixture
def torn(written, tmp_path):
    """A video in which the packets of frames 30 to 40, keyframe 36 among them, are overwritten."""
    path = tmp_path / "torn.mp4"
    shutil.copy(written(Recipe("whole.mp4", "libx264", {"bf": "0"}, n_frames=90)), path)
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    with path.open("r+b") as file:
        for position, size in places[30:41]:
            file.seek(position)
            file.write(b"\xff" * size)
    return path


@pytest.mark.parametrize("order", ["forward", "backward", "random"])
def test_a_hole_in_a_file(torn, order):
    with open_source(torn) as video:
        assert len(video) == 90
        assert video.notice == ""
        positions = list(range(90))
        if order == "backward":
            positions.reverse()
        elif order == "random":
            random.Random(1).shuffle(positions)
        shown = {i: video[i] for i in positions}
        for i in [*range(30), *range(48, 90)]:
            assert read_number(shown[i]) == i
        np.testing.assert_array_equal(shown[32], placeholder(*video.shape[1:3]))
        assert "torn.mp4" in video.notice
        assert "11 frames do not decode: 30 to 40;" in video.notice
        assert "7 frames come from damaged data: 41 to 47;" in video.notice
        assert [i for i in range(90) if video.is_damaged(i)] == list(range(30, 48))


def test_a_hole_is_not_decoded_again(torn):
    with open_source(torn, cache_bytes=0) as video:
        video[33]
        video._decoder.close()
        assert (video[33] == placeholder(*video.shape[1:3])).all()


def test_prefetching_a_hole_does_no_harm(torn):
    with open_source(torn) as video:
        video.prefetch([33, 60])
        while not video.cached(60):
            pass
        assert read_number(video[60]) == 60


def test_nothing_that_decodes(written, tmp_path):
    path = tmp_path / "dead.mp4"
    shutil.copy(written(Recipe("alive.mp4", "libx264", n_frames=30)), path)
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    with path.open("r+b") as file:
        for position, size in places:
            file.seek(position)
            file.write(b"\xff" * size)
    with pytest.raises(AlPoseError, match=r"dead\.mp4.*none decodes"):
        open_source(path)


class FailingDrive:
    """A container on a drive that goes away after some packets."""

    def __init__(self, container, n_packets):
        self._container, self._n_packets = container, n_packets

    def __getattr__(self, name):
        return getattr(self._container, name)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self._container.close()

    def demux(self, stream):
        yield from itertools.islice(self._container.demux(stream), self._n_packets)
        raise av.error.OSError(errno.EIO, "Input/output error", "cage1.mp4")


def test_a_drive_that_goes_away_while_indexing(written, monkeypatch, own_index_cache):
    path = written(CUTTABLE[0])
    monkeypatch.setattr(numbering, "open_container", lambda path: FailingDrive(open_container(path), 50))
    with pytest.raises(AlPoseError, match=r"cut\.mkv failed.*drive"):
        open_source(path)
    assert not list(own_index_cache.iterdir())


def test_a_drive_that_goes_away_while_reading(written):
    with open_source(written(CUTTABLE[0])) as video:
        source = video._decoder._source
        container = source._container
        source._container = FailingDrive(container, 3)
        with pytest.raises(AlPoseError, match=r"cut\.mkv failed.*drive"):
            video[40]
        source._container = container
        assert read_number(video[100]) == 100
        assert read_number(video[35]) == 35
        assert video.notice == ""


def test_the_placeholder_is_seen():
    picture = placeholder(48, 64)
    assert picture.shape == (48, 64, 3)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) == 3


SWALLOWED = [
    Muxing("hevc_b", "flv", ("mkv",), damaged=(33, 21)),
    Muxing("hevc_b", "mp4", damaged=(22,)),
    Muxing("mjpeg", "avi", damaged=(30,)),
    Muxing("vp8", "webm", damaged=(12,)),
    Muxing("vp8", "webm", damaged=(25,)),
    Muxing("vp8", "mkv", damaged=(34,), share=0.5),
    Muxing("ffv1", "asf", damaged=(30, 0, 32)),
    Muxing("ffv1", "mkv", damaged=(24,)),
    Muxing("ffv1_old", "avi", damaged=(12,)),
    Muxing("ffv1_old", "mkv", damaged=(31,)),
]


@pytest.mark.parametrize("muxing", SWALLOWED, ids=str)
def test_damage_that_the_decoder_passes_over_is_named_and_looks_the_same_every_time(muxing, tmp_path):
    path = muxing.make(tmp_path)
    numbers, damaged, notice = read_every_way(path)
    assert damaged
    assert path.name in notice
    assert all(numbers[i] in (i, None) for i in range(len(numbers)) if i not in damaged)
    verdict = verify(path, load_or_build(path))
    assert verdict.damage["spoilt"]


RARE = {
    "exr": ("grayf32le", "mov"),
    "jpegls": ("bgr24", "avi"),
    "msvideo1": ("rgb555le", "avi"),
    "qtrle": ("rgb24", "mov"),
    "speedhq": ("yuv420p", "avi"),
    "tiff": ("yuv420p", "mov"),
}


@pytest.mark.parametrize("codec", RARE)
def test_rare_decoders_pass_over_damage_too(codec, tmp_path, monkeypatch):
    pixels, container = RARE[codec]
    monkeypatch.setitem(CODECS, codec, Recipe("", codec, pixels=pixels))
    for place in (0, 12, 39):
        path = Muxing(codec, container, damaged=(place,)).make(tmp_path)
        if path is None:
            pytest.skip(f"FFmpeg does not encode {codec} here")
        read_every_way(path)


@pytest.mark.parametrize("codec", ["hevc_b", "mjpeg", "vp8", "ffv1", "ffv1_old"])
def test_sound_files_are_not_looked_at_twice(codec, tmp_path):
    path = Muxing(codec, "mkv").make(tmp_path)
    with open_source(path, cache_bytes=0) as video:
        for position in [*range(48), *range(47, 0, -5)]:
            assert read_number(video[position]) == position
        assert not video.damage.state()["examined"]


@pytest.mark.parametrize(("share", "comes_out"), [(0.68, True), (0.7, False)])
def test_a_torn_last_picture_is_a_frame_if_it_comes_out(share, comes_out, tmp_path):
    """Others count it as well. Its rest is what memory held, so nothing is learnt from it."""
    path = Muxing("mjpeg", "avi", share=share).make(tmp_path)
    numbers, damaged, notice = read_every_way(path)
    last = len(numbers) - 1
    assert len(numbers) == len(plain_numbers(path))
    assert damaged == [last] * comes_out
    assert f"ends at frame {last}: the file is cut off (its header promises about 48 frames, {last + 1} are" in notice
    assert (f"1 frame does not decode: {last}" in notice) == comes_out


def test_reading_goes_on_once_the_decoder_is_strict_no_longer(tmp_path):
    """It opens the file anew then. What had been begun went on to read the old one, and that ended the process."""
    path = Muxing("hevc_b", "mkv").make(tmp_path)
    with open_source(path, cache_bytes=0) as video:
        assert read_number(video[2]) == 2
        for suspected in (0, 12, 24, 36):  # false alarms, after which it is lenient
            video.damage.suspect(suspected)
            assert read_number(video[suspected]) == suspected
        assert video.damage.cries_wolf
        for position in (3, 14, 47, 1):
            assert read_number(video[position]) == position


def test_a_decoder_that_was_told_nothing_is_decoded_twice_too():
    """Where nothing was decoded to find out about the streams, not even the format of the pixels is known."""
    assert isinstance(leftover_search(av.CodecContext.create("vp8", "r")), DecodedTwice)


def test_what_memory_held_before_is_seen_in_a_frame():
    moving = np.random.default_rng(0).integers(0, 255, (12, 64, 64), np.uint8)
    leftovers = Leftovers()
    for picture in moving[:10]:
        assert not leftovers.are_in(at(1 + int(picture[0, 0]), picture))
    place = 1 + int(moving[3, 0, 0])
    half = np.concatenate([moving[10, :32], moving[3, 32:]])
    assert leftovers.are_in(at(place, half))
    assert not leftovers.are_in(at(place, moving[11]))
    assert not leftovers.are_in(at(place, moving[11]))  # nothing moves


def at(place, picture):
    """A frame of one plane that lies somewhere in memory."""

    class Plane(bytes):
        buffer_ptr, line_size = place, picture.shape[1]

    return SimpleNamespace(planes=[Plane(picture.tobytes())], height=picture.shape[0], width=picture.shape[1])


@pytest.mark.parametrize("codec", ["mpeg4", "h264"])
def test_frames_after_one_that_got_no_number_are_named(codec, tmp_path):
    """Of files whose frames were counted nobody misses a frame that does not decode, but others refer to it."""
    path = Muxing(codec, "mp4").make(tmp_path)
    with av.open(str(path)) as container:
        place, size = [(packet.pos, packet.size) for packet in container.demux(video=0)][18]
    with path.open("r+b") as file:
        file.seek(place)
        file.write(b"\xff" * size)
    renumber(path)
    numbers, damaged, notice = read_every_way(path)
    assert numbers == plain_numbers(path)
    assert [number for i, number in enumerate(numbers) if i not in damaged] == [*range(18), *range(24, 48)]
    assert damaged == [*range(18, 23)]
    assert notice == (
        "made.mp4: near frame 18, data that does not decode has no frame number, and 5 frames come from damaged data: "
        "18 to 22; they are not used for training"
    )


def test_the_check_finds_frames_that_do_not_come(tmp_path):
    path = Muxing("mpeg2_b", "avi").make(tmp_path)
    with av.open(str(path)) as container:
        place, size = [(packet.pos, packet.size) for packet in container.demux(video=0)][22]
    with path.open("r+b") as file:
        file.seek(place + 8)  # behind the chunk's header
        file.write(bytes(size))
    verdict = verify(path, load_or_build(path))
    assert verdict.damage["missing"] == [[21, 21]]
    assert verdict.damage["spoilt"] == [[21, 22], [24, 34]]


def test_a_damaged_packet_does_not_change_the_frames_of_other_groups(tmp_path):
    """Decoders keep what a damaged packet says of how to decode, and a jump does not make them forget it."""
    path, other = tmp_path / "damaged.mkv", tmp_path / "other.mkv"
    write_video(path, Recipe("", "libx264", B, n_frames=48))
    write_video(other, Recipe("", "libx264", {**B, "x264-params": "8x8dct=0"}, n_frames=48))
    with av.open(str(path)) as container:
        key = [bytes(packet) for packet in container.demux(video=0)][12]
    changed = _picture_parameters(other)
    stated = len(changed).to_bytes(4, "big") + changed
    rest = key[4 : len(key) - len(stated)]
    content = path.read_bytes()
    assert content.count(key) == 1
    path.write_bytes(content.replace(key, stated + len(rest).to_bytes(4, "big") + rest))
    numbers, damaged, _ = read_every_way(path)
    assert numbers[:12] == [*range(12)]
    assert numbers[24:] == [*range(24, 48)]
    assert damaged == [*range(12, 24)]


@pytest.mark.parametrize("seed", [7, 27])
def test_damage_near_the_first_frame_changes_no_frame_after_a_jump(seed, tmp_path):
    """A decoder is shown the first packet before it starts elsewhere, and no more: what follows may be damaged."""
    path = Muxing("h264_b", "mp4").make(tmp_path)
    far = [24, *range(23, 11, -1), 40, 30]
    with open_source(path, cache_bytes=0) as video:
        sound = {i: video[i].copy() for i in far}
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0)]
    place, size = packets[1 + seed % 3]
    rng = random.Random(seed)
    place, stop = place + rng.randrange(4, 16), place + size + 10
    with path.open("r+b") as file:
        file.seek(place)
        file.write(rng.randbytes(stop - place))
    with open_source(path, cache_bytes=0) as video:
        for i in far:
            np.testing.assert_array_equal(video[i], sound[i], err_msg=f"frame {i}")


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize(("first", "lost"), [(24, (41,)), (0, (17, 41)), (0, (17,))])
def test_frames_after_a_lost_one_look_the_same_every_time(first, lost, suffix, tmp_path):
    """A decoder takes another frame for one that was lost, and says nothing; which one depends on the way."""
    whole, path = Muxing("h264_b", "mp4").make(tmp_path), tmp_path / f"lost.{suffix}"
    with av.open(str(whole)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for i, packet in enumerate(source.demux(video=0)):
            if packet.size and i >= first and i not in lost:
                packet.stream = stream
                target.mux(packet)
    verdict = verify(path, load_or_build(path))
    _, damaged, _ = read_every_way(path)
    assert damaged or not verdict.exact


@pytest.mark.parametrize("packets", [(26,), (26, 10)])
def test_frames_after_a_decoder_fell_silent_are_shown_before_and_after_the_check(packets, tmp_path):
    """A damaged packet may silence FFmpeg's decoder to the end; whoever starts at a keyframe after it sees all."""
    path = Muxing("h264_open", "mov", damaged=packets).make(tmp_path)
    assert len(plain_numbers(path)) < 30
    before = read_every_way(path)
    verify(path, load_or_build(path))
    numbers, damaged, notice = read_every_way(path)
    assert numbers[36:] == [*range(36, 48)]
    assert (numbers, damaged, notice) == before
    assert "28 to 35" in notice


def _picture_parameters(path):
    """Return the picture parameter set in the header (ISO/IEC 14496-15, 5.3.3)."""
    with av.open(str(path)) as container:
        header = container.streams.video[0].codec_context.extradata
    at = 8 + int.from_bytes(header[6:8], "big") + 1
    return header[at + 2 : at + 2 + int.from_bytes(header[at : at + 2], "big")]


def test_sound_that_begins_late_in_an_flv_file_is_passed_over(tmp_path):
    path = write_video(tmp_path / "v.flv", Recipe("v.flv", "flv"))
    sound = b"\x2f" + bytes(200)
    tag = b"\x08" + len(sound).to_bytes(3, "big") + bytes(7) + sound
    path.write_bytes(path.read_bytes() + tag + len(tag).to_bytes(4, "big"))
    found, wrong, _ = read_every_way(path)
    assert found == list(range(60))
    assert not wrong
