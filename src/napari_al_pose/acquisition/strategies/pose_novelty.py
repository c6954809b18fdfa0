"""Pose novelty: how far is the predicted pose from those that are labelled?

This is the first of the DeepLabCut residency's ideas. ``v`` holds the K (K - 1) / 2 pairwise keypoint distances of a
pose:

    d^2 = (v - mu)^T S^-1 (v - mu)

``mu`` and ``S`` are mean and covariance of the labelled poses. With fewer labels than pairs, ``S`` is singular and
every labelled pose has the same ``d^2``, so ``S`` is shrunk (Ledoit & Wolf 2004). Pairs with a missing keypoint are
left out of ``v``, ``mu`` and ``S``, and the score is ``d / sqrt(number of pairs left)``. Predictions below a likelihood
of 0.2 count as missing, as nonsense looks novel too. Frames with fewer than half of the bodyparts can't be scored.

Cost: O(N K^2) and one O(K^6) factorisation for every pattern of missing bodyparts; needs labelled poses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.strategy import Explanation, Requires, ScoreContext, given
from napari_al_pose.domain import BodypartReason

LEAST_LIKELIHOOD = 0.2
_FEWEST_LABELS = 3
_LEAST_DEVIATION = 1e-4
"""Smallest deviation of any combination of distances, as a share of the longest distance."""


@dataclass(frozen=True, slots=True, eq=False)
class PoseDistances:
    """Mean and covariance of the pairwise distances of labelled poses.

    Parameters
    ----------
    mean : float64 array, (D,)
        Pixels, in the order of ``numpy.triu_indices(K, 1)``; NaN for pairs that no labelled pose shows.
    covariance : float64 array, (D, D)
        Shrunk.
    """

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]


def pairwise_distances(poses: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the distances of all pairs of keypoints of poses ``(n, K, 2)``, ``(n, D)``; NaN where one is missing."""
    a, b = np.triu_indices(poses.shape[1], 1)
    return np.linalg.norm(np.asarray(poses, np.float64)[:, a] - poses[:, b], axis=-1)


def fit_poses(poses: NDArray[np.floating], *, shrinkage: float | None = None) -> PoseDistances | None:
    """Fit labelled poses.

    Parameters
    ----------
    poses : float array, (n, K, 2)
        Pixels; NaN where a bodypart was not placed. A missing distance counts as the mean of that pair.
    shrinkage : float, optional
        Weight in [0, 1] of the identity times the mean variance; by default Ledoit and Wolf's estimate.

    Returns
    -------
    PoseDistances or None
        None if fewer than three poses show at least half of the bodyparts.
    """
    from sklearn.covariance import ledoit_wolf_shrinkage, shrunk_covariance

    enough = np.isfinite(poses).all(axis=-1).mean(axis=1) >= 0.5
    if enough.sum() < _FEWEST_LABELS or poses.shape[1] < 2:
        return None
    distances = pairwise_distances(poses[enough])
    known = np.isfinite(distances)
    seen = known.any(axis=0)
    mean = np.where(known, distances, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    filled = np.where(known, distances, mean)
    covariance = np.atleast_2d(np.cov(filled, rowvar=False, ddof=1))
    weight = float(ledoit_wolf_shrinkage(filled)) if shrinkage is None else shrinkage
    covariance = shrunk_covariance(covariance, shrinkage=weight)
    least = (_LEAST_DEVIATION * float(mean.max())) ** 2  # copies of one pose have no covariance at all
    covariance += np.eye(len(covariance)) * max(0.0, least - float(np.linalg.eigvalsh(covariance)[0]))
    return PoseDistances(np.where(seen, mean, np.nan), covariance)


def novelty(poses: NDArray[np.floating], model: PoseDistances) -> NDArray[np.float64]:
    """Return ``d / sqrt(D)`` over the distances each pose ``(n, K, 2)`` has, ``(n,)``; NaN below half the bodyparts."""
    distances = pairwise_distances(poses)
    known = np.isfinite(distances - model.mean)
    enough = np.isfinite(poses).all(axis=-1).sum(axis=1) >= max(2, -(-poses.shape[1] // 2))
    enough &= known.any(axis=1)
    result = np.full(len(poses), np.nan)
    patterns, pattern_of = np.unique(known[enough], axis=0, return_inverse=True)
    rows = np.flatnonzero(enough)
    for number, pattern in enumerate(patterns):
        members = rows[pattern_of.reshape(-1) == number]
        offset = distances[np.ix_(members, np.flatnonzero(pattern))] - model.mean[pattern]
        factor = np.linalg.cholesky(model.covariance[np.ix_(pattern, pattern)])
        white = np.linalg.solve(factor, offset.T)
        result[members] = np.sqrt((white**2).sum(axis=0) / pattern.sum())
    return result


def confident_poses(context: ScoreContext) -> NDArray[np.float64]:
    """Return predicted poses ``(N, K, 2)`` with NaN where the likelihood is below 0.2."""
    likelihood = given(context.likelihood, "likelihood")
    sure = (likelihood >= LEAST_LIKELIHOOD)[..., None]
    return np.where(sure, np.asarray(given(context.xy, "predictions"), np.float64), np.nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseNovelty:
    """Rank frames by the Mahalanobis distance of their predicted pose from the labelled ones."""

    name: str = "pose_novelty"
    title: str = "Unusual pose (Mahalanobis)"
    summary: str = "Frames whose predicted pose has proportions that no labelled pose has"
    family: Family = Family.DOUBT
    requires: Requires = Requires.PREDICTIONS | Requires.LABELS
    cost: str = "one pass of the network a frame, then O(N K²) and O(K⁶) a pattern of missing bodyparts"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return the distances, ``(N,)``; all NaN below three labelled poses."""
        model = fit_poses(given(context.labelled_xy, "labelled poses"))
        if model is None:
            return np.full(len(context.keys), np.nan)
        return novelty(confident_poses(context), model)

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Give each bodypart's mean deviation, in standard deviations, and word the strangest pair."""
        model = fit_poses(given(context.labelled_xy, "labelled poses"))
        if model is None:
            return Explanation(sentence="too few labelled poses to compare with")
        distances = pairwise_distances(confident_poses(context)[index : index + 1])[0]
        spread = np.sqrt(np.diag(model.covariance))
        deviation = np.abs(distances - model.mean) / spread
        if not np.isfinite(deviation).any():
            return Explanation(sentence="too few bodyparts found to judge the pose")
        names = context.skeleton.bodyparts
        a, b = np.triu_indices(len(names), 1)
        table = np.full((len(names), len(names)), np.nan)
        table[a, b] = table[b, a] = deviation
        known = np.isfinite(table)
        mean = np.where(known, table, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        most = int(np.nanargmax(deviation))
        return Explanation(
            tuple(BodypartReason(name, float(value)) for name, value in zip(names, mean, strict=True)),
            f"{names[a[most]]} to {names[b[most]]}: {distances[most]:.0f} px, "
            f"labelled {model.mean[most]:.0f} ± {spread[most]:.0f} px",
        )
