"""Gaussians over aligned poses: shrunk, calibrated by leaving poses out, and as many as the labels support."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain.similarity import ComplexArray, align, to_flat

POSES_A_COMPONENT = 15
"""A mixture is tried only if its parts have this many poses on average."""

TANGENT = (0.5, 0.5, 0.3)
"""Standard deviation of the errors of a similarity found from few points: position, angle (radians), log size."""

_EM_ROUNDS = 6
_LEAST_DEVIATION = 0.02
"""Smallest deviation of a coordinate, relative to the root mean square radius of the mean pose: people don't click more
precisely."""

_CALIBRATION_SPLITS = 10
_QUANTILE, _CHI_SQUARE = 0.8, 3.219
"""Quantile of the squared distances, and its value for two coordinates of a Gaussian."""

_HELD_TO_ALL = 10.0
"""Number of poses with which those of one bodypart count as much as those of all bodyparts together."""

_MOST_WIDENED = 25.0
_SPLITS = 5


@dataclass(frozen=True, slots=True, eq=False)
class PoseGaussian:
    """A Gaussian over aligned poses of the K' bodyparts that labels show.

    Parameters
    ----------
    weight : float
        Its share of the poses.
    mean : complex128 array, (K',)
        Centred; the root mean square radius is about 1.
    covariance : float64 array, (2 K', 2 K')
        Of ``x0, y0, x1, y1, ...``; positive definite.
    """

    weight: float
    mean: ComplexArray
    covariance: NDArray[np.float64]


def fit_gaussians(aligned: ComplexArray, *, most: int, shrinkage: float | None = None) -> tuple[PoseGaussian, ...]:
    """Fit one Gaussian or a few to aligned poses (n, K'), NaN for points not placed.

    There are at most ``most``. If `shrinkage` is None, the identity gets Ledoit and Wolf's weight.
    """
    n = len(aligned)
    groups = _best_groups(aligned, min(most, n // POSES_A_COMPONENT), shrinkage)
    return tuple(_calibrated(aligned[group], len(group) / n, shrinkage) for group in groups)


def ledoit_wolf(flat: NDArray[np.float64]) -> float:
    """Return Ledoit and Wolf's weight of the identity for samples ``(n, p)`` with mean 0."""
    n, p = flat.shape
    covariance = flat.T @ flat / n
    middle = np.trace(covariance) / p
    apart = float(((covariance - middle * np.eye(p)) ** 2).sum())
    scatter = float(((flat**2).sum(axis=1) ** 2).sum()) / n - float((covariance**2).sum())
    return 1.0 if apart <= 0 else min(1.0, max(0.0, scatter / n / apart))


def _gaussian(aligned: ComplexArray, weight: float, shrinkage: float | None) -> PoseGaussian:
    """Fit one Gaussian to aligned poses (n, K'), NaN for points not placed."""
    flat = to_flat(aligned)
    there = np.isfinite(flat)
    n, p = flat.shape
    counts = there.sum(axis=0)
    mean = np.where(there, flat, 0).sum(axis=0) / np.maximum(counts, 1)
    spread = np.where(there, flat - mean, 0)
    middle = max(float((spread**2).sum()) / max(float(counts.sum()), 1.0), _LEAST_DEVIATION**2)
    covariance = middle * np.eye(p)
    patterns, owner = np.unique(there, axis=0, return_inverse=True)
    rounds = 1 if there.all() else _EM_ROUNDS
    for _ in range(rounds):
        filled = np.where(there, flat, mean)
        missing = np.zeros((p, p))
        for number, pattern in enumerate(patterns):
            gone, rows = ~pattern, np.flatnonzero(owner.reshape(-1) == number)
            if not gone.any():
                continue
            gain = np.linalg.solve(covariance[np.ix_(pattern, pattern)], covariance[np.ix_(pattern, gone)]).T
            filled[np.ix_(rows, gone)] = mean[gone] + (flat[np.ix_(rows, pattern)] - mean[pattern]) @ gain.T
            left = covariance[np.ix_(gone, gone)] - gain @ covariance[np.ix_(pattern, gone)]
            missing[np.ix_(gone, gone)] += len(rows) * left
        mean = filled.mean(axis=0)
        centred = filled - mean
        own = (centred.T @ centred + missing) / n
        share = ledoit_wolf(centred) if shrinkage is None else shrinkage
        covariance = (1 - share) * own + share * np.trace(own) / p * np.eye(p)
        covariance += _LEAST_DEVIATION**2 * np.eye(p)
    # Mean and covariance are estimates too, poor ones for a rarely shown bodypart: use the variance of Student's t.
    shown = counts[0::2]
    wider = np.repeat(np.sqrt((shown + 1) / np.maximum(shown - 2, 0.5)), 2)
    return PoseGaussian(weight, mean[0::2] + 1j * mean[1::2], covariance * np.outer(wider, wider))


# ---- how wide -------------------------------------------------------------------------------------


def given_others(precision: NDArray[np.floating], offset: ComplexArray) -> tuple[ComplexArray, NDArray[np.float64]]:
    """Return where each point is expected given all others, and with which covariance.

    Parameters
    ----------
    precision : float array, (..., 2 K, 2 K)
        Inverse of the covariance of ``x0, y0, x1, y1, ...``.
    offset : complex array, (..., K)
        From the mean.

    Returns
    -------
    expected : complex array, (..., K)
        Offset from the mean. With ``Q`` the precision, point ``j`` is expected at ``offset_j - Q_jj^-1 (Q offset)_j``
        with covariance ``Q_jj^-1`` (Rue & Held 2005, *Gaussian Markov Random Fields*, theorem 2.3).
    covariance : float array, (..., K, 2, 2)
    """
    k = offset.shape[-1]
    pull = (precision @ to_flat(offset)[..., None]).reshape(*offset.shape, 2, 1)
    own = np.arange(k)
    blocks = precision.reshape(-1, k, 2, k, 2)[:, own, :, own, :].swapaxes(0, 1)
    spread = np.asarray(np.linalg.inv(blocks.reshape(*precision.shape[:-2], k, 2, 2)), np.float64)
    shift = (spread @ pull)[..., 0]
    return offset - (shift[..., 0] + 1j * shift[..., 1]), spread


def tangent(mean: ComplexArray) -> NDArray[np.float64]:
    """Return the covariance of a pose (K,) under errors of its similarity as in `TANGENT`, (2 K, 2 K)."""
    place, angle, size = TANGENT
    directions = (place + 0 * mean, 1j * place + 0 * mean, 1j * angle * mean, size * mean)
    basis = np.stack([to_flat(direction) for direction in directions])
    return basis.T @ basis


def _calibrated(aligned: ComplexArray, weight: float, shrinkage: float | None) -> PoseGaussian:
    """Fit a Gaussian, and widen it to match poses that were left out.

    Each point of a left-out pose is compared with its expectation given the others. If the largest fifth of the squared
    distances is larger than a Gaussian's would be, the bodypart's deviations are widened to match. The fewer poses a
    bodypart has, the more the estimate for all bodyparts counts.
    """
    part = _gaussian(aligned, weight, shrinkage)
    rows = np.arange(len(aligned))
    square = np.full(aligned.shape, np.nan)
    splits = min(_CALIBRATION_SPLITS, len(aligned))
    for split in range(splits):
        train, test = aligned[rows % splits != split], rows[rows % splits == split]
        if not np.isfinite(train).any(axis=0).all() or len(train) < 2:
            continue
        own = _gaussian(train, 1.0, shrinkage)
        whole = own.covariance + tangent(own.mean)
        for row in test.tolist():
            there = np.flatnonzero(np.isfinite(aligned[row]))
            flat = np.stack([2 * there, 2 * there + 1], axis=1).reshape(-1)
            square[row, there] = _squares(aligned[row, there], own.mean[there], whole[np.ix_(flat, flat)])
    found = np.isfinite(square)
    if not found.any():
        return part
    overall = float(np.quantile(square[found], _QUANTILE)) / _CHI_SQUARE
    counts = found.sum(axis=0)
    own_factor = np.array(
        [
            np.quantile(square[found[:, k], k], _QUANTILE) / _CHI_SQUARE if counts[k] else overall
            for k in range(len(counts))
        ]
    )
    factor = (counts * own_factor + _HELD_TO_ALL * overall) / (counts + _HELD_TO_ALL)
    wider = np.repeat(np.sqrt(np.clip(factor, 1.0, _MOST_WIDENED)), 2)
    return PoseGaussian(weight, part.mean, part.covariance * np.outer(wider, wider))


def _squares(pose: ComplexArray, mean: ComplexArray, covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each point's squared distance from its expectation given the others, in standard deviations, (K,)."""
    others = 1.0 - np.eye(len(pose))
    onto = np.broadcast_to(pose, others.shape)
    a, b = align(mean, onto, others)
    offset = (onto - b[:, None]) / a[:, None] - mean
    expected, spread = given_others(np.linalg.inv(covariance), offset)
    own = np.arange(len(pose))
    off = to_flat((offset - expected)[own, own][:, None])
    found: NDArray[np.float64] = (off * np.linalg.solve(spread, off[..., None])[..., 0]).sum(axis=1)
    return found


# ---- how many Gaussians ---------------------------------------------------------------------------


def _best_groups(aligned: ComplexArray, most: int, shrinkage: float | None) -> list[NDArray[np.int64]]:
    """Return the rows of each part of the mixture, with the number of parts that makes left-out poses likeliest."""
    everything = [np.arange(len(aligned))]
    if most < 2:
        return everything
    best, chosen = _left_out_likelihood(aligned, 1, shrinkage), everything
    for n in range(2, most + 1):
        groups = _cluster(_filled(aligned), n)
        if min(map(len, groups)) < POSES_A_COMPONENT // 2:
            break
        likelihood = _left_out_likelihood(aligned, n, shrinkage)
        if likelihood <= best:
            break
        best, chosen = likelihood, groups
    return chosen


def _left_out_likelihood(aligned: ComplexArray, n: int, shrinkage: float | None) -> float:
    total = 0.0
    rows = np.arange(len(aligned))
    for split in range(_SPLITS):
        train, test = aligned[rows % _SPLITS != split], aligned[rows % _SPLITS == split]
        parts = [_gaussian(train[group], len(group) / len(train), shrinkage) for group in _cluster(_filled(train), n)]
        logs = np.array([[np.log(part.weight) + log_density(pose, part) for part in parts] for pose in test])
        highest = logs.max(axis=1)
        total += float((highest + np.log(np.exp(logs - highest[:, None]).sum(axis=1))).sum())
    return total


def log_density(pose: ComplexArray, part: PoseGaussian) -> float:
    """Return the log density of one aligned pose (K',) over the points it has; 0 if it has none."""
    offset = to_flat(pose - part.mean)
    there = np.isfinite(offset)
    factor = np.linalg.cholesky(part.covariance[np.ix_(there, there)])
    white = np.linalg.solve(factor, offset[there])
    return float(-0.5 * white @ white - np.log(np.diag(factor)).sum() - 0.5 * there.sum() * np.log(2 * np.pi))


def _filled(aligned: ComplexArray) -> NDArray[np.float64]:
    flat = to_flat(aligned)
    return np.where(np.isfinite(flat), flat, np.nanmean(flat, axis=0))


def _cluster(flat: NDArray[np.float64], n: int) -> list[NDArray[np.int64]]:
    """Divide poses by k-means, starting with the poses farthest apart; the same on every computer."""
    if n == 1:
        return [np.arange(len(flat))]
    first = int(((flat - flat.mean(axis=0)) ** 2).sum(axis=1).argmin())
    centres = [flat[first]]
    while len(centres) < n:
        nearest = np.min([((flat - centre) ** 2).sum(axis=1) for centre in centres], axis=0)
        centres.append(flat[int(nearest.argmax())])
    means = np.array(centres)
    owner = np.zeros(len(flat), np.int64)
    for _ in range(20):
        owner = ((flat[:, None] - means[None]) ** 2).sum(axis=2).argmin(axis=1)
        means = np.array([flat[owner == i].mean(axis=0) if (owner == i).any() else means[i] for i in range(n)])
    return [np.flatnonzero(owner == i) for i in range(n) if (owner == i).any()]
