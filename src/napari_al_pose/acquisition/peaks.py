"""Local maxima of many scoremaps at once, with the semantics of ``skimage.feature.peak_local_max``.

A cell is a candidate if it equals the maximum of the ``(2 d + 1) x (2 d + 1)`` square around it and is strictly above
the threshold. Few cells are above the threshold. Looking only at those is far cheaper than filtering every map: most
cells are touched twice, by the maximum and the comparison.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CHUNK_BYTES = 2 * 2**20
"""Maps are processed in pieces that fit a processor's cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Peaks:
    """Peaks of each map, highest first.

    Parameters
    ----------
    values : float64 array, (..., P)
        Heights, in the maps' unit; NaN where there are fewer than P peaks.
    rows, columns : int64 array, (..., P)
        Cells; -1 where there are fewer than P peaks.
    """

    values: NDArray[np.float64]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]

    @property
    def counts(self) -> NDArray[np.int64]:
        """Number of peaks of each map, ``(...)``."""
        return np.isfinite(self.values).sum(axis=-1)


def find_peaks(
    maps: NDArray[np.floating],
    *,
    min_distance: int,
    threshold_abs: float | None,
    threshold_rel: float | None,
    max_peaks: int = 5,
    exclude_border: bool = False,
) -> Peaks:
    """Find the local maxima of every map.

    A plateau counts once for every ``min_distance``: of equal neighbours closer than that, the first in raster order is
    kept. A constant map has no peak, nor has a map that contains NaN.

    Parameters
    ----------
    maps : float array, (..., h, w)
        May be a memory map, which is read once, in pieces.
    min_distance : int
        Radius ``d`` of the square, in cells, and the least Chebyshev distance between two peaks.
    threshold_abs : float or None
        Peaks are strictly higher than this; None for the map's minimum.
    threshold_rel : float or None
        Peaks are strictly higher than this share of the map's maximum.
    max_peaks : int
        The highest ``P`` are kept; equal heights in raster order.
    exclude_border : bool
        Drop peaks within ``min_distance`` of the border, as `skimage` does unless told otherwise.

    Returns
    -------
    Peaks

    Raises
    ------
    ValueError
        If ``min_distance`` or ``max_peaks`` is below 1, or ``maps`` has fewer than 2 axes.
    """
    if min_distance < 1 or max_peaks < 1:
        raise ValueError(f"Expected min_distance and max_peaks >= 1, got {min_distance} and {max_peaks}.")
    if maps.ndim < 2:
        raise ValueError(f"Expected maps (..., h, w), got shape {maps.shape}.")
    *leading, height, width = maps.shape
    flat_maps = maps.reshape(-1, height, width)
    owner, row, column, value = _candidates(flat_maps, min_distance, threshold_abs, threshold_rel)
    if exclude_border:
        inside = (row >= min_distance) & (row < height - min_distance)
        inside &= (column >= min_distance) & (column < width - min_distance)
        owner, row, column, value = owner[inside], row[inside], column[inside], value[inside]
    order = np.lexsort((-value, owner))  # stable: equal heights keep raster order
    peaks = _space_out(owner[order], row[order], column[order], value[order], len(flat_maps), min_distance, max_peaks)
    shape = (*leading, max_peaks)
    return Peaks(peaks.values.reshape(shape), peaks.rows.reshape(shape), peaks.columns.reshape(shape))


def _candidates(
    maps: NDArray[np.floating], distance: int, threshold_abs: float | None, threshold_rel: float | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return map number, row, column and height of every candidate, in raster order within its map."""
    n, height, width = maps.shape
    if 0 in maps.shape:
        nothing = np.zeros(0, np.int64)
        return nothing, nothing, nothing, np.zeros(0)
    dtype = np.float64 if maps.dtype == np.float64 else np.float32
    size = min(n, max(1, _CHUNK_BYTES // (height * width * np.dtype(dtype).itemsize)))
    # A border of -inf replaces scipy's mode="nearest" and puts every neighbour at a fixed offset.
    padded = np.full((size, height + 2 * distance, width + 2 * distance), -np.inf, dtype)
    inner = (slice(distance, distance + height), slice(distance, distance + width))
    pieces = []
    for start in range(0, n, size):
        chunk = padded[: min(size, n - start)]
        chunk[:, *inner] = maps[start : start + size]
        threshold = _thresholds(chunk, chunk[:, *inner], threshold_abs, threshold_rel)
        owner, row, column, value = _local_maxima(chunk, threshold, distance)
        constant = np.bincount(owner, minlength=len(chunk)) == height * width
        kept = ~constant[owner]
        pieces.append((owner[kept] + start, row[kept] - distance, column[kept] - distance, value[kept]))
    owners, rows, columns, values = (np.concatenate(part) for part in zip(*pieces, strict=True))
    return owners, rows, columns, values.astype(np.float64)


def _local_maxima(
    padded: NDArray[np.floating], threshold: NDArray[np.floating], distance: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.floating]]:
    """Return map, padded row, padded column and height of cells that no neighbour exceeds, above ``threshold``."""
    flat = padded.reshape(-1)
    cells = np.flatnonzero(padded > threshold[:, None, None])
    heights = flat[cells]
    for offset in _neighbour_offsets(distance, padded.shape[2]):
        kept = np.flatnonzero(heights >= flat[cells + offset])
        cells, heights = cells[kept], heights[kept]
    owner, within = np.divmod(cells, padded[0].size)
    row, column = np.divmod(within, padded.shape[2])
    return owner, row, column, heights


def _thresholds(
    padded: NDArray[np.floating],
    maps: NDArray[np.floating],
    threshold_abs: float | None,
    threshold_rel: float | None,
) -> NDArray[np.floating]:
    highest = padded.reshape(len(padded), -1).max(axis=1)
    lowest = maps.min(axis=(1, 2)) if threshold_abs is None else np.full_like(highest, threshold_abs)
    if threshold_rel is not None:
        lowest = np.maximum(lowest, threshold_rel * highest)
    return np.where(np.isnan(highest), np.nan, lowest)  # a map holding NaN has no peak


def _neighbour_offsets(distance: int, stride: int) -> list[int]:
    """Flat offsets of the square's cells except its middle, nearest first: those rule out the most."""
    steps = [(r, c) for r in range(-distance, distance + 1) for c in range(-distance, distance + 1) if (r, c) != (0, 0)]
    steps.sort(key=lambda step: (step[0] ** 2 + step[1] ** 2, abs(step[0])))
    return [r * stride + c for r, c in steps]


def _space_out(
    owner: NDArray[np.int64],
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    value: NDArray[np.float64],
    n_maps: int,
    distance: int,
    max_peaks: int,
) -> Peaks:
    """Keep, in each map, the highest candidates that are ``distance`` apart; the input is sorted by map, then
    height."""
    values = np.full((n_maps, max_peaks), np.nan)
    rows = np.full((n_maps, max_peaks), -1, np.int64)
    columns = np.full((n_maps, max_peaks), -1, np.int64)
    for rank in range(max_peaks):
        if not owner.size:
            break
        best = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]])
        values[owner[best], rank] = value[best]
        rows[owner[best], rank] = row[best]
        columns[owner[best], rank] = column[best]
        apart = np.maximum(np.abs(row - rows[owner, rank]), np.abs(column - columns[owner, rank]))
        left = apart >= distance
        owner, row, column, value = owner[left], row[left], column[left], value[left]
    return Peaks(values, rows, columns)
