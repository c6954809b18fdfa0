"""Which of several predicted animals is which of the annotated ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain.oks import similarity
from napari_al_pose.pose.frames import LabelledFrame

MATCHED = 0.1
"""Least similarity of an animal and what is taken for it: any overlap of two poses, and none with a neighbour's."""


def match(
    predicted: NDArray[np.floating], known: NDArray[np.floating], *, least: float = MATCHED
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the predicted pose of each known one, -1 for none, and how similar they are; the sum is the greatest.

    Parameters
    ----------
    predicted : float array, (P, K, 2)
        NaN where there is no position.
    known : float array, (M, K, 2)
        NaN where there is none.
    least : float
        Similarity from which on two can be the same.
    """
    from scipy.optimize import linear_sum_assignment

    found, values = np.full(len(known), -1), np.zeros(len(known))
    alike = similarity(predicted, known)
    rows, columns = linear_sum_assignment(-alike)
    for row, column in zip(rows, columns, strict=True):
        if alike[row, column] >= least:
            found[column], values[column] = row, alike[row, column]
    return found, values


def matched(
    xy: NDArray[np.floating], likelihood: NDArray[np.floating], frame: LabelledFrame
) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
    """Return the pose matched with each labelled animal of a frame, (M, K, 2) and (M, K), and the number left over.

    A missed animal has NaN and 0. Poses left over are counted only if every animal is labelled; otherwise they may be
    right.

    Parameters
    ----------
    xy, likelihood : float array, (A, K, 2) and (A, K)
        Predicted; NaN where there is no animal.
    frame : LabelledFrame
        With its labels.
    """
    found = np.isfinite(xy[..., 0]).any(axis=1)
    xy, likelihood = xy[found], likelihood[found]
    animals = frame.animals
    known = np.stack([one.xy for one in animals]) if animals else np.empty((0, *xy.shape[1:]))
    which, _ = match(xy, known)
    poses = np.full(known.shape, np.nan, np.float32)
    sure = np.zeros(known.shape[:2], np.float32)
    poses[which >= 0], sure[which >= 0] = xy[which[which >= 0]], likelihood[which[which >= 0]]
    extra = len(xy) - int((which >= 0).sum()) if frame.every_animal else 0
    return poses, sure, extra
