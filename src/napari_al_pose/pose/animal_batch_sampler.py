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
from napari_al_pose.pose.batch_sampler import SURROUNDINGS, ScaledImage, TrainingBatch, part_of, scaled, weights_of
from napari_al_pose.pose.frames import LabelledFrame
from napari_al_pose.pose.geometry import CELL_CENTRE, SCOREMAP_STRIDE
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.pasting import bones_of, lay_over, outline
from napari_al_pose.pose.targets import NOT_VISIBLE_WEIGHT, pixel_loss, render
from napari_al_pose.pose.unique_views import UNIQUE_SHARE, UniqueViews
from napari_al_pose.pose.window import Window

COARSE_SHARE, NOTHING_SHARE = 0.15, 0.07
"""Share of the views at the scale of the first pass, and of those at the second's with no animal in the middle."""

JITTER = 0.06
"""Largest distance of an animal from the middle of its view, in sides of the view: how far off the first pass is."""

PASTED_SHARE, PASTED_AT = 0.25, (0.2, 1.1)
"""Share of the views of an animal in which another one is laid over it or under it, and how far their middles are
apart, in animals."""

MARKED_SHARE = 0.5
"""Share of the views with another animal in which that one is marked as known, as in a second look."""

ONLY_KNOWN_SHARE = 0.06
"""Share of the views of an animal in which all are marked, so that none is left to be found."""

MARKS_OFF, MARKS_LEFT_OUT = 0.04, 0.1
"""Standard deviation of marks, in animals, and share of them left out: first looks err."""

