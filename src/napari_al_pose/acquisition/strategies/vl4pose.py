"""VL4Pose: are the links of the skeleton as long as they should be?

Shukla, Roy, Singh & Ahmed, "VL4Pose: Active Learning Through Out-Of-Distribution Detection For Pose Estimation",
BMVC 2022. For a link ``(u, v)`` whose length is normal with mean ``m`` and log-variance ``s``, and peaks ``a`` of u's
and ``b`` of v's scoremap with probabilities ``p``, the expected log-likelihood is

    sum over a, b of p_u(a) p_v(b) * -1/2 (ln 2 pi + s + (d_ab - m)^2 exp(-s))

A frame's score is minus the mean over links, so the least likely pose is labelled first. The expectation factorises
over links, so it needs no recursion and no root. (The published code *sums* the log-likelihoods over places, so that
more peaks always look less likely. By default it looks at one peak and forgets its height.)

In the paper, an auxiliary network predicts ``m`` and ``s`` for every frame (`VL4Pose`, lengths in animal sizes). It
needs a hundred labels or more. `StaticVL4Pose` needs no training: ``m`` is the mean of ``ln(length)`` in the labelled
poses, and ``s = ln((sum of squares + 5 * 0.15^2) / (n + 5))``, where the prior makes two or three labels enough. So the
factor by which a length is wrong counts, and the animal's size cancels.

Cost: one pass of the network a frame, then O(links P^2); needs labelled poses and a skeleton with links.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.extras import Extra
from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.fusion import aggregate
from napari_al_pose.acquisition.peaks import Peaks
from napari_al_pose.acquisition.strategies.disagreement import size_of
from napari_al_pose.acquisition.strategies.mpe import MultiplePeakEntropy, peaks_in_source
from napari_al_pose.acquisition.strategy import Explanation, Requires, ScoreContext, given
from napari_al_pose.domain import BodypartReason, ScoremapGrid

_PRIOR_WEIGHT, _PRIOR_DEVIATION = 5.0, 0.15
_FINDER = MultiplePeakEntropy(max_peaks=3)


def expected_log_likelihood(
    lengths: NDArray[np.floating],
    weights_u: NDArray[np.floating],
    weights_v: NDArray[np.floating],
    *,
    mean: float | NDArray[np.floating],
    log_variance: float | NDArray[np.floating],
) -> NDArray[np.float64]:
    """Return a link's expected log-likelihood in each frame, ``(n,)``.

    Parameters
    ----------
    lengths : float array, (n, P, P)
        From each place of one end to each of the other.
    weights_u, weights_v : float array, (n, P)
        Probabilities of the places; 0 where there is none.
    mean, log_variance : float, or float array (n,)
        Of the length.

    Returns
    -------
    float64 array, (n,)
        NaN where one end has no place.
    """
    log_variance = np.clip(np.asarray(log_variance, np.float64), -6.0, 6.0)[..., None, None]
    offset = np.nan_to_num(lengths) - np.asarray(mean, np.float64)[..., None, None]
    logs = -0.5 * (np.log(2 * np.pi) + log_variance + offset**2 * np.exp(-log_variance))
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
    places, weights = _places(peaks, grid)
    shortest = 0.5 * min(grid.stride_x, grid.stride_y)  # two bodyparts in one cell
    result = np.full((len(places), len(lengths.links)), np.nan)
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


def _places(peaks: Peaks, grid: ScoremapGrid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where the peaks lie in the source image, ``(n, K, P, 2)``, and their shares, ``(n, K, P)``."""
    places = grid.to_source(np.stack([peaks.columns, peaks.rows], axis=-1).astype(np.float64))
    heights = np.nan_to_num(peaks.values)
    total = heights.sum(axis=-1, keepdims=True)
    return np.asarray(places, np.float64), heights / np.where(total > 0, total, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticVL4Pose:
    """Rank frames by how unlikely the lengths of the skeleton's links are."""

    name: str = "vl4pose_static"
    title: str = "Unlikely skeleton (VL4Pose)"
    summary: str = "Frames in which links of the skeleton are longer or shorter than in labelled poses"
    family: Family = Family.DOUBT
    requires: Requires = Requires.SCOREMAPS | Requires.LABELS
    cost: str = "one pass of the network a frame, then O(links P²)"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return minus the mean log-likelihood over links, ``(N,)``; NaN without links, or where none is found."""
        lengths = _lengths(context)
        peaks = _FINDER.peaks(given(context.scoremaps, "scoremaps"))
        likelihood = np.full((len(context.keys), len(lengths.links)), np.nan)
        for grid, rows in _by_scale(context):
            likelihood[rows] = link_log_likelihoods(_rows(peaks, rows), grid, lengths)
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
        reasons = _link_reasons(context, lengths.links, surprise, peaks, grid)
        most = int(np.nanargmax(surprise))
        u, v = lengths.links[most]
        (xu, yu, _), (xv, yv, _) = reasons[u].peaks[0], reasons[v].peaks[0]
        found, usual = np.hypot(xu - xv, yu - yv), np.exp(lengths.mean[most])
        return Explanation(reasons, f"{names[u]} to {names[v]}: {found:.0f} px, usually {usual:.0f} px")


@dataclass(frozen=True, slots=True, kw_only=True)
class VL4Pose:
    """Rank frames by how unlikely an auxiliary network finds the lengths of the skeleton's links."""

    name: str = "vl4pose"
    title: str = "Unlikely skeleton, learned (VL4Pose)"
    summary: str = "Frames in which links of the skeleton are not as long as a second network expects in this picture"
    family: Family = Family.LEARNED
    requires: Requires = Requires.SCOREMAPS | Requires.LABELS
    needs: frozenset[Extra] = frozenset({Extra.LINK_LENGTHS})
    fewest_labels: int = 100
    fallback: str = "vl4pose_static"
    cost: str = "one pass of the network a frame, and training a second network for about a minute"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return minus the mean log-likelihood over links, ``(N,)``; NaN without links, or where none is found."""
        peaks = _FINDER.peaks(given(context.scoremaps, "scoremaps"))
        likelihood = np.full((len(context.keys), len(context.skeleton.links)), np.nan)
        for grid, rows in _by_scale(context):
            likelihood[rows] = self._log_likelihoods(context, _rows(peaks, rows), grid, rows)
        return aggregate(-likelihood, "mean")

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Give each bodypart the surprise of its least likely link, and word the least likely of all."""
        grid = context.grid_of(index)
        if grid is None:
            return Explanation(sentence="no scale to judge lengths by")
        peaks = _FINDER.peaks(given(context.scoremaps, "scoremaps")[index : index + 1])
        surprise = -self._log_likelihoods(context, peaks, grid, np.array([index]))[0]
        if not np.isfinite(surprise).any():
            return Explanation(sentence="no link of the skeleton to judge")
        reasons = _link_reasons(context, context.skeleton.link_indices(), surprise, peaks, grid)
        most = int(np.nanargmax(surprise))
        u, v = context.skeleton.link_indices()[most]
        expected = context.extra_of(Extra.LINK_LENGTHS)[index, most, 0] * size_of(context)
        (xu, yu, _), (xv, yv, _) = reasons[u].peaks[0], reasons[v].peaks[0]
        names = context.skeleton.bodyparts
        return Explanation(
            reasons, f"{names[u]} to {names[v]}: {np.hypot(xu - xv, yu - yv):.0f} px, expected {expected:.0f} px"
        )

    def _log_likelihoods(
        self, context: ScoreContext, peaks: Peaks, grid: ScoremapGrid, rows: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        expected = np.asarray(context.extra_of(Extra.LINK_LENGTHS)[rows], np.float64)
        places, weights = _places(peaks, grid)
        places = places / size_of(context)
        result = np.full(expected.shape[:2], np.nan)
        for number, (u, v) in enumerate(context.skeleton.link_indices()):
            result[:, number] = expected_log_likelihood(
                np.linalg.norm(places[:, u, :, None] - places[:, v, None, :], axis=-1),
                weights[:, u],
                weights[:, v],
                mean=expected[:, number, 0],
                log_variance=expected[:, number, 1],
            )
        return result


def _by_scale(context: ScoreContext) -> Iterator[tuple[ScoremapGrid, NDArray[np.int64]]]:
    """Yield a grid for each size of cells, with the rows that have it: lengths do not depend on where the cells lie."""
    rows: dict[tuple[float, float], list[int]] = {}
    grids: dict[tuple[float, float], ScoremapGrid] = {}
    for row in range(len(context.keys)):
        grid = context.grid_of(row)
        if grid is not None:
            scale = (grid.stride_x, grid.stride_y)
            grids.setdefault(scale, grid)
            rows.setdefault(scale, []).append(row)
    for scale, grid in grids.items():
        yield grid, np.array(rows[scale], np.int64)


def _link_reasons(
    context: ScoreContext,
    links: list[tuple[int, int]],
    surprise: NDArray[np.float64],
    peaks: Peaks,
    grid: ScoremapGrid,
) -> tuple[BodypartReason, ...]:
    """Give each bodypart the surprise of its least likely link."""
    names = context.skeleton.bodyparts
    worst = np.full(len(names), np.nan)
    for ends, value in zip(links, surprise, strict=True):
        worst[list(ends)] = np.fmax(worst[list(ends)], value)
    return tuple(
        BodypartReason(name, float(value), peaks_in_source(_rows(peaks, 0), k, grid))
        for k, (name, value) in enumerate(zip(names, worst, strict=True))
    )


def _lengths(context: ScoreContext) -> LinkLengths:
    return fit_links(given(context.labelled_xy, "labelled poses"), context.skeleton.link_indices())


def _rows(peaks: Peaks, rows: int | NDArray[np.int64]) -> Peaks:
    return Peaks(peaks.values[rows], peaks.rows[rows], peaks.columns[rows])
