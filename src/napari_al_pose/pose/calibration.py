"""Calibrated likelihoods: of the keypoints with a likelihood of 0.8, eight in ten are in the right place.

Applies Platt scaling (Platt 1999; Guo et al. 2017, arXiv:1706.04599, with one parameter) to a scoremap's logit. Slope
and shift are fitted on keypoints that the network did not learn from. A keypoint counts as found within `FOUND_WITHIN`
of the reference length, as in PCK@0.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import KeypointState, Reliability
from napari_al_pose.pose.metrics import distances, reference_length
from napari_al_pose.pose.targets import NOT_VISIBLE_WEIGHT

FOUND_WITHIN = 0.1
PRIOR_KEYPOINTS = 3.0
"""Number of keypoints that outweighs the previous calibration; a handful must not turn the likelihoods upside down."""

BINS = 10
_ROUNDS = 50
_LOGIT_LIMIT = 12.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """``logit of the likelihood = slope * logit of the scoremap + shift``; 1 and 0 leave it unchanged."""

    slope: float = 1.0
    shift: float = 0.0

    def __call__(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return likelihoods of raw scoremap values in [0, 1], of any shape."""
        if self == Calibration():
            return raw
        return _sigmoid(self.slope * _logit(raw) + self.shift).astype(np.float32)

    def raw_for(self, likelihood: float) -> float:
        """Return the raw value, in [0, 1], that becomes this likelihood."""
        wanted = _logit(np.array(likelihood))
        return float(_sigmoid((wanted - self.shift) / self.slope))


@dataclass(frozen=True, slots=True)
class CalibrationSet:
    """Predictions of keypoints that the network did not learn from, and whether they were right.

    Parameters
    ----------
    raw : float array, (n,)
        Peak heights of its scoremaps.
    found : bool array, (n,)
        Whether the peak was in the right place; never true for bodyparts that are not visible.
    weights : float array, (n,)
        How much each counts.
    """

    raw: NDArray[np.float64]
    found: NDArray[np.bool_]
    weights: NDArray[np.float64]


def calibration_set(
    raw: NDArray[np.floating],
    predicted: NDArray[np.floating],
    annotated: NDArray[np.floating],
    states: NDArray[np.integer],
    *,
    reference_px: float,
) -> CalibrationSet:
    """Compare predictions (N, K, ...) with annotations; skip what nobody looked at."""
    errors = distances(predicted, annotated, states)
    placed, hidden = states == KeypointState.PLACED, states == KeypointState.NOT_VISIBLE
    counts = placed | hidden
    found = np.where(placed, np.nan_to_num(errors, nan=np.inf) <= FOUND_WITHIN * reference_px, False)
    weights = np.where(placed, 1.0, NOT_VISIBLE_WEIGHT)
    return CalibrationSet(np.asarray(raw, np.float64)[counts], found[counts], weights[counts])


def fit_calibration(given: CalibrationSet, *, before: Calibration | None = None) -> Calibration:
    """Return the calibration that makes these results likeliest, with ``before`` as a prior.

    Uses Newton's method on the logistic loss with Platt's softened targets, so that a set without a mistake does not
    demand certainty.
    """
    before = before or Calibration()
    if len(given.raw) == 0:
        return before
    hits = float(given.weights[given.found].sum())
    misses = float(given.weights.sum()) - hits
    target = np.where(given.found, (hits + 1) / (hits + 2), 1 / (misses + 2))
    x = np.stack([_logit(given.raw), np.ones(len(given.raw))], axis=1)
    start = np.array([before.slope, before.shift])
    # A unit of slope moves a likelihood by its logit, about 2, so the prior on the slope is that much tighter.
    prior = PRIOR_KEYPOINTS * 0.25 * np.array([4.0, 1.0])
    theta = start.copy()
    for _ in range(_ROUNDS):
        p = _sigmoid(x @ theta)
        gradient = x.T @ (given.weights * (p - target)) + prior * (theta - start)
        curvature = (x * (given.weights * p * (1 - p))[:, None]).T @ x + np.diag(prior)
        step = np.linalg.solve(curvature, gradient)
        theta = theta - step / max(1.0, float(np.abs(step).max()))
        if float(np.abs(step).max()) < 1e-6:
            break
    return Calibration(slope=float(np.clip(theta[0], 0.2, 5.0)), shift=float(np.clip(theta[1], -8.0, 8.0)))


