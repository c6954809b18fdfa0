"""A mouse of 60 px, and one of 30 px, in an arena of 1920 x 1080: followed, and in the whole frame at a finer scale."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from benchmarks.report import Figure
from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.pose import LabelledFrame, PoseModel, train
from napari_al_pose.pose.evaluation import examine
from napari_al_pose.samples.anatomy import BODYPARTS, build
from napari_al_pose.samples.arena import Box
from napari_al_pose.samples.motion import simulate
from napari_al_pose.samples.mouse import MousePainter
from napari_al_pose.samples.raster import smooth_noise
from napari_al_pose.samples.synthetic import SCENES

HEIGHT, WIDTH = 1080, 1920
LENGTHS = (60.0, 30.0)
N_TRAIN, N_TEST = 30, 40
SEEDS = (0, 1, 2)
_DRAWN = (480, 640)
"""Size at which the mouse is painted before it is made smaller."""


def figures(data: Path | None, *, short: bool = False) -> Iterator[Figure]:
    """Measure on drawn frames, whatever ``data``; ``short`` takes one seed of three."""
    del data
    for length in LENGTHS:
        yield from _of_length(length, SEEDS[:1] if short else SEEDS)


def _of_length(length: float, seeds: Sequence[int]) -> Iterator[Figure]:
    ways = {way: [_measured(way, seed, length) for seed in seeds] for way in ("auto", "off")}
    name = f"small_animals.{length:g}px"
    setting = {
        "frame": f"{WIDTH}x{HEIGHT}",
        "n_train": N_TRAIN,
        "n_test": N_TEST,
        "seeds": list(seeds),
        "by_seed": [round(one.error, 2) for one in ways["auto"]],
        "by_seed_whole": [round(one.error, 2) for one in ways["off"]],
        "median_px": _median(ways["auto"], "median_error"),
        "median_px_whole": _median(ways["off"], "median_error"),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "train_cpu_seconds": _median(ways["auto"], "train_seconds"),
        "train_cpu_seconds_whole": _median(ways["off"], "train_seconds"),
        "likelihood_without_animal": _median(ways["auto"], "likelihood_without_animal"),
    }
    for what, unit, goal in (
        ("error", "px mean error", "<= 3"),
        ("frame_seconds", "processor seconds a frame", ""),
        ("calibration_error", "expected calibration error", ""),
    ):
        followed, whole = _median(ways["auto"], what), _median(ways["off"], what)
        yield Figure(f"{name}_{what}", followed, unit, goal, peers={"whole frame": whole}, setting=setting)
        if goal:
            yield Figure(f"{name}_{what}_ratio", followed / whole, "of the whole frame's", "<= 0.7", setting=setting)


@dataclass(frozen=True, slots=True)
class _Timed:
    error: float
    median_error: float
    calibration_error: float
    frame_seconds: float
    train_seconds: float
    likelihood_without_animal: float


def _median(measured: Sequence[_Timed], name: str) -> float:
    return float(np.median([getattr(one, name) for one in measured]))


def _measured(way: str, seed: int, length: float) -> _Timed:
    arena = _Arena(seed, N_TRAIN + N_TEST, length)
    drawn = [arena.frame(i) for i in range(N_TRAIN + N_TEST)]
    # The mouse walks: the first frames show other postures than the last.
    order = np.random.default_rng(seed).permutation(len(drawn))
    learn, test = ([drawn[i] for i in part] for part in (order[:N_TRAIN], order[N_TRAIN:]))
    settings = TrainSettings.model_validate({"seed": seed, "follow_animal": way})
    began = time.process_time()
    model = _trained(learn, settings)
    trained = time.process_time() - began
    errors, reliability = examine(model, test)
    images = np.stack([frame.image for frame in test[-8:]])
    model.predict(images, with_scoremaps=False)
    began = time.process_time()
    model.predict(images, with_scoremaps=False)
    seconds = (time.process_time() - began) / len(images)
    empty = model.predict(np.stack([arena.photographed(arena.floor) for _ in range(4)]), with_scoremaps=False)
    return _Timed(
        errors.mean,
        errors.median,
        float("nan") if reliability is None else reliability.expected_error,
        seconds,
        trained,
        float(empty.likelihood.mean()),
    )


def _trained(frames: Sequence[LabelledFrame], settings: TrainSettings) -> PoseModel:
    training = train(frames, BODYPARTS, settings)
    while True:
        try:
            next(training)
        except StopIteration as end:
            model: PoseModel = end.value
            return model


class _Arena:
    """Draws frames: the sample's mouse, made smaller, anywhere on a floor with droppings."""

    def __init__(self, seed: int, n: int, length: float) -> None:
        self._rng = rng = np.random.default_rng(100 + seed)
        anatomy = build(simulate(rng, 7 * n, Box()))
        self._painter = MousePainter(anatomy, SCENES[0].coat, rng)
        self._keypoints = anatomy.keypoints[::7]
        lengths = np.hypot(*np.ptp(self._keypoints, axis=1).T)
        scale = length / np.quantile(lengths, 0.75)
        self._small = round(_DRAWN[0] * scale), round(_DRAWN[1] * scale)
        floor = np.array([150, 140, 120]) + 14 * smooth_noise(rng, (HEIGHT, WIDTH), (90, 120))[..., None]
        floor += 5 * smooth_noise(rng, (HEIGHT, WIDTH), (3, 4))[..., None]
        rows, columns = np.mgrid[-8:9, -8:9]
        for y, x in rng.integers(20, (HEIGHT - 20, WIDTH - 20), (150, 2)):
            dropping = np.clip(rng.uniform(1.5, 5) - np.hypot(rows, columns * rng.uniform(0.5, 1)), 0, 1)
            floor[y - 8 : y + 9, x - 8 : x + 9] -= rng.uniform(30, 90) * dropping[..., None]
        self.floor = floor.astype(np.float32)

    def frame(self, index: int) -> LabelledFrame:
        """Draw one frame with its labels."""
        black, white = (np.full((*_DRAWN, 3), value, np.float32) for value in (0, 255))
        for canvas in (black, white):
            self._painter.paint(canvas, 7 * index)
        mouse, seen_through = self._shrunk(black), self._shrunk((white - black) / 255)
        height, width = self._small
        xy = (self._keypoints[index] + 0.5) * [width / _DRAWN[1], height / _DRAWN[0]] - 0.5
        low, high = np.maximum(-xy.min(axis=0) + 20, 0), [WIDTH, HEIGHT] - np.array([width, height])
        left, top = (int(self._rng.integers(a, b)) for a, b in zip(low, high, strict=True))
        picture = self.floor.copy()
        patch = picture[top : top + height, left : left + width]
        patch[:] = mouse + patch * seen_through
        return LabelledFrame(self.photographed(picture), xy + np.array([left, top]), np.ones(len(xy), np.int8))

    def photographed(self, picture: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Add the light's drift and the sensor's noise."""
        noise = self._rng.standard_normal(picture.shape, np.float32)
        return np.clip(picture * self._rng.uniform(0.9, 1.1) + 3 * noise, 0, 255).astype(np.uint8)

    def _shrunk(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        image = torch.from_numpy(picture).permute(2, 0, 1)[None]
        small = F.interpolate(image, self._small, mode="bilinear", antialias=True)[0]
        return small.permute(1, 2, 0).numpy()
