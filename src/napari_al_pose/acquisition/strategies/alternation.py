"""K-means alternation: the best of each look in turn, as the DeepLabCut AI Residency tried last.

K-means clusters the pool on its plain features (nine clusters, one for each of their horses). All frames are sorted by
a score. The best frame of cluster 0 comes first, then the best of cluster 1, and so on; the second best of each follow.
Clusters go by their label, not by their best score. Apart from the gap in time, nothing else spreads the batch. The
residency did not publish whether it helps. (`napari_al_pose.acquisition.selection.select_batch` is the same idea among
the best candidates only, on unit features, best cluster first.)

Cost: that of the score, then O(N d k) a turn of k-means.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.clusters import kmeans, round_robin
from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.ordering import key_order, rank_order, scores_of_order
from napari_al_pose.acquisition.strategies.influence import Influence
from napari_al_pose.acquisition.strategies.mpe import MultiplePeakEntropy
from napari_al_pose.acquisition.strategy import Batching, Explanation, Requires, ScoreContext, Strategy, given

CLUSTERS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternation:
    """Rank frames by turns of clusters, best-scored first in each.

    Parameters
    ----------
    base : Strategy
        What scores the frames.
    n_clusters : int
    """

    name: str = "mpe_alternating"
    title: str = "MPE, group by group (k-means)"
    summary: str = "The most ambiguous frame of each group of similar frames, in turn"
    family: Family = Family.VARIANT
    requires: Requires = Requires.SCOREMAPS | Requires.FEATURES
    batching: Batching = Batching.BEST
    cost: str = "one pass of the network a frame, then O(N d k) a turn of k-means"
    base: Strategy = field(default_factory=MultiplePeakEntropy)
    n_clusters: int = CLUSTERS

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return minus the position in the order, ``(N,)``; NaN for frames that ``base`` can't score."""
        scores = np.asarray(self.base.score(context))
        known = np.isfinite(scores)
        if not known.any():
            return scores_of_order(len(context.keys), [])
        ranked = [row for row in rank_order(context.keys, scores).tolist() if known[row]]
        return scores_of_order(len(context.keys), round_robin(ranked, self._clusters(context), first="label"))

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Say what the score says, and of how many."""
        why = self.base.explain(context, index)
        clusters = self._clusters(context)
        alike = int((clusters == clusters[index]).sum())
        return Explanation(why.reasons, f"{why.sentence}; one of {alike} frames that look alike")

    def _clusters(self, context: ScoreContext) -> NDArray[np.int64]:
        order = key_order(context.keys)
        features = np.nan_to_num(np.asarray(given(context.features, "features"))[order])
        labels = np.empty(len(order), np.int64)
        labels[order], _ = kmeans(features, self.n_clusters, seed=0)
        return labels


def influence_alternating() -> Alternation:
    """Return influence with the looks in turn."""
    return dataclasses.replace(
        Alternation(),
        name="influence_alternating",
        family=Family.VARIANT,
        title="Influence, group by group (k-means)",
        summary="The most typical frame of each group of similar frames, in turn",
        requires=Requires.FEATURES,
        cost="image features once a frame, then O(N d k) a turn of k-means",
        base=Influence(),
    )
