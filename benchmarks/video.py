"""How fast frames come: against the best possible code for the same access, and against peers.

Ratios are taken between runs that follow each other, and the median of several is given, so that a machine with
other work slows both sides alike. ``python -m benchmarks.peers video`` installs the peers, in an environment of their
own; without it they are named as absent.
"""

from __future__ import annotations

import gc
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import dask
import numpy as np
import psutil  # type: ignore[import-untyped]  # has no types of its own
from numpy.typing import NDArray

from benchmarks.clips import stream_copy_loop, write_numbered, write_texture
from benchmarks.peers.video_numbers import number_in
from benchmarks.report import Figure, milliseconds_each, seconds
from benchmarks.video_readers import PeerReaders, raw_forward, raw_seeks
from napari_al_pose.video import VideoFile, index_cache, lazy_array

logger = logging.getLogger(__name__)

OPENFIELD_VIDEO = Path("openfield-Pranav-2018-10-30/videos/m3v1mp4.mp4")
MILLION = 1_000_000
REPEATS, PEER_REPEATS = 7, 3
STRIDE = 7
PEER_BACKWARD_STEPS = 25
SLOWER = 1.05
"""A peer counts as faster than ours if ours takes this many times as long."""


@dataclass(frozen=True, slots=True)
class _Clip:
    """A video, and how much of it is read: a figure takes some seconds on either."""

    path: Path
    label: str
    n_sequential: int
    n_random: int
    n_backward: int
    n_jumps: int
    setting: Mapping[str, Any]
    times: Sequence[int]


def figures(data: Path | None) -> Iterator[Figure]:
    """Measure reading on openfield's video, or a made-up one, at 1080p, and at a million frames."""
    with tempfile.TemporaryDirectory() as temporary, PeerReaders() as peers:
        folder = Path(temporary)
        # Every first open has to be a real one.
        with mock.patch.object(index_cache, "cache_folder", return_value=folder / "index"):
            behind: list[str] = []
            for figure in _all(folder, data, peers):
                behind += _faster_peers(figure)
                yield figure
            yield Figure(
                "video.faster_peers", float(len(behind)), "figures in which a peer is ahead", "<= 0",
                setting={"which": behind},
            )  # fmt: skip


def _all(folder: Path, data: Path | None, peers: PeerReaders) -> Iterator[Figure]:
    yield _memory(folder, peers)  # first, while the process is small
    yield _exact(folder, peers)
    path = None if data is None else data / OPENFIELD_VIDEO
    if path is None or not path.exists():
        path = write_texture(folder / "made_up.mp4", n_frames=1000, size=(640, 480), gop=250)
    yield from _reading(_clip(path, "", n_sequential=400, n_random=20, n_backward=150, n_jumps=15), peers)
    large = write_texture(
        folder / "large.mp4", n_frames=200, size=(1920, 1080), gop=50, options={"preset": "superfast"}
    )
    yield from _reading(_clip(large, ".1080p", n_sequential=100, n_random=8, n_backward=45, n_jumps=8), peers)
    yield from _million(folder, peers)


def _faster_peers(figure: Figure) -> list[str]:
    """Return the peers that a figure with peers shows ahead of ours; in all of them less is better."""
    return [
        f"{figure.figure}: {name}"
        for name, value in figure.peers.items()
        if not isinstance(value, str) and value * SLOWER < figure.value
    ]


# ---- one ordinary video ---------------------------------------------------------------------------


def _clip(path: Path, label: str, **amounts: int) -> _Clip:
    with VideoFile(path) as video:
        times = video.index.times.tolist()
        setting = {"video": path.name, "n_frames": len(video), "width": video.shape[2], "height": video.shape[1]}
    return _Clip(path, label, setting=setting, times=times, **amounts)


