"""Cosine geometry of feature rows, in pieces that fit memory however large the pool."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_CHUNK_VALUES = 4 * 2**20


def unit_rows(features: NDArray[np.floating]) -> NDArray[np.floating]:
    """Scale rows to length 1, keeping the dtype (float32 at least).

    Rows that are zero (all units of a layer silent) or hold NaN or infinities become zero: they resemble nothing, not
    even themselves.
    """
    rows = np.asarray(features)
    if rows.dtype not in (np.float32, np.float64):
        rows = rows.astype(np.float32)
    result = np.empty_like(rows)
    for part in row_chunks(rows):
        norms = np.sqrt(np.einsum("nd,nd->n", rows[part], rows[part], dtype=np.float64))[:, None]
        usable = np.isfinite(norms) & (norms > 1e-12)
        result[part] = np.where(usable, rows[part] / np.where(usable, norms, 1.0), 0.0)
    return result


def row_chunks(rows: NDArray[np.floating]) -> Iterator[slice]:
    """Yield slices that cover all rows, a few million values each."""
    size = max(1, _CHUNK_VALUES // max(1, rows.shape[1]))
    for start in range(0, len(rows), size):
        yield slice(start, start + size)


def nearest_cosine_distance(unit: NDArray[np.floating], others: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return each row's cosine distance, in [0, 2], to the nearest of ``others``; both of unit rows.

    2 everywhere if there are no others.
    """
    result = np.full(len(unit), 2.0)
    if len(others):
        for part in row_chunks(unit):
            result[part] = 1.0 - (unit[part] @ others.T).max(axis=1)
    return np.clip(result, 0.0, 2.0)