BETWEEN = 0.6
"""Distance of two centres, in animals, from which on the first pass may see one peak between them."""

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
    Their points are the keypoints of one animal after the other, then the centres of all.
    """

    near: tuple[ScaledImage, ...]
    elsewhere: ScaledImage | None
    coarse: ScaledImage
    weights: Tensor
    """(A, K)"""
    is_centre: NDArray[np.bool_]
    every_animal: bool

    def points(self, uv: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the keypoints, (A, K, 2), among the points of a picture or view."""
        a, k = self.weights.shape
        return uv[: a * k].reshape(a, k, 2)

    def centres(self, uv: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the centres, (A, 2), among the points of a picture or view."""
        return uv[self.weights.numel() :]


@dataclass(frozen=True, slots=True, eq=False)
class AnimalBatch(TrainingBatch):
    """Views of several animals: ``uv`` and ``weights`` are of the one in the middle.

    Parameters
    ----------
    spots : float Tensor, (N, 2)
        Where the animal is that is asked for; NaN in views of the first pass.
    marks : float Tensor, (N, P, 2)
        Keypoints of animals that are known already, NaN for none.
    centres : float Tensor, (N, A, 2)
        All centres in views of the first pass, NaN elsewhere.
    teaches : float Tensor, (N, h, w)
        How much each cell of the map of centres teaches.
    unless : float Tensor, (N, h, w)
        How much more, where the network sees no animal: in frames in which not all animals are labelled, if there are
        no others to learn from what is no animal.
    unique_uv, unique_weights : float Tensor, (N, U, 2) and (N, U)
        Unique bodyparts; of weight 0 in views that don't teach them.
    """

    spots: Tensor
    marks: Tensor
    centres: Tensor
    teaches: Tensor
    unless: Tensor
    unique_uv: Tensor
    unique_weights: Tensor

    def loss(self, network: PoseNetwork) -> Tensor:
        """Return the cross-entropy above its least possible value, averaged over keypoints and maps of centres."""
        device = next(network.parameters()).device
        logits = network(self.images.to(device), self.spots.to(device), self.marks.to(device)).float()
        rows, columns = logits.shape[-2:]
        weights = torch.cat([self.weights, self.unique_weights], dim=1).to(device)
        points = torch.cat([self.uv, self.unique_uv], dim=1).to(device)
        poses = pixel_loss(logits[:, :-1], render(points, rows, columns)).sum(dim=(2, 3))
        centres = render(self.centres.to(device), rows, columns).amax(dim=1)
        sees_none = logits[:, -1].detach().sigmoid() < DOUBTFUL
        teaches = self.teaches.to(device) + self.unless.to(device) * sees_none
        found = (pixel_loss(logits[:, -1], centres) * teaches).sum(dim=(1, 2))
        weight = CENTRE_WEIGHT * self.weights.shape[1]
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
    n_unique : int
        Number of unique bodyparts.
    """

    def __init__(
        self,
        views: Views,
        *,
        long_side: int,
        batch_size: int,
        seed: int,
        window: Window,
        length: float,
        n_unique: int = 0,
    ) -> None:
        self.batch_size = batch_size
        self._views = views
        self._long_side = long_side
        self._window = window
        self._length = length
        self._n_unique = n_unique
        self._unique = UniqueViews(views.crop, long_side=long_side, search_side=window.search_side)
        self._rng = np.random.default_rng(seed)
        self._frames: list[_PreparedAnimals] = []
        self._waiting: list[tuple[int, int]] = []
        self._has_whole_frames = False
        self._bones: list[tuple[int, int]] = []

    def add(self, frames: Iterable[LabelledFrame]) -> None:
        """Draw from these as well from now on; what has no labels at all is left out."""
        frames = list(frames)
        self._unique.add(frames)
        self._frames += [self._prepare(frame) for frame in frames if any(one.states.any() for one in frame.each)]
        self._waiting = []
        self._has_whole_frames = any(frame.every_animal for frame in self._frames)
        poses = [frame.points(picture.uv)[i] for frame in self._frames for i, picture in enumerate(frame.near)]
        self._bones = bones_of(np.stack(poses)) if poses else []

    def batch(self) -> AnimalBatch:
        """Return views (N, 3, H, W) with what there is to learn from each."""
        drawn, unique = zip(*(self._draw_any() for _ in range(self.batch_size)), strict=True)
        images, uv, weights, spots, marks, centres, teaches, unless = zip(*drawn, strict=True)
        unique_uv, unique_weights = zip(*unique, strict=True)
        shown, known = (
            pad_sequence(list(part), batch_first=True, padding_value=torch.nan) for part in (centres, marks)
        )
        return AnimalBatch(
            torch.stack(images),
            torch.stack(uv).float(),
            torch.stack(weights),
            torch.stack(spots).float(),
            known.float(),
            shown.float(),
            torch.stack(teaches),
            torch.stack(unless),
            torch.stack(unique_uv).float(),
            torch.stack(unique_weights),
        )

    def _draw_any(self) -> tuple[tuple[Tensor, ...], tuple[Tensor, Tensor]]:
        """Return a view, and the points and weights of the unique bodyparts in it."""
        n, unknown = self._n_unique, torch.full((1, 2), torch.nan, dtype=torch.float64)
        if not len(self._unique) or self._rng.random() >= UNIQUE_SHARE:
            return self._draw(), (torch.full((n, 2), torch.nan, dtype=torch.float64), torch.zeros(n))
        image, uv, weights = self._unique.draw(self._rng)
        nothing = torch.full((self._k, 2), torch.nan, dtype=torch.float64), torch.zeros(self._k)
        return (image, *nothing, unknown[0], unknown, *self._no_centres()), (uv, weights)

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
        if self._rng.random() < PASTED_SHARE:
            pasted = self._pasted(frame, which)
            if pasted is not None:
                return pasted
        picture, centres = frame.near[which], frame.centres(frame.near[which].uv)
        others = np.delete(np.arange(len(centres)), which)
        marked = len(others) > 0 and self._rng.random() < MARKED_SHARE
        middle = centres[which] + self._rng.uniform(-JITTER, JITTER, 2) * max(self._views.crop)
        if marked:
            middle = middle + self._towards(centres[which], centres[others])
        view, uv, weights = self._turned(picture, middle, frame)
        image, points = self._disturbed(view), frame.points(uv)
        if frame.every_animal and self._rng.random() < ONLY_KNOWN_SHARE:
            return self._seen(image, np.full_like(points[0], np.nan), self._none(), self._marks(points))
        return self._seen(image, points[which], weights[which], self._marks(points[others]) if marked else None)

    def _pasted(self, frame: _PreparedAnimals, which: int) -> tuple[Tensor, ...] | None:
        """Return a view with one more animal, cut out of any frame; None if it hides most of the one asked for."""
        others = [one for one in self._frames if one.near]
        donor = others[self._rng.integers(len(others))]
        taken = int(self._rng.integers(len(donor.near)))
        is_above = self._rng.random() < 0.5
        away = self._rng.uniform(*PASTED_AT) * self._length
        turned = self._rng.uniform(0, 2 * math.pi)
        gap = away * np.array([math.cos(turned), math.sin(turned)])
        here, there = frame.near[which], donor.near[taken]
        jitter = self._rng.uniform(-JITTER, JITTER, 2) * max(self._views.crop)
        below, uv, weights = self._turned(here, frame.centres(here.uv)[which] + jitter + gap * is_above, frame)
        above, over, of_pasted = self._turned(
            there, donor.centres(there.uv)[taken] + jitter + gap * (not is_above), donor
        )
        points, pasted = frame.points(uv), donor.points(over)[taken]
        mask = outline(pasted, self._bones, self._views.crop, self._length)
        hidden = _is_under(points, mask)
        image = self._disturbed(lay_over(below, above, mask))
        centres = frame.centres(uv)[which], donor.centres(over)[taken]
        marked = self._rng.random() < MARKED_SHARE
        if is_above:
            marks = self._marks(np.where(hidden[..., None], np.nan, points)) if marked else None
            off = self._towards(centres[1], centres[0][None]) if marked else None
            return self._seen(image, pasted, of_pasted[taken], marks, off)
        if hidden[which].sum() > 0.5 * np.isfinite(points[which, :, 0]).sum():
            return None
        marks = self._marks(np.concatenate([np.delete(points, which, axis=0), pasted[None]])) if marked else None
        off = self._towards(centres[0], centres[1][None]) if marked else None
        return self._seen(image, points[which], weights[which] * torch.from_numpy(~hidden[which]), marks, off)

    def _marks(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return keypoints (A, K, 2) as a first look may have found them, (P, 2)."""
        off = points + self._rng.normal(0, MARKS_OFF * self._length, points.shape)
        off[self._rng.random(points.shape[:2]) < MARKS_LEFT_OUT] = np.nan
        return off.reshape(-1, 2)

    def _towards(self, centre: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how far off a peak may be that stands for this animal and for the nearest other one."""
        nearest = others[np.hypot(*(others - centre).T).argmin()] - centre
        if not np.hypot(*nearest) < BETWEEN * self._length:
            return np.zeros(2)
        return np.asarray(nearest * self._rng.uniform(0, 1), np.float64)

    def _seen(
        self,
        image: Tensor,
        uv: NDArray[np.float64],
        weights: Tensor,
        marks: NDArray[np.float64] | None = None,
        off: NDArray[np.float64] | None = None,
    ) -> tuple[Tensor, ...]:
        """Return a view at the scale of the second pass, with what is to be found in its middle, or so far off it."""
        known = np.full((1, 2), np.nan) if marks is None else marks
        spot = self._middle() if off is None else self._middle() + torch.from_numpy(off)
        return image, torch.from_numpy(uv), weights, spot, torch.from_numpy(known), *self._no_centres()

    def _nothing(self, frame: _PreparedAnimals, elsewhere: ScaledImage, which: int) -> tuple[Tensor, ...]:
        """Return a view with no animal in its middle: next to one, or anywhere."""
        near = bool(frame.near) and self._rng.random() < 0.5
        picture = frame.near[which % len(frame.near)] if near else elsewhere
        centres = frame.centres(picture.uv)
        height, width = picture.image.shape[-2:]
        middle = np.array([width, height]) * self._rng.random(2)
        for _ in range(20):
            gap = np.hypot(*(centres - middle).T).min(initial=np.inf) / self._length
            if gap >= NEXT_TO and (gap <= FAR or not near):
                break
            middle = np.array([width, height]) * self._rng.random(2)
        else:
            return self._coarse(frame)
        view, _, _ = self._turned(picture, middle, frame)
        return self._seen(self._disturbed(view), np.full((self._k, 2), np.nan), self._none())

    def _coarse(self, frame: _PreparedAnimals) -> tuple[Tensor, ...]:
        """Return a view at the scale of the first pass."""
        picture, a, k = frame.coarse, len(frame.is_centre), self._k
        centres = frame.centres(picture.uv)
        size = np.array(picture.image.shape[:-3:-1])
        crop = np.array(self._views.crop[::-1])
        at = centres[self._rng.integers(a)] if a and self._rng.random() < 0.7 else size * self._rng.random(2)
        middle = np.where(crop >= size, size / 2, at) + self._rng.uniform(-0.3, 0.3, 2) * np.minimum(crop, size)
        view, moved = self._cut(picture.image, centres, middle)
        image = self._disturbed(view)
        if self._views.mirror is not None and self._rng.random() < 0.5:
            image, moved = flip(image, moved, tuple(range(a)))
        is_known = frame.is_centre
        teaches, unless = self._teaches(moved, is_known, every_animal=frame.every_animal)
        shown = torch.from_numpy(np.concatenate([moved[is_known], np.full((1, 2), np.nan)]))
        nowhere = torch.full((k, 2), torch.nan, dtype=torch.float64)
        spot = torch.full((2,), torch.nan, dtype=torch.float64)
        unknown = torch.full((1, 2), torch.nan, dtype=torch.float64)
        return image, nowhere, torch.zeros(k), spot, unknown, shown, teaches, unless

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

    def _turned(
        self, picture: ScaledImage, middle: NDArray[np.float64], frame: _PreparedAnimals
    ) -> tuple[Tensor, NDArray[np.float64], Tensor]:
        """Return a view around ``middle``, its points, and the weights of the keypoints, (A, K), as it shows them."""
        view, moved = self._cut(picture.image, picture.uv, middle)
        if self._views.mirror is None or not self._views.draw_mirrored(self._rng):
            return view, moved, frame.weights
        a, k = frame.weights.shape
        order = [i * k + j for i in range(a) for j in self._views.mirror] + list(range(a * k, len(moved)))
        view, moved = flip(view, moved, tuple(order))
        return view, moved, self._views.in_view(frame.weights.T, mirrored=True).T

    def _cut(
        self, image: Tensor, uv: NDArray[np.float64], middle: NDArray[np.float64]
    ) -> tuple[Tensor, NDArray[np.float64]]:
        turn = self._views.rotation_degrees
        angle = float(self._rng.uniform(-turn, turn))
        scale = math.exp(self._rng.uniform(*np.log(SCALES)))
        return cut(image, uv, centre=middle, angle=angle, scale=scale, size=self._views.crop)

    def _disturbed(self, view: Tensor) -> Tensor:
        return cover(disturb(view, self._rng), self._rng)

    @property
    def _k(self) -> int:
        return self._frames[0].weights.shape[1]

    def _none(self) -> Tensor:
        """Return the weights of keypoints of which none is to be found."""
        return torch.full((self._k,), NOT_VISIBLE_WEIGHT)

    def _middle(self) -> Tensor:
        height, width = self._views.crop
        return torch.tensor([(width - 1) / 2, (height - 1) / 2], dtype=torch.float64)

    def _no_centres(self) -> tuple[Tensor, Tensor, Tensor]:
        rows, columns = (side // SCOREMAP_STRIDE for side in self._views.crop)
        nothing = torch.zeros(rows, columns)
        return torch.full((1, 2), torch.nan, dtype=torch.float64), nothing, nothing

    def _prepare(self, frame: LabelledFrame) -> _PreparedAnimals:
        animals = frame.animals
        centres = np.array([centre_of(one) for one in animals]).reshape(-1, 2)
        known = [np.where((one.states == KeypointState.PLACED)[:, None], one.xy, np.nan) for one in animals]
        points = np.concatenate([*known, centres])
        whole, coarse = (_with_points(frame, side, points) for side in (self._long_side, self._window.search_side))
        reach = SURROUNDINGS * max(self._views.crop)
        n_points = len(points) - len(centres)
        near = tuple(part_of(whole, middle, reach) for middle in whole.uv[n_points:])
        elsewhere = None
        if frame.every_animal:
            elsewhere = part_of(whole, self._rng.uniform(0, np.array(whole.image.shape[:-3:-1])), reach)
        weights = torch.stack([weights_of(one) for one in animals]) if animals else torch.zeros(0, len(frame.states))
        seen = np.array([(one.states != KeypointState.UNSEEN).mean() >= LEAST_SEEN for one in animals], bool)
        return _PreparedAnimals(near, elsewhere, coarse, weights, seen, frame.every_animal)


def _with_points(frame: LabelledFrame, long_side: int, points: NDArray[np.float64]) -> ScaledImage:
    """Return a frame at a scale with these points, (n, 2), source pixels."""
    whole = scaled(frame, long_side, also=points)
    return ScaledImage(whole.image, whole.uv[len(frame.xy) :])


def _is_under(points: NDArray[np.float64], mask: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which points (..., 2) of a view lie under what the mask names."""
    rows, columns = mask.shape
    inside = np.isfinite(points[..., 0]) & (points >= 0).all(axis=-1) & (points < (columns, rows)).all(axis=-1)
    at = np.where(inside[..., None], np.nan_to_num(points), 0).astype(int)
    return np.asarray(inside & (mask[at[..., 1], at[..., 0]] > 0.5), np.bool_)


def centre_of(animal: LabelledFrame) -> NDArray[np.float64]:
    """Return the mean of an animal's placed keypoints, source pixels."""
    return np.asarray(animal.xy[animal.states == KeypointState.PLACED].mean(axis=0), np.float64)
