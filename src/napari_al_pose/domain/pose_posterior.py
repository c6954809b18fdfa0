"""The posterior of a frame under one Gaussian of the prior: candidates for each bodypart, and how likely each is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain.evidence import Evidence
from napari_al_pose.domain.pose_gaussian import PoseGaussian, tangent
from napari_al_pose.domain.pose_prior import PosePrior
from napari_al_pose.domain.similarity import ComplexArray, to_complex

CLICK_DEVIATION = 0.015
"""Precision of a click, in lengths: the diagonal of the box around the mean pose."""

PEAK_DEVIATION = (0.045, 0.015)
"""Precision of a peak of height 0 and of one of height 1, in lengths; linear in between."""

HALF_SURE = 0.01
"""Height of a peak that is as likely right as wrong."""

SHARPNESS = 4.0
"""Power of the heights by which the peaks of one bodypart share its probability."""

OUTLIER_SHARE = 0.2
"""Share of bodyparts that are where no label would have them."""

STEADY = 0.6
"""Peaks at least this high are not moved towards the prior's expectation, so that confident guesses do not tremble."""


@dataclass(frozen=True, slots=True, eq=False)
class PosteriorTerms:
    """The terms of the posterior over the K' bodyparts that the prior knows.

    Parameters
    ----------
    part : PoseGaussian
    covariance : float array, (2 K', 2 K')
        Of the part, including errors of the similarity.
    own : float array, (K', 2, 2)
        Each bodypart's covariance.
    guess : complex array, (K',)
        Source pixels: the clicked points, and the present guess elsewhere.
    clicked, open_ : bool array, (K',)
    candidates : complex array, (K', P)
        Source pixels; 0 if there is none.
    there : bool array, (K', P)
        Whether an open bodypart has this candidate.
    height : float array, (K', P)
        Of the scoremap's peaks.
    log_mass : float array, (K', P)
        Log probability that the bodypart is at each candidate.
    log_elsewhere : float array, (K',)
        Log probability that it is at none of them, per square source pixel.
    log_outlier : float
        Log density of a bodypart that is where no label would have it.
    noise : float array, (K', P)
        Variance of each candidate's position, in the prior's unit.
    click_noise, steady_noise : float
        The same for a click, and for the lowest peak that is not moved.
    log_size, direction : (float, float)
        As in `PosePrior`.
    """

    part: PoseGaussian
    covariance: NDArray[np.float64]
    own: NDArray[np.float64]
    guess: ComplexArray
    clicked: NDArray[np.bool_]
    open_: NDArray[np.bool_]
    candidates: ComplexArray
    there: NDArray[np.bool_]
    height: NDArray[np.float64]
    log_mass: NDArray[np.float64]
    log_elsewhere: NDArray[np.float64]
    log_outlier: float
    noise: NDArray[np.float64]
    click_noise: float
    steady_noise: float
    log_size: tuple[float, float]
    direction: tuple[float, float]

    @classmethod
    def of(
        cls,
        prior: PosePrior,
        part: PoseGaussian,
        evidence: Evidence,
        *,
        xy: NDArray[np.float64],
        clicked: NDArray[np.bool_],
        open_: NDArray[np.bool_],
    ) -> PosteriorTerms:
        """Return the terms of a frame; the arguments are those of `pose_inference.infer_pose`."""
        known = prior.known
        guess = to_complex(xy)[known]
        placed = clicked[known] & np.isfinite(guess)
        undecided = open_[known] & ~placed
        candidates = to_complex(evidence.xy)[known]
        there = np.isfinite(candidates) & undecided[:, None]
        height = np.where(there, evidence.height[known], 0.0)
        highest = height.max(axis=1, keepdims=True)
        power = height**SHARPNESS
        share = power / np.maximum(power.sum(axis=1, keepdims=True), 1e-300)
        with np.errstate(divide="ignore"):
            log_mass = np.log(share * highest / (highest + HALF_SURE))
        log_area = float(np.log(evidence.area))
        length = float(np.hypot(np.ptp(part.mean.real), np.ptp(part.mean.imag)))
        blocks = part.covariance.reshape(len(known), 2, len(known), 2)
        return cls(
            part=part,
            covariance=part.covariance + tangent(part.mean),
            own=np.einsum("kikj->kij", blocks),
            guess=guess,
            clicked=placed,
            open_=undecided,
            candidates=np.where(there, candidates, 0),
            there=there,
            height=height,
            log_mass=log_mass,
            log_elsewhere=np.log(HALF_SURE / (highest[:, 0] + HALF_SURE)) - log_area,
            log_outlier=float(np.log(OUTLIER_SHARE)) - log_area,
            noise=_variance(height, length),
            click_noise=(length * CLICK_DEVIATION) ** 2,
            steady_noise=float(_variance(np.array(STEADY), length)),
            log_size=prior.log_size,
            direction=prior.direction,
        )

    def log_similarity(self, a: ComplexArray) -> NDArray[np.float64]:
        """Return the log density of sizes and directions of similarities, up to a constant."""
        (middle, deviation), (direction, concentration) = self.log_size, self.direction
        off = (np.log(np.maximum(np.abs(a), 1e-12)) - middle) / deviation
        return -0.5 * off**2 + concentration * (np.cos(np.angle(a) - direction) - 1)

    def log_inside(
        self, a: ComplexArray, b: ComplexArray, mean: ComplexArray, covariance: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the log density of each candidate under the prior, per square source pixel, (H, K', P).

        Parameters
        ----------
        a, b : complex array, (H,)
            Similarities, ``image = a * pose + b``.
        mean, covariance : complex array (H, K'), float array (H, K', 2, 2)
            Where each bodypart is expected, in the prior's frame.
        """
        wide = covariance[:, :, None] + self.noise[..., None, None] * np.eye(2)
        offset = (self.candidates[None] - b[:, None, None]) / a[:, None, None] - mean[..., None]
        return log_normal(offset, wide) - 2 * np.log(np.abs(a))[:, None, None] + np.log(1 - OUTLIER_SHARE)

    def log_candidates(self, inside: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the log posterior of each candidate, from `log_inside`, allowing for outliers."""
        rated = self.log_mass[None] + np.logaddexp(inside, self.log_outlier)
        return np.where(self.there[None], rated, -np.inf)


def log_normal(offset: ComplexArray, covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log density of complex offsets (...) under 2-d Gaussians of these covariances (..., 2, 2)."""
    x, y = offset.real, offset.imag
    xx, xy, yy = covariance[..., 0, 0], covariance[..., 0, 1], covariance[..., 1, 1]
    det = xx * yy - xy * xy
    square = (yy * x * x - 2 * xy * x * y + xx * y * y) / det
    return -0.5 * (square + np.log(det)) - np.log(2 * np.pi)


def _variance(height: NDArray[np.float64], length: float) -> NDArray[np.float64]:
    """Return the variance of the position of peaks, in the prior's unit."""
    low, high = PEAK_DEVIATION
    return (length * (low + (high - low) * height)) ** 2
