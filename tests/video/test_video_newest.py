"""A read nobody wants any more ends at once, and many videos one after another leave nothing behind."""

from __future__ import annotations

import gc
import os
import sys
import threading

import numpy as np
import psutil
import pytest
from numbered_videos import Recipe, read_number
from test_video_exact import B_FRAMES, OPEN_GOP, REFRESH, VFR
from test_video_reading import FRAME_BYTES

from napari_al_pose.video import SupersededError, lazy_array, open_source
from napari_al_pose.video.decoder import FrameDecoder

LONG_GROUP = Recipe("long_group.mp4", "libx264", B_FRAMES, n_frames=200, gop=250)
WIDE = Recipe("wide.mp4", "mpeg4", n_frames=120, size=(640, 480), gop=250)
LATE_SEEKS = Recipe("late_seeks.mpg", "mpeg2video", {"bf": "2"}, n_frames=300, gop=15, size=(320, 240))


@pytest.fixture
def packets(monkeypatch):
    """Number of the packets decoded so far, as a list of one."""
    count = [0]
    decode = FrameDecoder._decode

    def counted(self, packet, *args, **options):
        count[0] += 1
        return decode(self, packet, *args, **options)

    monkeypatch.setattr(FrameDecoder, "_decode", counted)
    return count


def after(n_packets, packets):
    end = packets[0] + n_packets
    return lambda: packets[0] >= end


def test_a_far_frame_is_given_up_between_packets(written, packets):
    with open_source(written(LONG_GROUP)) as video:
        video._prefetcher.close()
        before = packets[0]
        with pytest.raises(SupersededError), video.superseded_by(after(20, packets)):
            video[190]
        assert packets[0] - before <= 21
        assert read_number(video[190]) == 190
        assert video.notice == ""


def test_what_was_on_the_way_is_gone_on_from(written, packets):
    with open_source(written(LONG_GROUP)) as video:
        video._prefetcher.close()
        video[100]
        with pytest.raises(SupersededError), video.superseded_by(after(5, packets)):
            video[190]
        before = packets[0]
        assert read_number(video[191]) == 191
        assert packets[0] - before < 110  # not from the group's beginning


def test_it_counts_for_this_thread_and_this_block_only(written):
    with open_source(written(LONG_GROUP)) as video:
        other = []
        with video.superseded_by(lambda: True):
            thread = threading.Thread(target=lambda: other.append(read_number(video[150])))
            thread.start()
            thread.join()
            with pytest.raises(SupersededError):
                lazy_array(video)[20].compute(scheduler="synchronous")
        assert other == [150]
        assert read_number(video[20]) == 20


@pytest.mark.parametrize("recipe", [LONG_GROUP, OPEN_GOP, VFR, REFRESH], ids=lambda recipe: recipe.file)
def test_giving_up_anywhere_spoils_nothing(written, recipe, packets):
    with open_source(written(recipe), cache_bytes=4 * FRAME_BYTES) as video:
        rng = np.random.default_rng(0)
        for _ in range(60):
            wanted, patience = int(rng.integers(len(video))), int(rng.integers(1, 30))
            try:
                with video.superseded_by(after(patience, packets)):
                    frame = video[wanted]
            except SupersededError:
                continue
            assert read_number(frame) == wanted
        assert video.notice == ""


def test_a_prefetched_far_frame_is_given_up_for_a_newer_wish(written, packets):
    with open_source(written(LONG_GROUP)) as video:
        decoding, go_on = threading.Event(), threading.Event()
        frames = FrameDecoder.frames

        def slow(self, first, last, *, superseded=None):
            decoding.set()
            go_on.wait(10)
            return frames(self, first, last, superseded=superseded)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(FrameDecoder, "frames", slow)
            video.prefetch([190])
            assert decoding.wait(10)
            before = packets[0]
            video.prefetch([10])
            go_on.set()
            while not video.cached(10):
                pass
        assert not video.cached(190)
        assert packets[0] - before < 60


def test_seeks_that_land_late_cost_no_decoding_from_the_start(written, packets):
    with open_source(written(LATE_SEEKS), cache_bytes=0) as video:
        video._prefetcher.close()
        for i in (290, 12, 250, 251, 130, 77, 299, 3):
            before = packets[0]
            assert read_number(video[i]) == i
            assert packets[0] - before < 60


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts open files through /proc")
def test_videos_one_after_another_leave_nothing_behind(written):
    paths = [written(recipe) for recipe in (LONG_GROUP, OPEN_GOP, VFR, LATE_SEEKS)]

    def visit(path) -> None:
        video = open_source(path)
        video.prefetch([9, 40])
        for i in (50, 49, 48, 5):
            video[i]
        video.close()

    for path in paths:
        visit(path)
    gc.collect()
    files, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    memory = psutil.Process().memory_info().rss
    for turn in range(40):
        visit(paths[turn % len(paths)])
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == files
    assert threading.active_count() == threads
    assert psutil.Process().memory_info().rss - memory < 40 * 2**20


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts pages the system hands out")
def test_a_run_through_the_video_fills_the_same_memory_again_and_again(written):
    import resource

    def pages() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

    with open_source(written(WIDE)) as video:
        for i in range(20):
            video[i]
        before = pages()
        for i in range(20, 120):
            video[i]
        pages_of_a_frame = video[0].nbytes / resource.getpagesize()
        assert (pages() - before) / 100 < pages_of_a_frame / 4


def test_frames_do_not_hold_on_to_the_decoders_memory(written):
    """Asking each frame for its display matrix would, through a cycle in PyAV, until the garbage is collected."""
    with open_source(written(WIDE), cache_bytes=0) as video:
        video[0]
        gc.collect()
        gc.disable()
        try:
            before = psutil.Process().memory_info().rss
            for i in range(120):
                assert video[i].shape == (480, 640, 3)
            assert psutil.Process().memory_info().rss - before < 40 * 2**20
        finally:
            gc.enable()
