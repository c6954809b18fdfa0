"""Videos whose seeks lie are found out, and both ways out give every frame under its number."""

from __future__ import annotations

import random
import shutil
import signal
import sys
import threading
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from muxings import damage, read_every_way
from numbered_videos import Recipe, read_number, write_with_false_keyframes
from test_video_exact import AVI_B, OPEN_GOP, REFRESH, TS, VFR
from test_video_reading import turn_in_header

from napari_al_pose.domain import AlPoseError
from napari_al_pose.video import (
    OpeningCancelledError,
    Verdict,
    VideoFile,
    choose_remedy,
    index_cache,
    known_verdict,
    open_source,
    verify,
    write_exact_copy,
)
from napari_al_pose.video.numbering import build_index
from napari_al_pose.video.seeking import PacketSource
from napari_al_pose.video.verification import chosen_frames

HONEST = Recipe("honest.mp4", "mpeg4", n_frames=120, gop=120)
N = HONEST.n_frames


@pytest.fixture
def lying(written, tmp_path):
    return write_with_false_keyframes(tmp_path / "cage1.mp4", written(HONEST))


def n_wrong(video, *, sound_only=False) -> int:
    wrong = 0
    for i in random.Random(0).sample(range(len(video)), len(video)):
        if sound_only and video.is_damaged(i):
            continue
        try:
            wrong += read_number(video[i]) != i
        except ValueError:
            wrong += 1
    return wrong


@pytest.mark.parametrize("recipe", [HONEST, OPEN_GOP, AVI_B, TS, VFR, REFRESH], ids=lambda recipe: recipe.file)
def test_honest_videos_are_found_exact(written, recipe):
    path = written(recipe)
    verdict = verify(path, build_index(path))
    assert verdict.exact
    assert verdict.n_compared >= 4
    assert known_verdict(path) == verdict


def test_false_keyframes_are_found_out(lying):
    with open_source(lying) as video:
        assert n_wrong(video) > 10
        verdict = verify(lying, video.index)
    assert not verdict.exact
    assert verdict.differs_at >= 5
    assert known_verdict(lying) == verdict


def test_a_decoder_that_has_to_see_the_first_frame_is_found_out(data_dir, tmp_path, monkeypatch):
    """Openfield's video is 4:4:4 by an old x264, and decodes to garbage in a decoder that does not know that."""
    path = data_dir / "openfield-Pranav-2018-10-30" / "videos" / "m3v1mp4.mp4"
    index = build_index(path)
    assert verify(path, index).exact
    monkeypatch.setattr(PacketSource, "_show_first_packet", lambda self: None)
    assert not verify(path, index).exact


def test_decoding_forwards_is_exact(lying):
    choose_remedy(lying, "forward")
    with open_source(lying) as video:
        assert video.keyframes.tolist() == [0]
        assert n_wrong(video) == 0


def test_a_copy_is_exact_and_the_original_untouched(lying):
    before = lying.read_bytes()
    with open_source(lying) as video:
        frames = [video[i].copy() for i in range(N)]  # forwards, where nothing is wrong
    told = []
    copy = write_exact_copy(lying, progress=lambda done, total: told.append((done, total)))
    assert (copy.parent.name, copy.name) == ("exact copies", "cage1.mp4")
    assert told[-1] == (N, N)
    choose_remedy(lying, "copy", copy)
    with open_source(lying) as video:
        assert (video.name, len(video), video.fps) == ("cage1", N, pytest.approx(25))
        assert n_wrong(video) == 0
        for i in reversed(range(N)):
            np.testing.assert_array_equal(video[i], frames[i])
    assert lying.read_bytes() == before
    copy.unlink()
    with open_source(lying) as video:  # as it was, rather than not at all
        assert n_wrong(video) > 10


@pytest.mark.parametrize(
    "recipe",
    [
        VFR,
        AVI_B,
        Recipe("odd.mkv", "ffv1", pixels="yuv444p", size=(131, 67)),
        Recipe("ten_bits.mkv", "ffv1", pixels="yuv420p10le"),
        Recipe("alpha.mkv", "ffv1", pixels="bgra"),
        Recipe("grey16.mkv", "ffv1", pixels="gray16le"),
        Recipe("mjpeg.avi", "mjpeg", pixels="yuvj420p"),
    ],
    ids=lambda recipe: recipe.file,
)
def test_copies_keep_pixels_and_times_of_every_kind(written, recipe, tmp_path):
    path = shutil.copy(written(recipe), tmp_path / recipe.file)
    with VideoFile(path) as video, VideoFile(write_exact_copy(path)) as copy:
        assert len(video) == len(copy) == recipe.n_frames
        for i in range(0, len(video), 7):
            np.testing.assert_array_equal(copy[i], video[i])
            assert copy.seconds(i) == pytest.approx(video.seconds(i), abs=2e-3)


def test_a_turned_video_is_copied_upright(written, tmp_path):
    path = shutil.copy(written(HONEST), tmp_path / "turned.mp4")
    turn_in_header(path, (0, 1, -1, 0))
    with VideoFile(path) as video, VideoFile(write_exact_copy(path)) as copy:
        np.testing.assert_array_equal(copy[30], video[30])


def test_frames_that_do_not_decode_keep_their_place(written, tmp_path):
    path = shutil.copy(written(Recipe("whole.mp4", "libx264", {"bf": "0"}, n_frames=90)), tmp_path / "torn.mp4")
    index = build_index(path)
    content = bytearray(path.read_bytes())
    for size, at in zip(index.sizes[index.entry_ranks[3:4]].tolist(), [content.index(_packet(path, 36))], strict=True):
        content[at : at + size] = b"\xff" * size
    path.write_bytes(content)
    with VideoFile(write_exact_copy(path)) as copy:
        assert len(copy) == 90
        assert [read_number(copy[i]) for i in (35, 48, 89)] == [35, 48, 89]


