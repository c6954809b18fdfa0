"""Selects which bodyparts of a frame to ask for: the most doubtful ones, on a scale that all bodyparts share.

A likelihood of 0.6 may be safe for a snout and hopeless for a tongue. So the doubt of a guess is the probability that
an annotator has to move it. Platt scaling of the likelihood (`pose.calibration`) is fitted on all guesses judged so
far, and then for each bodypart with the common fit as the prior. A bodypart with fewer labels than others counts as
more doubtful.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain.asked_bodyparts import scarcity
from napari_al_pose.pose.calibration import CalibrationSet, calibrate_bodyparts

JudgedGuess = tuple[int, float, bool]
"""Bodypart, likelihood, and whether the guess was right."""


class GuessDoubt:
    """How likely guesses are wrong.

    Parameters
    ----------
    judged : sequence of (int, float, bool)
        The annotators' judgements so far.
    n_bodyparts : int
    """

    def __init__(self, judged: Sequence[JudgedGuess], n_bodyparts: int) -> None:
        self._by_bodypart = calibrate_bodyparts(
            [_calibration_set([one for one in judged if one[0] == k]) for k in range(n_bodyparts)]
        )

    def __call__(self, likelihood: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the probability that guesses of likelihoods (..., K) have to be moved."""
        columns = [
            1.0 - np.asarray(calibration(np.asarray(likelihood[..., k], np.float32)), np.float64)
            for k, calibration in enumerate(self._by_bodypart)
        ]
        return np.stack(columns, axis=-1)


def select_bodyparts(
    doubt: NDArray[np.float64], n_labels: NDArray[np.int64], n: int, *, drawn: float, rng: np.random.Generator
) -> list[int]:
    """Return ``n`` bodyparts of a frame in the order in which to ask for them.

    Parameters
    ----------
    doubt : float array, (K,)
        From `GuessDoubt`.
    n_labels : int array, (K,)
        Number of labels of each bodypart.
    n : int
        How many to ask for.
    drawn : float
        Average share that is drawn at random.
    rng : Generator
        Source of randomness.
    """
    order = np.argsort(-doubt * scarcity(n_labels), kind="stable").tolist()
    n_drawn = int(rng.binomial(n, drawn))
    kept = order[: n - n_drawn]
    rest = [k for k in range(len(doubt)) if k not in kept]
    return [*kept, *rng.permutation(rest)[:n_drawn].tolist()]


def _calibration_set(judged: Sequence[JudgedGuess]) -> CalibrationSet:
    return CalibrationSet(
        np.array([likelihood for _, likelihood, _ in judged], np.float64),
        np.array([right for _, _, right in judged], bool),
        np.ones(len(judged)),
    )
