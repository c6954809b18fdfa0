"""K-means on image features: one frame of each cluster.

DeepLabCut chooses frames this way on small grey pictures, and Lightning Pose on motion. Here it runs on the features of
a pretrained network over the whole pool, and takes the frame nearest to each centroid instead of any frame of the
cluster.

Cost: O(N d k) an iteration of k-means.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.clusters import typical_first
from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.ordering import scores_of_order
from napari_al_pose.acquisition.strategies.kcenter import usable_rows
from napari_al_pose.acquisition.strategy import Batching, Explanation, Requires, ScoreContext


@dataclass(frozen=True, slots=True, kw_only=True)
class KMeansBatch:
    """Rank frames: the nearest to each of ``batch_size`` centroids, then the second nearest of each."""

    name: str = "kmeans"
    title: str = "K-means on image features"
    summary: str = "One typical frame of each group of similar frames"
    family: Family = Family.DIVERSE
    requires: Requires = Requires.FEATURES
    batching: Batching = Batching.BEST
    cost: str = "image features once a frame, then O(N d k) a turn of k-means"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return minus the position in the order, ``(N,)``."""
        order, rows, _ = usable_rows(context)
        turns = typical_first(rows, max(1, context.batch_size), seed=context.seed)
        return scores_of_order(len(context.keys), order[turns])

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Say what it stands for."""
        return Explanation(sentence="typical of a group of frames that look alike")
