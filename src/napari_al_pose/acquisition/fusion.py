"""Combines per-bodypart values into one score a frame, and several scores into one."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Aggregation = Literal["quantile", "mean", "max", "sum"]
"""How the values of a frame's bodyparts are combined into its score.

``quantile`` first replaces each value by its quantile among the pool's values of the same bodypart, then takes the
mean. So a bodypart that is nearly always hidden can't dominate the ranking.
"""


def pool_quantiles(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Replace values by their quantile within their column.

    Parameters
    ----------
    values : float array, (N,) or (N, K)
        One row a frame.

    Returns
    -------
    float64 array of the same shape
        Rank divided by the number of values, in (0, 1]. Equal values share their average rank. NaN and infinities
        become NaN and don't count.
    """
    columns = np.asarray(values, np.float64)
    if columns.ndim == 1:
        return _column_quantiles(columns)
    return np.stack([_column_quantiles(column) for column in columns.T], axis=1) if columns.size else columns


def _column_quantiles(values: NDArray[np.float64]) -> NDArray[np.float64]:
    result = np.full(values.shape, np.nan)
    known = np.isfinite(values)
    if known.any():
        _, inverse, counts = np.unique(values[known], return_inverse=True, return_counts=True)
        average_rank = np.cumsum(counts) - (counts - 1) / 2
        result[known] = average_rank[inverse] / known.sum()
    return result


def min_max(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Scale to [0, 1]; return zeros if the values are (nearly) equal. NaN stays NaN."""
    values = np.asarray(values, np.float64)
    known = values[np.isfinite(values)]
    if not known.size:
        return np.full(values.shape, np.nan)
    low, high = known.min(), known.max()
    if high - low <= 1e-12 * max(1.0, abs(low), abs(high)):
        return np.where(np.isfinite(values), 0.0, np.nan)
    return np.where(np.isfinite(values), (values - low) / (high - low), np.nan)


def aggregate(values: NDArray[np.floating], how: Aggregation) -> NDArray[np.float64]:
    """Reduce ``(N, K)`` values of bodyparts to ``(N,)``.

    NaN values are ignored; a frame with nothing else gets NaN.
    """
    table = pool_quantiles(values) if how == "quantile" else np.asarray(values, np.float64)
    known = np.isfinite(table)
    count = known.sum(axis=1)
    if how == "max":
        result = np.where(known, table, -np.inf).max(axis=1, initial=-np.inf)
    else:
        result = np.where(known, table, 0.0).sum(axis=1)
        if how != "sum":
            result = result / np.maximum(count, 1)
    return np.where(count > 0, result, np.nan)