def _reading(clip: _Clip, peers: PeerReaders) -> Iterator[Figure]:
    yield _first_frame(clip, peers)
    forward = range(min(clip.n_sequential, len(clip.times)))
    yield _ratio("sequential", "<= 1.2", clip, forward, peers, raw_forward)
    yield _ratio("strided", "", clip, forward[::STRIDE], peers, raw_forward)
    scattered = np.random.default_rng(0).choice(len(clip.times), min(clip.n_random, len(clip.times)), replace=False)
    yield _ratio(
        "random", "<= 1.1", clip, scattered.tolist(), peers,
        lambda path, positions: raw_seeks(path, positions, clip.times),
    )  # fmt: skip
    yield _backward(clip, peers)
    yield _jump(clip, peers)
    gc.collect()
    left = sum(Path(file.path) == clip.path.resolve() for file in psutil.Process().open_files())
    yield Figure(f"video.files_left_open{clip.label}", float(left), "files", "<= 0", setting=clip.setting)


def _first_frame(clip: _Clip, peers: PeerReaders) -> Figure:
    """Measure opening a video opened before, up to its first frame."""

    def ours() -> None:
        with VideoFile(clip.path) as video:
            video[0]

    ours()
    took: dict[str, list[Any]] = {"ours": []}
    for turn in range(REPEATS):
        took["ours"].append(1e3 * seconds(ours))
        if turn < PEER_REPEATS:
            for name, answer in peers.ask_all("run", path=str(clip.path), positions=[0]).items():
                took.setdefault(name, []).append(answer if isinstance(answer, str) else 1e3 * answer)
    value = statistics.median(took.pop("ours"))
    return Figure(
        f"video.first_frame{clip.label}", value, "ms", peers={n: _middle(t) for n, t in took.items()},
        setting=clip.setting,
    )  # fmt: skip


def _ratio(
    what: str,
    goal: str,
    clip: _Clip,
    positions: Sequence[int],
    peers: PeerReaders,
    raw: Callable[[Path, Sequence[int]], None],
) -> Figure:
    """Compare opening, reading these frames and closing; one run of each first, uncounted, fills the file cache."""
    # What was kept of a frame read before must not help.
    cache = {"cache_bytes": 0} if what == "random" else {}

    def ours() -> None:
        with VideoFile(clip.path, **cache) as video:
            for position in positions:
                video[position]

    took = np.array([[seconds(ours), seconds(lambda: raw(clip.path, positions))] for _ in range(REPEATS + 1)])[1:]
    ratios: dict[str, list[Any]] = {}
    for _ in range(PEER_REPEATS):
        for name, answer in peers.ask_all("run", path=str(clip.path), positions=list(positions)).items():
            beside = seconds(lambda: raw(clip.path, positions)) if not isinstance(answer, str) else 1.0
            ratios.setdefault(name, []).append(answer if isinstance(answer, str) else answer / beside)
    ms = np.median(took, axis=0) * 1e3 / len(positions)
    details = {"n_reads": len(positions), "ours_ms": float(ms[0]), "raw_pyav_ms": float(ms[1])}
    value = float(np.median(took[:, 0] / took[:, 1]))
    middle = {name: _middle(each) for name, each in ratios.items()}
    name = f"video.{what}{clip.label}"
    return Figure(name, value, "ratio to raw PyAV", goal, middle, {**clip.setting, **details})


def _backward(clip: _Clip, peers: PeerReaders) -> Figure:
    with VideoFile(clip.path) as video:
        ends = np.append(video.keyframes[1:], len(video)) - 1
        end = int(ends[np.argmax(ends - video.keyframes)])
        positions = range(end - 1, max(end - 1 - clip.n_backward, 0), -1)
        video[end]
        steps = milliseconds_each(video.__getitem__, positions)
    answers = peers.ask_all("each", path=str(clip.path), first=[end], positions=list(positions[:PEER_BACKWARD_STEPS]))
    details = {"longest_step_ms": max(steps), "n_steps": len(steps), "n_steps_of_peers": PEER_BACKWARD_STEPS}
    return Figure(
        f"video.backward{clip.label}", statistics.median(steps), "ms", "<= 5", _medians(answers),
        {**clip.setting, **details},
    )  # fmt: skip


