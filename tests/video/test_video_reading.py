"""What the reader promises besides the right frame: indexing, cache, threads, decoding ahead, closing."""

from __future__ import annotations

import functools
import gc
import itertools
import os
import pickle
import random
import shutil
import struct
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dask
import numpy as np
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import basic_indices, integer_array_indices
from numbered_videos import HEIGHT, WIDTH, Recipe, numbers, read_number

from napari_al_pose.domain import FrameSource
from napari_al_pose.video import VideoFile, lazy_array, open_source
from napari_al_pose.video.cache import KEPT_IN_PASSING, FrameCache
from napari_al_pose.video.damage import Damage
from napari_al_pose.video.decoder import FrameDecoder
from napari_al_pose.video.index_cache import load_or_build
from napari_al_pose.video.seeking import PacketSource

PLAIN = Recipe("plain.mp4", "libx264", {"bf": "2", "b_strategy": "0"})
SMALL = Recipe("small.mkv", "ffv1", n_frames=6)
FRAME_BYTES = WIDTH * HEIGHT * 3


@pytest.fixture
def video(written):
    with open_source(written(PLAIN)) as video:
        yield video


def wait_for(condition) -> None:
    """Wait until the background thread is there; a test that hangs is stopped by the run's time limit."""
    event = threading.Event()
    for _ in range(2000):
        if condition():
            return
        event.wait(0.005)
    raise AssertionError("it never happened")


def decoded_by(video, monkeypatch) -> list[tuple[int, int]]:
    """Record what the reader's decoder is asked for."""
    asked = []
    frames = video._decoder.frames

    def record(first, last, **kwargs):
        asked.append((first, last))
        return frames(first, last, **kwargs)

    monkeypatch.setattr(video._decoder, "frames", record)
    return asked


# ---- an array -------------------------------------------------------------------------------------


def test_it_is_a_frame_source(video):
    source: FrameSource = video
    assert (source.name, source.shape, source.dtype) == ("plain", (60, HEIGHT, WIDTH, 3), np.uint8)
    assert (len(source), source.number(7), source.position(7)) == (60, 7, 7)
    with pytest.raises(KeyError):
        source.position(60)
    assert open_source(video.path, name="other").name == "other"


@pytest.mark.parametrize("position", [60, -61, 10**9])
def test_frames_beyond_the_end(video, position):
    with pytest.raises(IndexError, match="60 frames"):
        video[position]


@pytest.mark.parametrize("key", [1.5, "a", [0.5], np.ones(3, bool)], ids=repr)
def test_indices_that_make_no_sense(video, key):
    with pytest.raises(IndexError):
        video[key]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_it_indexes_as_numpy_does(written, data):
    with open_source(written(SMALL)) as video:
        whole = np.stack([video[i] for i in range(len(video))])
        key = data.draw(
            st.one_of(
                basic_indices(video.shape, allow_newaxis=True),
                integer_array_indices(video.shape[:1]),
                st.lists(st.integers(-6, 5), max_size=4),
                st.lists(st.booleans(), min_size=6, max_size=6).map(np.array),
                st.tuples(integer_array_indices(video.shape[:1]).map(lambda i: i[0]), st.just(slice(3, 9))),
                st.tuples(st.integers(-6, 5), st.just(slice(None)), st.just([1, 2])),
                st.tuples(st.integers(-6, 5), st.just(...), st.just(0)),
            )
        )
        np.testing.assert_array_equal(video[key], whole[key])


def test_a_frame_cannot_be_drawn_into(video):
    with pytest.raises(ValueError, match="read-only"):
        video[3][:] = 0
    assert read_number(video[3]) == 3


# ---- dask -----------------------------------------------------------------------------------------


class CountingSource:
    """A million frames that note who was asked for."""

    def __init__(self, n_frames: int) -> None:
        self.shape, self.dtype, self.ndim = (n_frames, 4, 6, 3), np.dtype(np.uint8), 4
        self.asked: list[int] = []

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key):
        positions = np.arange(self.shape[0])[key[0]]
        self.asked.extend(np.atleast_1d(positions).tolist())
        frames = np.broadcast_to(
            np.atleast_1d(positions).astype(np.uint8)[:, None, None, None], (np.size(positions), 4, 6, 3)
        )
        return (frames[0] if positions.ndim == 0 else frames)[(*((slice(None),) if positions.ndim else ()), *key[1:])]


