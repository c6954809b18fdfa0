"""DropQuery: frames on which dropout changes the model's mind, one of each look.

Gupte et al., "Revisiting Active Learning in the Era of Vision Foundation Models", TMLR 2024. A frame is a candidate if
more than half of M = 3 passes with dropout on the features disagree with the pass without. The threshold is lowered
until there are 25 candidates for each slot. The candidates are clustered into as many groups as there are slots, and
the one nearest to each centroid is labelled. For poses, "disagree" means that bodyparts move by more than 0.05 animal
sizes on average.

Cost: one pass of the network a frame, its last layer three times, then k-means on the candidates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.clusters import typical_first
from napari_al_pose.acquisition.extras import Extra
from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.ordering import key_order, scores_of_order
from napari_al_pose.acquisition.strategies.disagreement import size_of
from napari_al_pose.acquisition.strategy import (
    Batching,
    Explanation,
    Requires,
    ScoreContext,
    bodypart_reasons,
    given,
    worst_bodypart,
)
from napari_al_pose.acquisition.vectors import unit_rows

_PASSES = 3
_DISAGREES = 0.05
_CANDIDATES_A_SLOT = 25


def votes(xy: NDArray[np.floating], looks: NDArray[np.floating], size: float) -> NDArray[np.int64]:
    """Return how many of the looks ``(N, T, K, 2)`` move the pose ``(N, K, 2)`` by over 0.05 ``size`` on average."""
    moved = np.linalg.norm(np.asarray(looks, np.float64) - np.asarray(xy, np.float64)[:, None], axis=-1).mean(axis=-1)
    return (moved > _DISAGREES * size).sum(axis=1)


def candidates(count: NDArray[np.int64], passes: int, wanted: int) -> NDArray[np.int64]:
    """Return the rows with more than half the votes, or with ever fewer until there are ``wanted``."""
    for threshold in range(passes // 2, -2, -1):
        rows = np.flatnonzero(count > threshold)
        if len(rows) >= wanted:
            return rows
    return np.arange(len(count))


@dataclass(frozen=True, slots=True, kw_only=True)
class DropQuery:
    """Rank the candidates: the nearest to each centroid, then the second nearest of each."""

    name: str = "dropquery"
    title: str = "Changing its mind (DropQuery)"
    summary: str = "One typical frame of each group among those on which dropout changes the model's answer"
    family: Family = Family.DIVERSE
    requires: Requires = Requires.PREDICTIONS | Requires.FEATURES
    batching: Batching = Batching.BEST
    needs: frozenset[Extra] = frozenset({Extra.DROPOUT_XY})
    cost: str = "one pass of the network a frame, its last layer again, then k-means"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return minus the position in the order, ``(N,)``; NaN for frames that are no candidates."""
        order = key_order(context.keys)
        looks = context.extra_of(Extra.DROPOUT_XY)[:, :_PASSES]
        count = votes(given(context.xy, "predictions"), looks, size_of(context))[order]
        unit = unit_rows(given(context.features, "features"))[order]
        chosen = candidates(count, looks.shape[1], _CANDIDATES_A_SLOT * context.batch_size)
        chosen = chosen[unit[chosen].any(axis=1)]
        turns = typical_first(unit[chosen], max(1, context.batch_size), seed=context.seed)
        return scores_of_order(len(context.keys), order[chosen[turns]])

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Give how far each bodypart moves in pixels, and how many passes disagree."""
        looks = np.asarray(context.extra_of(Extra.DROPOUT_XY)[index, :_PASSES], np.float64)
        pose = np.asarray(given(context.xy, "predictions")[index], np.float64)
        moved = np.linalg.norm(looks - pose, axis=-1).mean(axis=0)
        count = int(votes(pose[None], looks[None], size_of(context))[0])
        sentence = f"{count} of {len(looks)} passes with dropout disagree"
        worst = worst_bodypart(context, moved)
        if worst is not None:
            sentence += f", most on {worst[0]}: {worst[1]:.1f} px"
        return Explanation(bodypart_reasons(context, moved), sentence)
