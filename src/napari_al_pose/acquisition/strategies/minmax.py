"""Min-max: the frame that is farthest from its nearest neighbour.

The residency's closing idea ("images that are furthest from their nearest neighbour could be the first one to be
labelled"): a frame's score is its distance, in unit features, to the nearest labelled frame, or to the nearest other
frame of the pool if none is labelled. Unlike in `napari_al_pose.acquisition.strategies.kcenter`, choosing a frame does
not lower the scores of similar ones; the batch takes care of that.

Cost: image features once a frame, then O(M N d), or O(N^2 d) without labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.strategies.kcenter import unlike_labelled, usable_rows
from napari_al_pose.acquisition.strategy import Explanation, Requires, ScoreContext


@dataclass(frozen=True, slots=True, kw_only=True)
class MinMax:
    """Rank frames by their distance to the nearest labelled one."""

    name: str = "minmax"
    title: str = "Farthest from its nearest (min-max)"
    summary: str = "Frames whose nearest labelled frame is farthest; outliers first"
    family: Family = Family.DIVERSE
    requires: Requires = Requires.FEATURES
    cost: str = "image features once a frame, then O(M N d)"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return the distances, ``(N,)``, in [0, 2]."""
        from sklearn.neighbors import NearestNeighbors

        order, rows, distance = usable_rows(context)
        scores = np.full(len(context.keys), np.nan)
        if np.isinf(distance).all() and len(rows) > 1:
            nearest, _ = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(rows).kneighbors()
            distance = nearest[:, 0].astype(np.float64)
        scores[order] = np.where(np.isinf(distance), np.nan, np.round(distance, 6))
        return scores

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Say which share of the pool looks more like a labelled frame."""
        return Explanation(sentence=unlike_labelled(context, index))
