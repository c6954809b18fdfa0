"""Uncertainty herding: frames that resemble many frames the model doubts, and no labelled one.

Bae, Oliveira & Sutherland, "Uncertainty Herding: One Active Learning Method for All Label Budgets", ICLR 2025. Labels
``L`` cover frame ``j`` as well as the most similar one of them does, by a Gaussian kernel ``k``. A frame is worth what
it would add, weighted by the model's doubt ``u_j`` about the frames that it covers:

    gain(i) = 1 / n * sum over j of u_j * max(0, k(f_i, f_j) - max over l in L of k(f_l, f_j))

The batch is chosen greedily. If the model doubts all frames equally, this is coverage, which suits few labels. With
many labels, uncertain frames weigh more. ``u_j`` is the mean over bodyparts of one less the calibrated likelihood. The
kernel's width is the median distance of a labelled frame to its nearest labelled neighbour, so it shrinks as labels
come closer. The paper takes the least distance, which two labels of one scene would make almost 0.

At most 4,000 evenly drawn frames represent the pool that is to be covered.

Cost: image features and one pass of the network for each frame, then O(4,000 N d) for the first frame chosen. For each
further one, only gains that may now be the largest are computed again, as the gain is submodular.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.formatting import percent_of_pool
from napari_al_pose.acquisition.ordering import share_below
from napari_al_pose.acquisition.quotas import systematic
from napari_al_pose.acquisition.strategies.kcenter import CHOSEN_PER_SLOT, nearest_distance, usable_rows
from napari_al_pose.acquisition.strategy import Batching, Explanation, Requires, ScoreContext, given
from napari_al_pose.acquisition.vectors import unit_rows

_MOST_COVERED = 4_000
_BLOCK = 1_024
_FEWEST_PAIRS = 2
"""Number of labelled frames from which on they set the kernel's width."""


