"""How far predictions are from annotations, each number under its right name.

Distances are Euclidean, in source pixels, over placed keypoints only. A predicted keypoint without a position counts
as infinitely far: dropping it would reward not finding it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import ErrorSummary, KeypointState

PCK_PIXELS = (5, 10, 20)
PCK_FRACTIONS = (0.05, 0.1, 0.2)
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
        The reference length: by default the median diagonal of the placed keypoints' bounding boxes; NaN if none.
    per_bodypart : dict
        Mean distance by bodypart, px; NaN for one that is placed nowhere.
    n_frames, n_keypoints : int
        Frames with a placed keypoint, and placed keypoints.
    """

    mean: float
    median: float
    p95: float
    rmse: float
    pck: dict[str, float]
    reference_px: float
    per_bodypart: dict[str, float] = field(default_factory=dict)
    n_frames: int = 0
    n_keypoints: int = 0


def distances(
    predicted: NDArray[np.floating], annotated: NDArray[np.floating], states: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Return the distance of each keypoint, (N, K), px; NaN where none is placed."""
    placed = np.asarray(states) == KeypointState.PLACED
    errors = np.full(placed.shape, np.nan)
    difference = np.asarray(predicted, np.float64)[placed] - np.asarray(annotated, np.float64)[placed]
    errors[placed] = np.nan_to_num(np.hypot(difference[:, 0], difference[:, 1]), nan=np.inf)
    return errors


def reference_length(annotated: NDArray[np.floating], states: NDArray[np.integer]) -> float:
    """Return the median bounding-box diagonal of the placed keypoints, px; NaN if no frame has two."""
    lengths = []
    for xy, state in zip(annotated, states, strict=True):
        placed = xy[state == KeypointState.PLACED]
        if len(placed) >= 2:
            lengths.append(float(np.hypot(*np.ptp(placed, axis=0))))
    return float(np.median(lengths)) if lengths else float("nan")


def error_report(
    predicted: NDArray[np.floating],
    annotated: NDArray[np.floating],
    states: NDArray[np.integer],
    bodyparts: Sequence[str],
    *,
    reference_px: float | None = None,
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
    reference_px : float, optional
        The length that PCK fractions refer to.
    """
    errors = distances(predicted, annotated, states)
    counted = errors[~np.isnan(errors)]
    length = reference_length(annotated, states) if reference_px is None else reference_px
    per_bodypart = {name: _mean(errors[:, k]) for k, name in enumerate(bodyparts)}
    n_frames = int((~np.isnan(errors)).any(axis=1).sum())
    if len(counted) == 0:
        nan = float("nan")
        return ErrorReport(nan, nan, nan, nan, {}, length, per_bodypart)
    pck = {f"{bound}px": float((counted <= bound).mean()) for bound in PCK_PIXELS}
    if np.isfinite(length):
        pck |= {f"{share:g}ref": float((counted <= share * length).mean()) for share in PCK_FRACTIONS}
    return ErrorReport(
        mean=float(counted.mean()),
        median=float(np.median(counted)),
        # "higher" takes a measured distance, so that an infinite one next to it makes no NaN.
        p95=float(np.quantile(counted, 0.95, method="higher")),
        rmse=float(np.sqrt(np.mean(counted**2))),
        pck=pck,
        reference_px=length,
        per_bodypart=per_bodypart,
        n_frames=n_frames,
        n_keypoints=len(counted),
    )


def summarise(
    predicted: NDArray[np.floating],
    annotated: NDArray[np.floating],
    states: NDArray[np.integer],
    *,
    seed: int = 0,
) -> ErrorSummary:
    """Return the mean error with its 95 % percentile-bootstrap interval over frames.

    Frames, not keypoints, are drawn: keypoints of a frame err together.
    """
    errors = distances(predicted, annotated, states)
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
    return ErrorSummary(float(counted.mean()), float(np.median(counted)), low, high, len(errors))


def _mean(errors: NDArray[np.float64]) -> float:
    counted = errors[~np.isnan(errors)]
    return float(counted.mean()) if len(counted) else float("nan")
