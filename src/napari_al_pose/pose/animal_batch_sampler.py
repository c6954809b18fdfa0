"""Batches of random views for a network that tells several animals apart; see `napari_al_pose.pose.animals`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from napari_al_pose.domain import KeypointState
from napari_al_pose.pose.augmentation import SCALES, Views, cover, cut, disturb, flip
from napari_al_pose.pose.batch_sampler import (
    SURROUNDINGS,
    ScaledImage,
    TrainingBatch,
    keypoints_in,
    part_of,
    scaled,
    weights_of,
)
from napari_al_pose.pose.frames import LabelledFrame
from napari_al_pose.pose.geometry import CELL_CENTRE, SCOREMAP_STRIDE, InputGeometry
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.targets import NOT_VISIBLE_WEIGHT, pixel_loss, render
from napari_al_pose.pose.window import Window

COARSE_SHARE, NOTHING_SHARE = 0.15, 0.07
"""Share of the views at the scale of the first pass, and of those at the second's with no animal in the middle."""

JITTER = 0.06
"""Largest distance of an animal from the middle of its view, in sides of the view: how far off the first pass is."""

NEXT_TO, FAR = 0.5, 1.5
"""Distance of the middle of a view of nothing from the nearest animal, in animals, in half of these views: more of
what is beside animals is taken for one than of the rest."""

CENTRE_WEIGHT = 0.5
"""How much the map of centres counts, in keypoints, for each keypoint that there is."""

KNOWN = 0.35
"""How far around a labelled animal, in animals, the map of centres teaches where not all animals are labelled."""

DOUBTFUL = 0.1
"""Height of the map of centres from which on a place without a label may be an animal that nobody labelled."""

LEAST_SEEN = 0.5
"""Share of the bodyparts that must have been looked at for their middle to be the animal's centre."""


@dataclass(frozen=True, slots=True, eq=False)
class _PreparedAnimals:
    """What views of a labelled frame are drawn from.

    ``near`` has a picture for each animal, of what is around it; ``elsewhere`` and ``coarse`` are of the frame.
    Centres and keypoints are pixels of the picture.
    """

    near: tuple[tuple[ScaledImage, NDArray[np.float64], Tensor], ...]
    elsewhere: ScaledImage | None
    coarse: ScaledImage
    is_centre: NDArray[np.bool_]
    every_animal: bool


@dataclass(frozen=True, slots=True, eq=False)
class AnimalBatch(TrainingBatch):
    """Views of several animals: ``uv`` and ``weights`` are of the one in the middle.

    Parameters
    ----------
    spots : float Tensor, (N, 2)
        Where the animal is that is asked for; NaN in views of the first pass.
    centres : float Tensor, (N, A, 2)
        All centres in views of the first pass, NaN elsewhere.
    teaches : float Tensor, (N, h, w)
        How much each cell of the map of centres teaches.
    unless : float Tensor, (N, h, w)
        How much more, where the network sees no animal: in frames in which not all animals are labelled, if there are
        no others to learn from what is no animal.
    """

    spots: Tensor
    centres: Tensor
    teaches: Tensor
    unless: Tensor

    def loss(self, network: PoseNetwork) -> Tensor:
        """Return the cross-entropy above its least possible value, averaged over keypoints and maps of centres."""
        device = next(network.parameters()).device
        logits = network(self.images.to(device), self.spots.to(device)).float()
        rows, columns = logits.shape[-2:]
        weights = self.weights.to(device)
        poses = pixel_loss(logits[:, :-1], render(self.uv.to(device), rows, columns)).sum(dim=(2, 3))
        centres = render(self.centres.to(device), rows, columns).amax(dim=1)
        sees_none = logits[:, -1].detach().sigmoid() < DOUBTFUL
        teaches = self.teaches.to(device) + self.unless.to(device) * sees_none
        found = (pixel_loss(logits[:, -1], centres) * teaches).sum(dim=(1, 2))
        weight = CENTRE_WEIGHT * weights.shape[1]
        counted = weights.sum() + weight * teaches.flatten(1).any(dim=1).sum()
        return ((poses * weights).sum() + weight * found.sum()) / counted.clamp(min=1.0)


