"""Errors of predictions against annotations, each number under its right name.

Distances are Euclidean, in source pixels, over placed keypoints only. A predicted keypoint without a position counts as
infinitely far away: leaving it out would reward not finding it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import ErrorSummary, KeypointState
from napari_al_pose.domain.oks import OKS_SIGMA

PCK_PIXELS = (5, 10, 20)
PCK_FRACTIONS = (0.05, 0.1, 0.2)
OKS_THRESHOLDS = np.arange(0.5, 0.96, 0.05)
_RECALLS = np.linspace(0, 1, 101)
_BOOTSTRAPS = 2000


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """Errors over a set of labelled frames.

    Parameters
    ----------
    mean, median, p95 : float
        Of the distances, px.
    rmse : float
        Root of the mean squared distance, px. (DeepLabCut calls the mean distance by that name.)
    pck : dict
        Share of correct keypoints within a distance: "5px", ...; and within a fraction of the reference length:
        "0.1ref", ....
    reference_px : float
        The reference length, median over videos; NaN if none. See `reference_lengths`.
    normalised : dict
        "mean", "median", "p95" and "rmse" of the distances, in reference lengths of each video; empty without any.
    oks_map : float
        Mean average precision over thresholds of object keypoint similarity (see `oks`), one animal a frame, ranked by
        mean likelihood; NaN without likelihoods or without a frame of two keypoints apart in both directions.
    per_bodypart, per_video : dict
        Mean distance, px; NaN for a bodypart that is placed nowhere.
    n_frames, n_keypoints : int
        Frames with a placed keypoint, and placed keypoints.
    oks_mar : float
        With several animals: the share of animals that are found, mean over the same thresholds; NaN with one.
    missed, extra : float
        With several animals: missed animals, and poses that belong to no animal, relative to the number of animals; NaN
        with one animal. The other errors then cover the animals that were found, each as a frame of its own.
    """

    mean: float
    median: float
    p95: float
    rmse: float
    pck: dict[str, float]
    reference_px: float
    normalised: dict[str, float] = field(default_factory=dict)
    oks_map: float = float("nan")
    per_bodypart: dict[str, float] = field(default_factory=dict)
    per_video: dict[str, float] = field(default_factory=dict)
    n_frames: int = 0
    n_keypoints: int = 0
    oks_mar: float = float("nan")
    missed: float = float("nan")
    extra: float = float("nan")


def distances(
    predicted: NDArray[np.floating], annotated: NDArray[np.floating], states: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Return the distance of each keypoint, (N, K), px; NaN where none is placed."""
    placed = np.asarray(states) == KeypointState.PLACED
    errors = np.full(placed.shape, np.nan)
    difference = np.asarray(predicted, np.float64)[placed] - np.asarray(annotated, np.float64)[placed]
    errors[placed] = np.nan_to_num(np.hypot(difference[:, 0], difference[:, 1]), nan=np.inf)
    return errors


def reference_length(
    annotated: NDArray[np.floating], states: NDArray[np.integer], *, between: tuple[int, int] | None = None
) -> float:
    """Return the median length of the animal in annotated frames, px; NaN if it can't be told from them.

    Parameters
    ----------
    annotated, states : array, (N, K, 2) and (N, K)
        Positions and `KeypointState` values.
    between : (int, int), optional
        Two keypoints whose distance is the length; by default it is the diagonal of the placed keypoints' bounding box.
    """
    lengths = []
    for xy, state in zip(annotated, states, strict=True):
        placed = state == KeypointState.PLACED
        if between is not None:
            placed &= np.isin(np.arange(len(placed)), between)
        if placed.sum() >= 2:
            lengths.append(float(np.hypot(*np.ptp(xy[placed], axis=0))))
    return float(np.median(lengths)) if lengths else float("nan")


