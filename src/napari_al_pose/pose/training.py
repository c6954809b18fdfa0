"""One training, as a generator that can be watched, interrupted and stopped between any two steps."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_al_pose.domain import AlPoseError, KeypointState
from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.pose.augmentation import Views
from napari_al_pose.pose.device import resolve_device
from napari_al_pose.pose.frames import LabelledFrame, check_frames
from napari_al_pose.pose.geometry import SCOREMAP_STRIDE, InputGeometry, resize_frames
from napari_al_pose.pose.metrics import distances
from napari_al_pose.pose.model import PoseModel, predict_chunk
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.plan import TrainPlan, make_plan
from napari_al_pose.pose.targets import keypoint_weights, render, scoremap_loss

log = logging.getLogger(__name__)

LEARNING_RATE = 6e-3
TRUNK_SHARE = 0.2
"""Learning rate of the pretrained trunk over that of the new heads."""

WEIGHT_DECAY = 1e-3
WARM_UP = 0.2
"""Share of the steps over which the learning rate rises."""

GRADIENT_NORM = 5.0
HOLDOUT_FRAMES = 24
HOLDOUT_MEASURES = 10
HOLDOUT_AT_ONCE = 4
"""Hold-out frames between two ticks: whoever waits for the generator waits no longer than for a step."""


@dataclass(frozen=True, slots=True)
class TrainTick:
    """Where a training is.

    Parameters
    ----------
    step, steps : int
        Optimiser steps done and planned; 0 before the first.
    loss : float
        Of the last step; NaN before the first.
    holdout_error : float
        Mean error on hold-out frames in source pixels; NaN on ticks without a measurement.
    seconds_left : float
        Negative while nobody can tell.
    """

    step: int
    steps: int
    loss: float
    holdout_error: float = math.nan
    seconds_left: float = -1.0


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    """A frame at the network's scale."""

    image: Tensor
    uv: NDArray[np.float64]
    states: Tensor


def train(
    frames: Sequence[LabelledFrame],
    bodyparts: Sequence[str],
    settings: TrainSettings,
    *,
    initial: PoseModel | None = None,
    holdout: Sequence[LabelledFrame] = (),
    threads: int | None = None,
    plan: TrainPlan | None = None,
) -> Generator[TrainTick, str | None, PoseModel]:
    """Train a model on labelled frames.

    Yields a tick before the first step, after each step, and between parts of a hold-out measurement. Closing the
    generator abandons the training; ``send("stop")`` ends it with what it has learnt. The value returned (of
    ``StopIteration``) is the model. The same input, seed and threads give the same model on a CPU.

    Parameters
    ----------
    frames : sequence of LabelledFrame
        To learn from, of any sizes; unfinished ones too.
    bodyparts : sequence of str
        Names along the keypoint axis.
    settings : TrainSettings
        Zeros in it are chosen from the labels.
    initial : PoseModel, optional
        The version before, used as the start only if trunk and bodyparts are the same.
    holdout : sequence of LabelledFrame
        To measure on, never learnt from.
    threads : int, optional
        Torch's threads from now on; left as they are by default.
    plan : TrainPlan, optional
        Scale, crop and steps; by default chosen from the labels. Whoever compares trainings fixes it.

    Raises
    ------
    AlPoseError
        If the frames can't be trained on, the trunk or device can't be had, or the loss is no longer a number.
    """
    check_frames(frames, len(bodyparts))
    if threads is not None:
        torch.set_num_threads(max(1, threads))
    device = resolve_device(settings.device)
    plan = plan or make_plan(frames, settings)
    network = _network(bodyparts, settings, initial).to(device)
    network.freeze_early_layers()
    optimiser, schedule = _optimiser(network, plan)
    batches = _batches(frames, plan, settings)
    pace = _Pace(plan.steps)
    answer = yield TrainTick(0, plan.steps, math.nan)
    step = 0
    while step < plan.steps and answer != "stop":
        began = time.monotonic()
        loss = _step(network, optimiser, next(batches), device)
        schedule.step()
        step += 1
        pace.note(time.monotonic() - began)
        error = math.nan
        if holdout and (step == plan.steps or step % max(1, plan.steps // HOLDOUT_MEASURES) == 0):
            tick = TrainTick(step, plan.steps, loss, seconds_left=pace.left(step))
            error, answer = yield from _measure(network, holdout[:HOLDOUT_FRAMES], plan.long_side, tick)
        if answer != "stop":
            answer = yield TrainTick(step, plan.steps, loss, error, pace.left(step))
    network.eval().requires_grad_(False)
    return PoseModel(network, bodyparts=tuple(bodyparts), settings=settings, long_side=plan.long_side)


def _network(bodyparts: Sequence[str], settings: TrainSettings, initial: PoseModel | None) -> PoseNetwork:
    """Return the network to start from, its new parts drawn with the seed without touching torch's own generator."""
    warm = initial is not None and initial.bodyparts == tuple(bodyparts) and initial.settings.trunk == settings.trunk
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = PoseNetwork(settings.trunk, len(bodyparts), pretrained=not warm)
    if warm and initial is not None:
        network.load_state_dict(initial.network.state_dict())
    return network.to(memory_format=torch.channels_last)


def _optimiser(
    network: PoseNetwork, plan: TrainPlan
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    trunk, heads = network.parameter_groups()
    rates = [LEARNING_RATE * TRUNK_SHARE, LEARNING_RATE]
    optimiser = torch.optim.AdamW(
        [{"params": trunk, "lr": rates[0]}, {"params": heads, "lr": rates[1]}], weight_decay=WEIGHT_DECAY
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate_at(step, plan.steps))
    return optimiser, schedule


def rate_at(step: int, steps: int) -> float:
    """Return the learning rate of a step (from 0) over its peak: a linear rise, then half a cosine down."""
    warm = max(1, round(WARM_UP * steps))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm + 1) / (steps - warm + 1))))


