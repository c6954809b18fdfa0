"""Chooses how to train from the labels, wherever the settings leave it open."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from napari_al_pose.domain import KeypointState
from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.pose.animals import Animals
from napari_al_pose.pose.backbones import get_backbone
from napari_al_pose.pose.device import resolve_device
from napari_al_pose.pose.frames import LabelledFrame
from napari_al_pose.pose.geometry import PAD_MULTIPLE, InputGeometry, padded
from napari_al_pose.pose.memory import usable_bytes
from napari_al_pose.pose.unique_views import UNIQUE_SHARE
from napari_al_pose.pose.window import Window

log = logging.getLogger(__name__)

ANIMAL_SIZE = 72.0
"""Length of the animal, network pixels, at which neighbouring bodyparts can be told apart."""

SMALLEST_SIDE, LARGEST_SIDE = 256, 448

SMALL_ANIMAL, LARGEST_FOR_SMALL = 40.0, 1024
"""The input grows beyond `LARGEST_SIDE` only as far as a small animal in a large frame needs to reach this length. That
slows prediction, but not training, which sees crops. If allowed, the network follows the animal instead."""

ANIMAL_AMONG_OTHERS, SEARCHED_AMONG_OTHERS, SMALLEST_SEARCH = 84.0, 32.0, 160
"""The same for several animals: in the second pass, as long as its view of 160 pixels allows; in the first, long enough
for a peak each where two touch. And the shortest side of the first pass with several."""

SEARCHED_ANIMAL, LEAST_GAIN = 12.0, 1.5
"""Length of an animal in the first pass, network pixels, and how much finer the second pass must be to be
worthwhile."""

CROP_PER_ANIMAL = 1.9
"""Side of the training crop relative to the animal's length, so that the crop may miss its centre."""


FULL_ROTATION, FIXED_ROTATION = 180.0, 25.0
TELLING_FRAMES, FIXED_DIRECTION = 8, 0.985
"""Largest rotation of views: all the way, or little where labels show a fixed view (a spread of 10 degrees)."""

CALIBRATION_FROM, CALIBRATION_SHARE, JOIN_AT = 10, 0.2, 0.6
"""Calibration split: from how many labelled frames there is one, its share, and when it joins the training."""

EARLY_STOPPING_FROM, EARLY_STOPPING_SHARE, EARLY_STOPPING_MOST = 100, 0.1, 32
"""Early stopping: from how many labelled frames some are set aside for it, their share, and the most of them."""

FINE_TUNING_STEPS, FINE_TUNING_RATE = 0.4, 0.5
"""Least steps and learning rate of fine-tuning, relative to a training from the backbone."""

SAME_SCALE = 1.3
"""Fine-tuning keeps the model's scale unless the newly chosen scale differs by more than this factor."""


@dataclass(frozen=True, slots=True)
class TrainPlan:
    """How to run one training.

    Parameters
    ----------
    long_side : int
        Longer side of the whole frame at the network's scale, px.
    crop : (int, int)
        Height and width of the training crops, network pixels, multiples of 32.
    steps : int
        Optimiser steps.
    rate : float
        Peak learning rate relative to the default.
    n_validation : int
        Labelled frames set aside from the start, to calibrate on or to stop early by.
    join_at : float
        Share of the steps after which they are learnt from; 1 for never.
    rotation_degrees : float
        Largest rotation of views, either way.
    window : Window, optional
        What the network looks at; by default the whole frame.
    batch_size : int
        Views in a batch; 0 takes it from the settings.
    animals : Animals, optional
        How many animals the network looks for; by default one.
    length : float
        Of the animal, network pixels.
    notice : str
        What had to be reduced because memory is short, for the user; empty if nothing.
    """

    long_side: int
    crop: tuple[int, int]
    steps: int
    rate: float = 1.0
    n_validation: int = 0
    join_at: float = JOIN_AT
    rotation_degrees: float = FULL_ROTATION
    window: Window | None = None
    batch_size: int = 0
    animals: Animals | None = None
    length: float = ANIMAL_SIZE
    notice: str = ""


