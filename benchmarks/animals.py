"""Several animals in a frame: two flies, learnt from 30 labelled frames."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.animal_data import FLIES, LabelledVideo, flies
from benchmarks.report import Figure
from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.pose import LabelledFrame, PoseModel, train
from napari_al_pose.pose.evaluation import examine
from napari_al_pose.pose.metrics import ErrorReport
from napari_al_pose.video import open_source

N_TRAIN, N_TEST, N_TIMED = 30, 300, 64
SEEDS = (0, 1, 2)


def figures(data: Path | None, *, short: bool = False) -> Iterator[Figure]:
    """Measure on the flies in ``data``; ``short`` takes one seed of three."""
    if data is None or not (data / FLIES).is_file():
        return
    yield from _of_video("animals.flies", flies(data), SEEDS[:1] if short else SEEDS)


def _of_video(name: str, video: LabelledVideo, seeds: Sequence[int]) -> Iterator[Figure]:
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


def _measure(video: LabelledVideo, seed: int) -> _Measured:
    """Learn from frames of one half of the video, and measure on frames of the other."""
    rng, half = np.random.default_rng(seed), len(video.xy) // 2
    learn = video.frames(rng.permutation(half)[:N_TRAIN])
    began, processor = time.perf_counter(), time.process_time()
    model = trained(learn, video, seed)
    seconds, processor = time.perf_counter() - began, time.process_time() - processor
    errors, _ = examine(model, video.frames(half + rng.permutation(len(video.xy) - half)[:N_TEST]))
    wall, cpu = _paces(model, video)
    return _Measured(errors, seconds, processor, wall, cpu)


def trained(frames: Sequence[LabelledFrame], video: LabelledVideo, seed: int) -> PoseModel:
    """Return what is learnt from frames of a video."""
    settings = TrainSettings(seed=seed)
    training = train(frames, video.bodyparts, settings, threads=os.cpu_count(), animals=video.xy.shape[1])
    while True:
        try:
            next(training)
        except StopIteration as end:
            model: PoseModel = end.value
            return model


def _paces(model: PoseModel, video: LabelledVideo) -> tuple[float, float]:
    """Return frames a second of the clock, and frames that all cores would make in a second were they ours alone."""
    with closing(open_source(video.path)) as source:
        frames = np.stack([source[i] for i in range(N_TIMED)])
    model.predict(frames[:8], with_scoremaps=False)
    began, processor = time.perf_counter(), time.process_time()
    for first in range(0, N_TIMED, 8):
        model.predict(frames[first : first + 8], with_scoremaps=False)
    wall, cpu = time.perf_counter() - began, time.process_time() - processor
    return N_TIMED / wall, N_TIMED / cpu * (os.cpu_count() or 1)
