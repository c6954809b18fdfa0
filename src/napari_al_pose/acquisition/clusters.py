"""Reproducible k-means, and taking turns among clusters."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

_SMALL = 10_000
"""Largest number of rows for which k-means runs in double precision from ten starts."""


def kmeans(features: NDArray[np.floating], k: int, *, seed: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Cluster rows.

    Runs on one thread, so that sums are taken in the same order every time. Give the rows in the order of their keys to
    get the same clusters whatever order they came in.

    Parameters
    ----------
    features : float array, (N, d)
        Rows to cluster.
    k : int
        Number of clusters; fewer if there are fewer different rows.
    seed : int
        For the starts.

    Returns
    -------
    labels : int64 array, (N,)
        Numbered by their smallest row, from 0 without gaps.
    centres : float64 array, (clusters, d)
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it has no stubs

    small = len(features) <= _SMALL
    rows = np.ascontiguousarray(features, np.float64 if small else np.float32)
    model = KMeans(n_clusters=max(1, min(k, len(rows))), random_state=seed, n_init=10 if small else 1)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different rows than clusters
        found = model.fit_predict(rows)
    used, first, labels = np.unique(found, return_index=True, return_inverse=True)
    by_first = np.argsort(first)
    number = np.empty(len(used), np.int64)
    number[by_first] = np.arange(len(used))
    return number[labels], model.cluster_centers_[used[by_first]].astype(np.float64)


def round_robin(
    ranked: Sequence[int], labels: NDArray[np.integer], *, first: Literal["best", "label"] = "best"
) -> list[int]:
    """Interleave clusters: the best row of each, then the second best of each, and so on.

    Parameters
    ----------
    ranked : sequence of int
        Rows, best first.
    labels : int array
        Cluster of each row; indexed by the values of ``ranked``.
    first : {"best", "label"}
        Clusters take turns in the order of their best row, or of their label (as in the residency).

    Returns
    -------
    list of int
        All of ``ranked``.
    """
    members: dict[int, list[int]] = {}
    for row in ranked:
        members.setdefault(int(labels[row]), []).append(row)
    groups = list(members.values()) if first == "best" else [members[label] for label in sorted(members)]
    longest = max((len(group) for group in groups), default=0)
    return [group[turn] for turn in range(longest) for group in groups if turn < len(group)]


def typical_first(features: NDArray[np.floating], k: int, *, seed: int) -> NDArray[np.int64]:
    """Order rows: the one nearest to each of ``k`` centroids, largest cluster first, then the next nearest of each.

    Parameters
    ----------
    features : float array, (N, d)
        Rows in the order of their keys, which decides ties.
    k : int
        Below 1, no rows are returned.
    seed : int
        For the clusters.
    """
    if k < 1 or not len(features):
        return np.zeros(0, np.int64)
    labels, centres = kmeans(features, k, seed=seed)
    offset = np.round(((features - centres[labels]) ** 2).sum(axis=1), 9)
    size = np.bincount(labels)[labels]
    ranked = np.argsort(offset, kind="stable")
    largest_first = ranked[np.argsort(-size[ranked], kind="stable")]
    return np.array(round_robin(largest_first.tolist(), labels), np.int64)
