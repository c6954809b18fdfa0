"""Scoremaps as one picture over the video, composed in NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import ScoremapGrid

FAINT = 0.02
"""Values below this stay clear, so that an empty scoremap leaves the video as it is."""

STRONGEST = 0.85
"""Opacity of a full peak: the animal still shows through."""


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
    heat = np.where(heat < FAINT, 0, heat)
    total = heat.sum(axis=0)
    rgb = np.einsum("khw,kc->hwc", heat, colours.astype(np.float32))
    rgb /= np.where(total > 0, total, 1)[..., None]
    # The root lifts weak second peaks: they are what the user is asked about.
    alpha = STRONGEST * np.sqrt(heat.max(axis=0, initial=0))
    return np.concatenate([np.clip(rgb, 0, 1), alpha[..., None]], axis=-1)


def grid_transform(grid: ScoremapGrid) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return napari's ``(scale, translate)``, each ``(y, x)``, that lay scoremap cells on the image."""
    return (grid.stride_y, grid.stride_x), (grid.offset_y, grid.offset_x)
