"""How good the network gets from few labels, how long that takes, and how fast it predicts.

Everything is measured on DeepLabCut's openfield and Reaching examples (``--data``): random labels to learn from, all
other labelled frames to measure on. ``--short`` takes one seed each instead of five. The plain loop is the least that
somebody would write: the same pretrained network on whole frames, Adam, a fixed number of steps, no augmentation.
``--peers`` adds what `benchmarks.pose_peers` measures.
"""

from __future__ import annotations

import logging
import os
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.pose_data import OPENFIELD, LabelledData, openfield, reaching
from benchmarks.pose_peers import GOOD_ENOUGH, Ours, Task, side_by_side
from benchmarks.report import Figure
from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.engine.whole_videos import predict_stretches
from napari_al_pose.pose import LabelledFrame, PoseModel, train
from napari_al_pose.pose.evaluation import examine
from napari_al_pose.pose.geometry import InputGeometry, resize_frames
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.targets import keypoint_weights, render, scoremap_loss
from napari_al_pose.pose.training_plan import make_plan
from napari_al_pose.video import VideoFile

logger = logging.getLogger(__name__)

VIDEO = Path("openfield-Pranav-2018-10-30/videos/m3v1mp4.mp4")
SEEDS = (0, 1, 2, 3, 4)
INFERENCE_FRAMES, INFERENCE_REPEATS = 400, 3
PLAIN_STEPS, PLAIN_RATE, PLAIN_BATCH = 300, 1e-3, 8


@dataclass(frozen=True, slots=True)
class _Trained:
    """One training and what it came to on the frames it did not see."""

    model: PoseModel
    seconds: float
    steps: int
    error: float
    calibration_error: float


def figures(
    data: Path | None, *, short: bool = False, peers: Mapping[str, float | None] | None = None
) -> Iterator[Figure]:
    """Measure trainings, a warm round, inference, and what these take ``peers``, each within so many minutes."""
    if data is None:
        logger.warning("no --data: nothing to learn from, no figure")
        return
    threads = os.cpu_count() or 1
    torch.set_num_threads(threads)
    seeds = SEEDS[:1] if short else SEEDS
    mouse, hand = openfield(data), reaching(data)
    thirty = [_train(mouse, 30, seed) for seed in seeds]
    plain_error, plain_seconds = _plain_loop(mouse, 30, seeds[0])
    setting = {"labels": 30, "seeds": list(seeds), "cores": threads}
    yield Figure(
        "pose.openfield_30",
        _median(t.error for t in thirty),
        "px mean error",
        goal="<= 4.0",
        peers={f"plain loop, {PLAIN_STEPS} steps, seed {seeds[0]}": plain_error},
        setting=setting | {"by_seed": [round(t.error, 2) for t in thirty]},
    )
    yield Figure(
        "pose.openfield_30_seconds",
        _median(t.seconds for t in thirty),
        "s of training",
        goal="<= 60",
        peers={f"plain loop, {PLAIN_STEPS} steps, seed {seeds[0]}": plain_seconds},
        setting=setting
        | {"by_seed": [round(t.seconds, 1) for t in thirty], "steps": thirty[0].steps}
        | {"ratio_to_plain": thirty[0].seconds / plain_seconds},
    )
    yield Figure(
        "pose.calibration", _median(t.calibration_error for t in thirty), "expected calibration error", setting=setting
    )
    yield _error("pose.openfield_10", mouse, 10, seeds, goal="<= 8")
    yield _error("pose.reaching_25", hand, 25, seeds, goal="<= 12")
    yield from _warm_round(mouse, thirty, seeds)
    yield (inference := _inference(data / VIDEO, thirty[0].model))
    yield (seconds_to := _seconds_to(mouse, seeds[0]))
    if peers is not None:
        ours = Ours(
            seconds_to=seconds_to.value if seconds_to.setting["reached"] else float("inf"),
            seconds=thirty[0].seconds,
            frames_per_second=inference.value,
        )
        names = mouse.split_names(30, seeds[0])
        task = Task(labels=data / OPENFIELD, names=names, video=data / VIDEO, threads=threads)
        yield from side_by_side(task, ours, peers)


def _error(name: str, data: LabelledData, n: int, seeds: Sequence[int], *, goal: str) -> Figure:
    done = [_train(data, n, seed) for seed in seeds]
    setting = {
        "labels": n,
        "seeds": list(seeds),
        "by_seed": [round(t.error, 2) for t in done],
        "seconds": [round(t.seconds, 1) for t in done],
    }
    return Figure(name, _median(t.error for t in done), "px mean error", goal=goal, setting=setting)


def _warm_round(data: LabelledData, first: Sequence[_Trained], seeds: Sequence[int]) -> Iterator[Figure]:
    """Ten more labels on top of thirty: carried on from the model of the thirty, against forty anew."""
    warm = [_train(data, 40, seed, initial=before.model) for seed, before in zip(seeds, first, strict=True)]
    anew = [_train(data, 40, seed) for seed in seeds]
    setting: Mapping[str, Any] = {
        "labels": "10 on top of 30",
        "seeds": list(seeds),
        "warm_px": [round(t.error, 2) for t in warm],
        "anew_px": [round(t.error, 2) for t in anew],
        "warm_seconds": [round(t.seconds, 1) for t in warm],
        "anew_seconds": [round(t.seconds, 1) for t in anew],
    }
    yield Figure("pose.warm_seconds", _median(t.seconds for t in warm), "s of training", goal="<= 30", setting=setting)
    yield Figure(
        "pose.warm_error",
        _median(w.error / a.error for w, a in zip(warm, anew, strict=True)),
        "times the error of training anew",
        goal="<= 1.0",
        setting=setting,
    )


