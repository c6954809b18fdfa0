"""VL4Pose without training: are the links of the skeleton as long as they should be?

Shukla, Roy, Singh & Ahmed, "VL4Pose: Active Learning Through Out-Of-Distribution Detection For Pose Estimation",
BMVC 2022. For a link ``(u, v)`` whose length is normal with mean ``m`` and log-variance ``s``, and peaks ``a`` of u's
and ``b`` of v's scoremap with probabilities ``p``, the expected log-likelihood is

    sum over a, b of p_u(a) p_v(b) * -1/2 (ln 2 pi + s + (d_ab - m)^2 exp(-s))

and a frame's score is minus its mean over links; the least likely pose is labelled first. The expectation factorises
over links, so it needs no recursion and no root. (The published code *sums* the log-likelihoods over places, so that
more peaks always look less likely, and by default looks at one peak and forgets its height.)

The paper predicts ``m`` and ``s`` by an auxiliary network, which needs a hundred labels or more. Here they are those
of ``ln(length)`` in the labelled poses: ``m`` the mean, ``s = ln((sum of squares + 5 * 0.15^2) / (n + 5))``; the prior
keeps two or three labels usable. What counts is thus by which factor a length is wrong; the animal's size cancels.

Cost: one pass of the network a frame, then O(links P^2); needs labelled poses and a skeleton with links.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.fusion import aggregate
from napari_al_pose.acquisition.mpe import MultiplePeakEntropy, peaks_in_source
from napari_al_pose.acquisition.peaks import Peaks
from napari_al_pose.acquisition.strategy import Explanation, Requires, ScoreContext, given
from napari_al_pose.domain import BodypartReason, ScoremapGrid

_PRIOR_WEIGHT, _PRIOR_DEVIATION = 5.0, 0.15
_FINDER = MultiplePeakEntropy(max_peaks=3)


def expected_log_likelihood(
    lengths: NDArray[np.floating],
    weights_u: NDArray[np.floating],
    weights_v: NDArray[np.floating],
    *,
    mean: float,
    log_variance: float,
) -> NDArray[np.float64]:
    """Return a link's expected log-likelihood in each frame, ``(n,)``.

    Parameters
    ----------
    lengths : float array, (n, P, P)
        From each place of one end to each of the other.
    weights_u, weights_v : float array, (n, P)
        Probabilities of the places; 0 where there is none.
    mean, log_variance : float
        Of the length.

    Returns
    -------
    float64 array, (n,)
        NaN where one end has no place.
    """
    log_variance = float(np.clip(log_variance, -6.0, 6.0))
    logs = -0.5 * (np.log(2 * np.pi) + log_variance + (np.nan_to_num(lengths) - mean) ** 2 * np.exp(-log_variance))
    expected = np.einsum("na,nb,nab->n", weights_u, weights_v, logs)
    found = (weights_u.sum(axis=1) > 0) & (weights_v.sum(axis=1) > 0)
    return np.where(found, expected, np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class LinkLengths:
    """How long the links are in labelled poses.

    Parameters
    ----------
    links : sequence of (int, int)
        Those that some labelled pose shows, as positions on the keypoint axis.
    mean, log_variance : float64 array, (links,)
        Of the natural logarithm of the length in pixels.
    """

    links: list[tuple[int, int]]
    mean: NDArray[np.float64]
    log_variance: NDArray[np.float64]


def fit_links(poses: NDArray[np.floating], links: list[tuple[int, int]]) -> LinkLengths:
    """Fit labelled poses ``(n, K, 2)``; NaN where a bodypart was not placed."""
    kept, means, log_variances = [], [], []
    for u, v in links:
        length = np.linalg.norm(np.asarray(poses[:, u], np.float64) - poses[:, v], axis=-1)
        logs = np.log(length[np.isfinite(length) & (length > 0)])
        if len(logs):
            squares = ((logs - logs.mean()) ** 2).sum() + _PRIOR_WEIGHT * _PRIOR_DEVIATION**2
            kept.append((u, v))
            means.append(logs.mean())
            log_variances.append(np.log(squares / (len(logs) + _PRIOR_WEIGHT)))
    return LinkLengths(kept, np.array(means), np.array(log_variances))


def link_log_likelihoods(peaks: Peaks, grid: ScoremapGrid, lengths: LinkLengths) -> NDArray[np.float64]:
    """Return each link's expected log-likelihood, ``(n, links)``, from peaks ``(n, K, P)``."""
    places = grid.to_source(np.stack([peaks.columns, peaks.rows], axis=-1).astype(np.float64))
    heights = np.nan_to_num(peaks.values)
    total = heights.sum(axis=-1, keepdims=True)
    weights = heights / np.where(total > 0, total, 1.0)
    shortest = 0.5 * min(grid.stride_x, grid.stride_y)  # two bodyparts in one cell
    result = np.full((len(heights), len(lengths.links)), np.nan)
    for number, (u, v) in enumerate(lengths.links):
        apart = np.linalg.norm(places[:, u, :, None] - places[:, v, None, :], axis=-1)
        result[:, number] = expected_log_likelihood(
            np.log(np.maximum(apart, shortest)),
            weights[:, u],
            weights[:, v],
            mean=float(lengths.mean[number]),
            log_variance=float(lengths.log_variance[number]),
        )
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticVL4Pose:
    """Rank frames by how unlikely the lengths of the skeleton's links are."""

    name: str = "vl4pose_static"
    title: str = "Unlikely skeleton (VL4Pose)"
    summary: str = "Frames in which links of the skeleton are longer or shorter than in labelled poses"
    requires: Requires = Requires.SCOREMAPS | Requires.LABELS
    spreads_batch: bool = False

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return minus the mean log-likelihood over links, ``(N,)``; NaN without links, or where none is found."""
        lengths = _lengths(context)
        peaks = _FINDER.peaks(given(context.scoremaps, "scoremaps"))
        likelihood = np.full((len(context.keys), len(lengths.links)), np.nan)
        grids = [context.grid_of(row) for row in range(len(context.keys))]
        for grid in set(grids) - {None}:
            rows = np.array([row for row, own in enumerate(grids) if own == grid], np.int64)
            likelihood[rows] = link_log_likelihoods(_rows(peaks, rows), given(grid, "a grid"), lengths)
        return aggregate(-likelihood, "mean")

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Give each bodypart the surprise of its least likely link, and word the least likely of all."""
        lengths, grid = _lengths(context), context.grid_of(index)
        if grid is None:
            return Explanation(sentence="no scale to judge lengths by")
        peaks = _FINDER.peaks(given(context.scoremaps, "scoremaps")[index : index + 1])
        surprise = -link_log_likelihoods(peaks, grid, lengths)[0]
        if not np.isfinite(surprise).any():
            return Explanation(sentence="no link of the skeleton to judge")
        names = context.skeleton.bodyparts
        worst = np.full(len(names), np.nan)
        for ends, value in zip(lengths.links, surprise, strict=True):
            worst[list(ends)] = np.fmax(worst[list(ends)], value)
        reasons = tuple(
            BodypartReason(name, float(value), peaks_in_source(_rows(peaks, 0), k, grid))
            for k, (name, value) in enumerate(zip(names, worst, strict=True))
        )
        most = int(np.nanargmax(surprise))
        u, v = lengths.links[most]
        (xu, yu, _), (xv, yv, _) = reasons[u].peaks[0], reasons[v].peaks[0]
        found, usual = np.hypot(xu - xv, yu - yv), np.exp(lengths.mean[most])
        return Explanation(reasons, f"{names[u]} to {names[v]}: {found:.0f} px, usually {usual:.0f} px")


def _lengths(context: ScoreContext) -> LinkLengths:
    return fit_links(given(context.labelled_xy, "labelled poses"), context.skeleton.link_indices())


def _rows(peaks: Peaks, rows: int | NDArray[np.int64]) -> Peaks:
    return Peaks(peaks.values[rows], peaks.rows[rows], peaks.columns[rows])
