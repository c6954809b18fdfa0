"""Measures the errors of a round's model on the test videos."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.pose.metrics import distances
from napari_al_pose.simulation.dataset import Dataset

PCK = (0.05, 0.1, 0.2, 0.3, 0.5)
LOST = 0.2
"""A keypoint farther than this from where it is, in the reference length, is lost: a person has to put it right."""


@dataclass(frozen=True, slots=True)
class Errors:
    """Errors on test frames, over placed keypoints only.

    Parameters
    ----------
    error : float
        Mean distance over the reference length, capped, macro-averaged over videos; arms are compared by this.
    uncapped, median, p95, rmse : float
        Over all keypoints, in the reference length; ``rmse`` is the root of the mean squared distance.
    error_px : float
        Mean distance in source pixels.
    pck : dict of float to float
        Share of keypoints within a part of the reference length.
    per_video, per_bodypart : dict of str to float
        As ``error``; NaN for a bodypart that is placed nowhere.
    lost : float
        Share of frames with a lost keypoint, macro-averaged over behaviours where they are known.
    lost_of : dict of str to float
        The same for each behaviour.
    worst_decile : float
        Mean of the frames' mean capped errors, over the tenth of the frames with the largest.
    worst_videos : float
        Mean of ``per_video``, over the three videos with the largest.
    """

    error: float
    uncapped: float
    median: float
    p95: float
    rmse: float
    error_px: float
    pck: dict[float, float]
    per_video: dict[str, float]
    per_bodypart: dict[str, float]
    lost: float
    lost_of: dict[str, float]
    worst_decile: float
    worst_videos: float


def frame_errors(dataset: Dataset, rows: NDArray[np.int64], xy: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return each keypoint's distance over the reference length, (n, K), not capped; NaN if it is not placed."""
    found = distances(xy, dataset.xy[rows], dataset.states[rows])
    return found / dataset.reference[rows][:, None]


def measure(dataset: Dataset, rows: NDArray[np.int64], xy: NDArray[np.floating]) -> Errors:
    """Compare predictions of ``rows`` with their labels.

    Parameters
    ----------
    dataset : Dataset
        With the labels.
    rows : int64 array, (n,)
        The predicted rows.
    xy : float array, (n, K, 2)
        Pixels of the data set's images.
    """
    relative = frame_errors(dataset, rows, xy)
    known = np.isfinite(relative) | np.isinf(relative)
    every = relative[known]
    pixels = (relative * (dataset.reference[rows] / dataset.scale[rows])[:, None])[known]
    capped = np.where(known, np.minimum(relative, dataset.cap), np.nan)
    videos = np.array([dataset.keys[row].video for row in rows.tolist()])
    per_video = {str(v): _mean(capped[videos == v]) for v in np.unique(videos)}
    means = [value for value in per_video.values() if np.isfinite(value)]
    some = known.any(axis=1)
    of_frame = np.array([_mean(row) for row in capped[some]])
    worst = np.sort(of_frame)[-max(1, round(len(of_frame) / 10)) :]
    lost_of = _lost(dataset, rows[some], np.asarray((relative[some] > LOST).any(axis=1)))
    return Errors(
        error=float(np.mean(means)),
        uncapped=float(every.mean()),
        median=float(np.median(every)),
        p95=float(np.quantile(every, 0.95)),
        rmse=float(np.sqrt(np.mean(every**2))),
        error_px=float(pixels.mean()),
        pck={share: float((every <= share).mean()) for share in PCK},
        per_video=per_video,
        per_bodypart={name: _mean(capped[:, k]) for k, name in enumerate(dataset.skeleton.bodyparts)},
        lost=float(np.mean(list(lost_of.values()))),
        lost_of=lost_of,
        worst_decile=float(worst.mean()),
        worst_videos=float(np.mean(sorted(means)[-3:])),
    )


def _lost(dataset: Dataset, rows: NDArray[np.int64], lost: NDArray[np.bool_]) -> dict[str, float]:
    """Return the share of frames with a lost keypoint by behaviour; under "" if behaviours are unknown."""
    shown = np.array([dataset.behaviours[row] if dataset.behaviours else "" for row in rows.tolist()])
    return {str(name): float(lost[shown == name].mean()) for name in np.unique(shown)}


def _mean(values: NDArray[np.float64]) -> float:
    counted = values[~np.isnan(values)]
    return float(counted.mean()) if len(counted) else float("nan")