class Herd:
    """How much of a pool is covered, and what a frame would add.

    Parameters
    ----------
    rows : float array, (n, d)
        Unit features of the candidate frames, in the order of their keys.
    doubt : float64 array, (n,)
        What covering each is worth.
    labelled : float array, (m, d)
        Unit features of what is labelled.
    """

    def __init__(self, rows: NDArray[np.floating], doubt: NDArray[np.float64], labelled: NDArray[np.floating]) -> None:
        n = len(rows)
        stand_ins = systematic(n, min(n, _MOST_COVERED), 0.5)
        self._rows, self._open = rows, rows[stand_ins]
        self._width = kernel_width(labelled, self._open)
        self._doubt = doubt[stand_ins]
        self._covered = np.zeros(len(self._open))
        for start in range(0, len(labelled), _BLOCK):
            near = self._kernel(labelled[start : start + _BLOCK]).max(axis=0, initial=0.0)
            self._covered = np.maximum(self._covered, near)

    def gains(self) -> NDArray[np.float64]:
        """Return what each frame would add, (n,)."""
        parts = [self._gain(self._rows[start : start + _BLOCK]) for start in range(0, len(self._rows), _BLOCK)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def choose(self, n: int) -> tuple[list[int], NDArray[np.float64]]:
        """Choose ``n`` frames, each time the one that adds most; ties go to the first.

        Returns
        -------
        picks : list of int
        values : float64 array, (n,)
            What each added when it was chosen, in falling order.
        """
        waiting = [(-gain, row) for row, gain in enumerate(np.round(self.gains(), 12).tolist())]
        heapq.heapify(waiting)
        picks: list[int] = []
        values: list[float] = []
        while waiting and len(picks) < n:
            _, row = heapq.heappop(waiting)
            gain = float(np.round(self._gain(self._rows[row : row + 1])[0], 12))
            if waiting and (-gain, row) > waiting[0]:
                heapq.heappush(waiting, (-gain, row))  # others may add more now
                continue
            picks.append(row)
            values.append(gain)
            self._covered = np.maximum(self._covered, self._kernel(self._rows[row : row + 1])[0])
        return picks, np.array(values)

    def rank(self, n: int) -> NDArray[np.float64]:
        """Choose ``n`` frames; return what each of them added, and what every other frame would add now, (n,)."""
        picks, values = self.choose(n)
        ranked = self.gains()
        ranked[picks] = values
        return ranked

    def _gain(self, rows: NDArray[np.floating]) -> NDArray[np.float64]:
        added: NDArray[np.float64] = np.maximum(self._kernel(rows) - self._covered, 0.0) @ self._doubt
        return added / max(1, len(self._open))

    def _kernel(self, rows: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the similarity of rows to the frames that represent the pool, (r, n), in [0, 1]."""
        squared = np.maximum(2.0 - 2.0 * (rows @ self._open.T).astype(np.float64), 0.0)
        return np.exp(-squared / self._width**2)


def kernel_width(labelled: NDArray[np.floating], pool: NDArray[np.floating]) -> float:
    """Return the width of the kernel, a Euclidean distance of unit features.

    This is the median distance of a labelled frame to the nearest other one. With fewer than two labels, it is the
    distance below which a tenth of the pool's pairs lie.
    """
    if len(labelled) >= _FEWEST_PAIRS:
        squared = np.maximum(2.0 - 2.0 * (labelled @ labelled.T).astype(np.float64), 0.0)
        np.fill_diagonal(squared, np.inf)
        width = float(np.median(np.sqrt(squared.min(axis=1))))
    else:
        some = pool[systematic(len(pool), min(len(pool), 500), 0.5)]
        distances = np.sqrt(np.maximum(2.0 - 2.0 * (some @ some.T).astype(np.float64), 0.0))
        width = float(np.quantile(distances[np.triu_indices(len(some), 1)], 0.1)) if len(some) > 1 else 1.0
    return max(width, 1e-3)


@dataclass(frozen=True, slots=True, kw_only=True)
class UncertaintyHerding:
    """Rank frames by how much doubt about similar frames a label would settle."""

    name: str = "uherding"
    title: str = "Uncertainty herding"
    summary: str = "Frames that look like many doubtful frames, and like no labelled one"
    family: Family = Family.TYPICAL
    short_list: int = 2
    requires: Requires = Requires.PREDICTIONS | Requires.FEATURES
    fallback: str = "coverage"
    batching: Batching = Batching.BEST
    cost: str = "image features once a frame and a pass of the network, then O(4,000 N d)"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return what each frame adds to what is labelled or ranked before it, ``(N,)``, in [0, 1]."""
        order, rows, _ = usable_rows(context)
        return herd_scores(context, order, rows, mean_doubt(context)[order])

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Say how the frame compares in the doubt it settles and in how new it looks."""
        scores = self.score(context)
        if not np.isfinite(scores[index]):
            return Explanation(sentence="no usable image features")
        looks_like = f"looks like more doubtful frames than {percent_of_pool(share_below(scores, index))}"
        order, rows, _ = usable_rows(context)
        labelled = unit_labelled(context, rows)
        if not len(labelled):
            return Explanation(sentence=looks_like)
        distance = nearest_distance(rows, labelled)
        share = share_below(distance, int(np.flatnonzero(order == index)[0]))
        return Explanation(sentence=f"{looks_like}, less like any label than {percent_of_pool(share)}")


def herd_scores(
    context: ScoreContext, order: NDArray[np.int64], rows: NDArray[np.floating], worth: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return what candidates add to what is labelled or ranked before them, ``(N,)``; NaN for all other frames.

    Parameters
    ----------
    context : ScoreContext
        The pool.
    order, rows : arrays, (n,) and (n, d)
        The candidates, from `usable_rows`.
    worth : float64 array, (n,)
        What covering each is worth.
    """
    scores = np.full(len(context.keys), np.nan)
    if len(rows):
        herd = Herd(rows, worth, unit_labelled(context, rows))
        scores[order] = herd.rank(CHOSEN_PER_SLOT * context.batch_size)
    return scores


def unit_labelled(context: ScoreContext, rows: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the unit features of labelled frames, (m, d); empty and as wide as ``rows`` if there are none."""
    if context.labelled_features is None:
        return rows[:0]
    unit = unit_rows(context.labelled_features)
    return unit[unit.any(axis=1)]


def mean_doubt(context: ScoreContext) -> NDArray[np.float64]:
    """Return the mean over bodyparts of one less the likelihood, (N,); the pool's mean where nothing is known."""
    likelihood = np.asarray(given(context.likelihood, "likelihood"), np.float64)
    known = np.isfinite(likelihood)
    doubt = np.where(known, 1.0 - likelihood, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    some = known.any(axis=1)
    return np.where(some, doubt, doubt[some].mean() if some.any() else 1.0)
