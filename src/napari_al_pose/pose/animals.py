"""Several animals in a frame: a first pass finds where each is, a second looks closely at one after the other.

One network makes both passes. The first looks at the whole frame at a coarse scale, and the last scoremap has a peak
for each animal. The second looks at a window around each peak with a spotlight on its middle, and predicts the
keypoints of the animal in the middle, whatever else the window shows (top-down estimation of centred instances).
Animals that touch may share a peak, or give the same pose twice. Such a place gets another look, with marks on the
keypoints of the animals that were found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from napari_al_pose.domain import ScoremapGrid
from napari_al_pose.domain.oks import similarity
from napari_al_pose.pose.geometry import SCOREMAP_STRIDE, InputGeometry, cut_window, network_input
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.targets import decode
from napari_al_pose.pose.unique_bodyparts import UniquePoses, find_unique
from napari_al_pose.pose.window import Window

LEAST_PEAK = 0.05
"""Lowest peak of the centre map that is looked at closely."""

MORE_PLACES = 2
"""Places looked at beyond the number of animals, if there are that many."""

LEAST_SCORE = 0.25
"""Lowest score at which a place counts as an animal, if animals come and go."""

SAME_ANIMAL = 0.7
"""Lowest object keypoint similarity at which two poses are the same animal, found twice."""

TOUCHING = 0.35
"""Distance of a place from a keypoint of another animal, in sides of the window, up to which they may be confused."""

SEEN = 0.1
"""Height of a scoremap from which on a keypoint is marked as known."""


@dataclass(frozen=True, slots=True)
class Animals:
    """How many animals a frame shows.

    Parameters
    ----------
    most : int
    always : bool
        Whether every frame shows that many.
    """

    most: int
    always: bool


@dataclass(frozen=True, slots=True, eq=False)
class AnimalPoses:
    """Poses of up to A animals in each of N frames, the surest first.

    Parameters
    ----------
    xy : float32 array, (N, A, K, 2)
        Source pixels; NaN for no animal.
    likelihood : float32 array, (N, A, K)
        0 where there is none.
    score : float32 array, (N, A)
        How sure the model is that there is an animal, from 0 to 1.
    scoremaps : float array, (N, A, K, h, w), or None
    grids : tuple of tuple of ScoremapGrid
        Where the scoremap cells of each animal of each frame lie.
    unique : UniquePoses, optional
        The unique bodyparts of the frames, if the network knows any.
    looks : float32 array, (N, A, K, 3), optional
        The colour at each keypoint, 0 to 255; NaN where it is not seen.
    """

    xy: NDArray[np.float32]
    likelihood: NDArray[np.float32]
    score: NDArray[np.float32]
    scoremaps: NDArray[Any] | None
    grids: tuple[tuple[ScoremapGrid, ...], ...]
    unique: UniquePoses | None = None
    looks: NDArray[np.float32] | None = None

    def row(self, index: int) -> AnimalPoses:
        """Return one of the frames, its scoremaps in half precision."""
        maps = None if self.scoremaps is None else self.scoremaps[index : index + 1].astype(np.float16)
        at = slice(index, index + 1)
        unique = None if self.unique is None else self.unique.row(index)
        return AnimalPoses(self.xy[at], self.likelihood[at], self.score[at], maps, self.grids[at], unique)

    @classmethod
    def joined(cls, parts: Sequence[AnimalPoses]) -> AnimalPoses:
        """Return the frames of all parts, at least one, in their order."""
        maps = [part.scoremaps for part in parts if part.scoremaps is not None]
        return cls(
            np.concatenate([part.xy for part in parts]),
            np.concatenate([part.likelihood for part in parts]),
            np.concatenate([part.score for part in parts]),
            np.concatenate(maps) if maps else None,
            tuple(grids for part in parts for grids in part.grids),
            UniquePoses.joined([part.unique for part in parts if part.unique is not None]),
            _joined_looks([part.looks for part in parts]),
        )

    def moved(self, by: NDArray[np.floating]) -> AnimalPoses:
        """Return the same for frames whose first pixel lies at ``by``, x and y, of the image they were cut from."""
        grids = tuple(tuple(grid.moved(by) for grid in of_frame) for of_frame in self.grids)
        unique = None if self.unique is None else self.unique.moved(by)
        return replace(self, xy=(self.xy + by).astype(np.float32), grids=grids, unique=unique)


@torch.inference_mode()
def predict_animals(
    network: PoseNetwork,
    images: Tensor,
    geometry: InputGeometry,
    window: Window,
    animals: Animals,
    *,
    with_scoremaps: bool,
) -> AnimalPoses:
    """Find the animals in frames and their poses, uncalibrated.

    Parameters
    ----------
    network : PoseNetwork
        In evaluation mode, made for several animals.
    images : uint8 Tensor, (N, 3, h, w)
        Frames at the scale of the second pass.
    geometry : InputGeometry
        Of the frames at that scale.
    window : Window
        What the passes look at.
    animals : Animals
        Number of animals.
    with_scoremaps : bool
        False omits them.
    """
    look = _Look(network, images, geometry, window.side)
    coarse = InputGeometry.fit(geometry.resized, window.search_side)
    maps = _first_pass(network, images, geometry, coarse)
    places = _centres(maps[:, -1:], coarse, animals)
    first = look(places)
    found = [_told_apart(first.of(np.flatnonzero(places.frame == i)), look, animals) for i in range(len(images))]
    k, side, n, most = first.xy.shape[1], window.side // SCOREMAP_STRIDE, len(images), animals.most
    poses = AnimalPoses(
        np.full((n, most, k, 2), np.nan, np.float32),
        np.zeros((n, most, k), np.float32),
        np.zeros((n, most), np.float32),
        np.zeros((n, most, k, side, side), np.float32) if with_scoremaps else None,
        tuple(
            tuple([_grid(geometry, corner) for corner in one.corners] + [geometry.grid] * (most - len(one.xy)))
            for one in found
        ),
        find_unique(
            network,
            images,
            geometry,
            side=window.side,
            maps=maps[:, :-1],
            coarse=coarse,
            with_scoremaps=with_scoremaps,
        )
        if network.n_unique
        else None,
    )
    for i, one in enumerate(found):
        m = len(one.xy)
        poses.xy[i, :m], poses.likelihood[i, :m], poses.score[i, :m] = one.xy, one.raw, one.score
        if poses.scoremaps is not None:
            poses.scoremaps[i, :m] = one.maps.cpu().numpy()
    return replace(poses, looks=_looks(images, geometry, poses))


def _looks(images: Tensor, geometry: InputGeometry, poses: AnimalPoses) -> NDArray[np.float32]:
    """Return the mean colours of the 3 x 3 pixels around each keypoint that is seen, (N, A, K, 3)."""
    height, width = images.shape[-2:]
    seen = np.isfinite(poses.xy[..., 0]) & (poses.likelihood >= SEEN)
    middle = np.round(np.where(seen[..., None], geometry.to_network(poses.xy), 0)).astype(np.int64)
    around = np.array([(x, y) for y in (-1, 0, 1) for x in (-1, 0, 1)])
    at = np.clip(middle[..., None, :] + around, 0, (width - 1, height - 1))
    frame = np.arange(len(images)).reshape(-1, 1, 1, 1)
    pixels = images.permute(0, 2, 3, 1).cpu().numpy()[frame, at[..., 1], at[..., 0]]
    return np.where(seen[..., None], pixels.mean(axis=-2, dtype=np.float32), np.float32(np.nan))


def _joined_looks(parts: Sequence[NDArray[np.float32] | None]) -> NDArray[np.float32] | None:
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if len(known) == len(parts) else None


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """P places worth a closer look: in which frame, where (network pixels of the second pass), how high the centre."""

    frame: NDArray[np.int64]
    uv: NDArray[np.float64]
    height: NDArray[np.float64]

    def of(self, which: NDArray[np.integer]) -> _Places:
        return _Places(self.frame[which], self.uv[which], self.height[which])


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What was seen at P places: poses in source pixels, heights, scores, scoremaps, and the windows' corners."""

    places: _Places
    xy: NDArray[np.float64]
    raw: NDArray[np.float32]
    score: NDArray[np.float64]
    maps: Tensor
    corners: NDArray[np.int64]

    def of(self, which: NDArray[np.integer]) -> _Found:
        at = torch.from_numpy(np.asarray(which, np.int64)).to(self.maps.device)
        places, corners = self.places.of(which), self.corners[which]
        return _Found(places, self.xy[which], self.raw[which], self.score[which], self.maps[at], corners)

    def and_(self, other: _Found) -> _Found:
        places = _Places(
            *(
                np.concatenate([getattr(one.places, name) for one in (self, other)])
                for name in ("frame", "uv", "height")
            )
        )
        xy, raw, score, corners = (
            np.concatenate([getattr(self, name), getattr(other, name)]) for name in ("xy", "raw", "score", "corners")
        )
        return _Found(places, xy, raw, score, torch.cat([self.maps, other.maps]), corners)


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """Looks closely at places in frames."""

    network: PoseNetwork
    images: Tensor
    geometry: InputGeometry
    side: int

    def __call__(self, places: _Places, known: Sequence[NDArray[np.float64]] = ()) -> _Found:
        """Return what is seen; ``known`` are keypoints, (n, 2), of other animals at each place, source pixels."""
        corners = np.round(places.uv - (self.side - 1) / 2).astype(np.int64)
        marks = [
            torch.from_numpy(self.geometry.to_network(xy) - corner)
            for xy, corner in zip(known, corners, strict=bool(known))
        ]
        maps = _close(self.network, self.images, places.frame, corners, self.side, marks)
        cells, raw = (part.cpu().numpy() for part in decode(maps))
        xy = self.geometry.grid.to_source(cells.astype(np.float64)) + (corners / self.geometry.scale_xy)[:, None]
        scores = np.sqrt(places.height * raw.mean(axis=1)) if len(raw) else places.height
        return _Found(places, xy, raw, scores, maps, corners)

    def touches(self, found: _Found, one: int, other: int) -> bool:
        """Whether a keypoint of another animal is so near to a place that they may be confused."""
        uv = self.geometry.to_network(found.xy[other][found.raw[other] >= SEEN])
        return bool((np.hypot(*(uv - found.places.uv[one]).T) <= TOUCHING * self.side).any())


