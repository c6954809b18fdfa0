"""Density-aware core-set: k-centre in each density group, with more frames from sparse ones.

Kim & Shin, "In Defense of Core-set: A Density-aware Core-set Selection for Active Learning", KDD 2022. The sparsity of
a frame is its mean distance to its nearest neighbours. Natural breaks (Jenks) divide the sparsities into groups. A
group with a share ``f`` of the pool gets slots in proportion to ``exp((1 - f) / 0.25)``. K-centre then runs in each
group, sparse groups first, against everything labelled or chosen. The paper estimates density by hashing; here it is
exact. (The constants are ours: the authors' code is not public.)

In laboratory video, sparse regions hold artefacts as well as rare poses. Use it once hundreds of frames are labelled.

Cost: O(N^2 d) for the neighbours, O(G N'^2) for the breaks of N' <= 2,000 sparsities.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.ordering import scores_of_order
from napari_al_pose.acquisition.quotas import systematic
from napari_al_pose.acquisition.strategies.kcenter import (
    CHOSEN_PER_SLOT,
    farthest_first,
    nearest_distance,
    unlike_labelled,
    usable_rows,
)
from napari_al_pose.acquisition.strategy import Batching, Explanation, Requires, ScoreContext

_GROUPS = 4
_TEMPERATURE = 0.25
_MOST_VALUES = 2_000


def sparsity(rows: NDArray[np.floating], k: int) -> NDArray[np.float64]:
    """Return each row's mean Euclidean distance to its ``k`` nearest, ``(n,)``."""
    from sklearn.neighbors import NearestNeighbors

    if len(rows) < 2:
        return np.zeros(len(rows))
    distance, _ = NearestNeighbors(n_neighbors=min(k, len(rows) - 1), algorithm="brute").fit(rows).kneighbors()
    return distance.mean(axis=1)


def natural_breaks(values: NDArray[np.floating], n_groups: int) -> NDArray[np.float64]:
    """Return the upper bounds of ``n_groups`` groups, but the last, that have the least squares within (Jenks).

    This is exact, by dynamic programming over the sorted values; more than 2,000 are replaced by evenly drawn
    quantiles.
    """
    ordered = np.sort(np.asarray(values, np.float64))
    ordered = ordered[systematic(len(ordered), min(len(ordered), _MOST_VALUES), 0.5)]
    n = len(ordered)
    n_groups = min(n_groups, n)
    sums, squares = np.r_[0, np.cumsum(ordered)], np.r_[0, np.cumsum(ordered**2)]
    # cost[j] of the first j values in g groups; start[g][j] is where the last of them begins.
    cost = np.r_[0.0, np.full(n, np.inf)]
    starts: list[NDArray[np.int64]] = []
    for _ in range(n_groups):
        start = np.zeros(n + 1, np.int64)
        extended = np.full(n + 1, np.inf)
        for j in range(1, n + 1):
            i = np.arange(j)
            within = squares[j] - squares[:j] - (sums[j] - sums[:j]) ** 2 / (j - i)
            total = cost[:j] + np.maximum(within, 0.0)
            start[j] = int(np.argmin(total))
            extended[j] = total[start[j]]
        cost = extended
        starts.append(start)
    breaks, end = [], n
    for start in reversed(starts[1:]):
        end = int(start[end])
        breaks.append(ordered[end - 1])
    return np.array(breaks[::-1])


def shares(sizes: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return each group's share of the slots, from the number of its members; they add up to 1."""
    weight = np.exp((1 - sizes / sizes.sum()) / _TEMPERATURE)
    return weight / weight.sum()


def choose(rows: NDArray[np.floating], distance: NDArray[np.float64], n: int, *, k: int, n_groups: int) -> list[int]:
    """Choose ``n`` rows, sparse groups first.

    Parameters
    ----------
    rows : float array, (N, d)
        In the order of their keys.
    distance : float64 array, (N,)
        To the nearest labelled row; rows at distance 0 are labelled themselves and are never chosen.
    n : int
        Rows wanted.
    k : int
        Neighbours that make the sparsity.
    n_groups : int
        Density groups.
    """
    value = sparsity(rows, k)
    group = np.searchsorted(natural_breaks(value, n_groups), value, side="left")
    members = [np.flatnonzero((group == g) & (distance > 0)) for g in range(int(group.max(initial=0)) + 1)]
    sizes = np.bincount(group)
    members = [rows_ for rows_, size in zip(members, sizes, strict=True) if size]
    slots = _slots(n, shares(sizes[sizes > 0]), [len(rows_) for rows_ in members])
    picks: list[int] = []
    for own, quota in zip(members[::-1], slots[::-1], strict=True):
        near = np.minimum(distance[own], nearest_distance(rows[own], rows[picks]))
        picks += own[farthest_first(rows[own], near, quota)[0]].tolist()
    return picks


def _slots(n: int, share: NDArray[np.float64], capacities: list[int]) -> list[int]:
    """Divide ``n`` by largest remainders; slots that a group cannot fill go to the others one by one."""
    exact = n * share
    slots = np.minimum(np.floor(exact).astype(np.int64), capacities).tolist()
    order = np.argsort(-(exact - np.floor(exact)), kind="stable").tolist()
    left = min(n, sum(capacities)) - sum(slots)
    for group in itertools.cycle(order):
        if left == 0:
            break
        if slots[group] < capacities[group]:
            slots[group] += 1
            left -= 1
    return slots


@dataclass(frozen=True, slots=True, kw_only=True)
class DensityAwareCoreSet:
    """Rank frames by core-set within density groups."""

    name: str = "dacs"
    title: str = "Density-aware core-set (DACS)"
    summary: str = "Frames unlike any labelled one, with more of them from rare looks; for when hundreds are labelled"
    family: Family = Family.DIVERSE
    requires: Requires = Requires.FEATURES
    batching: Batching = Batching.BEST
    cost: str = "image features once a frame, then O(N² d)"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return minus the position in the order, ``(N,)``; NaN for frames that are not reached."""
        order, rows, distance = usable_rows(context)
        if not len(rows):
            return scores_of_order(len(context.keys), [])
        k = max(1, min(20, len(rows) // 10))
        distance = np.maximum(distance, 1e-9)  # nothing in the pool is labelled
        picks = choose(rows, distance, CHOSEN_PER_SLOT * context.batch_size, k=k, n_groups=_GROUPS)
        return scores_of_order(len(context.keys), order[picks])

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Say which share of the pool looks more like a labelled frame."""
        return Explanation(sentence=unlike_labelled(context, index))
