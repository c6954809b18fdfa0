"""The confidence threshold: guesses are believed if they are more often right than wrong.

A likelihood of 0.6 may be safe for a snout and hopeless for a tongue, so each bodypart has a threshold of its own once
guesses for it have been answered by labels.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain.prediction import Prediction
from napari_al_pose.domain.suggestion import Reliability, Round

Threshold = float | NDArray[np.float64]
"""Likelihood from which guesses are believed: one for all bodyparts, or one for each, (K,)."""

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


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which likelihoods guesses of a model are believed.

    Parameters
    ----------
    pose : float
        For a whole pose, and for bodyparts of which nothing else is known.
    bodyparts : tuple of float
        For each bodypart of an animal; () if nothing is known of any.
    """

    pose: float = EVEN_CHANCE
    bodyparts: tuple[float, ...] = ()

    @staticmethod
    def of_round(finished: Round, bodyparts: Sequence[str]) -> Thresholds:
        """Return the thresholds for the model of a round, and for the bodyparts there are now."""
        pose, known = confidence_threshold(finished.reliability), dict(finished.thresholds)
        each = [known.get(name, pose) for name in bodyparts]
        return Thresholds(pose, tuple(min(max(one, LOWEST), HIGHEST) if one == one else pose for one in each))

    def for_bodyparts(self, n: int) -> NDArray[np.float64]:
        """Return the threshold of each bodypart, (n,): the pose's unless it is known for so many bodyparts."""
        return np.array(self.bodyparts) if len(self.bodyparts) == n else np.full(n, self.pose)


def margin(guess: Prediction, threshold: Threshold) -> NDArray[np.float64]:
    """Return how far each bodypart of a guess is above its threshold, (K,).

    Returns
    -------
    float array, (K,)
        Difference of the logits, which makes bodyparts with different thresholds comparable; negative for what is not
        believed, and minus infinity where there is no position.
    """
    above = _logit(guess.likelihood) - _logit(np.asarray(threshold))
    return np.where(np.isfinite(guess.xy).all(axis=1), above, -np.inf)


def is_doubtful(guess: Prediction, threshold: Threshold) -> NDArray[np.bool_]:
    """Return which bodyparts of ``guess``, (K,), have a position that is not believed."""
    return np.isfinite(guess.xy).all(axis=1) & (guess.likelihood < threshold)


def believed(guess: Prediction, threshold: Threshold) -> NDArray[np.float32]:
    """Return the positions of the believed bodyparts of ``guess``, (K, 2); NaN for the others."""
    xy = guess.xy.copy()
    xy[guess.likelihood < threshold] = np.nan
    return xy


def _logit(p: NDArray[np.floating]) -> NDArray[np.float64]:
    clipped = np.clip(np.asarray(p, np.float64), 1e-9, 1 - 1e-9)
    return np.log(clipped) - np.log1p(-clipped)
