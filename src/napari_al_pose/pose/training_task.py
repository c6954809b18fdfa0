"""What the parts of one training share: labels, settings, and the way to the caller between any two steps."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

from napari_al_pose.domain.mirroring import is_found, mirror_order, read_pairs
from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.pose.animal_batch_sampler import AnimalBatchSampler
from napari_al_pose.pose.augmentation import Views
from napari_al_pose.pose.batch_sampler import BatchSampler
from napari_al_pose.pose.device import resolve_device
from napari_al_pose.pose.frames import LabelledFrame
from napari_al_pose.pose.metrics import reference_length
from napari_al_pose.pose.model import PoseModel
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.training_plan import TrainPlan
from napari_al_pose.pose.unique_bodyparts import usual_places
from napari_al_pose.pose.validation import ValidationPredictions, validate

MOST_VALIDATED = 24
"""Most frames that one validation or one search for hard negatives looks at."""

FULL_TURN = 90.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TrainTick:
    """How far a training is.

    Parameters
    ----------
    step, steps : int
        Optimiser steps done and planned; 0 before the first.
    loss : float
        Of the last step; NaN before the first.
    holdout_error : float
        Mean error on hold-out frames in source pixels; NaN on ticks without a measurement.
    seconds_left : float
        Of all steps that follow, those after a trial as well; negative while it is unknown.
    fine_tuned : bool
        Whether the training fine-tunes the previous model.
    notice : str
        What had to be reduced because memory is short, and which labels are left out, for the user; empty if nothing.
    tried, to_try : int
        Steps done and planned of the trial that decides where to start; it runs before the training's own steps.
        The first half of them fine-tunes, the second starts over; ``loss`` is that of the step.
    """

    step: int
    steps: int
    loss: float
    holdout_error: float = math.nan
    seconds_left: float = -1.0
    fine_tuned: bool = False
    notice: str = ""
    tried: int = 0
    to_try: int = 0


class TrainingTask:
    """What is to be learnt, and how; makes networks and batches for it.

    Parameters
    ----------
    frames : sequence of LabelledFrame
    bodyparts, unique_bodyparts : sequence of str
    settings : TrainSettings
    animals : int
        Most animals in a frame.

    Attributes
    ----------
    reference : float
        The animal's length, px.
    request : str or None
        What the caller sent after the last tick; "stop" ends the training.
    """

    def __init__(
        self,
        frames: Sequence[LabelledFrame],
        bodyparts: Sequence[str],
        settings: TrainSettings,
        *,
        animals: int,
        unique_bodyparts: Sequence[str],
    ) -> None:
        self.frames = frames
        self.bodyparts, self.unique_bodyparts = tuple(bodyparts), tuple(unique_bodyparts)
        self.settings = settings
        self.animals = animals
        self.reference = _reference(frames)
        self.request: str | None = None
        self._device = resolve_device(settings.device)

    def network(self, initial: PoseModel | None) -> PoseNetwork:
        """Return the network to start from.

        Its new parts are drawn with the settings' seed, and torch's global generator is left alone.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.settings.seed)
            network = PoseNetwork(
                self.settings.backbone,
                len(self.bodyparts),
                pretrained=initial is None,
                several=self.animals > 1 or bool(self.unique_bodyparts),
                n_unique=len(self.unique_bodyparts),
            )
        if initial is not None:
            network.load_state_dict(initial.network.state_dict())
        if network.n_unique:
            network.get_buffer("places").copy_(usual_places(self.frames, network.n_unique))
        network.freeze_early_layers()
        return network.to(self._device).to(memory_format=torch.channels_last)

    def sampler(self, plan: TrainPlan, frames: Sequence[LabelledFrame]) -> BatchSampler | AnimalBatchSampler:
        """Return the sampler that draws batches of ``frames``."""
        views, settings = self.views(plan), self.settings
        batch_size, seed = plan.batch_size or settings.batch_size, settings.seed
        sampler: BatchSampler | AnimalBatchSampler
        if plan.animals is not None and plan.window is not None:
            sampler = AnimalBatchSampler(
                views,
                long_side=plan.long_side,
                batch_size=batch_size,
                seed=seed,
                window=plan.window,
                length=plan.length,
                n_unique=len(self.unique_bodyparts),
            )
        else:
            sampler = BatchSampler(
                views, long_side=plan.long_side, batch_size=batch_size, seed=seed, window=plan.window
            )
        sampler.add(frames)
        return sampler

    def views(self, plan: TrainPlan) -> Views:
        """Return what draws views of frames."""
        settings = self.settings_of(plan)
        return Views(plan.crop, settings.rotation_degrees, _mirror(settings, self.bodyparts))

    def settings_of(self, plan: TrainPlan) -> TrainSettings:
        """Return the settings, with the rotation that the plan chose."""
        if self.settings.rotation_degrees >= 0:
            return self.settings
        return self.settings.model_copy(update={"rotation_degrees": plan.rotation_degrees})

    def validate(
        self, network: PoseNetwork, frames: Sequence[LabelledFrame], plan: TrainPlan, tick: TrainTick
    ) -> Generator[TrainTick, str | None, ValidationPredictions]:
        """Predict labelled frames, and compare."""
        work = validate(network, frames, plan.long_side, plan.window, animals=plan.animals)
        return (yield from self.while_ticking(work, tick))

    def while_ticking(self, work: Generator[None, None, T], tick: TrainTick) -> Generator[TrainTick, str | None, T]:
        """Return what ``work`` returns; send no more ticks once the caller has asked to stop."""
        try:
            while True:
                next(work)
                if self.request != "stop":
                    self.request = yield tick
        except StopIteration as end:
            return end.value


def _reference(frames: Sequence[LabelledFrame]) -> float:
    """Return the animal's length, px; a quarter of the frame's longer side where single keypoints don't tell it."""
    animals = [animal for frame in frames for animal in frame.each]
    length = reference_length(np.stack([a.xy for a in animals]), np.stack([a.states for a in animals]))
    return length if math.isfinite(length) else 0.25 * float(np.median([max(f.size) for f in frames]))


def _mirror(settings: TrainSettings, bodyparts: tuple[str, ...]) -> tuple[int, ...] | None:
    """Return the order of bodyparts in a mirror image; None for no mirroring.

    Pairs found by name are used only where views are turned by less than a quarter. Views turned all the way differ
    enough already: mirroring them as well cost a fifth of the accuracy on openfield (3.1 to 3.7 px at 30 labels).
    """
    pairs = read_pairs(settings.swap_pairs, bodyparts)
    if is_found(settings.swap_pairs) and settings.rotation_degrees >= FULL_TURN:
        return None
    return mirror_order(pairs, bodyparts)


def drawn(frames: Sequence[LabelledFrame], count: int, seed: int) -> list[int]:
    """Return the positions, descending, of ``count`` frames with a placed keypoint, drawn at random."""
    placed = [i for i, frame in enumerate(frames) if frame.animals]
    drawn = np.random.default_rng(seed).permutation(placed)[:count]
    return sorted((int(i) for i in drawn), reverse=True)