def _jump(clip: _Clip, peers: PeerReaders) -> Figure:
    with VideoFile(clip.path) as video:
        positions = np.random.default_rng(1).choice(len(video), min(clip.n_jumps, len(video)), replace=False).tolist()
        video.prefetch(positions)
        while not all(video.cached(position) for position in positions):
            time.sleep(0.01)
        jumps = milliseconds_each(video.__getitem__, positions)
    answers = peers.ask_all("each", path=str(clip.path), first=[], positions=positions)
    slowest = {name: answer if isinstance(answer, str) else max(answer) for name, answer in answers.items()}
    return Figure(f"video.jump{clip.label}", max(jumps), "ms, the slowest", "<= 10", slowest, clip.setting)


# ---- the right frame ------------------------------------------------------------------------------


def _exact(folder: Path, peers: PeerReaders) -> Figure:
    """Count frames that come under another number than their own, from the last to the first."""
    n_wrong, of_peers = 0, {}
    settings = {
        "even": {},
        "uneven times": {"times": lambda i: 40 * i + (i * 7919) % 31 + 500 * (i > 20)},
        "starts late": {"times": lambda i: 40 * i + 4000},
        "begins before zero": {"times": lambda i: 40 * i - 400, "n_hidden": 10},
    }
    for name, options in settings.items():
        path, numbers = write_numbered(folder / f"{name}.mp4", **options)  # type: ignore[arg-type]  # each to its own
        with VideoFile(path) as video:
            n_wrong += abs(len(video) - len(numbers))
            n_wrong += sum(number_in(video[i]) != numbers[i] for i in reversed(range(min(len(video), len(numbers)))))
        for peer, answer in peers.ask_all("wrong", path=str(path), numbers=numbers).items():
            of_peers.setdefault(peer, []).append(answer)
    sums = {
        peer: next((a for a in each if isinstance(a, str)), None) or float(sum(each)) for peer, each in of_peers.items()
    }
    setting = {"video": "made up, h264 with B-frames, mp4", "n_frames": 4 * 60, "kinds": list(settings)}
    return Figure("video.wrong_frames", float(n_wrong), "frames", "<= 0", sums, setting)


# ---- a million frames -----------------------------------------------------------------------------


def _million(folder: Path, peers: PeerReaders) -> Iterator[Figure]:
    clip = write_texture(folder / "clip.mp4", n_frames=1000, size=(64, 48), gop=250)
    path = stream_copy_loop(clip, folder / "million.mp4", MILLION)
    setting = {"video": "made up, 64 x 48, mp4", "n_frames": MILLION, "file_mb": path.stat().st_size / 1e6}
    cold = seconds(lambda: VideoFile(path).close())
    opened = peers.ask_all("run", path=str(path), positions=[])
    yield Figure("video.million_open_cold", cold, "s", "<= 20", setting={**setting, "peers": opened})
    cached = statistics.median(seconds(lambda: VideoFile(path).close()) for _ in range(REPEATS))
    yield Figure("video.million_open_cached", cached, "s", "<= 0.3", opened, setting)
    positions = np.random.default_rng(2).integers(0, MILLION, 25).tolist()
    of_peers = _medians(peers.ask_all("each", path=str(path), first=[], positions=positions))
    with VideoFile(path) as video:
        random = statistics.median(milliseconds_each(video.__getitem__, positions))
    yield Figure("video.million_random", random, "ms", peers=of_peers, setting=setting)
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


def _memory(folder: Path, peers: PeerReaders, *, n_reads: int = 10_000, cache_bytes: int = 128 * 2**20) -> Figure:
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


def _medians(answers: Mapping[str, Any]) -> dict[str, float | str]:
    return {name: answer if isinstance(answer, str) else statistics.median(answer) for name, answer in answers.items()}


def _middle(values: Sequence[Any]) -> float | str:
    """Return the median; if one of them is a reason instead, that."""
    return next((value for value in values if isinstance(value, str)), None) or float(statistics.median(values))
