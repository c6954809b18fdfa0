"""The packet index, and its cache on disk."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from numbered_videos import Recipe, read_number

from napari_al_pose.domain import AlPoseError
from napari_al_pose.video import OpeningCancelledError, VideoFile, index_cache, open_source
from napari_al_pose.video.damage import Damage
from napari_al_pose.video.decoder import FrameDecoder
from napari_al_pose.video.numbering import build_index

PLAIN = Recipe("plain.mp4", "libx264", {"bf": "2", "b_strategy": "0"})
LATE = Recipe("late.mp4", "libx264", {"bf": "2", "b_strategy": "0"}, times=lambda i: i + 100)
VFR = Recipe("vfr.mp4", "libx264", {"bf": "3"}, times=lambda i: 40 * i + 500 * (i > 20), time_base=Fraction(1, 1000))
HEVC = Recipe("hevc.mov", "libx265", {"x265-params": "log-level=none:bframes=3"})
MPEG4 = Recipe("mpeg4.mp4", "mpeg4", {"bf": "2"})
FRAGMENTED = Recipe("fragmented.mp4", "libx264", {"bf": "2"}, muxing={"movflags": "frag_keyframe+empty_moov"})
HIDING = Recipe("hiding.mp4", "libx264", {"bf": "2"}, times=lambda i: i - 10, n_hidden=10)
LONG = Recipe("long.mkv", "mjpeg", n_frames=5000, pixels="yuvj420p", size=(128, 64))


@pytest.fixture
def video_path(written, tmp_path):
    return shutil.copy(written(PLAIN), tmp_path / "mouse.mp4")


def test_index_says_where_frames_are(video_path):
    index = build_index(video_path)
    assert len(index) == 60
    assert (np.diff(index.times) > 0).all()
    assert index.keyframes.tolist() == [0, 12, 24, 36, 48]
    assert [index.key_before(i) for i in (0, 11, 12, 59)] == [0, 0, 1, 4]
    assert [index.position(int(rank)) for rank in index.order] == list(range(60))
    assert index.position(60) == index.position(-1) == -1
    assert not index.counted
    assert index.fps == pytest.approx(25)


def test_second_open_reads_no_packets(video_path, own_index_cache, monkeypatch):
    open_source(video_path).close()
    assert len(list(own_index_cache.glob("*.npz"))) == 1

    def fail(*args, **kwargs):
        raise AssertionError("the index was built again")

    monkeypatch.setattr(index_cache, "build_index", fail)
    moved = video_path.with_name("renamed.mp4")
    os.rename(video_path, moved)
    with open_source(moved) as video:
        assert [read_number(video[i]) for i in (59, 3)] == [59, 3]


@pytest.mark.parametrize("recipe", [PLAIN, LATE, VFR, HEVC, MPEG4], ids=lambda recipe: recipe.file)
def test_a_file_opened_by_its_header_shows_the_same_pixels(written, recipe):
    path = written(recipe)
    index = build_index(path)
    assert index.by_header
    seen = []
    for known in (index, replace(index, by_header=False)):
        decoder = FrameDecoder(path, known, Damage(known))
        forward = dict(decoder.frames(0, len(known) - 1))
        seen.append({**forward, **{-i: frame for i in (50, 30, 10) for _, frame in decoder.frames(i, i)}})
        decoder.close()
    quick, thorough = seen
    assert list(quick) == list(thorough) == [*range(60), -50, -30, -10]
    assert all((quick[i] == thorough[i]).all() for i in quick)


@pytest.mark.parametrize("recipe", [FRAGMENTED, HIDING, LONG], ids=lambda recipe: recipe.file)
def test_a_file_whose_header_does_not_tell_all_is_opened_thoroughly(written, recipe):
    assert not build_index(written(recipe)).by_header


def test_cached_index_is_the_built_one(video_path, own_index_cache):
    built = index_cache.load_or_build(video_path)
    cached = index_cache.load_or_build(video_path)
    for field in ("times", "order", "pts", "sizes", "entries", "entry_ranks", "entry_dts", "entry_places"):
        np.testing.assert_array_equal(getattr(built, field), getattr(cached, field))
    for field in ("time_base", "fps", "notice", "counted", "seekable", "times_restart", "reorder_depth", "by_header"):
        assert getattr(built, field) == getattr(cached, field)


def test_a_changed_file_is_indexed_again(video_path, written):
    with open_source(video_path) as video:
        assert len(video) == 60
    shutil.copy(written(Recipe("short.mp4", "libx264", n_frames=20)), video_path)
    with open_source(video_path) as video:
        assert len(video) == 20


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(b"PK\x03\x04 and then nothing"),
        lambda file: file.write_bytes(file.read_bytes()[:-200]),
        lambda file: np.savez(file, times=np.arange(3)),
        lambda file: np.savez(
            file, times=np.arange(3), keys=np.full((3, 1), 7), time_base=np.array([1, 25]), fps=25.0, notice=""
        ),
        lambda file: np.savez(file, times=np.array([{}], object), allow_pickle=True),
    ],
    ids=["empty", "no zip", "cut", "other arrays", "keyframe beyond the end", "pickle"],
)
def test_a_damaged_cache_is_built_again(video_path, own_index_cache, damage):
    open_source(video_path).close()
    (cached,) = own_index_cache.glob("*.npz")
    damage(cached)
    with open_source(video_path) as video:
        assert read_number(video[42]) == 42
    assert index_cache.load_index(cached) is not None


def test_a_cache_that_cannot_be_written_is_done_without(video_path, own_index_cache, monkeypatch):
    monkeypatch.setattr(index_cache, "cache_folder", lambda: video_path / "no" / "folder")
    with open_source(video_path) as video:
        assert read_number(video[42]) == 42


def test_the_cache_forgets_the_indexes_used_longest_ago(written, own_index_cache, monkeypatch):
    paths = [written(PLAIN), written(Recipe("short.mp4", "libx264", n_frames=20)), written(LONG)]
    plain, short, long = [own_index_cache / f"{index_cache.file_identity(path)}.npz" for path in paths]
    for age, path in enumerate(paths):
        open_source(path).close()
        os.utime([plain, short, long][age], (1000 + age, 1000 + age))
    monkeypatch.setattr(index_cache, "_MAX_BYTES", sum(file.stat().st_size for file in (plain, short, long)) - 1)
    open_source(paths[0]).close()  # used again
    long.unlink()
    open_source(paths[2]).close()
    assert (plain.exists(), short.exists(), long.exists()) == (True, False, True)
    monkeypatch.setattr(index_cache, "_MAX_BYTES", 0)
    open_source(paths[1]).close()
    assert [file.stem for file in own_index_cache.iterdir()] == [short.stem]


def test_progress_and_cancelling(written, own_index_cache):
    path = written(LONG)
    told: list[tuple[int, int]] = []
    with pytest.raises(OpeningCancelledError, match=r"long\.mkv"):
        open_source(path, progress=lambda done, total: told.append((done, total)), cancelled=lambda: bool(told))
    assert 0 < told[0][0] < told[0][1]
    assert not list(own_index_cache.iterdir())
    with open_source(path, progress=lambda done, total: told.append((done, total))) as video:
        assert len(video) == 5000
    assert told[-1][0] == told[-1][1]


def test_no_such_file(tmp_path):
    with pytest.raises(AlPoseError, match=r"nowhere\.mp4.*no such file"):
        open_source(tmp_path / "nowhere.mp4")


@pytest.mark.parametrize("content", [b"", b"not a video at all\n" * 100], ids=["empty", "text"])
def test_not_a_video(tmp_path, content):
    path = tmp_path / "notes.mp4"
    path.write_bytes(content)
    with pytest.raises(AlPoseError, match=r"notes\.mp4") as error:
        VideoFile(path)
    assert error.value.hint


def test_a_sound_file_is_not_a_video(tmp_path):
    import wave

    with wave.open(str(tmp_path / "squeak.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16000))
    with pytest.raises(AlPoseError, match=r"squeak\.wav.*without a video stream"):
        open_source(tmp_path / "squeak.wav")


def test_a_video_without_frames(tmp_path):
    import av

    path = tmp_path / "none.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p"
        container.mux(stream.encode())
    with pytest.raises(AlPoseError, match=r"none\.mp4"):
        open_source(path)
