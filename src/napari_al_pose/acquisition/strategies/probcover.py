"""ProbCover: frames whose surroundings hold the most frames not yet covered; made for few labels.

Yehuda, Dekel, Hacohen & Weinshall, "Active Learning Through a Covering Lens", NeurIPS 2022. A frame covers those less
than ``delta`` away in unit features. Each time, the frame is chosen that covers most frames not covered by any labelled
or chosen one. The paper takes the largest ``delta`` whose balls hold one class. Poses have no classes, so ``delta`` is
the 5th percentile of the pool's pairwise distances here.

Cost: O(N^2 d) time, O(N) memory beside the features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.ordering import scores_of_order
from napari_al_pose.acquisition.quotas import systematic
from napari_al_pose.acquisition.strategies.kcenter import CHOSEN_PER_SLOT, farthest_first, nearest_distance, usable_rows
from napari_al_pose.acquisition.strategy import Batching, Explanation, Requires, ScoreContext

_PERCENTILE = 5
_SAMPLE = 2_000
_BLOCK = 512


def ball_radius(rows: NDArray[np.floating]) -> float:
    """Return the 5th percentile of the distances between unit rows, of at most 2,000 evenly drawn ones."""
    sample = rows[systematic(len(rows), min(len(rows), _SAMPLE), 0.5)]
    upper = np.triu_indices(len(sample), 1)
    squared = np.maximum(2 - 2 * (sample @ sample.T)[upper], 0.0)
    radius = float(np.sqrt(np.percentile(squared, _PERCENTILE))) if len(squared) else 0.0
    return max(radius, 1e-3)  # so that a frame covers itself and its copies despite rounding


def cover(rows: NDArray[np.floating], covered: NDArray[np.bool_], radius: float, n: int) -> list[int]:
    """Choose up to ``n`` unit rows, each covering the most rows not covered yet; ties go to the first.

    Ends when all rows are covered.
    """
    left = np.flatnonzero(~covered)
    degree = np.zeros(len(rows), np.int64)
    for start in range(0, len(left), _BLOCK):
        degree += _within(rows, rows[left[start : start + _BLOCK]], radius).sum(axis=1)
    open_ = ~covered
    picks: list[int] = []
    while len(picks) < n and open_.any():
        pick = int(np.argmax(degree))
        picks.append(pick)
        new = np.flatnonzero(open_ & _within(rows, rows[pick : pick + 1], radius)[:, 0])
        open_[new] = False
        for start in range(0, len(new), _BLOCK):
            degree -= _within(rows, rows[new[start : start + _BLOCK]], radius).sum(axis=1)
        degree[pick] = -1
    return picks


def _within(rows: NDArray[np.floating], others: NDArray[np.floating], radius: float) -> NDArray[np.bool_]:
    """Return whether each row lies less than ``radius`` from each of ``others``, ``(N, n)``."""
    near: NDArray[np.bool_] = 2 - 2 * (rows @ others.T) < radius**2
    return near


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbCover:
    """Rank frames by how much each adds to the covered part of the pool."""

    name: str = "probcover"
    title: str = "Widest cover (ProbCover)"
    summary: str = "Frames that look like many others, none of them labelled; made for few labels"
    family: Family = Family.TYPICAL
    requires: Requires = Requires.FEATURES
    batching: Batching = Batching.BEST
    cost: str = "image features once a frame, then O(N² d)"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return minus the position in the order, ``(N,)``; NaN for frames that are not reached."""
        order, rows, distance = usable_rows(context)
        if not len(rows):
            return scores_of_order(len(context.keys), [])
        radius = ball_radius(rows)
        wanted = min(CHOSEN_PER_SLOT * context.batch_size, len(rows))
        picks = cover(rows, distance < radius, radius, wanted)
        if len(picks) < wanted:  # all is covered: what is farthest from it comes next
            left = np.minimum(distance, nearest_distance(rows, rows[picks]))
            rest = np.setdiff1d(np.arange(len(rows)), picks)
            picks += rest[farthest_first(rows[rest], left[rest], wanted - len(picks))[0]].tolist()
        return scores_of_order(len(context.keys), order[picks])

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Say how much of the pool looks like it."""
        order, rows, _ = usable_rows(context)
        own = np.flatnonzero(order == index)
        if not len(own):
            return Explanation(sentence="no usable image features")
        alike = int(_within(rows, rows[own], ball_radius(rows)).sum()) - 1
        return Explanation(sentence=f"looks like {max(alike, 0)} other candidate frames")
