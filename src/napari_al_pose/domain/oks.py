"""Object keypoint similarity between poses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

OKS_SIGMA = 0.1
"""Falloff of every bodypart, as in DeepLabCut; COCO's own values are for people."""

THINNEST = 0.25
"""Least width of a pose relative to its length: the box of a stretched animal along an axis has no area."""


def similarity(predicted: NDArray[np.floating], known: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the object keypoint similarity of each predicted pose to each known one, ``(P, M)``.

    It is the mean of ``exp(-d^2 / (2 area (2 sigma)^2))`` over the keypoints of the known pose (COCO's evaluation). The
    area is the bounding box of the known pose, at least `THINNEST` as wide as long. A keypoint without a predicted
    position adds nothing.

    Parameters
    ----------
    predicted : float array, (P, K, 2)
        NaN where there is no position.
    known : float array, (M, K, 2)
        NaN where there is none.
    """
    placed = np.isfinite(known[..., 0])
    squares = ((predicted[:, None] - known[None]) ** 2).sum(axis=-1)
    low = np.where(placed[..., None], known, np.inf).min(axis=1, initial=np.inf)
    high = np.where(placed[..., None], known, -np.inf).max(axis=1, initial=-np.inf)
    sides = np.where(placed.any(axis=1)[:, None], high - low, 0.0)
    sides = np.maximum(sides, np.maximum(THINNEST * sides.max(axis=1, keepdims=True, initial=0.0), 1.0))
    near = np.exp(-squares / (2 * sides.prod(axis=1)[None, :, None] * (2 * OKS_SIGMA) ** 2))
    return np.nan_to_num(near).sum(axis=-1) / np.maximum(placed.sum(axis=1), 1)
