"""Measures the errors of a round's model on the test videos."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.reliability import LOST
from napari_al_pose.domain import KeypointState
from napari_al_pose.pose.metrics import distances
from napari_al_pose.simulation.dataset import Dataset

PCK = (0.05, 0.1, 0.2, 0.3, 0.5)


@dataclass(frozen=True, slots=True)
class Errors:
    """Errors on test frames, over placed keypoints only.

    With several animals in a frame, each has the pose matched with it. The keypoints of a missed animal have the
    largest error that counts, else a model that finds only easy animals would look best.

    Parameters
    ----------
    error : float
        Mean distance over the reference length, capped, macro-averaged over videos; arms are compared by this.
    uncapped, median, p95, rmse : float
        Over all keypoints of animals that were found, in the reference length; ``rmse`` is the root of the mean squared
        distance. NaN if none was found.
    error_px : float
        Mean distance in source pixels, of the same keypoints.
    pck : dict of float to float
        Share of keypoints within a part of the reference length.
    per_video, per_bodypart : dict of str to float
        As ``error``; NaN for a bodypart that is placed nowhere.
    lost : float
        Share of frames with a lost keypoint, or a pose that is no animal, macro-averaged over behaviours where they are
        known.
    lost_of : dict of str to float
        The same for each behaviour.
    worst_decile : float
        Mean of the frames' mean capped errors, over the tenth of the frames with the largest.
    worst_videos : float
        Mean of ``per_video``, over the three videos with the largest.
    missed, extra : float
        Of several animals: those that were not found, and poses that are no animal, relative to the number of animals;
        NaN with one.
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
    missed: float = math.nan
    extra: float = math.nan


def frame_errors(dataset: Dataset, rows: NDArray[np.int64], xy: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return each point's distance over the reference length, (n, P), not capped; NaN if it is not placed."""
    found = distances(xy, dataset.xy[rows], dataset.states[rows])
    return found / dataset.reference[rows][:, None]


def measure(
    dataset: Dataset,
    rows: NDArray[np.int64],
    xy: NDArray[np.floating],
    *,
    extra: NDArray[np.int64] | None = None,
) -> Errors:
    """Compare predictions of ``rows`` with their labels.

    Parameters
    ----------
    dataset : Dataset
        With the labels.
    rows : int64 array, (n,)
        The predicted rows.
    xy : float array, (n, P, 2)
        Pixels of the data set's images; NaN for animals that were missed.
    extra : int array, (n,), optional
        Poses that are no animal.
    """
    relative = frame_errors(dataset, rows, xy)
    known = ~np.isnan(relative)
    found = known & np.isfinite(relative) if dataset.n_animals > 1 else known
    every, of_found = relative[known], relative[found]
    pixels = (relative * (dataset.reference[rows] / dataset.scale[rows])[:, None])[found]
    capped = np.where(known, np.minimum(relative, dataset.cap), np.nan)
    videos = np.array([dataset.keys[row].video for row in rows.tolist()])
    per_video = {str(v): _mean(capped[videos == v]) for v in np.unique(videos)}
    means = [value for value in per_video.values() if np.isfinite(value)]
    some = (dataset.states[rows] != KeypointState.UNSEEN).any(axis=1)
    too_many = np.zeros(len(rows), np.int64) if extra is None else extra
    of_frame = np.array([_mean(row) for row in capped[known.any(axis=1)]])
    worst = np.sort(of_frame)[-max(1, round(len(of_frame) / 10)) :]
    lost_of = _lost(dataset, rows[some], np.asarray((relative[some] > LOST).any(axis=1) | (too_many[some] > 0)))
    missed, beside = _counted(dataset, known, found, int(too_many.sum()))
    return Errors(
        error=float(np.mean(means)),
        uncapped=_of(of_found, np.mean),
        median=_of(of_found, np.median),
        p95=_of(of_found, lambda values: np.quantile(values, 0.95)),
        rmse=_of(of_found, lambda values: np.sqrt(np.mean(values**2))),
        error_px=_of(pixels, np.mean),
        pck={share: float((every <= share).mean()) for share in PCK},
        per_video=per_video,
        per_bodypart=_per_bodypart(dataset, capped),
        lost=float(np.mean(list(lost_of.values()))),
        lost_of=lost_of,
        worst_decile=float(worst.mean()),
        worst_videos=float(np.mean(sorted(means)[-3:])),
        missed=missed,
        extra=beside,
    )


def _counted(dataset: Dataset, known: NDArray[np.bool_], found: NDArray[np.bool_], n_extra: int) -> tuple[float, float]:
    """Return missed and extra animals relative to the animals that are there; NaN with one animal a frame."""
    if dataset.n_animals == 1:
        return math.nan, math.nan
    there, seen = (dataset.by_animal(points).any(axis=2) for points in (known, found))
    n_animals = max(1, int(there.sum()))
    return float((there & ~seen).sum() / n_animals), n_extra / n_animals


def _per_bodypart(dataset: Dataset, capped: NDArray[np.float64]) -> dict[str, float]:
    each = dataset.by_animal(capped)
    return {name: _mean(each[..., k]) for k, name in enumerate(dataset.skeleton.bodyparts)}


def _of(values: NDArray[np.float64], summary: Callable[[NDArray[np.float64]], np.floating]) -> float:
    return float(summary(values)) if len(values) else math.nan


def _lost(dataset: Dataset, rows: NDArray[np.int64], lost: NDArray[np.bool_]) -> dict[str, float]:
    """Return the share of frames with a lost keypoint by behaviour; under "" if behaviours are unknown."""
    shown = np.array([dataset.behaviours[row] if dataset.behaviours else "" for row in rows.tolist()])
    return {str(name): float(lost[shown == name].mean()) for name in np.unique(shown)}


def _mean(values: NDArray[np.float64]) -> float:
    counted = values[~np.isnan(values)]
    return float(counted.mean()) if len(counted) else float("nan")
