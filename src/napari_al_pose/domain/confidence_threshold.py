"""The confidence threshold: guesses are believed if they are more often right than wrong."""

from __future__ import annotations

import enum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain.prediction import Prediction
from napari_al_pose.domain.suggestion import Reliability

EVEN_CHANCE = 0.5
"""Guesses right this often are believed; since likelihoods are calibrated, it is also a likelihood."""

FEWEST = 8
"""A bin of the reliability needs this many keypoints to count."""

LOWEST, HIGHEST = 0.2, 0.8
"""Bounds of the threshold, so that a few labels can't hide every guess, or none."""


class DoubtfulGuesses(enum.StrEnum):
    """What happens to doubtful guesses when the others are accepted."""

    OPEN = "open"
    """They wait for a person."""
    NOT_VISIBLE = "not visible"
    """They are marked as not visible."""


def confidence_threshold(reliability: Reliability | None) -> float:
    """Return the likelihood above which guesses are believed.

    Parameters
    ----------
    reliability : Reliability or None
        Of the model, on keypoints it did not learn from; None if nothing was measured.

    Returns
    -------
    float
        Where the share of right guesses crosses one half for the last time, between two bins of the reliability; one
        half if too little was measured.
    """
    bins = [] if reliability is None else [(p, share) for p, share, n in reliability.bins if n >= FEWEST]
    if len(bins) < 2:
        return EVEN_CHANCE
    crossings = [
        low + (EVEN_CHANCE - wrong) / (right - wrong) * (high - low)
        for (low, wrong), (high, right) in pairwise(bins)
        if wrong < EVEN_CHANCE <= right
    ]
    if crossings:
        found = crossings[-1]
    else:
        found = LOWEST if bins[-1][1] >= EVEN_CHANCE else HIGHEST
    return float(min(max(found, LOWEST), HIGHEST))


def is_doubtful(guess: Prediction, threshold: float) -> NDArray[np.bool_]:
    """Return which bodyparts of ``guess``, (K,), have a position that is not believed."""
    return np.isfinite(guess.xy).all(axis=1) & (guess.likelihood < threshold)


def believed(guess: Prediction, threshold: float) -> NDArray[np.float32]:
    """Return the positions of the believed bodyparts of ``guess``, (K, 2); NaN for the others."""
    xy = guess.xy.copy()
    xy[guess.likelihood < threshold] = np.nan
    return xy
