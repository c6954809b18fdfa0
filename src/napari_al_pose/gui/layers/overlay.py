"""Scoremaps as one picture over the video, composed in NumPy."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import ScoremapGrid

CLEAR = 0.1
"""Values up to this stay clear: a network is never quite sure of nothing, and a haze over the video says nothing."""

STRONGEST = 0.6
"""Opacity of a full peak: what it lies over must be seen."""

FINER = 2
"""Picture cells along a scoremap cell; napari smooths between them."""


def compose_scoremaps(maps: NDArray[np.floating], colours: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return scoremaps as one RGBA picture.

    Parameters
    ----------
    maps : float array, (K, h, w)
        In [0, 1]; values beyond are clipped, NaN counts as 0.
    colours : float array, (K, 3)
        RGB of each map, in [0, 1].

    Returns
    -------
    float32 array, (h, w, 4)
        Each cell has the mean colour of the maps, weighted by their values, and the opacity of the strongest one.
    """
    heat = np.clip(np.nan_to_num(maps.astype(np.float32)), 0, 1)
    heat = np.clip((heat - CLEAR) / (1 - CLEAR), 0, 1)
    total = heat.sum(axis=0)
    rgb = np.einsum("khw,kc->hwc", heat, colours.astype(np.float32))
    rgb /= np.where(total > 0, total, 1)[..., None]
    # The root lifts weak second peaks: they are what the user is asked about.
    alpha = STRONGEST * np.sqrt(heat.max(axis=0, initial=0))
    return np.concatenate([np.clip(rgb, 0, 1), alpha[..., None]], axis=-1)


def on_frame(
    maps: NDArray[np.floating], grid: ScoremapGrid, height: int, width: int
) -> tuple[NDArray[np.float32], ScoremapGrid]:
    """Return scoremaps on a finer grid that ends where the frame ends.

    Scoremap cells reach beyond the frame, as the network's input is padded to whole cells.

    Parameters
    ----------
    maps : float array, (K, h, w)
        Bilinear between cell centres; 0 beyond the outermost cells.
    grid : ScoremapGrid
        Where the cells lie.
    height, width : int
        Of the frame, in source pixels.
    """
    rows, step_y = _fine_cells(height, grid.stride_y)
    columns, step_x = _fine_cells(width, grid.stride_x)
    fine = ScoremapGrid(step_x, step_y, step_x / 2 - 0.5, step_y / 2 - 0.5)
    at_y = (fine.offset_y + step_y * np.arange(rows) - grid.offset_y) / grid.stride_y
    at_x = (fine.offset_x + step_x * np.arange(columns) - grid.offset_x) / grid.stride_x
    down, across = _bilinear(at_y, maps.shape[1]), _bilinear(at_x, maps.shape[2])
    known = np.nan_to_num(maps.astype(np.float32))
    return np.matmul(np.matmul(down, known), across.T), fine


def another_hue(rgb: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return bright colours, ``(K, 3)``, opposite to ``rgb`` in hue: a ring is seen on its own scoremap."""
    opposite = [((colorsys.rgb_to_hsv(*map(float, colour))[0] + 0.5) % 1.0, 0.9, 1.0) for colour in rgb]
    return np.array([colorsys.hsv_to_rgb(*hsv) for hsv in opposite], np.float32).reshape(-1, 3)


def grid_transform(grid: ScoremapGrid) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return napari's ``(scale, translate)``, each ``(y, x)``, that lay scoremap cells on the image."""
    return (grid.stride_y, grid.stride_x), (grid.offset_y, grid.offset_x)


def _fine_cells(length: int, stride: float) -> tuple[int, float]:
    """Return how many finer cells cover ``length`` source pixels exactly, and how wide each is."""
    n = max(1, round(length * FINER / stride))
    return n, length / n


def _bilinear(at: NDArray[np.floating], n: int) -> NDArray[np.float32]:
    """Return the weights, ``(len(at), n)``, of ``n`` cells at the places ``at``; none beyond half a cell outside."""
    inside = np.clip(at, 0, n - 1)
    weights = np.clip(1 - np.abs(inside[:, None] - np.arange(n)), 0, 1)
    weights[(at < -0.5) | (at > n - 0.5)] = 0
    return weights.astype(np.float32)