def _told_apart(first: _Found, look: _Look, animals: Animals) -> _Found:
    """Return the animals of a frame, each once, the surest first.

    Where fewer were found than there may be, places that gave an animal once more are looked at with marks on the
    animals near them; and, if there must be more, the places of those themselves.
    """
    kept = _kept(first.xy, first.score, animals)
    wanted = animals.most - int((first.score[kept] >= LEAST_SCORE).sum())
    doubles = [i for i in np.argsort(-first.score, kind="stable").tolist() if i not in kept] if kept else []
    asked: list[tuple[int, list[int]]] = []
    for one in doubles + (kept if animals.always else []):
        near = [other for other in kept if look.touches(first, one, other)]
        is_double = bool(near) and similarity(first.xy[one][None], first.xy[near]).max() >= SAME_ANIMAL
        if is_double and len(asked) < wanted:
            asked.append((one, near))
    if not asked:
        return first.of(np.array(kept, np.int64))
    known = [first.xy[near][first.raw[near] >= SEEN] for _, near in asked]
    second = look(first.places.of(np.array([one for one, _ in asked])), known)
    both = first.of(np.array(kept, np.int64)).and_(second)
    return both.of(np.array(_kept(both.xy, both.score, animals), np.int64))


def _first_pass(network: PoseNetwork, images: Tensor, geometry: InputGeometry, coarse: InputGeometry) -> Tensor:
    """Return the scoremaps of unique bodyparts, then that of centres, of whole frames."""
    small = images if coarse.resized == geometry.resized else _smaller(images, coarse)
    rows, columns = coarse.cells
    given = network_input(small.to(next(network.parameters()).device), coarse, network.mean)
    # No animal is in the spotlight, as in the views that taught this pass.
    nowhere = given.new_full((len(given), 2), torch.nan)
    return network(given, nowhere)[:, network.n_bodyparts :, :rows, :columns].float().sigmoid()