def _prepare(frame: LabelledFrame, long_side: int) -> _Prepared:
    geometry = InputGeometry.fit(frame.size, long_side)
    uv = geometry.to_network(frame.xy)
    uv[frame.states != KeypointState.PLACED] = np.nan
    image = resize_frames(frame.image[None], geometry)[0]
    return _Prepared(image, uv, torch.from_numpy(np.asarray(frame.states, np.int64)))


def _batches(
    frames: Sequence[LabelledFrame], plan: TrainPlan, settings: TrainSettings
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield views (N, 3, H, W), keypoints (N, K, 2) and states (N, K) for ever; each frame once an epoch."""
    rng = np.random.default_rng(settings.seed)
    prepared = [_prepare(frame, plan.long_side) for frame in frames]
    views = Views(plan.crop, settings.rotation_degrees)
    waiting: list[int] = []
    while True:
        images, uvs, states = [], [], []
        for _ in range(settings.batch_size):
            waiting = waiting or [int(i) for i in rng.permutation(len(prepared))]
            chosen = prepared[waiting.pop()]
            image, uv = views.draw(chosen.image, chosen.uv, rng)
            images.append(image)
            uvs.append(torch.from_numpy(uv))
            states.append(chosen.states)
        yield torch.stack(images), torch.stack(uvs).float(), torch.stack(states)


def _step(
    network: PoseNetwork, optimiser: torch.optim.Optimizer, batch: tuple[Tensor, Tensor, Tensor], device: str
) -> float:
    """Make one optimiser step and return its loss; the weights stay as they are if that is not a number."""
    images, uv, states = (part.to(device) for part in batch)
    network.train()
    logits = network(images)
    rows, columns = images.shape[2] // SCOREMAP_STRIDE, images.shape[3] // SCOREMAP_STRIDE
    loss = scoremap_loss(logits.float(), render(uv, rows, columns), keypoint_weights(states))
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    trainable = [p for group in optimiser.param_groups for p in group["params"]]
    norm = nn.utils.clip_grad_norm_(trainable, GRADIENT_NORM)
    if not (math.isfinite(loss.item()) and math.isfinite(norm.item())):
        raise AlPoseError(
            "Training broke off: the loss is no longer a number.",
            "The model before is still in place. Check the newest labels, then learn again with another seed.",
        )
    optimiser.step()
    return float(loss.item())


def _measure(
    network: PoseNetwork, frames: Sequence[LabelledFrame], long_side: int, tick: TrainTick
) -> Generator[TrainTick, str | None, tuple[float, str | None]]:
    """Return the mean error on ``frames`` and what was sent meanwhile; NaN where that was to stop."""
    network.eval()
    errors = []
    for i, frame in enumerate(frames):
        geometry = InputGeometry.fit(frame.size, long_side)
        xy, _, _ = predict_chunk(network, frame.image[None], geometry, with_scoremaps=False)
        errors.append(distances(xy, frame.xy[None], frame.states[None])[0])
        if i % HOLDOUT_AT_ONCE == HOLDOUT_AT_ONCE - 1 and i + 1 < len(frames):
            answer = yield tick
            if answer == "stop":
                return math.nan, answer
    every = np.concatenate(errors)
    return (float(np.nanmean(every)) if np.isfinite(every).any() else math.nan), None


class _Pace:
    """Tells how long the rest will take, from the median of the last steps."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._seconds: list[float] = []

    def note(self, seconds: float) -> None:
        self._seconds = [*self._seconds[-19:], seconds]

    def left(self, step: int) -> float:
        return float(np.median(self._seconds)) * (self._steps - step)