class AnimalBatchSampler:
    """Draws batches for ever, each animal once an epoch.

    Parameters
    ----------
    views : Views
        Size, rotation and mirror of each view.
    long_side : int
        The network's scale.
    batch_size : int
        Views of a batch; may be changed between two.
    seed : int
    window : Window
        What the passes look at.
    length : float
        The animal's length, network pixels.
    """

    def __init__(
        self, views: Views, *, long_side: int, batch_size: int, seed: int, window: Window, length: float
    ) -> None:
        self.batch_size = batch_size
        self._views = views
        self._long_side = long_side
        self._window = window
        self._length = length
        self._rng = np.random.default_rng(seed)
        self._frames: list[_PreparedAnimals] = []
        self._waiting: list[tuple[int, int]] = []
        self._has_whole_frames = False

    def add(self, frames: Iterable[LabelledFrame]) -> None:
        """Draw from these as well from now on; what has no labels at all is left out."""
        self._frames += [self._prepare(frame) for frame in frames if any(one.states.any() for one in frame.each)]
        self._waiting = []
        self._has_whole_frames = any(frame.every_animal for frame in self._frames)

    def batch(self) -> AnimalBatch:
        """Return views (N, 3, H, W) with what there is to learn from each."""
        drawn = [self._draw() for _ in range(self.batch_size)]
        images, uv, weights, spots, centres, teaches, unless = zip(*drawn, strict=True)
        shown = pad_sequence(list(centres), batch_first=True, padding_value=torch.nan)
        return AnimalBatch(
            torch.stack(images),
            torch.stack(uv).float(),
            torch.stack(weights),
            torch.stack(spots).float(),
            shown.float(),
            torch.stack(teaches),
            torch.stack(unless),
        )

    def _draw(self) -> tuple[Tensor, ...]:
        if not self._waiting:
            pairs = [(i, j) for i, frame in enumerate(self._frames) for j in range(max(1, len(frame.near)))]
            self._waiting = [pairs[k] for k in self._rng.permutation(len(pairs))]
        index, which = self._waiting.pop()
        frame, chance = self._frames[index], self._rng.random()
        if chance < COARSE_SHARE or (frame.elsewhere is None and not frame.near):
            return self._coarse(frame)
        if frame.elsewhere is not None and (chance < COARSE_SHARE + NOTHING_SHARE or not frame.near):
            return self._nothing(frame, frame.elsewhere, which)
        return self._close(frame, which)

    def _close(self, frame: _PreparedAnimals, which: int) -> tuple[Tensor, ...]:
        """Return a view of one animal."""
        picture, centre, weights = frame.near[which]
        middle = centre + self._rng.uniform(-JITTER, JITTER, 2) * max(self._views.crop)
        mirrored = self._views.draw_mirrored(self._rng)
        image, uv = self._view(picture.image, picture.uv[: len(weights)], middle, mirrored=mirrored)
        weights = self._views.in_view(weights, mirrored=mirrored)
        return image, torch.from_numpy(uv), weights, self._middle(), *self._no_centres()

    def _nothing(self, frame: _PreparedAnimals, elsewhere: ScaledImage, which: int) -> tuple[Tensor, ...]:
        """Return a view with no animal in its middle: next to one, or anywhere."""
        near = bool(frame.near) and self._rng.random() < 0.5
        picture = frame.near[which % len(frame.near)][0] if near else elsewhere
        centres = picture.uv[-len(frame.is_centre) :] if len(frame.is_centre) else np.empty((0, 2))
        height, width = picture.image.shape[-2:]
        middle = np.array([width, height]) * self._rng.random(2)
        for _ in range(20):
            gap = np.hypot(*(centres - middle).T).min(initial=np.inf) / self._length
            if gap >= NEXT_TO and (gap <= FAR or not near):
                break
            middle = np.array([width, height]) * self._rng.random(2)
        else:
            return self._coarse(frame)
        k = self._n_bodyparts(picture, frame)
        mirrored = self._views.draw_mirrored(self._rng)
        image, _ = self._view(picture.image, picture.uv[:k], middle, mirrored=mirrored)
        weights = torch.full((k,), NOT_VISIBLE_WEIGHT)
        return image, torch.full((k, 2), torch.nan), weights, self._middle(), *self._no_centres()

    def _coarse(self, frame: _PreparedAnimals) -> tuple[Tensor, ...]:
        """Return a view at the scale of the first pass."""
        picture, a = frame.coarse, len(frame.is_centre)
        k = self._n_bodyparts(picture, frame)
        centres = picture.uv[len(picture.uv) - a :]
        size = np.array(picture.image.shape[:-3:-1])
        crop = np.array(self._views.crop[::-1])
        at = centres[self._rng.integers(a)] if a and self._rng.random() < 0.7 else size * self._rng.random(2)
        middle = np.where(crop >= size, size / 2, at) + self._rng.uniform(-0.3, 0.3, 2) * np.minimum(crop, size)
        image, moved = self._view(picture.image, centres, middle, mirrored=False)
        if self._views.mirror is not None and self._rng.random() < 0.5:
            image, moved = flip(image, moved, tuple(range(a)))
        is_known = frame.is_centre
        teaches, unless = self._teaches(moved, is_known, every_animal=frame.every_animal)
        shown = torch.from_numpy(np.concatenate([moved[is_known], np.full((1, 2), np.nan)]))
        nowhere = torch.full((k, 2), torch.nan, dtype=torch.float64)
        spot = torch.full((2,), torch.nan, dtype=torch.float64)
        return image, nowhere, torch.zeros(k), spot, shown, teaches, unless

    def _teaches(
        self, centres: NDArray[np.float64], is_known: NDArray[np.bool_], *, every_animal: bool
    ) -> tuple[Tensor, Tensor]:
        """Return how much each cell of the map of centres teaches, (h, w), and how much more where no animal is seen.

        Where not all animals are labelled, only what is near a labelled one; and nothing is learnt from around animals
        whose centre nobody knows, since most of their bodyparts were not looked at.
        """
        rows, columns = (side // SCOREMAP_STRIDE for side in self._views.crop)
        y, x = np.mgrid[:rows, :columns] * SCOREMAP_STRIDE + CELL_CENTRE
        length = self._length * self._window.search_side / self._long_side
        gaps = np.hypot(x[None] - centres[:, 0, None, None], y[None] - centres[:, 1, None, None]) / length
        teaches = np.full((rows, columns), every_animal)
        if not every_animal:
            teaches = (gaps[is_known] <= KNOWN).any(axis=0)
        unknown = (gaps[~is_known] <= 1.0).any(axis=0)
        teaches &= ~unknown
        # Other programs write no labels for an animal that is not there, nor for one that nobody looked at.
        unless = ~teaches & ~unknown & (not self._has_whole_frames)
        return torch.from_numpy(teaches.astype(np.float32)), torch.from_numpy(unless.astype(np.float32))

    def _view(
        self, image: Tensor, uv: NDArray[np.float64], middle: NDArray[np.float64], *, mirrored: bool
    ) -> tuple[Tensor, NDArray[np.float64]]:
        turn = self._views.rotation_degrees
        angle = float(self._rng.uniform(-turn, turn))
        scale = math.exp(self._rng.uniform(*np.log(SCALES)))
        view, moved = cut(image, uv, centre=middle, angle=angle, scale=scale, size=self._views.crop)
        if mirrored and self._views.mirror is not None:
            view, moved = flip(view, moved, self._views.mirror)
        return cover(disturb(view, self._rng), self._rng), moved

    def _middle(self) -> Tensor:
        height, width = self._views.crop
        return torch.tensor([(width - 1) / 2, (height - 1) / 2], dtype=torch.float64)

    def _no_centres(self) -> tuple[Tensor, Tensor, Tensor]:
        rows, columns = (side // SCOREMAP_STRIDE for side in self._views.crop)
        nothing = torch.zeros(rows, columns)
        return torch.full((1, 2), torch.nan, dtype=torch.float64), nothing, nothing

    @staticmethod
    def _n_bodyparts(picture: ScaledImage, frame: _PreparedAnimals) -> int:
        return len(picture.uv) - len(frame.is_centre)

    def _prepare(self, frame: LabelledFrame) -> _PreparedAnimals:
        """Return the pictures; their keypoints are those of one animal, then the centres of all."""
        animals = frame.animals
        centres = np.array([centre_of(one) for one in animals]).reshape(-1, 2)
        whole, coarse = (scaled(frame, side, also=centres) for side in (self._long_side, self._window.search_side))
        geometry = InputGeometry.fit(frame.size, self._long_side)
        near, reach = [], SURROUNDINGS * max(self._views.crop)
        for i, one in enumerate(animals):
            uv = np.concatenate([keypoints_in(one, geometry), whole.uv[len(one.xy) :]])
            part = part_of(ScaledImage(whole.image, uv), uv[len(one.xy) + i], reach)
            near.append((part, part.uv[len(one.xy) + i], weights_of(one)))
        elsewhere = None
        if frame.every_animal:
            elsewhere = part_of(whole, self._rng.uniform(0, np.array(whole.image.shape[:-3:-1])), reach)
        seen = np.array([(one.states != KeypointState.UNSEEN).mean() >= LEAST_SEEN for one in animals], bool)
        return _PreparedAnimals(tuple(near), elsewhere, coarse, seen, frame.every_animal)


def centre_of(animal: LabelledFrame) -> NDArray[np.float64]:
    """Return the mean of an animal's placed keypoints, source pixels."""
    return np.asarray(animal.xy[animal.states == KeypointState.PLACED].mean(axis=0), np.float64)
