"""A prior over poses, learnt from the labels: one or a few Gaussians over poses without position, direction and size.

Poses are aligned by generalised Procrustes analysis (Gower 1975, Psychometrika 40): each pose is translated, rotated
and scaled onto the mean of all, and the mean is computed again. Points are complex numbers, ``x + iy``, so a similarity
is ``a z + b``. A Gaussian describes the aligned poses; its covariance is shrunk towards a multiple of the identity
(Ledoit & Wolf 2004, J. Multivariate Anal. 88), so a few labels give a wide prior, not a wrong one. Missing bodyparts
are replaced by their expectation given the others, and the covariance of that expectation is added (EM; Little & Rubin
2002, ch. 11).

Size and direction are not discarded: a log-normal distribution describes the size of poses, and a von Mises
distribution whether they always point the same way, as faces do and mice in an arena do not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain.pose_gaussian import PoseGaussian, fit_gaussians
from napari_al_pose.domain.similarity import ComplexArray, align, to_complex

FEWEST_POSES = 3
FEWEST_POINTS = 3
"""Two points always fit onto two others, so nothing can be learnt about shapes with fewer."""

_ALIGNMENTS = 12
_LEAST_LOG_SIZE = 0.08
_MOST_CONCENTRATED = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class PosePrior:
    """The result of `fit_prior`.

    Parameters
    ----------
    known : int64 array, (K',)
        The bodyparts that some label shows, ascending; the prior says nothing about the others.
    n_bodyparts : int
        K, the number of bodyparts of the poses it was fitted on.
    components : tuple of PoseGaussian
    log_size : (float, float)
        Mean and standard deviation of the logarithm of the size, in the unit of the poses.
    direction : (float, float)
        Mean angle, radians, and von Mises concentration; 0 if poses point everywhere.
    n_poses : int
        Number of poses it was fitted on.
    """

    known: NDArray[np.int64]
    n_bodyparts: int
    components: tuple[PoseGaussian, ...]
    log_size: tuple[float, float]
    direction: tuple[float, float]
    n_poses: int


def fit_prior(
    poses: NDArray[np.floating], *, most_components: int = 3, shrinkage: float | None = None
) -> PosePrior | None:
    """Fit a prior over poses.

    Parameters
    ----------
    poses : float array, (n, K, 2)
        Labels, pixels; NaN for bodyparts not placed.
    most_components : int
        Most parts of the mixture. The likelihood of left-out poses decides their number.
    shrinkage : float, optional
        Weight of the identity in [0, 1]; Ledoit and Wolf's estimate by default.

    Returns
    -------
    PosePrior or None
        None if fewer than three poses show three bodyparts or more.
    """
    z = to_complex(poses)
    known = np.flatnonzero(np.isfinite(z).any(axis=0))
    z = z[:, known]
    z = z[(np.isfinite(z).sum(axis=1) >= FEWEST_POINTS) & (_spread(z) > 0)]
    if len(z) < FEWEST_POSES or len(known) < FEWEST_POINTS:
        return None
    seen = np.isfinite(z).any(axis=0)  # some bodyparts may be shown only by the left-out poses
    known, z = known[seen], z[:, seen]
    scale, _, aligned = _align_all(z)
    sizes, angles = -np.log(np.abs(scale)), -np.angle(scale)
    return PosePrior(
        known=known,
        n_bodyparts=int(np.asarray(poses).shape[1]),
        components=fit_gaussians(aligned, most=most_components, shrinkage=shrinkage),
        log_size=(float(sizes.mean()), _deviation(sizes)),
        direction=_direction(angles),
        n_poses=len(z),
    )


def _spread(z: ComplexArray) -> NDArray[np.float64]:
    """Return the sum of squared distances of the available points from their centre."""
    there = np.isfinite(z)
    n = np.maximum(there.sum(axis=1, keepdims=True), 1)
    centre = np.where(there, z, 0).sum(axis=1, keepdims=True) / n
    return (np.abs(np.where(there, z - centre, 0)) ** 2).sum(axis=1)


def _align_all(z: ComplexArray) -> tuple[ComplexArray, ComplexArray, ComplexArray]:
    """Return the map of each pose onto the mean, ``scale z + shift``, and the aligned poses, (n,), (n,), (n, K)."""
    there = np.isfinite(z)
    weights = there.astype(np.float64)
    mean = _normalised(z[int(np.argmax(there.sum(axis=1)))])
    for _ in range(_ALIGNMENTS):
        # Points that the mean lacks join it as soon as a pose shows them beside others.
        a, b = align(np.where(np.isfinite(mean), mean, 0), z, weights * np.isfinite(mean))
        aligned = (z - b[:, None]) / a[:, None]
        counted = np.where(there, aligned, 0)
        mean = _normalised(np.where(there.any(axis=0), counted.sum(axis=0) / np.maximum(there.sum(axis=0), 1), np.nan))
    a, b = align(mean, z, weights)
    return 1 / a, -b / a, (z - b[:, None]) / a[:, None]


def _normalised(pose: ComplexArray) -> ComplexArray:
    centred = pose - np.nanmean(pose)
    radius = max(float(np.sqrt(np.nanmean(np.abs(centred) ** 2))), 1e-12)
    return np.asarray(centred / radius, np.complex128)


def _deviation(sizes: NDArray[np.float64]) -> float:
    """Return the standard deviation of log sizes, wider the fewer there are."""
    n = len(sizes)
    return max(_LEAST_LOG_SIZE, float(sizes.std(ddof=1)) * (1 + 2 / n))


def _direction(angles: NDArray[np.float64]) -> tuple[float, float]:
    """Return mean and concentration (estimate of Banerjee et al. 2005), as if one more pose pointed the other way."""
    n = len(angles)
    resultant = np.exp(1j * angles).sum()
    length = max(0.0, abs(resultant) - 1) / (n + 1)
    concentration = length * (2 - length**2) / max(1 - length**2, 1e-9)
    return float(np.angle(resultant)), min(_MOST_CONCENTRATED, float(concentration))