def _inference(path: Path, model: PoseModel) -> Figure:
    """Decode, scale, predict, as whole videos are: the best of some runs, since other programs only slow it."""
    model.predict(np.zeros((2, 480, 640, 3), np.uint8), with_scoremaps=False)
    rates = []
    with VideoFile(path) as video:
        for _ in range(INFERENCE_REPEATS):
            began, done = time.perf_counter(), 0
            for _first, rows in predict_stretches(video, [(0, INFERENCE_FRAMES)], model):
                done += len(rows)
            rates.append(done / (time.perf_counter() - began))
        height, width = video.shape[1:3]
    setting = {
        "source": f"{width} x {height}, {path.suffix[1:]}",
        "network_input": "{1} x {0}".format(*model.input_size_for(height, width)),
        "frames": INFERENCE_FRAMES,
        "cores": torch.get_num_threads(),
        "by_run": [round(rate, 1) for rate in rates],
    }
    return Figure("pose.inference", max(rates), "frames/s", goal=">= 60", setting=setting)


def _seconds_to(data: LabelledData, seed: int) -> Figure:
    """Seconds of training until the error is `GOOD_ENOUGH`, measuring it on all other frames included."""
    chosen, rest = data.split(30, seed)
    began = time.perf_counter()
    training = train(chosen, data.bodyparts, TrainSettings(seed=seed), holdout=rest)
    reached = any(tick.holdout_error <= GOOD_ENOUGH for tick in training)
    took = time.perf_counter() - began
    training.close()
    return Figure(
        "pose.seconds_to_6_px",
        took,
        "s of training",
        setting={
            "labels": 30,
            "held_out": len(rest),
            "seed": seed,
            "reached": reached,
            "cores": torch.get_num_threads(),
        },
    )


# ---- trainings ------------------------------------------------------------------------------------


def _train(data: LabelledData, n: int, seed: int, *, initial: PoseModel | None = None) -> _Trained:
    """Train on the first ``n`` frames of the seed's draw and measure on all others."""
    chosen, rest = data.split(n, seed)
    began, steps = time.perf_counter(), 0
    training = train(chosen, data.bodyparts, TrainSettings(seed=seed), initial=initial)
    while True:
        try:
            steps = next(training).step
        except StopIteration as end:
            model: PoseModel = end.value
            break
    seconds = time.perf_counter() - began
    errors, reliability = examine(model, rest)
    logger.info("%s, %s labels, seed %s: %s px in %s s", data.name, n, seed, round(errors.mean, 2), round(seconds, 1))
    gap = float("nan") if reliability is None else reliability.expected_error
    return _Trained(model, seconds, steps, errors.mean, gap)


def _plain_loop(data: LabelledData, n: int, seed: int) -> tuple[float, float]:
    """Return mean error and seconds of the plain loop on the same frames at the same scale."""
    chosen, rest = data.split(n, seed)
    plan = make_plan(chosen, TrainSettings())
    size = InputGeometry.fit(chosen[0].size, plan.long_side).padded
    torch.manual_seed(seed)
    network = PoseNetwork("efficientnet_lite0", len(data.bodyparts), pretrained=True)
    optimiser = torch.optim.Adam(network.parameters(), lr=PLAIN_RATE)
    rng = np.random.default_rng(seed)
    began = time.perf_counter()
    for _ in range(PLAIN_STEPS):
        images, uv, states = _whole_frames([chosen[i] for i in rng.integers(n, size=PLAIN_BATCH)], plan.long_side, size)
        network.train()
        loss = scoremap_loss(network(images), render(uv, size[0] // 4, size[1] // 4), keypoint_weights(states))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    seconds = time.perf_counter() - began
    model = PoseModel(
        network.eval(), bodyparts=tuple(data.bodyparts), settings=TrainSettings(), long_side=plan.long_side
    )
    error = examine(model, rest)[0].mean
    logger.info("plain loop: %s px in %s s", round(error, 2), round(seconds, 1))
    return error, seconds


def _whole_frames(
    frames: Sequence[LabelledFrame], long_side: int, size: tuple[int, int]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return images padded to ``size``, keypoints in their pixels and states."""
    images = torch.full((len(frames), 3, *size), 127.0)
    positions = []
    for i, frame in enumerate(frames):
        geometry = InputGeometry.fit(frame.size, long_side)
        images[i, :, : geometry.resized[0], : geometry.resized[1]] = resize_frames(frame.image[None], geometry)[0]
        positions.append(geometry.to_network(frame.xy))
    states = torch.from_numpy(np.stack([frame.states for frame in frames]).astype(np.int64))
    return images, torch.from_numpy(np.stack(positions)).float(), states


def _median(values: Any) -> float:
    return float(statistics.median(values))
