"""Where each bodypart may be in a frame: the peaks of its scoremap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain.prediction import ScoremapGrid

MOST_PEAKS = 6
_LEAST_HEIGHT = 0.004
"""Lower peaks are noise, which says no more than the prior alone."""

_APART = 3
"""Cells between two peaks, in rows or columns."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Candidate positions of each bodypart.

    Parameters
    ----------
    xy : float64 array, (K, P, 2)
        Source pixels, highest first; NaN if there are fewer than P.
    height : float64 array, (K, P)
        Of the peak, in [0, 1]; 0 where there is no candidate.
    area : float
        Of the image, in square source pixels: a bodypart at none of its candidates may be anywhere in it.
    """

    xy: NDArray[np.float64]
    height: NDArray[np.float64]
    area: float


def of_scoremaps(maps: NDArray[np.floating], grid: ScoremapGrid, *, most: int = MOST_PEAKS) -> Evidence:
    """Return the peaks of scoremaps (K, h, w) in [0, 1], between cells.

    A peak is at least as high as its eight neighbours. Its position is the top of a parabola through the logarithms of
    its cell and the neighbours, in each direction, as in the decoding of the network's own peaks.
    """
    n, height, width = maps.shape
    left = np.array(maps, np.float32)
    padded = np.pad(left, ((0, 0), (1, 1), (1, 1)), constant_values=0.0)
    bodyparts = np.arange(n)
    xy = np.full((n, most, 2), np.nan)
    heights = np.zeros((n, most))
    found = np.zeros(n, np.int64)
    for _ in range(2 * most):  # a shoulder beside a covered peak is not a peak, and costs a turn
        cell = left.reshape(n, -1).argmax(axis=1)
        rows, columns = cell // width, cell % width
        value = left[bodyparts, rows, columns]
        around = _around(padded, rows, columns)
        peak = (value >= around.max(axis=(1, 2))) & (value > _LEAST_HEIGHT) & (found < most)
        if not (value > _LEAST_HEIGHT).any():
            break
        cells = np.stack([columns + _top(around[:, 1, :]), rows + _top(around[:, :, 1])], axis=1)
        xy[bodyparts[peak], found[peak]] = grid.to_source(cells[peak])
        heights[bodyparts[peak], found[peak]] = np.minimum(value[peak], 1.0)
        found += peak
        for k, row, column in zip(bodyparts.tolist(), rows.tolist(), columns.tolist(), strict=True):
            left[k, max(0, row - _APART) : row + _APART + 1, max(0, column - _APART) : column + _APART + 1] = 0.0
    return Evidence(xy, heights, height * width * abs(grid.stride_x * grid.stride_y))


def _around(padded: NDArray[np.float32], rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the 3 x 3 cells around one cell of each padded map, (K, 3, 3)."""
    step = np.arange(3)
    found: NDArray[np.float32] = padded[
        np.arange(len(padded))[:, None, None], rows[:, None, None] + step[None, :, None], columns[:, None, None] + step
    ]
    return found


def _top(three: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return where between -0.5 and 0.5 the parabola through the logarithms of three cells peaks, (K,)."""
    before, here, after = np.log(np.maximum(three.astype(np.float64), 1e-9)).T
    curvature = 2 * here - before - after
    inside = (three[:, 0] > 0) & (three[:, 2] > 0) & (curvature > 1e-6)
    return np.where(inside, np.clip(0.5 * (after - before) / np.maximum(curvature, 1e-6), -0.5, 0.5), 0.0)