def _centres(centre: Tensor, coarse: InputGeometry, animals: Animals) -> _Places:
    """Return the peaks of centres that are worth a closer look."""
    rows, columns = coarse.cells
    is_peak = F.max_pool2d(centre, 3, stride=1, padding=1) == centre
    heights, at = (is_peak * centre).flatten(1).topk(min(animals.most + MORE_PLACES, rows * columns))
    enough = (heights >= LEAST_PEAK).cpu().numpy()
    frame, rank = np.nonzero(enough)
    cells = _between_cells(centre[:, 0], at)[torch.from_numpy(frame), torch.from_numpy(rank)]
    uv = coarse.to_source(cells.cpu().numpy().astype(np.float64))
    found = heights.cpu().numpy()[frame, rank].astype(np.float64)
    return _Places(frame.astype(np.int64), uv.astype(np.float64), found)


def _smaller(images: Tensor, coarse: InputGeometry) -> Tensor:
    return F.interpolate(images, coarse.resized, mode="bilinear", antialias=True)


def _between_cells(maps: Tensor, at: Tensor) -> Tensor:
    """Return the positions, (N, P, 2), of peaks of maps (N, h, w) given by flat index (N, P), with subcell
    precision."""
    rows, columns = maps.shape[1:]
    row, column = at // columns, at % columns
    padded = F.pad(maps[:, None], (2, 2, 2, 2), mode="replicate")[:, 0]
    # Each peak is the highest of a map of its own, which covers two cells around it.
    around = torch.stack([padded[:, dy : dy + rows, dx : dx + columns] for dy in range(1, 4) for dx in range(1, 4)], 1)
    index = at[:, None].expand(-1, 9, -1)
    small = around.flatten(2).gather(2, index).permute(0, 2, 1).unflatten(2, (3, 3))
    cells, _ = decode(small)
    return cells + torch.stack([column - 1, row - 1], dim=-1)