@pytest.mark.parametrize("key", [123_456, -1, slice(123_456, 123_457), (77, slice(1, 3)), (slice(8, 9), 0)], ids=repr)
def test_dask_asks_for_the_frame_alone(key):
    source = CountingSource(1_000_000)
    lazy = lazy_array(source)
    assert lazy.shape == source.shape
    assert source.asked == []
    frame = lazy[key].compute(scheduler="synchronous")
    first = key[0] if isinstance(key, tuple) else key
    expected = np.atleast_1d(np.arange(1_000_000)[first]).tolist()
    assert source.asked == expected
    assert (np.asarray(frame) == expected[0] % 256).all()


@pytest.mark.parametrize(
    "key",
    [5, -5, slice(10, 20), slice(None, None, 7), slice(50, 10, -9), [3, 1, 59, 3], (slice(2, 8), 0, slice(4))],
    ids=repr,
)
def test_dask_slices_are_right(video, key):
    lazy = lazy_array(video, chunk_frames=16)
    np.testing.assert_array_equal(lazy[key].compute(), video[:][key])


def test_dask_workers_in_other_processes(video, own_index_cache):
    lazy = lazy_array(video, chunk_frames=20)
    means = lazy.mean(axis=(1, 2, 3))
    with dask.config.set(scheduler="processes", num_workers=2):
        np.testing.assert_allclose(means[:40].compute(), video[:40].mean(axis=(1, 2, 3)))


def test_dask_names_change_with_the_file(written, tmp_path):
    path = Path(shutil.copy(written(PLAIN), tmp_path / "a.mp4"))
    with open_source(path) as video, open_source(path) as again:
        first = lazy_array(video).name
        assert first == lazy_array(again).name
    os.utime(path, (1, 1))
    with open_source(path) as video:
        assert lazy_array(video).name != first


def test_pickles_by_path(video):
    video[30]
    pickled = pickle.dumps(video)
    assert len(pickled) < 1000
    with pickle.loads(pickled) as copy:
        assert (copy.name, copy.path, copy._cache.max_bytes) == (video.name, video.path, video._cache.max_bytes)
        assert read_number(copy[59]) == 59


# ---- cache ----------------------------------------------------------------------------------------


def test_stepping_back_decodes_a_group_once(video, monkeypatch):
    video._prefetcher.close()
    video[47]
    asked = decoded_by(video, monkeypatch)
    assert numbers([video[i] for i in range(46, 23, -1)]) == list(range(46, 23, -1))
    assert asked == [(36, 46), (24, 35)]


def test_a_jump_decodes_no_more_than_it_must(video, monkeypatch):
    asked = decoded_by(video, monkeypatch)
    video[47]
    video[20]
    assert asked == [(47, 47), (20, 20)]
    assert not video.cached(46)


def test_the_cache_never_outgrows_its_bytes(written):
    with open_source(written(PLAIN), cache_bytes=10 * FRAME_BYTES) as video:
        order = [random.Random(0).randrange(60) for _ in range(200)] + list(range(59, -1, -1))
        for i in order:
            video[i]
            assert video._cache.n_bytes <= 10 * FRAME_BYTES
            assert len(video._cache) == video._cache.n_bytes // FRAME_BYTES


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.booleans()), max_size=60))
def test_the_cache_forgets_what_was_used_longest_ago(steps):
    cache, expected, passing = FrameCache(4 * 12), [], []
    for is_put, position, in_passing in steps:
        if is_put:
            cache.put(position, np.zeros((2, 2, 3), np.uint8), in_passing=in_passing)
        elif cache.get(position) is None:
            assert position not in expected
            continue
        passing = [i for i in passing if i != position] + [position] * (is_put and in_passing)
        too_many = passing[:-KEPT_IN_PASSING]
        expected = [*(i for i in expected if i != position and i not in too_many), position][-4:]
        passing = [i for i in passing if i in expected]
        assert sorted(i for i in range(10) if i in cache) == sorted(expected)
        assert cache.n_bytes == 12 * len(expected)


def test_a_run_through_the_video_leaves_the_cache_to_others(written):
    with open_source(written(PLAIN), cache_bytes=20 * FRAME_BYTES) as video:
        others = [50, 7, 33]
        for i in others:
            video[i]
        assert numbers([video[i] for i in range(10, 33)]) == list(range(10, 33))
        assert all(video.cached(i) for i in others)
        assert [i for i in range(10, 33) if video.cached(i)] == [10, *range(33 - KEPT_IN_PASSING, 33)]
        assert numbers([video[i] for i in range(31, 9, -1)]) == list(range(31, 9, -1))