def make_plan(
    frames: Sequence[LabelledFrame], settings: TrainSettings, *, animals: int = 1, n_unique: int = 0
) -> TrainPlan:
    """Choose scale, crop and number of steps for these labels of up to ``animals`` in a frame.

    With ``n_unique`` bodyparts beside them, a single animal is looked for as several are.
    """
    several = animals > 1 or n_unique > 0
    extent = animal_extent(frames)
    if several:
        long_side, search_side = _scales_of_several(frames, extent, settings)
    else:
        long_side, search_side = _scales(frames, extent, settings)
    memory, usable = get_backbone(settings.backbone).memory, usable_bytes(resolve_device(settings.device))
    fitting = _fitting_side(frames, usable / memory.predicting)
    trainable = _side(usable / memory.training, min(1.0, CROP_PER_ANIMAL * max(extent, 1e-3)))
    largest = trainable if search_side else min(fitting, trainable)
    notice = _less(long_side, largest, "frames are seen at {} px for {} px")
    long_side, search_side = min(long_side, largest), min(search_side, fitting)
    geometries = [InputGeometry.fit(frame.size, long_side) for frame in frames]
    whole = tuple(max(g.padded[axis] for g in geometries) for axis in (0, 1))
    side = max(padded(round(CROP_PER_ANIMAL * extent * long_side)), 3 * PAD_MULTIPLE)
    crop = (side, side) if several else (min(side, whole[0]), min(side, whole[1]))
    batch_size = max(1, usable // (crop[0] * crop[1] * memory.training))
    notice = notice or _less(settings.batch_size, batch_size, "batches are of {} views for {}")
    n_placed = sum(bool(frame.animals) for frame in frames)
    plan = TrainPlan(
        long_side=long_side,
        crop=crop,
        steps=settings.steps or _steps(frames, several=several, n_unique=n_unique),
        n_validation=n_validation(n_placed),
        join_at=1.0 if n_placed >= EARLY_STOPPING_FROM else JOIN_AT,
        rotation_degrees=_rotation(frames, settings),
        window=Window(side, search_side) if search_side else None,
        batch_size=min(settings.batch_size, batch_size),
        animals=Animals(animals, _are_always_there(frames, animals, settings)) if several else None,
        length=extent * long_side,
        notice=notice,
    )
    log.info("training plan for %s frames, animal %s of the frame: %s", len(frames), round(extent, 2), plan)
    return plan


def fine_tuning_plan(
    plan: TrainPlan, long_side: int, window: Window | None, settings: TrainSettings, *, new_share: float
) -> TrainPlan:
    """Return the plan for fine-tuning a model.

    Parameters
    ----------
    plan : TrainPlan
        For training on the same labels from the backbone.
    long_side, window : int and Window or None
        The model's. It follows the animal if the plan does.
    settings : TrainSettings
        Their fixed values are kept.
    new_share : float
        Share of the labelled frames that the model has not seen.
    """
    factor = plan.long_side / long_side
    keeps = not settings.long_side and 1 / SAME_SCALE <= factor <= SAME_SCALE
    share = min(1.0, max(FINE_TUNING_STEPS, new_share))
    return replace(
        plan,
        long_side=long_side if keeps else plan.long_side,
        window=window if keeps else plan.window,
        steps=settings.steps or max(1, round(share * plan.steps)),
        rate=FINE_TUNING_RATE,
    )


def _are_always_there(frames: Sequence[LabelledFrame], animals: int, settings: TrainSettings) -> bool:
    """Return whether every frame shows all animals; if the settings don't say, judge by the fully labelled frames."""
    if settings.animal_count != "auto":
        return settings.animal_count == "fixed"
    counted = [len(frame.animals) for frame in frames if frame.every_animal]
    return bool(counted) and min(counted) == animals


def view_is_fixed(frames: Sequence[LabelledFrame]) -> bool:
    """Return whether two bodyparts always lie in the same direction from each other, as with a fixed camera.

    The steadiest pair decides: the length of its mean unit vector over at least `TELLING_FRAMES` frames.
    """
    animals = [animal for frame in frames for animal in frame.each]
    xy = np.stack([np.where((f.states == KeypointState.PLACED)[:, None], f.xy, np.nan) for f in animals])
    for a, b in combinations(range(xy.shape[1]), 2):
        arrows = xy[:, b] - xy[:, a]
        lengths = np.hypot(arrows[:, 0], arrows[:, 1])
        units = arrows[lengths > 0] / lengths[lengths > 0, None]
        if len(units) >= TELLING_FRAMES and np.hypot(*units.mean(axis=0)) >= FIXED_DIRECTION:
            return True
    return False


def _rotation(frames: Sequence[LabelledFrame], settings: TrainSettings) -> float:
    if settings.rotation_degrees >= 0:
        return settings.rotation_degrees
    if not view_is_fixed(frames) or not (_go_about(frames) or not any(frame.others for frame in frames)):
        return FULL_ROTATION
    return FIXED_ROTATION


def _go_about(frames: Sequence[LabelledFrame]) -> bool:
    """Return whether several animals move by half their length or more between labelled frames.

    Resting animals look as if the view were fixed, and may turn as soon as they walk.
    """
    middles = []
    for frame in frames:
        placed = [animal.xy[animal.states == KeypointState.PLACED] for animal in frame.animals]
        if placed:
            middles.append(np.concatenate(placed).mean(axis=0) / max(frame.size))
    return bool(middles) and float(np.hypot(*np.std(middles, axis=0))) >= 0.5 * animal_extent(frames)


def n_validation(n_frames: int) -> int:
    """Return how many of so many labelled frames are set aside, to calibrate on or to stop early by."""
    if n_frames >= EARLY_STOPPING_FROM:
        return min(EARLY_STOPPING_MOST, round(EARLY_STOPPING_SHARE * n_frames))
    return round(CALIBRATION_SHARE * n_frames) if n_frames >= CALIBRATION_FROM else 0


def animal_extent(frames: Sequence[LabelledFrame]) -> float:
    """Return the animal's length relative to the frame's longer side.

    A high quantile of the labels' bounding diagonals.

    Return 1.0 if no frame has two placed keypoints.
    """
    extents = []
    for frame in (animal for picture in frames for animal in picture.each):
        placed = frame.xy[frame.states == KeypointState.PLACED]
        if len(placed) >= 2:
            extents.append(float(np.hypot(*np.ptp(placed, axis=0))) / max(frame.size))
    return min(1.0, float(np.quantile(extents, 0.75))) if extents else 1.0


def _scales(frames: Sequence[LabelledFrame], extent: float, settings: TrainSettings) -> tuple[int, int]:
    """Return the longer side of the frame for the network and for the first pass; 0 if there is no first pass."""
    if settings.follow_animal != "off":
        wanted = round(ANIMAL_SIZE / max(extent, 1e-3))
        fine = settings.long_side or min(wanted, max(max(frame.size) for frame in frames))
        search = min(max(SMALLEST_SIDE, padded(round(SEARCHED_ANIMAL / max(extent, 1e-3)))), LARGEST_FOR_SMALL)
        is_small = not settings.long_side and _needed(extent) > LARGEST_SIDE
        if fine >= LEAST_GAIN * search and (is_small or settings.follow_animal == "on"):
            return fine, search
    return settings.long_side or _long_side(frames, extent), 0


def _scales_of_several(frames: Sequence[LabelledFrame], extent: float, settings: TrainSettings) -> tuple[int, int]:
    """Return the sides of `_scales` for several animals, which are always looked at one by one."""
    source = max(max(frame.size) for frame in frames)
    fine = settings.long_side or min(round(ANIMAL_AMONG_OTHERS / max(extent, 1e-3)), source)
    search = padded(round(SEARCHED_AMONG_OTHERS / max(extent, 1e-3)))
    return fine, min(max(SMALLEST_SEARCH, search), LARGEST_FOR_SMALL, padded(fine))


def _long_side(frames: Sequence[LabelledFrame], extent: float) -> int:
    """Return the side at which the animal is `ANIMAL_SIZE` long, within bounds and never above the source's side."""
    wanted = padded(round(ANIMAL_SIZE / max(extent, 1e-3)))
    needed = min(_needed(extent), LARGEST_FOR_SMALL)
    source = padded(max(max(frame.size) for frame in frames))
    return min(max(SMALLEST_SIDE, min(wanted, LARGEST_SIDE), needed), source)


def _needed(extent: float) -> int:
    """Return the side at which the animal is `SMALL_ANIMAL` long."""
    return padded(round(SMALL_ANIMAL / max(extent, 1e-3)))


def _fitting_side(frames: Sequence[LabelledFrame], pixels: float) -> int:
    """Return the longest side at which no frame has more than this many pixels."""
    return _side(pixels, float(np.sqrt(max(min(frame.size) / max(frame.size) for frame in frames))))


def _side(pixels: float, share: float) -> int:
    """Return the side, a multiple of 32, at which a square of ``share`` of it has this many pixels."""
    return max(PAD_MULTIPLE, int(np.sqrt(pixels) / share) // PAD_MULTIPLE * PAD_MULTIPLE)


def _less(wanted: int, had: int, what: str) -> str:
    """Return a sentence if memory suffices for less than was wanted, or an empty string."""
    return "" if had >= wanted else f"Little memory is free: {what.format(had, wanted)}."


def _steps(frames: Sequence[LabelledFrame], *, several: bool, n_unique: int) -> int:
    """Return a number of steps that grows with the square root of the labels.

    With several animals it goes by them, and two in each frame take twice as long as one. Unique bodyparts have views
    of their own on top.
    """
    if not several:
        return int(np.clip(40 * np.sqrt(len(frames)), 160, 1000))
    labelled = sum(max(1, len(frame.animals)) for frame in frames)
    steps = np.clip(40 * np.sqrt(2 * labelled), 160, 1400)
    return int(steps / (1 - UNIQUE_SHARE) if n_unique else steps)
