"""Refine: frames that at least one of several scores rates high, spread so that they stand for all of those.

Huseljic, Herde, Rauch, Hahn & Sick, "Cleaning the Pool: Progressive Filtering of Unlabeled Pools in Deep Active
Learning", CVPR 2026. No score is best on every data set, so the pool is first reduced to frames that some score rates
high, then the batch is chosen for coverage of what is left. Ours goes by five scores: peak entropy, doubt, unusual
pose, distance to the labels, and the number of frames that look like it. With ``q_s(i)`` the quantile of frame ``i`` in
the pool by score ``s``, the frames with the largest

    max over s of q_s(i)

are kept, five for each frame that is wanted. Of these the batch is chosen greedily to cover the others (`Herd`, all
weights 1). The paper filters in several passes, since its strategies choose batches from parts of the pool. With
scores of single frames, one pass keeps the same.

Cost: image features and one pass of the network a frame, then O(K h w) and O(1,000 N d).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.formatting import percent_of_pool
from napari_al_pose.acquisition.fusion import pool_quantiles
from napari_al_pose.acquisition.quotas import systematic
from napari_al_pose.acquisition.strategies.herding import herd_scores, mean_doubt
from napari_al_pose.acquisition.strategies.kcenter import usable_rows
from napari_al_pose.acquisition.strategies.mpe import MultiplePeakEntropy
from napari_al_pose.acquisition.strategies.pose_novelty import PoseNovelty
from napari_al_pose.acquisition.strategy import Batching, Explanation, Requires, ScoreContext

_KEPT_PER_SLOT = 5
"""Frames that are kept for every frame wanted."""

_STANDING_IN = 1_000
"""Most frames that stand for the pool when it is counted how many look like one."""

_WORDS = (
    "scoremaps with several peaks",
    "unsure keypoints",
    "an unusual pose",
    "looks unlike any label",
    "looks like many other frames",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refine:
    """Rank frames that one of several scores rates high, by how much they cover of all such frames."""

    name: str = "refine"
    title: str = "Several scores, then coverage (Refine)"
    summary: str = "Frames that one of five scores rates high, chosen to stand for all such frames"
    family: Family = Family.DIVERSE
    requires: Requires = Requires.PREDICTIONS | Requires.SCOREMAPS | Requires.FEATURES
    uses: Requires = Requires.LABELS
    fallback: str = "coverage"
    batching: Batching = Batching.BEST
    cost: str = "image features once a frame and a pass of the network, then O(K h w) and O(1,000 N d)"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return ``(N,)`` scores: kept frames in [0, 1], by what each adds in coverage, all others below 0."""
        order, rows, distance = usable_rows(context)
        scores = np.full(len(context.keys), np.nan)
        if not len(rows):
            return scores
        best = _quantiles(context, order, rows, distance).max(axis=1)
        scores[order] = best - 2.0
        n_kept = min(len(rows), _KEPT_PER_SLOT * context.batch_size)
        kept = np.sort(np.argsort(-np.round(best, 9), kind="stable")[:n_kept])
        ranked = herd_scores(context, order[kept], rows[kept], np.ones(len(kept)))
        return np.where(np.isfinite(ranked), ranked, scores)

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Name the score that rates the frame highest."""
        order, rows, distance = usable_rows(context)
        place = np.flatnonzero(order == index)
        if not len(place):
            return Explanation(sentence="no usable image features")
        quantiles = _quantiles(context, order, rows, distance)
        which = int(np.argmax(quantiles[place[0]]))
        below = float((quantiles[:, which] < quantiles[place[0], which]).mean())
        return Explanation(sentence=f"{_WORDS[which]}, more so than {percent_of_pool(below)}")


def _quantiles(
    context: ScoreContext, order: NDArray[np.int64], rows: NDArray[np.floating], distance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return what each score says of frames, as quantiles in the pool, (n, 5); 0 where it says nothing."""
    nothing = np.full(len(rows), np.nan)
    stand_ins = rows[systematic(len(rows), min(len(rows), _STANDING_IN), 0.5)]
    columns = [
        MultiplePeakEntropy().score(context)[order],
        mean_doubt(context)[order],
        PoseNovelty().score(context)[order] if context.n_labelled else nothing,
        distance,
        (rows @ stand_ins.T).mean(axis=1),
    ]
    return np.nan_to_num(pool_quantiles(np.round(np.stack(columns, axis=1).astype(np.float64), 9)))
