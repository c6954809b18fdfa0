"""Keypoints as napari wants them; the one place where (x, y) becomes (y, x)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FAINTEST = 0.3
"""Opacity of a guess the model does not believe in: it must still be seen before it is accepted."""


NO_LINE = ((0.0, 0.0), (0.0, 0.0))
"""A vector that can't be seen."""


def to_napari(xy: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return ``(yx, shown)``: points in napari's axis order, and which of them exist.

    napari must never get NaN; what does not exist lies at the origin and is not shown. The number of points
    never changes, so colours, names and sizes are set once a project and a click changes two small arrays.
    """
    shown = np.isfinite(xy).all(axis=1)
    return np.where(shown[:, None], xy[:, ::-1], 0.0).astype(float), shown


def to_source(position: Sequence[float]) -> tuple[float, float]:
    """Return ``(x, y)`` in source pixels of a world position, whose last two axes are ``(y, x)``."""
    return float(position[-1]), float(position[-2])


def fade(rgb: NDArray[np.floating], likelihood: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return ``(K, 4)`` RGBA colours that fade with the likelihood."""
    alpha = FAINTEST + (1 - FAINTEST) * np.clip(np.nan_to_num(likelihood), 0, 1)
    return np.column_stack([rgb, alpha]).astype(np.float32)


def segments(xy: NDArray[np.floating], links: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """Return the skeleton as napari vectors, ``(n, 2, 2)`` of ``(start, direction)`` in (y, x).

    Only links whose two ends exist are drawn. Where there are none the result is one vector of no length, which
    can't be seen: napari 0.9 ends the process when it draws an empty 2-D Vectors layer in 3-D.
    """
    yx, shown = to_napari(xy)
    lines = [(yx[a], yx[b] - yx[a]) for a, b in links if shown[a] and shown[b]]
    return np.array(lines or [NO_LINE], float)


def parse_colours(colours: Sequence[str]) -> NDArray[np.float32]:
    """Return ``(K, 3)`` RGB in [0, 1] of "#rrggbb" colours."""
    return np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in colours], np.float32).reshape(-1, 3)
