"""Divides a data set so that test frames are unlike the frames to choose from."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.quotas import allocate, systematic
from napari_al_pose.domain import AlPoseError, FrameKey
from napari_al_pose.simulation.dataset import Dataset

GAP_SHARE = 0.02
"""Share of a video's labelled frames left out on either side of a test block."""


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """One division of a data set.

    Parameters
    ----------
    number : int
    pool, test, base : int64 array
        Rows to choose from, to test on, and labelled from the start; disjoint, ascending.
    """

    number: int
    pool: NDArray[np.int64]
    test: NDArray[np.int64]
    base: NDArray[np.int64]


def make_folds(dataset: Dataset, n: int, *, test_size: int) -> list[Fold]:
    """Divide a data set into ``n`` folds.

    Published splits are used if the data set has them. Several videos (or animals) are kept whole: each is tested on in
    one fold. A single video is cut into ``n`` blocks in time, with a gap around the test block: neighbouring frames on
    both sides would make every model look good.

    Raises
    ------
    AlPoseError
        If there are too few frames or splits.
    """
    if dataset.splits:
        folds = [
            Fold(number, dataset.rows_of(pool), dataset.rows_of(test), dataset.rows_of(base))
            for number, (base, pool, test) in enumerate(dataset.splits[:n])
        ]
    elif len(dataset.videos) >= 2:
        folds = _by_video(dataset, min(n, len(dataset.videos)))
    else:
        folds = _by_time(dataset, n)
    for fold in folds:
        if len(fold.pool) < 4 or len(fold.test) < 2:
            raise AlPoseError(
                f"{dataset.name}: {len(fold.pool)} frames to choose from and {len(fold.test)} to test on are too few.",
                "Take fewer folds, or a data set with more labelled frames.",
            )
    return [Fold(fold.number, fold.pool, thinned(dataset.keys, fold.test, test_size), fold.base) for fold in folds]


def thinned(keys: tuple[FrameKey, ...], rows: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Return at most ``n`` of ``rows``, from each video in proportion to its rows, evenly spread over it."""
    if len(rows) <= n:
        return rows
    by_video: dict[str, list[int]] = {}
    for row in rows.tolist():
        by_video.setdefault(keys[row].video, []).append(row)
    groups = list(by_video.values())
    quotas = allocate(n, [1.0] * len(groups), [len(group) for group in groups]).tolist()
    kept = [group[i] for group, quota in zip(groups, quotas, strict=True) for i in systematic(len(group), quota, 0.5)]
    return np.sort(np.array(kept, np.int64))


def _by_video(dataset: Dataset, n: int) -> list[Fold]:
    """Deal the videos to the folds in a fixed random order."""
    videos = list(dataset.videos)
    order = np.random.default_rng(0).permutation(len(videos)).tolist()
    folds = []
    for number in range(n):
        test = [videos[i] for i in order[number::n]]
        pool = [video for video in videos if video not in test]
        folds.append(Fold(number, dataset.rows_of(pool), dataset.rows_of(test), np.zeros(0, np.int64)))
    return folds


def _by_time(dataset: Dataset, n: int) -> list[Fold]:
    rows = np.array(sorted(range(len(dataset.keys)), key=lambda row: dataset.keys[row]), np.int64)
    gap = max(1, round(GAP_SHARE * len(rows)))
    edges = np.linspace(0, len(rows), n + 1).round().astype(np.int64).tolist()
    folds = []
    for number, (start, stop) in enumerate(itertools.pairwise(edges)):
        pool = np.concatenate([rows[: max(0, start - gap)], rows[stop + gap :]])
        folds.append(Fold(number, np.sort(pool), np.sort(rows[start:stop]), np.zeros(0, np.int64)))
    return folds
