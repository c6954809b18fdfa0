"""How fast frames come: against the best possible code for the same access, and against peers.

Ratios are taken between runs that follow each other, and the median of several is given, so that a machine with
other work slows both sides alike.
"""

from __future__ import annotations

import gc
import importlib.util
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import av
import dask
import numpy as np
import psutil  # type: ignore[import-untyped]  # has no types of its own
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from benchmarks.clips import stream_copy_loop, write_texture
from benchmarks.report import ABSENT, Figure, milliseconds_each, seconds
from napari_al_pose.video import VideoFile, index_cache, lazy_array

logger = logging.getLogger(__name__)

OPENFIELD_VIDEO = Path("openfield-Pranav-2018-10-30/videos/m3v1mp4.mp4")
MILLION = 1_000_000
REPEATS = 7
SEQUENTIAL_FRAMES = 500
RANDOM_READS = 40
BACKWARD_STEPS = 150
JUMPS = 20


def figures(data: Path | None) -> Iterator[Figure]:
    """Measure reading on openfield's video, or a made-up one, and on a made-up one of a million frames."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        # Every first open has to be a real one.
        with mock.patch.object(index_cache, "cache_folder", return_value=folder / "index"):
            yield _memory(folder)  # first, while the process is small
            path = None if data is None else data / OPENFIELD_VIDEO
            if path is None or not path.exists():
                path = write_texture(folder / "made_up.mp4", n_frames=1000, size=(640, 480), gop=250)
            yield from _reading(path)
            yield from _million(folder)


# ---- one ordinary video ---------------------------------------------------------------------------


def _reading(path: Path) -> Iterator[Figure]:
    with VideoFile(path) as video:
        setting: dict[str, Any] = {
            "video": path.name,
            "n_frames": len(video),
            "width": video.shape[2],
            "height": video.shape[1],
        }
        times = video.index.times.tolist()
    yield _sequential(path, setting)
    yield _random(path, times, setting)
    yield _backward(path, setting)
    yield _jump(path, setting)
    gc.collect()
    left = sum(Path(file.path) == path.resolve() for file in psutil.Process().open_files())
    yield Figure("video.files_left_open", float(left), "files", "<= 0", setting=setting)


def _sequential(path: Path, setting: dict[str, Any]) -> Figure:
    n_frames = min(SEQUENTIAL_FRAMES, setting["n_frames"])

    def ours() -> None:
        with VideoFile(path) as video:
            for position in range(n_frames):
                video[position]

    def raw() -> None:
        with av.open(str(path)) as container:
            to_rgb = _raw_converter(container)
            for _, frame in zip(range(n_frames), container.decode(video=0), strict=False):
                to_rgb(frame)

    def opencv() -> None:
        with _OpenCV(path) as capture:
            for _ in range(n_frames):
                capture.read_next()

    return _ratio("video.sequential", "<= 1.2", ours, raw, opencv, n_reads=n_frames, setting=setting)


def _random(path: Path, times: list[int], setting: dict[str, Any]) -> Figure:
    positions = np.random.default_rng(0).choice(len(times), min(RANDOM_READS, len(times)), replace=False).tolist()

    def ours() -> None:
        with VideoFile(path, cache_bytes=0) as video:
            for position in positions:
                video[position]

    def raw() -> None:
        with av.open(str(path)) as container:
            to_rgb = _raw_converter(container)
            next(container.decode(video=0))  # openfield's decodes to garbage without its first packet
            for position in positions:
                container.seek(times[position], stream=container.streams.video[0])
                to_rgb(next(frame for frame in container.decode(video=0) if frame.pts >= times[position]))

    def opencv() -> None:
        with _OpenCV(path) as capture:
            for position in positions:
                capture.read(position)

    return _ratio("video.random", "<= 1.1", ours, raw, opencv, n_reads=len(positions), setting=setting)


def _backward(path: Path, setting: dict[str, Any]) -> Figure:
    with VideoFile(path) as video:
        ends = np.append(video.keyframes[1:], len(video)) - 1
        end = int(ends[np.argmax(ends - video.keyframes)])
        positions = range(end - 1, max(end - 1 - BACKWARD_STEPS, 0), -1)
        video[end]
        steps = milliseconds_each(video.__getitem__, positions)
    peers: dict[str, float | str] = {"opencv": ABSENT}
    if _OpenCV.installed:
        with _OpenCV(path) as capture:
            peers["opencv"] = statistics.median(milliseconds_each(capture.read, positions))
    longest = {"longest_step_ms": max(steps)}
    return Figure("video.backward", statistics.median(steps), "ms", "<= 5", peers, {**setting, **longest})


def _jump(path: Path, setting: dict[str, Any]) -> Figure:
    with VideoFile(path) as video:
        positions = np.random.default_rng(1).choice(len(video), min(JUMPS, len(video)), replace=False).tolist()
        video.prefetch(positions)
        while not all(video.cached(position) for position in positions):
            time.sleep(0.01)
        jumps = milliseconds_each(video.__getitem__, positions)
    peers: dict[str, float | str] = {"opencv": ABSENT}
    if _OpenCV.installed:
        with _OpenCV(path) as capture:
            peers["opencv"] = statistics.median(milliseconds_each(capture.read, positions))
    return Figure("video.jump", max(jumps), "ms, the slowest", "<= 10", peers, setting)


# ---- a million frames -----------------------------------------------------------------------------


def _million(folder: Path) -> Iterator[Figure]:
    clip = write_texture(folder / "clip.mp4", n_frames=1000, size=(64, 48), gop=250)
    path = stream_copy_loop(clip, folder / "million.mp4", MILLION)
    setting = {"video": "made up, 64 x 48, mp4", "n_frames": MILLION, "file_mb": path.stat().st_size / 1e6}
    cold = seconds(lambda: VideoFile(path).close())
    peers: dict[str, float | str] = {"opencv": seconds(lambda: _OpenCV(path).close()) if _OpenCV.installed else ABSENT}
    yield Figure("video.million_open_cold", cold, "s", "<= 20", peers, setting)
    cached = statistics.median(seconds(lambda: VideoFile(path).close()) for _ in range(REPEATS))
    yield Figure("video.million_open_cached", cached, "s", "<= 0.3", peers, setting)
    positions = np.random.default_rng(2).integers(0, MILLION, RANDOM_READS).tolist()
    peers = {"opencv": ABSENT}
    if _OpenCV.installed:
        with _OpenCV(path) as capture:
            peers["opencv"] = statistics.median(milliseconds_each(capture.read, positions))
    with VideoFile(path) as video:
        random = statistics.median(milliseconds_each(video.__getitem__, positions))
    yield Figure("video.million_random", random, "ms", "", peers, setting)
    yield _dask()


class _Instant:
    """A million frames that cost nothing, so that what is left is dask."""

    shape, dtype, ndim = (MILLION, 480, 640, 3), np.dtype(np.uint8), 4

    def __len__(self) -> int:
        return MILLION

    def __getitem__(self, key: tuple[Any, ...]) -> NDArray[np.uint8]:
        n_frames = (len(range(MILLION)[key[0]]),) if isinstance(key[0], slice) else ()
        return np.broadcast_to(np.uint8(0), (*n_frames, *self.shape[1:]))


def _dask() -> Figure:
    """Measure a slice as the window takes it, in the thread that asks."""
    lazy = lazy_array(_Instant())  # type: ignore[arg-type]  # it has what dask asks of a source, and no more
    positions = np.random.default_rng(3).integers(0, MILLION, 50).tolist()
    took: dict[str, float] = {}
    for scheduler in ("threads", "synchronous"):
        with dask.config.set(scheduler=scheduler):
            lazy[0].compute()
            took[scheduler] = statistics.median(milliseconds_each(lambda i: lazy[i].compute(), positions))
    setting = {"video": "frames that cost nothing", "n_frames": MILLION, "with_dask_threads_ms": took["threads"]}
    return Figure("video.dask", took["synchronous"], "ms added to a read", "<= 3", setting=setting)


# ---- memory ---------------------------------------------------------------------------------------


def _memory(folder: Path, *, n_reads: int = 10_000, cache_bytes: int = 128 * 2**20) -> Figure:
    path = write_texture(
        folder / "all_intra.mkv", n_frames=400, size=(640, 480), gop=1, codec="mjpeg", pixels="yuvj420p"
    )
    process, positions = psutil.Process(), np.random.default_rng(4)
    gc.collect()
    before = peak = process.memory_info().rss
    with VideoFile(path, cache_bytes=cache_bytes) as video:
        for read in range(n_reads):
            video[int(positions.integers(len(video)))]
            if read % 50 == 0:
                peak = max(peak, process.memory_info().rss)
    beyond = (peak - before - cache_bytes) / 2**20
    setting = {"video": "made up, 640 x 480, mjpeg", "n_reads": n_reads, "cache_mb": cache_bytes / 2**20}
    return Figure("video.memory", beyond, "MB beyond the cache", "<= 200", setting=setting)


# ---- helpers --------------------------------------------------------------------------------------


def _ratio(
    name: str,
    goal: str,
    ours: Callable[[], None],
    raw: Callable[[], None],
    opencv: Callable[[], None],
    *,
    n_reads: int,
    setting: dict[str, Any],
) -> Figure:
    """Compare whole runs with raw PyAV; one run of each first, uncounted, fills the file cache."""
    runs: Sequence[Callable[[], None]] = [ours, raw, opencv] if _OpenCV.installed else [ours, raw]
    took = np.array([[seconds(run) for run in runs] for _ in range(REPEATS + 1)])[1:]
    ms = np.median(took, axis=0) * 1e3 / n_reads
    ratios = np.median(took / took[:, 1:2], axis=0)
    peers: dict[str, float | str] = {"opencv": float(ratios[2]) if _OpenCV.installed else ABSENT}
    details = {**setting, "n_reads": n_reads, "ours_ms": float(ms[0]), "raw_pyav_ms": float(ms[1])}
    return Figure(name, float(ratios[0]), "ratio to raw PyAV", goal, peers, details)


def _raw_converter(container: Any) -> Callable[[av.VideoFrame], Any]:
    container.streams.video[0].thread_type = "AUTO"
    reformatter = VideoReformatter()
    return lambda frame: reformatter.reformat(frame, format="rgb24").to_ndarray()


class _OpenCV:
    """OpenCV's reader, giving RGB as ours does."""

    installed = importlib.util.find_spec("cv2") is not None

    def __init__(self, path: Path) -> None:
        import cv2

        self._cv2 = cv2
        self._capture = cv2.VideoCapture(str(path))

    def read_next(self) -> NDArray[np.uint8]:
        _, frame = self._capture.read()
        return np.asarray(self._cv2.cvtColor(frame, self._cv2.COLOR_BGR2RGB), np.uint8)

    def read(self, position: int) -> NDArray[np.uint8]:
        self._capture.set(self._cv2.CAP_PROP_POS_FRAMES, position)
        return self.read_next()

    def close(self) -> None:
        self._capture.release()

    def __enter__(self) -> _OpenCV:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