def _packet(path, number):
    import av

    with av.open(str(path)) as container:
        return bytes([packet for packet in container.demux(video=0) if packet.size][number])


def test_a_copy_given_up_leaves_nothing(lying):
    told = []
    with pytest.raises(OpeningCancelledError, match=r"cage1\.mp4"):
        write_exact_copy(lying, progress=lambda *now: told.append(now), cancelled=lambda: len(told) > 1)
    assert not list((lying.parent / "exact copies").iterdir())


def test_a_copy_where_nothing_can_be_written(lying):
    (lying.parent / "exact copies").write_text("in the way")
    with pytest.raises(AlPoseError, match="exact copies"):
        write_exact_copy(lying)


def test_a_check_given_up_is_not_remembered(lying):
    assert verify(lying, build_index(lying), cancelled=lambda: True) is None
    assert known_verdict(lying) is None


@pytest.mark.skipif(sys.platform == "win32", reason="no thread can be sent a signal")
def test_an_interrupted_check_leaves_no_thread(written, request):
    # Whoever starts the tests in the background of a script has them ignore it.
    request.addfinalizer(
        partial(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, signal.default_int_handler))
    )

    def interrupt(done, _total):
        if done == 0:  # as Ctrl+C does
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    path = written(HONEST)
    with pytest.raises(KeyboardInterrupt):
        verify(path, build_index(path), progress=interrupt)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("verify")]


def test_a_changed_file_is_unknown_again(lying, written):
    verify(lying, build_index(lying))
    shutil.copy(written(HONEST), lying)
    assert known_verdict(lying) is None


@pytest.fixture
def unsteady(written, tmp_path):
    """A video in which frames 60 to 71 look different after a seek, and no decoder says why."""
    honest = written(Recipe("twelves.mp4", "mpeg4", n_frames=120, gop=24))
    return write_with_false_keyframes(tmp_path / "cage1.mp4", honest, lambda number: number == 60)


def test_a_stretch_that_depends_on_the_way_to_it_is_named_and_then_always_the_same(unsteady):
    with open_source(unsteady, cache_bytes=0) as video:
        after_seek = video[70].copy()
        assert (after_seek != [video[i] for i in range(71)][70]).any()
        assert video.notice == ""
        verdict = verify(unsteady, video.index)
        video.take_in(verdict)
        assert "12 frames come from damaged data: 60 to 71;" in video.notice
        assert [i for i in range(N) if video.is_damaged(i)] == list(range(60, 72))
    assert verdict.exact
    assert verdict.differs_at == -1
    _, is_damaged, notice = read_every_way(unsteady)  # fails where a picture depends on the way to it
    assert is_damaged == list(range(60, 72))
    assert "cage1.mp4" in notice


def test_pictures_decoded_before_damage_was_known_are_forgotten(unsteady):
    with open_source(unsteady) as video:
        before = video[70].copy()
        video.take_in(verify(unsteady, video.index))
        assert (video[70] != before).any()


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"exact": true, "other": 1}'])
def test_a_damaged_record_counts_as_none(lying, own_index_cache, content):
    verify(lying, build_index(lying))
    (record,) = own_index_cache.glob("*.json")
    record.write_text(content)
    assert known_verdict(lying) is None


def test_comparisons_are_spread_over_the_whole_file(written):
    index = build_index(written(Recipe("many.mkv", "mjpeg", n_frames=800, pixels="yuvj420p")))
    chosen = chosen_frames(index, 128 * 64)
    assert all(any(start <= position < start + 100 for position in chosen) for start in range(0, 800, 100))


def test_one_frame_is_compared_too(written):
    path = written(Recipe("single.mp4", "libx264", n_frames=1))
    verdict = verify(path, build_index(path))
    assert (verdict.exact, verdict.n_compared) == (True, 1)


def test_wrong_numbers_are_found_and_put_right(written):
    path = written(HONEST)
    index = index_cache.load_or_build(path)
    order = index.order.copy()
    order[[40, 41]] = order[[41, 40]]
    wrong = replace(index, order=order)
    index_cache.save_index(wrong, index_cache.cache_folder() / f"{index_cache.file_identity(path)}.npz")
    with open_source(path) as video:
        verdict = verify(path, video.index)
    assert verdict.renumbered_from == 40
    assert verdict.exact
    assert known_verdict(path).renumbered_from == -1
    with open_source(path) as video:
        assert video.index.counted
        assert n_wrong(video) == 0


@pytest.fixture
def damaged(written, tmp_path):
    path = shutil.copy(written(Recipe("whole.mp4", "libx264", {"bf": "0"}, n_frames=90)), tmp_path / "damaged.mp4")
    damage(path, (30,))
    return path


def test_damage_is_known_by_number_from_then_on(damaged):
    with open_source(damaged) as video:
        assert video.notice == ""
        verdict = verify(damaged, video.index)
        video.take_in(verdict)
        assert video.is_damaged(30)
    assert verdict.exact
    with open_source(damaged) as video:
        assert "30; they are shown as stripes, and 5 frames come from damaged data: 31 to 35" in video.notice
        assert [i for i in range(90) if video.is_damaged(i)] == list(range(30, 36))
        assert n_wrong(video, sound_only=True) == 0


@pytest.mark.parametrize("found", [{}, {"missing": [[0, 900]]}, {"missing": 3}, {"missing": [["a", 1]]}, {"x": []}])
def test_a_record_of_damage_that_does_not_fit_is_passed_over(damaged, found):
    with open_source(damaged) as video:
        video.take_in(Verdict(True, 3, damage=found))
        assert read_number(video[80]) == 80