def _close(
    network: PoseNetwork,
    images: Tensor,
    frame: NDArray[np.int64],
    corners: NDArray[np.int64],
    side: int,
    marks: Sequence[Tensor] = (),
) -> Tensor:
    """Return the scoremaps (P, K, h, w) of windows whose first pixels are ``corners``, in frames ``frame``."""
    parameter = next(network.parameters())
    if not len(frame):
        cells = side // SCOREMAP_STRIDE
        return torch.zeros((0, network.n_bodyparts, cells, cells), device=parameter.device)
    cuts = torch.stack(
        [cut_window(images[i], corner, side, network.mean) for i, corner in zip(frame, corners, strict=True)]
    )
    middle = torch.full((len(cuts), 2), (side - 1) / 2, device=parameter.device)
    known = pad_sequence(list(marks), batch_first=True, padding_value=torch.nan).float() if marks else None
    given = cuts.to(parameter.device)
    maps = network(given, middle, None if known is None else known.to(parameter.device))
    return maps[:, : network.n_bodyparts].float().sigmoid()


def _kept(xy: NDArray[np.float64], scores: NDArray[np.float64], animals: Animals) -> list[int]:
    """Return which of the poses (P, K, 2) of a frame are animals, each once, the surest first."""
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        if len(kept) == animals.most or (scores[i] < LEAST_SCORE and not animals.always):
            break
        if not kept or similarity(xy[i][None], xy[kept]).max() < SAME_ANIMAL:
            kept.append(int(i))
    return kept


def _grid(geometry: InputGeometry, corner: NDArray[np.int64]) -> ScoremapGrid:
    return geometry.grid.moved(corner / geometry.scale_xy)