def calibrate_bodyparts(given: Sequence[CalibrationSet]) -> list[Calibration]:
    """Return a calibration for each bodypart: fitted to its own results, with the fit to all as a prior."""
    common = fit_calibration(
        CalibrationSet(*(np.concatenate([getattr(one, name) for one in given]) for name in ("raw", "found", "weights")))
    )
    return [fit_calibration(one, before=common) for one in given]


def bodypart_thresholds(
    likelihood: NDArray[np.floating],
    predicted: NDArray[np.floating],
    annotated: NDArray[np.floating],
    states: NDArray[np.integer],
    *,
    chances: NDArray[np.floating],
    reference_px: float,
) -> tuple[float, ...]:
    """Return, for each bodypart, the likelihood from which guesses are right with some chance.

    Parameters
    ----------
    likelihood : float array, (N, K)
        Of guesses for frames from which the network that made them had not learnt.
    predicted, annotated : float array, (N, K, 2)
        Source pixels.
    states : int array, (N, K)
        `KeypointState` values of the labels.
    chances : float array, (K,)
        Wanted probability that a guess is right.
    reference_px : float
        Length of the animal, source px.

    Returns
    -------
    tuple of float
        In [0, 1]; empty if the length is not known: then there is no scale for errors.
    """
    if not np.isfinite(reference_px):
        return ()
    sets = [
        calibration_set(likelihood[:, k], predicted[:, k], annotated[:, k], states[:, k], reference_px=reference_px)
        for k in (slice(k, k + 1) for k in range(states.shape[1]))
    ]
    calibrations = calibrate_bodyparts(sets)
    return tuple(one.raw_for(chance) for one, chance in zip(calibrations, chances.tolist(), strict=True))


def reliability_of(
    likelihood: NDArray[np.floating],
    predicted: NDArray[np.floating],
    annotated: NDArray[np.floating],
    states: NDArray[np.integer],
) -> Reliability | None:
    """Return how well the likelihoods (N, K) of predictions (N, K, 2) match reality.

    Return None without a keypoint, or without two in any frame: then there is no scale for errors.
    """
    length = reference_length(annotated, states)
    if not np.isfinite(length):
        return None
    given = calibration_set(likelihood, predicted, annotated, states, reference_px=length)
    return reliability(given.raw, given)


def reliability(likelihood: NDArray[np.floating], given: CalibrationSet) -> Reliability | None:
    """Return how often keypoints of each likelihood were found; None if there are no keypoints.

    Parameters
    ----------
    likelihood : float array, (n,)
        Of the keypoints in ``given``.
    given : CalibrationSet
        Whether they were found.
    """
    if len(likelihood) == 0:
        return None
    bins = np.minimum((np.asarray(likelihood, np.float64) * BINS).astype(int), BINS - 1)
    rows, gap, total = [], 0.0, float(given.weights.sum())
    for index in np.unique(bins):
        weights, chosen = given.weights[bins == index], bins == index
        mean_likelihood = float(np.average(likelihood[chosen], weights=weights))
        found = float(np.average(given.found[chosen], weights=weights))
        rows.append((mean_likelihood, found, int(chosen.sum())))
        gap += float(weights.sum()) / total * abs(mean_likelihood - found)
    return Reliability(bins=tuple(rows), expected_error=gap)


def _logit(p: NDArray[np.floating]) -> NDArray[np.float64]:
    clipped = np.clip(np.asarray(p, np.float64), 1e-12, 1 - 1e-7)
    return np.clip(np.log(clipped) - np.log1p(-clipped), -_LOGIT_LIMIT, _LOGIT_LIMIT)


def _sigmoid(x: NDArray[np.floating]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-np.asarray(x, np.float64)))