def reference_lengths(
    annotated: NDArray[np.floating],
    states: NDArray[np.integer],
    videos: Sequence[str],
    *,
    between: tuple[int, int] | None = None,
) -> NDArray[np.float64]:
    """Return the `reference_length` of each frame's video, (N,), px.

    It is the median over a video's annotated frames, like the distance from eye to nose in the benchmark of Horse-10
    (Mathis et al. 2021): animals differ in size, and frames of one animal in posture.
    """
    names = np.asarray(videos)
    of = {name: reference_length(annotated[names == name], states[names == name], between=between) for name in names}
    return np.array([of[name] for name in names], np.float64)


def oks(
    predicted: NDArray[np.floating], annotated: NDArray[np.floating], states: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Return the object keypoint similarity of each frame, (N,); NaN where the annotation has no area.

    As in COCO's evaluation: the mean over placed keypoints of ``exp(-d^2 / (2 area (2 sigma)^2))``. The area is the
    placed keypoints' bounding box, as in DeepLabCut, and every bodypart has the sigma `OKS_SIGMA`.
    """
    errors = distances(predicted, annotated, states)
    values = np.full(len(errors), np.nan)
    for i, (xy, state, error) in enumerate(zip(annotated, states, errors, strict=True)):
        placed = state == KeypointState.PLACED
        area = float(np.prod(np.ptp(xy[placed], axis=0))) if placed.any() else 0.0
        if area > 0:
            values[i] = float(np.exp(-(error[placed] ** 2) / (2 * area * (2 * OKS_SIGMA) ** 2)).mean())
    return values


def mean_average_precision(similarity: NDArray[np.floating], scores: NDArray[np.floating]) -> float:
    """Return the mean over thresholds of 0.5 to 0.95 of COCO's average precision; NaN without a frame.

    Parameters
    ----------
    similarity : float array, (N,)
        `oks` of one animal a frame; NaN is ignored.
    scores : float array, (N,)
        The frames are ranked by these, the surest first.
    """
    counts = np.isfinite(similarity)
    if not counts.any():
        return float("nan")
    order = np.argsort(-scores[counts], kind="stable")
    hits = similarity[counts][order][None] >= OKS_THRESHOLDS[:, None]
    return average_precision(hits, int(counts.sum()))


def average_precision(hits: NDArray[np.bool_], n_animals: int) -> float:
    """Return COCO's average precision over 101 recalls, averaged over thresholds.

    Parameters
    ----------
    hits : bool array, (T, D)
        For each threshold, whether each detection is an animal, the surest detection first.
    n_animals : int
        Number of animals, at least one.
    """
    if hits.shape[1] == 0:
        return 0.0
    found = np.cumsum(hits, axis=1)
    recall, precision = found / n_animals, found / np.arange(1, hits.shape[1] + 1)
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    averages = []
    for r, p in zip(recall, precision, strict=True):
        at = np.searchsorted(r, _RECALLS, side="left")
        averages.append(float(np.append(p, 0.0)[at].mean()))
    return float(np.mean(averages))


def error_report(
    predicted: NDArray[np.floating],
    annotated: NDArray[np.floating],
    states: NDArray[np.integer],
    bodyparts: Sequence[str],
    *,
    likelihood: NDArray[np.floating] | None = None,
    videos: Sequence[str] | None = None,
    between: tuple[int, int] | None = None,
) -> ErrorReport:
    """Return the errors of predictions.

    Parameters
    ----------
    predicted, annotated : float array, (N, K, 2)
        Source pixels.
    states : int array, (N, K)
        `KeypointState` values.
    bodyparts : sequence of str
        Names along the keypoint axis.
    likelihood : float array, (N, K), optional
        Of the predictions; mean average precision needs it.
    videos : sequence of str, optional
        The video of each frame; all of one by default.
    between : (int, int), optional
        The two keypoints whose distance is the reference length; by default it is the bounding box's diagonal.
    """
    names = [""] * len(states) if videos is None else list(videos)
    errors = distances(predicted, annotated, states)
    lengths = reference_lengths(annotated, states, names, between=between)
    known = np.isfinite(lengths)
    by_video = [lengths[names.index(name)] for name in set(names)]
    length = float(np.nanmedian(by_video)) if known.any() else float("nan")
    surest = np.full(len(states), np.nan) if likelihood is None else np.mean(likelihood, axis=1)
    summary = _summary(errors)
    pck = {f"{bound}px": _share_within(errors, bound) for bound in PCK_PIXELS}
    normalised: dict[str, float] = {}
    if known.any():
        relative = errors[known] / lengths[known, None]
        pck |= {f"{share:g}ref": _share_within(relative, share) for share in PCK_FRACTIONS}
        normalised = _summary(relative)
    n_keypoints = int((~np.isnan(errors)).sum())
    return ErrorReport(
        **summary,
        pck=pck if n_keypoints else {},
        reference_px=length,
        normalised=normalised if n_keypoints else {},
        oks_map=float("nan")
        if likelihood is None
        else mean_average_precision(oks(predicted, annotated, states), surest),
        per_bodypart={name: _mean(errors[:, k]) for k, name in enumerate(bodyparts)},
        per_video={
            name: _mean(errors[np.array([other == name for other in names])]) for name in dict.fromkeys(names) if name
        },
        n_frames=int((~np.isnan(errors)).any(axis=1).sum()),
        n_keypoints=n_keypoints,
    )


def _summary(errors: NDArray[np.float64]) -> dict[str, float]:
    """Return mean, median, 95th percentile and root mean square, ignoring NaN; NaN if nothing is left."""
    counted = errors[~np.isnan(errors)]
    if len(counted) == 0:
        return dict.fromkeys(("mean", "median", "p95", "rmse"), float("nan"))
    return {
        "mean": float(counted.mean()),
        "median": float(np.median(counted)),
        # "higher" picks a measured distance, so that an infinite neighbour gives no NaN.
        "p95": float(np.quantile(counted, 0.95, method="higher")),
        "rmse": float(np.sqrt(np.mean(counted**2))),
    }


def _share_within(errors: NDArray[np.float64], bound: float) -> float:
    counted = errors[~np.isnan(errors)]
    return float((counted <= bound).mean()) if len(counted) else float("nan")


def summarise(
    predicted: NDArray[np.floating],
    annotated: NDArray[np.floating],
    states: NDArray[np.integer],
    *,
    bodyparts: Sequence[str] = (),
    seed: int = 0,
) -> ErrorSummary:
    """Return the mean error with its 95 % percentile-bootstrap interval over frames, and that of each bodypart.

    The bootstrap draws frames, not keypoints: keypoints of one frame err together.
    """
    errors = distances(predicted, annotated, states)
    means_of = [(name, _mean(column)) for name, column in zip(bodyparts, errors.T, strict=False)]
    per_bodypart = tuple((name, mean) for name, mean in means_of if np.isfinite(mean))
    errors = errors[(~np.isnan(errors)).any(axis=1)]
    counted = errors[~np.isnan(errors)]
    nan = float("nan")
    if len(counted) == 0:
        return ErrorSummary(nan, nan, nan, nan, 0)
    low = high = nan
    if len(errors) >= 2:
        sums, counts = np.nansum(errors, axis=1), (~np.isnan(errors)).sum(axis=1)
        drawn = np.random.default_rng(seed).integers(len(errors), size=(_BOOTSTRAPS, len(errors)))
        means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
        low, high = (float(q) for q in np.quantile(means, [0.025, 0.975], method="nearest"))
    return ErrorSummary(float(counted.mean()), float(np.median(counted)), low, high, len(errors), per_bodypart)


def _mean(errors: NDArray[np.float64]) -> float:
    counted = errors[~np.isnan(errors)]
    return float(counted.mean()) if len(counted) else float("nan")
