"""TypiClust: typical frames of clusters that have no label yet; made for few labels.

Hacohen, Dekel & Weinshall, "Active Learning on a Budget: Opposite Strategies Suit High and Low Budgets", ICML 2022. The
pool and the labelled frames are clustered together into ``min(M + B, 500)`` clusters. Clusters of up to 5 frames are
left out. The others take turns, those with the fewest labels first, then the largest. Each gives the frame with the
highest

    typicality = 1 / (mean distance to the min(20, n / 2) nearest of its cluster + 1e-5)

Distances are plain, as in the paper, and not squared as in the published code. The pool must have no near-duplicates,
or the animal's longest pause would be the most typical.

Cost: k-means with up to 500 clusters, then O(n^2 d) within each cluster.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.clusters import kmeans
from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.ordering import scores_of_order
from napari_al_pose.acquisition.strategies.kcenter import CHOSEN_PER_SLOT, usable_rows
from napari_al_pose.acquisition.strategy import Batching, Explanation, Requires, ScoreContext
from napari_al_pose.acquisition.vectors import unit_rows

_MOST_CLUSTERS = 500
_SMALLEST_CLUSTER = 6
_NEIGHBOURS = 20


def typicality(rows: NDArray[np.floating], k: int) -> NDArray[np.float64]:
    """Return one over the mean Euclidean distance of each row to its ``k`` nearest rows, ``(n,)``; 0 for one row."""
    from sklearn.neighbors import NearestNeighbors

    if len(rows) < 2:
        return np.zeros(len(rows))
    finder = NearestNeighbors(n_neighbors=max(1, min(k, len(rows) - 1)), algorithm="brute").fit(rows)
    distance, _ = finder.kneighbors()
    return 1.0 / (distance.mean(axis=1) + 1e-5)


@dataclass(frozen=True, slots=True, kw_only=True)
class TypiClust:
    """Rank frames in turns of the clusters, the most typical first."""

    name: str = "typiclust"
    title: str = "Typical of each cluster (TypiClust)"
    summary: str = "The most typical frame of each group without a label; made for few labels"
    family: Family = Family.TYPICAL
    requires: Requires = Requires.FEATURES
    batching: Batching = Batching.BEST
    cost: str = "image features once a frame, then k-means with up to 500 clusters"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return minus the position in the order, ``(N,)``; NaN for frames that are not reached."""
        order, rows, _ = usable_rows(context)
        if not len(rows):
            return scores_of_order(len(context.keys), [])
        labelled = context.labelled_features
        known = rows[:0] if labelled is None else unit_rows(labelled).astype(rows.dtype)
        k = min(len(known) + max(1, context.batch_size), _MOST_CLUSTERS)
        labels, _ = kmeans(np.concatenate([rows, known]), k, seed=context.seed)
        picks = _take_turns(rows, labels[: len(rows)], labels[len(rows) :], CHOSEN_PER_SLOT * context.batch_size)
        return scores_of_order(len(context.keys), order[picks])

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Say what it stands for."""
        return Explanation(sentence="most typical of a group of frames that has few labels")


def _take_turns(rows: NDArray[np.floating], labels: NDArray[np.int64], known: NDArray[np.int64], n: int) -> list[int]:
    n_clusters = int(max(labels.max(initial=-1), known.max(initial=-1))) + 1
    labelled = np.bincount(known, minlength=n_clusters)
    size = np.bincount(labels, minlength=n_clusters) + labelled
    turns = [int(c) for c in np.lexsort((-size, labelled)) if size[c] >= _SMALLEST_CLUSTER]
    if not turns:  # a pool too small to have any
        turns = [int(c) for c in np.lexsort((-size, labelled))]
    members = {cluster: np.flatnonzero(labels == cluster) for cluster in turns}
    picks: list[int] = []
    while len(picks) < n and any(len(left) for left in members.values()):
        for cluster in turns:
            left = members[cluster]
            if len(left) and len(picks) < n:
                best = int(np.argmax(np.round(typicality(rows[left], min(_NEIGHBOURS, len(left) // 2)), 9)))
                picks.append(int(left[best]))
                members[cluster] = np.delete(left, best)
    return picks
