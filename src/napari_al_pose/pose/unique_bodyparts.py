"""Unique bodyparts: a frame shows one of each, on no animal, wherever it is.

The first pass over the whole frame has a scoremap for each. The second looks closely at where its peaks are, at several
in one window if they are near to each other, without the spotlight that singles out an animal. Two corners of a cage
look the same, so a peak counts less the farther it is from where the bodypart was labelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_al_pose.domain import KeypointState, ScoremapGrid
from napari_al_pose.pose.frames import LabelledFrame
from napari_al_pose.pose.geometry import CELL_CENTRE, SCOREMAP_STRIDE, InputGeometry, cut_window
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.targets import decode

LEAST_PEAK = 0.05
"""Lowest peak of the first pass that is looked at closely."""

LEAST_SPREAD, ANYWHERE = 0.1, 10.0
"""Standard deviation of places, in sides of the frame, that is added to that of the labels: few labels of a camera that
may be moved; and that of a bodypart without labels."""

TOGETHER = 0.3
"""Largest distance of peaks from the middle of the window that shows them, in sides of the window."""


@dataclass(frozen=True, slots=True, eq=False)
class UniquePoses:
    """The unique bodyparts in each of N frames.

    Parameters
    ----------
    xy : float32 array, (N, U, 2)
        Source pixels.
    likelihood : float32 array, (N, U)
    scoremaps : float array, (N, U, h, w), or None
        Of the first pass.
    grids : tuple of ScoremapGrid, N
    """

    xy: NDArray[np.float32]
    likelihood: NDArray[np.float32]
    scoremaps: NDArray[np.floating] | None
    grids: tuple[ScoremapGrid, ...]

    def row(self, index: int) -> UniquePoses:
        """Return one of the frames without its scoremaps, whose size is that of the frame."""
        at = slice(index, index + 1)
        return UniquePoses(self.xy[at], self.likelihood[at], None, self.grids[at])

    @classmethod
    def joined(cls, parts: Sequence[UniquePoses]) -> UniquePoses | None:
        """Return the frames of all parts in their order; None without any."""
        if not parts:
            return None
        maps = [part.scoremaps for part in parts if part.scoremaps is not None]
        return cls(
            np.concatenate([part.xy for part in parts]),
            np.concatenate([part.likelihood for part in parts]),
            np.concatenate(maps) if maps else None,
            tuple(grid for part in parts for grid in part.grids),
        )

    def moved(self, by: NDArray[np.floating]) -> UniquePoses:
        """Return the same for frames whose first pixel lies at ``by``, x and y, of the image they were cut from."""
        return replace(self, xy=(self.xy + by).astype(np.float32), grids=tuple(grid.moved(by) for grid in self.grids))


def find_unique(
    network: PoseNetwork,
    images: Tensor,
    geometry: InputGeometry,
    *,
    side: int,
    maps: Tensor,
    coarse: InputGeometry,
    with_scoremaps: bool,
) -> UniquePoses:
    """Find the unique bodyparts in frames, uncalibrated.

    Parameters
    ----------
    network : PoseNetwork
        In evaluation mode.
    images : uint8 Tensor, (N, 3, h, w)
        Frames at the scale of the second pass.
    geometry, coarse : InputGeometry
        Of the source's frames for the second pass, and of ``images`` for the first.
    side : int
        Of a window.
    maps : float Tensor, (N, U, rows, columns)
        What the first pass says, in [0, 1].
    with_scoremaps : bool
        False omits them.
    """
    cells, heights = (part.cpu().numpy() for part in decode(maps * _usual(network.usual(), coarse, maps.shape[-2:])))
    uv = coarse.to_source(cells.astype(np.float64))
    likelihood = heights.astype(np.float32)
    asked = [(i, *window) for i in range(len(images)) for window in _windows(uv[i], heights[i], side)]
    if asked:
        corners = np.array([corner for _, corner, _ in asked])
        cuts = [cut_window(images[i], corner, side, network.mean) for i, corner, _ in asked]
        close = network.unique_maps(torch.stack(cuts).to(maps.device))
        found, sure = (part.cpu().numpy() for part in decode(close))
        window = InputGeometry.fit((side, side), side)
        for index, (i, _, which) in enumerate(asked):
            uv[i, which] = window.to_source(found[index, which].astype(np.float64)) + corners[index]
            likelihood[i, which] = sure[index, which]
    return UniquePoses(
        ((uv + 0.5) / geometry.scale_xy - 0.5).astype(np.float32),
        likelihood,
        maps.cpu().numpy() if with_scoremaps else None,
        InputGeometry(geometry.source, coarse.resized).grids(len(images)),
    )


def usual_places(frames: Sequence[LabelledFrame], n_unique: int) -> Tensor:
    """Return where unique bodyparts are labelled, (U, 4): mean x and y and their deviations, in sides of the frame."""
    found: list[list[NDArray[np.float64]]] = [[] for _ in range(n_unique)]
    for frame in frames:
        if frame.unique_xy is None or frame.unique_states is None:
            continue
        for i in np.flatnonzero(frame.unique_states == KeypointState.PLACED).tolist():
            found[i].append((frame.unique_xy[i] + 0.5) / np.array(frame.size[::-1]))
    places = np.tile([0.5, 0.5, ANYWHERE, ANYWHERE], (n_unique, 1))
    for i, points in enumerate(found):
        if points:
            deviations = np.sqrt(np.var(points, axis=0) + LEAST_SPREAD**2)
            places[i] = [*np.mean(points, axis=0), *deviations]
    return torch.from_numpy(places.astype(np.float32))


def _usual(places: Tensor, coarse: InputGeometry, shape: torch.Size) -> Tensor:
    """Return how usual it is for bodyparts to be in each cell of the first pass, (U, rows, columns), at most 1."""
    rows, columns = shape
    height, width = coarse.resized
    x = (torch.arange(columns, device=places.device) * SCOREMAP_STRIDE + CELL_CENTRE + 0.5) / width
    y = (torch.arange(rows, device=places.device) * SCOREMAP_STRIDE + CELL_CENTRE + 0.5) / height
    across = ((x - places[:, 0, None]) / places[:, 2, None]) ** 2
    down = ((y - places[:, 1, None]) / places[:, 3, None]) ** 2
    return torch.exp(-0.5 * (down[:, :, None] + across[:, None]))


def _windows(
    uv: NDArray[np.float64], heights: NDArray[np.floating], side: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return the first pixel of each window to look at, and which of the peaks (U, 2) of a frame it is for."""
    left = [int(i) for i in np.argsort(-heights, kind="stable") if heights[i] >= LEAST_PEAK]
    found = []
    while left:
        near = np.array([i for i in left if np.abs(uv[i] - uv[left[0]]).max() <= TOGETHER * side], np.int64)
        left = [i for i in left if i not in near]
        found.append((np.round(uv[near].mean(axis=0) - (side - 1) / 2).astype(np.int64), near))
    return found
