"""BADGE for poses: a batch that is both doubtful and diverse, by k-means++ on gradient-like embeddings.

Ash et al., "Deep Batch Active Learning by Diverse, Uncertain Gradient Lower Bounds", ICLR 2020. Their embedding is the
gradient of the last layer under the predicted class. A pose has no classes, so here the embedding of a frame is, for
each bodypart,

    (1 - likelihood_k) f(y_k)

where ``f`` are the pose network's last features at the predicted place; all bodyparts are concatenated. The first frame
is the one with the longest embedding, as in the published code. Each next frame is drawn, with a seed, with a
probability proportional to the squared distance to the nearest frame drawn before.

Cost: one pass of the network a frame, then O(n N K C).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.extras import Extra
from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.ordering import key_order, scores_of_order
from napari_al_pose.acquisition.strategies.confidence import LeastConfidence
from napari_al_pose.acquisition.strategies.kcenter import CHOSEN_PER_SLOT
from napari_al_pose.acquisition.strategy import Batching, Explanation, Requires, ScoreContext, given


def plus_plus(rows: NDArray[np.floating], n: int, rng: np.random.Generator) -> list[int]:
    """Choose up to ``n`` rows by k-means++, the longest first; ends when every row is a copy of a chosen one."""
    exact = np.asarray(rows, np.float64)
    lengths: NDArray[np.float64] = (exact**2).sum(axis=1)
    picks = [int(np.argmax(np.round(lengths, 9)))]
    distance = _squared(exact, lengths, picks[0])
    while len(picks) < min(n, len(exact)):
        distance[picks] = 0.0
        total = distance.sum()
        if total <= 1e-9:
            break
        pick = int(np.searchsorted(np.cumsum(distance), rng.random() * total, side="right"))
        picks.append(min(pick, len(exact) - 1))
        distance = np.minimum(distance, _squared(exact, lengths, picks[-1]))
    return picks


def _squared(rows: NDArray[np.float64], lengths: NDArray[np.float64], pick: int) -> NDArray[np.float64]:
    return np.maximum(np.round(lengths + lengths[pick] - 2 * rows @ rows[pick], 9), 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """Rank frames by k-means++ on doubt-weighted features at the keypoints."""

    name: str = "badge"
    title: str = "Doubtful and diverse (BADGE)"
    summary: str = "Uncertain frames whose uncertain bodyparts look different from each other"
    family: Family = Family.DIVERSE
    requires: Requires = Requires.PREDICTIONS
    batching: Batching = Batching.BEST
    needs: frozenset[Extra] = frozenset({Extra.KEYPOINT_FEATURES})
    cost: str = "one pass of the network a frame, then O(n N K C)"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return minus the position in the order, ``(N,)``; NaN for frames that are not reached."""
        doubt = 1.0 - np.nan_to_num(np.asarray(given(context.likelihood, "likelihood"), np.float64))
        features = np.asarray(context.extra_of(Extra.KEYPOINT_FEATURES), np.float64)
        order = key_order(context.keys)
        rows = (doubt[..., None] * np.nan_to_num(features)).reshape(len(order), -1)[order]
        picks = plus_plus(rows, CHOSEN_PER_SLOT * context.batch_size, np.random.default_rng(context.seed))
        return scores_of_order(len(context.keys), order[picks])

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Give each bodypart's doubt, and word the largest."""
        return LeastConfidence().explain(context, index)
