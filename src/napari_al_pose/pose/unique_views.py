"""Views that teach unique bodyparts: of whole frames as the first pass sees them, and of what is around each point.

They are turned and scaled only a little and never mirrored: one corner of the cage looks like the others, and where it
is in the picture tells them apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_al_pose.domain import KeypointState
from napari_al_pose.pose.augmentation import cover, cut, disturb
from napari_al_pose.pose.batch_sampler import SURROUNDINGS, ScaledImage, part_of, scaled
from napari_al_pose.pose.frames import LabelledFrame
from napari_al_pose.pose.targets import keypoint_weights

UNIQUE_SHARE = 0.15
"""Share of all views that teach unique bodyparts, if there are any."""

COARSE_SHARE = 0.5
"""Share of the views that show the whole frame."""

DEGREES, SCALES = 8.0, (0.9, 1.1)
"""Largest rotation of a view, and its least and largest scale."""

SHIFT = 0.1
"""Largest shift of a view of the whole frame, in sides of the frame."""

OFF = 0.3
"""Largest distance of the point from the middle of its view, in sides of the view: where the first pass may put it."""


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    """A frame at the scale of the first pass, and what is around each placed point at that of the second."""

    coarse: ScaledImage
    near: tuple[tuple[int, ScaledImage], ...]
    weights: Tensor


class UniqueViews:
    """Draws views of frames in which unique bodyparts are labelled.

    Parameters
    ----------
    crop : (int, int)
        Height and width of each view.
    long_side, search_side : int
        Longer side of the frame in the second and in the first pass.
    """

    def __init__(self, crop: tuple[int, int], *, long_side: int, search_side: int) -> None:
        self._crop = crop
        self._sides = search_side, long_side
        self._frames: list[_Prepared] = []

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, frames: Iterable[LabelledFrame]) -> None:
        """Draw from these as well from now on; frames without labels of unique bodyparts are left out."""
        for frame in frames:
            if frame.unique_xy is not None and frame.unique_states is not None and frame.unique_states.any():
                self._frames.append(self._prepare(frame, frame.unique_xy, frame.unique_states))

    def draw(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Return a view (3, h, w), its points (U, 2) and their weights (U,)."""
        frame = self._frames[int(rng.integers(len(self._frames)))]
        if not frame.near or rng.random() < COARSE_SHARE:
            picture = frame.coarse
            size = np.array(picture.image.shape[:-3:-1])
            middle = size * (0.5 + rng.uniform(-SHIFT, SHIFT, 2))
            crop = np.array(self._crop[::-1])
            room = np.maximum(size - crop, 0) / 2  # where the frame is larger than a view, any part of it may be shown
            middle = middle + rng.uniform(-room, room)
            near = None
        else:
            which, picture = frame.near[int(rng.integers(len(frame.near)))]
            middle = near = picture.uv[which] + rng.uniform(-OFF, OFF, 2) * max(self._crop)
        view, uv = cut(
            picture.image,
            picture.uv,
            centre=middle,
            angle=float(rng.uniform(-DEGREES, DEGREES)),
            scale=math.exp(rng.uniform(*np.log(SCALES))),
            size=self._crop,
        )
        weights = frame.weights
        if near is not None:  # from close by, what looks the same is told apart by who asks: the first pass knows
            shown = (uv >= 0).all(axis=1) & (uv < np.array(self._crop[::-1])).all(axis=1)
            weights = weights * torch.from_numpy(shown | ~np.isfinite(picture.uv[:, 0]))
        return cover(disturb(view, rng), rng), torch.from_numpy(uv), weights

    def _prepare(self, frame: LabelledFrame, xy: NDArray[np.float64], states: NDArray[np.int8]) -> _Prepared:
        placed = states == KeypointState.PLACED
        points = np.where(placed[:, None], xy, np.nan)
        coarse, whole = (_with_points(frame, side, points) for side in self._sides)
        reach = SURROUNDINGS * max(self._crop)
        near = tuple((int(i), part_of(whole, whole.uv[i], reach)) for i in np.flatnonzero(placed))
        return _Prepared(coarse, near, keypoint_weights(torch.from_numpy(states.astype(np.int64))))


def _with_points(frame: LabelledFrame, long_side: int, points: NDArray[np.float64]) -> ScaledImage:
    whole = scaled(frame, long_side, also=points)
    return ScaledImage(whole.image, whole.uv[len(frame.xy) :])
