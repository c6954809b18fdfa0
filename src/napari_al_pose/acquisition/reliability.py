"""Measures how far a model can be trusted, by how well it predicted frames before it was trained on them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LOST = 0.2
"""A keypoint farther than this from where it is, in lengths of the animal, is lost: a person has to put it right."""


def animal_size(poses: NDArray[np.floating]) -> float:
    """Return the median diagonal of the box around each pose's keypoints.

    Parameters
    ----------
    poses : float array, (n, K, 2)
        Pixels; NaN where a bodypart is missing. Poses of fewer than two bodyparts don't count.

    Returns
    -------
    float
        Pixels; NaN if no pose counts.
    """
    present = np.isfinite(poses).all(axis=-1, keepdims=True)
    enough = present[..., 0].sum(axis=1) >= 2
    if not enough.any():
        return float("nan")
    low = np.where(present, poses, np.inf)[enough].min(axis=1)
    high = np.where(present, poses, -np.inf)[enough].max(axis=1)
    return float(np.median(np.linalg.norm(high - low, axis=-1)))


def agreement(predicted: NDArray[np.floating], annotated: NDArray[np.floating]) -> float:
    """Return the share of annotated keypoints predicted within a tenth of the animal's size (PCK@0.1).

    Parameters
    ----------
    predicted, annotated : float array, (n, K, 2)
        Of the batch labelled last; predicted by the model that had not seen it, NaN where there is no prediction.

    Returns
    -------
    float
        In [0, 1]. A keypoint that is annotated but not predicted is wrong; without annotations the result is 0.
    """
    size = animal_size(annotated)
    known = np.isfinite(annotated).all(axis=-1)
    if not known.any() or not np.isfinite(size):
        return 0.0
    error = np.linalg.norm(np.asarray(predicted, np.float64) - annotated, axis=-1)
    return float((np.nan_to_num(error[known], nan=np.inf) <= 0.1 * size).mean())


def agreement_by_bodypart(predicted: NDArray[np.floating], annotated: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return `agreement` for each bodypart, ``(K,)``; NaN for one that is annotated nowhere."""
    size = animal_size(annotated)
    known = np.isfinite(annotated).all(axis=-1)
    error = np.nan_to_num(np.linalg.norm(np.asarray(predicted, np.float64) - annotated, axis=-1), nan=np.inf)
    right = (known & (error <= 0.1 * size)).sum(axis=0)
    count = known.sum(axis=0)
    result: NDArray[np.float64] = np.where(count > 0, right / np.maximum(count, 1), np.nan)
    return result


def worst_error(predicted: NDArray[np.floating], annotated: NDArray[np.floating], size: float) -> float:
    """Return the largest error of a frame's poses, in lengths of the animal.

    Parameters
    ----------
    predicted, annotated : float array, (n, K, 2)
        Poses of its animals, paired; NaN where there is none.
    size : float
        The animal's length, pixels.

    Returns
    -------
    float
        Infinite if an annotated keypoint is not predicted; NaN if nothing is annotated or the size is unknown.
    """
    known = np.isfinite(annotated).all(axis=-1)
    if not known.any() or not np.isfinite(size):
        return float("nan")
    error = np.linalg.norm(np.asarray(predicted, np.float64) - annotated, axis=-1)[known]
    return float(np.nan_to_num(error, nan=np.inf).max() / size)


def update(previous: float, measured: float) -> float:
    """Return the reliability after another batch: the mean of the previous value and the new measurement (from 0)."""
    return 0.5 * previous + 0.5 * measured
