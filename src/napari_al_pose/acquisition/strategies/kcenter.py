"""Core-set: frames that leave no frame far from a labelled one.

Sener & Savarese, "Active Learning for Convolutional Neural Networks: A Core-Set Approach", ICLR 2018, the greedy
2-approximation. ``md_i`` is the distance of frame ``i`` to the nearest labelled or chosen one; the frame with the
largest ``md`` is chosen again and again. The first step alone is the residency's "min-max". Features have unit length
here. The published code leaves them as they are, and then the scale of one unit decides.

It finds outliers first (a hand in the picture, the light off), so it pays off only with more labels than others need.

Cost: O((M + n) N d) time for ``n`` frames chosen, O(N d) memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.formatting import percent_of_pool
from napari_al_pose.acquisition.ordering import key_order, share_below
from napari_al_pose.acquisition.strategies.influence import mean_cosine_similarity
from napari_al_pose.acquisition.strategy import Batching, Explanation, Requires, ScoreContext, given
from napari_al_pose.acquisition.vectors import nearest_cosine_distance, row_chunks, unit_rows
from napari_al_pose.domain import FrameKey

CHOSEN_PER_SLOT = 3
"""Frames that are ranked for every frame wanted, as the time gap removes some."""

Value = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def nearest_distance(rows: NDArray[np.floating], others: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return each row's Euclidean distance to the nearest of ``others``; infinite if there are none."""
    result = np.full(len(rows), np.inf)
    if len(others):
        lengths = np.einsum("md,md->m", others, others)
        for part in row_chunks(rows):
            own = np.einsum("nd,nd->n", rows[part], rows[part])
            result[part] = (own[:, None] + lengths - 2 * (rows[part] @ others.T)).min(axis=1)
    return np.sqrt(np.maximum(result, 0.0))


def farthest_first(
    rows: NDArray[np.floating],
    distance: NDArray[np.float64],
    n: int,
    *,
    value: Value = lambda distance: distance,
) -> tuple[list[int], NDArray[np.float64], NDArray[np.float64]]:
    """Choose ``n`` rows one after the other, each time the one whose value is largest.

    Parameters
    ----------
    rows : float array, (N, d)
        In the order of their keys; ties go to the first.
    distance : float64 array, (N,)
        Distance to the nearest labelled row.
    n : int
        At most N.
    value : callable, optional
        What to maximise, given the current distances; by default the distance itself.

    Returns
    -------
    picks : list of int
        Never the same row twice, even among copies.
    values : float64 array, (n,)
        What each was worth when it was picked.
    left : float64 array, (N,)
        Distances to the nearest labelled or chosen row.
    """
    lengths = np.einsum("nd,nd->n", rows, rows)
    left = np.array(distance, np.float64)
    open_ = np.ones(len(rows), bool)
    picks: list[int] = []
    values: list[float] = []
    for _ in range(min(n, len(rows))):
        worth = np.where(open_, value(left), -np.inf)
        pick = int(np.argmax(worth))
        picks.append(pick)
        values.append(float(worth[pick]))
        open_[pick] = False
        squared = lengths + lengths[pick] - 2 * (rows @ rows[pick])
        left = np.minimum(left, np.sqrt(np.maximum(squared, 0.0)))
    return picks, np.array(values), left


@dataclass(frozen=True, slots=True, kw_only=True)
class KCenter:
    """Rank frames by their distance to what is labelled or ranked before them.

    Without labels it starts from the most typical frame.
    """

    name: str = "kcenter"
    title: str = "Core-set (k-centre)"
    summary: str = "Frames that look least like any labelled one; outliers first"
    family: Family = Family.DIVERSE
    requires: Requires = Requires.FEATURES
    batching: Batching = Batching.BEST
    cost: str = "image features once a frame, then O((M + n) N d)"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return the distance to the nearest labelled or higher-ranked frame, ``(N,)``, in [0, 2]."""
        order, rows, distance = usable_rows(context)
        scores = np.full(len(context.keys), np.nan)
        if not len(rows):
            return scores
        if np.isinf(distance).all():
            distance[:] = 2.0  # the largest distance of unit rows, so that the start comes first
            start = int(np.argmax(np.round(np.nan_to_num(mean_cosine_similarity(rows)), 9)))
            distance = np.minimum(distance, nearest_distance(rows, rows[start : start + 1]))
            distance[start] = 2.0
        picks, values, left = farthest_first(rows, distance, CHOSEN_PER_SLOT * context.batch_size)
        left[picks] = values
        scores[order] = left
        return scores

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Say which share of the pool looks more like a labelled frame."""
        return Explanation(sentence=unlike_labelled(context, index))


def usable_rows(
    context: ScoreContext,
) -> tuple[NDArray[np.int64], NDArray[np.floating], NDArray[np.float64]]:
    """Return the pool's rows that have features, in the order of their keys.

    Returns
    -------
    order : int64 array, (n,)
        Which rows of the context they are.
    rows : float array, (n, d)
        Their unit features.
    distance : float64 array, (n,)
        Distance to the nearest labelled frame; infinite if there is none.
    """
    unit = unit_rows(given(context.features, "features"))
    order = key_order(context.keys)
    order = order[unit[order].any(axis=1)]
    rows = unit[order]
    labelled = context.labelled_features
    return order, rows, nearest_distance(rows, rows[:0] if labelled is None else unit_rows(labelled))


def unlike_labelled(context: ScoreContext, index: int) -> str:
    """Say how a frame compares with the labelled ones: ``less like any labelled frame than 92 % of ...``."""
    unit = unit_rows(given(context.features, "features"))
    if context.labelled_features is None or not len(context.labelled_features):
        return "no frame is labelled yet to compare with"
    if not unit[index].any():
        return "no usable image features"
    share = share_below(nearest_cosine_distance(unit, unit_rows(context.labelled_features)), index)
    return f"less like any labelled frame than {percent_of_pool(share)}"


def nearest_labelled(context: ScoreContext, index: int) -> FrameKey | None:
    """Return the labelled frame that looks most like frame ``index``; None if it is unknown."""
    labelled = context.labelled_features
    if context.features is None or labelled is None or not len(context.labelled_keys) == len(labelled) > 0:
        return None
    own = unit_rows(np.asarray(context.features)[index : index + 1])[0]
    others = unit_rows(labelled)
    if not own.any() or not others.any():
        return None
    order = key_order(context.labelled_keys)
    alike = np.round((others @ own).astype(np.float64), 6)[order]
    return context.labelled_keys[int(order[np.argmax(np.where(others[order].any(axis=1), alike, -np.inf))])]