def test_a_user_who_steps_forward_can_step_back(written):
    with open_source(written(PLAIN)) as video:
        with video.superseded_by(lambda: False):
            assert numbers([video[i] for i in range(10, 33)]) == list(range(10, 33))
        assert all(video.cached(i) for i in range(10, 33))


def test_a_frame_of_a_run_that_is_used_again_stays():
    cache = FrameCache(100 * 12)
    for position in range(30):
        cache.put(position, np.zeros((2, 2, 3), np.uint8), in_passing=True)
        if position == 4:
            cache.get(3)
    assert [i for i in range(30) if i in cache] == [3, *range(30 - KEPT_IN_PASSING, 30)]
    assert cache.n_bytes == 12 * len(cache)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc keeps what was freed")
def test_an_emptied_cache_gives_its_memory_back():
    process, cache, others = psutil.Process(), FrameCache(200 * 2**20), []
    before = process.memory_info().rss
    for position in range(150):
        cache.put(position, np.ones((1024, 1024), np.uint8))
        others.append(bytes(50_000))  # something else lies between
    cache.clear()
    assert process.memory_info().rss - before < 40 * 2**20


def test_peek_does_not_decode(video, monkeypatch):
    asked = decoded_by(video, monkeypatch)
    assert video.peek(30) is None
    assert not video.cached(30)
    assert asked == []
    video[30]
    assert read_number(video.peek(30)) == 30


def test_peek_does_not_wait_for_a_decoder(video):
    video[30]
    with video._lock, ThreadPoolExecutor(1) as pool:
        assert read_number(pool.submit(video.peek, 30).result(timeout=5)) == 30
        assert pool.submit(video.peek, 31).result(timeout=5) is None


# ---- threads --------------------------------------------------------------------------------------


def test_many_threads_read_the_right_frames(written):
    with open_source(written(PLAIN), cache_bytes=5 * FRAME_BYTES) as video:

        def read(seed: int) -> bool:
            order = [random.Random(seed).randrange(60) for _ in range(60)]
            video.prefetch(order[:5])
            return numbers([video[i] for i in order]) == order

        with ThreadPoolExecutor(6) as pool:
            assert all(pool.map(read, range(12)))


def test_prefetch_brings_frames_without_the_reader(video, monkeypatch):
    asked = decoded_by(video, monkeypatch)
    video.prefetch([50, 7, 23])
    wait_for(lambda: all(video.cached(i) for i in (50, 7, 23)))
    assert numbers([video[i] for i in (50, 7, 23)]) == [50, 7, 23]
    assert asked == []


def test_the_newest_wish_wins(video, monkeypatch):
    wanted, let_go = threading.Event(), threading.Event()
    load = video._prefetcher._load
    loaded = []

    def slow_load(first, last, superseded):
        loaded.append(first)
        wanted.set()
        let_go.wait(10)
        load(first, last, superseded)

    monkeypatch.setattr(video._prefetcher, "_load", slow_load)
    video.prefetch([10, 11, 12])
    assert wanted.wait(10)
    video.prefetch([40])
    video.prefetch([50])
    let_go.set()
    wait_for(lambda: video.cached(50))
    assert loaded == [10, 50]


def test_stepping_back_has_the_group_before_decoded_ahead(video, monkeypatch):
    asked = decoded_by(video, monkeypatch)
    video[47]
    video[46]
    wait_for(lambda: all(video.cached(i) for i in range(24, 36)))
    assert numbers([video[i] for i in range(45, 23, -1)]) == list(range(45, 23, -1))
    assert asked == [(47, 47), (36, 46)]


def test_a_wish_comes_before_what_might_be_wanted(video, monkeypatch):
    load, loaded, let_go = video._prefetcher._load, [], threading.Event()

    def slow_load(first, last, superseded):
        loaded.append((first, last))
        let_go.wait(10)
        load(first, last, superseded)

    monkeypatch.setattr(video._prefetcher, "_load", slow_load)
    video.prefetch([5])
    video._prefetcher.request_aside(24, 35)
    video.prefetch([50])
    let_go.set()
    wait_for(lambda: video.cached(35))
    assert loaded[-2:] == [(50, 50), (24, 35)]


