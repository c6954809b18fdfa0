"""Several animals in a frame, learnt from 30 labelled frames: two flies, and followed, two mice that cross too.

``--short`` takes one seed and leaves the mice out; ``--peers`` adds what `benchmarks.animal_peers` measures. How well
animals are followed, `benchmarks.animal_tracks` measures alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import animal_tracks
from benchmarks.animal_data import FLIES, GroundTruthVideo, flies, trained
from benchmarks.animal_peers import SLEAP_NN, side_by_side
from benchmarks.report import Figure
from napari_al_pose.pose import PoseModel
from napari_al_pose.pose.evaluation import examine
from napari_al_pose.pose.metrics import ErrorReport
from napari_al_pose.video import open_source

N_TRAIN, N_TEST, N_TIMED = 30, 300, 64
SEEDS = (0, 1, 2)


def figures(
    data: Path | None, *, short: bool = False, peers: Mapping[str, float | None] | None = None
) -> Iterator[Figure]:
    """Measure on the flies in ``data`` and on drawn mice, and what ``peers`` come to, each within so many minutes."""
    if data is not None and (data / FLIES).is_file():
        yield from _of_video("animals.flies", flies(data), SEEDS[:1] if short else SEEDS, peers)
    yield from animal_tracks.figures(data, short=short)


def _of_video(
    name: str, video: GroundTruthVideo, seeds: Sequence[int], peers: Mapping[str, float | None] | None
) -> Iterator[Figure]:
    measured = [_measure(video, seed) for seed in seeds]
    setting = {
        "n_train": N_TRAIN,
        "n_test": N_TEST,
        "animals": video.xy.shape[1],
        "seeds": list(seeds),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
    }
    for what, unit, goal, worst in (
        ("oks_map", "OKS mAP", ">= 0.8", min),
        ("mean", "px mean error of matched animals", "<= 6", max),
        ("missed_or_extra", "of the animals", "<= 0.01", max),
        ("train_seconds", "s", "<= 120", max),
        ("frames_per_second", "frames a second", ">= 10", min),
    ):
        values = [one.value(what) for one in measured]
        by_seed = {"by_seed": [round(value, 4) for value in values]}
        if what in ("train_seconds", "frames_per_second"):
            by_seed["processor"] = [round(one.value(f"{what}_of_processor"), 2) for one in measured]
        yield Figure(f"{name}_{what}", worst(values), unit, goal, setting=setting | by_seed)
    if peers is not None and (not peers or SLEAP_NN in peers):
        ours, minutes = measured[0].errors.oks_map, peers.get(SLEAP_NN)
        yield from side_by_side(name, video, *_drawn(video, seeds[0]), ours=ours, minutes=minutes)


def _drawn(video: GroundTruthVideo, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which frames to learn from, in one half of the video, and which to measure on, in the other."""
    rng, half = np.random.default_rng(seed), len(video.xy) // 2
    learn = rng.permutation(half)[:N_TRAIN]
    return learn, half + rng.permutation(len(video.xy) - half)[:N_TEST]


@dataclass(frozen=True, slots=True)
class _Measured:
    errors: ErrorReport
    train_seconds: float
    train_seconds_of_processor: float
    frames_per_second: float
    frames_per_second_of_processor: float

    def value(self, name: str) -> float:
        if name == "missed_or_extra":
            return self.errors.missed + self.errors.extra
        return float(getattr(self.errors if name in ("oks_map", "mean") else self, name))


def _measure(video: GroundTruthVideo, seed: int) -> _Measured:
    """Learn from frames of one half of the video, and measure on frames of the other."""
    numbers, rest = _drawn(video, seed)
    learn = video.frames(numbers)
    began, processor = time.perf_counter(), time.process_time()
    model = trained(learn, video, seed)
    seconds, processor = time.perf_counter() - began, time.process_time() - processor
    errors, _ = examine(model, video.frames(rest))
    wall, cpu = _paces(model, video)
    return _Measured(errors, seconds, processor, wall, cpu)


def _paces(model: PoseModel, video: GroundTruthVideo) -> tuple[float, float]:
    """Return frames a second of the clock, and frames that all cores would make in a second were they ours alone."""
    with closing(open_source(video.path)) as source:
        frames = np.stack([source[i] for i in range(N_TIMED)])
    model.predict(frames[:8], with_scoremaps=False)
    began, processor = time.perf_counter(), time.process_time()
    for first in range(0, N_TIMED, 8):
        model.predict(frames[first : first + 8], with_scoremaps=False)
    wall, cpu = time.perf_counter() - began, time.process_time() - processor
    return N_TIMED / wall, N_TIMED / cpu * (os.cpu_count() or 1)
