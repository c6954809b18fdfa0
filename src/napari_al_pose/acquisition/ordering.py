"""The one order of frames and of scores, so that the same input gives the same queue whatever its row order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.fusion import min_max
from napari_al_pose.domain import FrameKey


def key_columns(keys: Sequence[FrameKey]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return ``(video, frame)``, both ``(N,)``; videos are numbered in the alphabetical order of their names."""
    numbers = {name: number for number, name in enumerate(sorted({key.video for key in keys}))}
    video = np.array([numbers[key.video] for key in keys], np.int64)
    return video, np.array([key.frame for key in keys], np.int64)


def key_order(keys: Sequence[FrameKey]) -> NDArray[np.int64]:
    """Return the rows sorted by video name, then frame."""
    video, frame = key_columns(keys)
    return np.lexsort((frame, video))


def rank_order(keys: Sequence[FrameKey], scores: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the rows from the highest score to the lowest, those that can't be scored last.

    Scores that differ by less than 1e-9 of their range are equal (sums of the same parts in another order
    differ in the last bits); equal scores go by video name, then frame.
    """
    video, frame = key_columns(keys)
    rounded = np.round(min_max(scores), 9)
    return np.lexsort((frame, video, -np.where(np.isnan(rounded), -1.0, rounded)))


def says_nothing(scores: NDArray[np.floating]) -> bool:
    """Whether no frame stands out: every score is NaN, or all that aren't are equal."""
    rounded = np.round(min_max(scores), 9)
    return len(np.unique(rounded[np.isfinite(rounded)])) < 2


def share_below(values: NDArray[np.floating], index: int) -> float:
    """Return the share of the other finite values that are below the one at ``index``; 1 if there are no others."""
    known = np.round(np.asarray(values, np.float64), 9)
    others = np.delete(known, index)
    others = others[np.isfinite(others)]
    return float((others < known[index]).mean()) if len(others) else 1.0