def test_prefetch_of_frames_beyond_the_end(video):
    with pytest.raises(IndexError):
        video.prefetch([60])


# ---- closing --------------------------------------------------------------------------------------


def open_files(path) -> int:
    return sum(os.path.realpath(f"/proc/self/fd/{fd}") == os.path.realpath(path) for fd in os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts open files through /proc")
def test_close_releases_everything(written):
    path = written(PLAIN)
    threads = threading.active_count()
    video = open_source(path)
    video.prefetch([50])
    wait_for(lambda: video.cached(50))
    assert open_files(path) == 2
    video.close()
    video.close()
    assert open_files(path) == 0
    assert threading.active_count() == threads
    assert video._cache.n_bytes == 0
    for read in (lambda: video[50], lambda: video[0:2]):
        with pytest.raises(ValueError, match="plain is closed"):
            read()
    video.prefetch([3])
    assert video.peek(3) is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts open files through /proc")
def test_a_forgotten_video_goes_away(written):
    path = written(PLAIN)
    video = open_source(path)
    video.prefetch([50])
    wait_for(functools.partial(video.cached, 50))
    thread = video._prefetcher._thread
    forgotten = weakref.ref(video)
    del video
    gc.collect()
    assert forgotten() is None
    thread.join(10)
    assert not thread.is_alive()
    gc.collect()
    assert open_files(path) == 0


# ---- pixels ---------------------------------------------------------------------------------------


TURNS = {
    # What players do to the stored picture: (a, b, c, d) of the display matrix, and the same by NumPy.
    "90 degrees": ((0, 1, -1, 0), lambda stored: np.rot90(stored, -1)),
    "180 degrees": ((-1, 0, 0, -1), lambda stored: np.rot90(stored, 2)),
    "270 degrees": ((0, -1, 1, 0), np.rot90),
    "mirrored": ((-1, 0, 0, 1), np.fliplr),
    "upside down": ((1, 0, 0, -1), np.flipud),
    "mirrored, 90 degrees": ((0, 1, 1, 0), lambda stored: stored.swapaxes(0, 1)),
    "mirrored, 270 degrees": ((0, -1, -1, 0), lambda stored: np.rot90(stored.swapaxes(0, 1), 2)),
}


@pytest.mark.parametrize("turn", TURNS)
def test_a_turned_camera(video, tmp_path, turn):
    matrix, turned = TURNS[turn]
    path = Path(shutil.copy(video.path, tmp_path / "turned.mp4"))
    turn_in_header(path, matrix)
    with open_source(path) as other:
        for i in (37, 0, 59):
            np.testing.assert_array_equal(other[i], turned(video[i]))
        other.prefetch([20])
        wait_for(lambda: other.cached(20))
        np.testing.assert_array_equal(other[20], turned(video[20]))


def turn_in_header(path: Path, matrix: tuple[int, int, int, int]) -> None:
    """Write the display matrix of a phone held another way."""
    a, b, c, d = (value << 16 for value in matrix)
    content = bytearray(path.read_bytes())
    box = content.index(b"tkhd")
    content[box + 44 : box + 80] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)


def test_colours_are_rgb(tmp_path):
    import av

    path = tmp_path / "red.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "bgr0"
        red = np.zeros((16, 32, 3), np.uint8)
        red[..., 0], red[..., 1] = 200, 30
        container.mux(stream.encode(av.VideoFrame.from_ndarray(red, format="rgb24")))
        container.mux(stream.encode())
    with VideoFile(path) as video:
        np.testing.assert_array_equal(video[0], red)


def test_the_decoder_gets_a_packet_between_two_conversions(written, monkeypatch):
    """Its threads decode while a frame is converted; several converted in a row leave them idle."""
    happened = []
    ranked = PacketSource._ranked

    def noted(*args, **kwargs):
        for packet in ranked(*args, **kwargs):
            happened.append("packet")
            yield packet

    monkeypatch.setattr(PacketSource, "_ranked", noted)
    path = written(PLAIN)
    index = load_or_build(path)
    decoder = FrameDecoder(path, index, Damage(index), to_rgb=lambda frame: happened.append("frame"))
    assert [position for position, _ in decoder.frames(0, 49)] == list(range(50))
    decoder.close()
    assert all(pair != ("frame", "frame") for pair in itertools.pairwise(happened))
