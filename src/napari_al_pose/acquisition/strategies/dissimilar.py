"""Most dissimilar pairs: both frames of the two that look least alike, then of the next two, and so on.

This is the residency's sketch with DINO. The next pair is the one with the largest cosine distance among all pairs of
unused frames; ties go by the frames' keys. Features are DINOv2's class token if it is available, else those of the
backbone. Each pair is a pair of outliers, so this is a way to see what the videos contain.

Cost: image features once for each frame, then O(N^2 d) time and O(N^2) memory; more than 2,000 frames are sampled
evenly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.extras import Extra
from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.ordering import key_order, scores_of_order
from napari_al_pose.acquisition.quotas import systematic
from napari_al_pose.acquisition.strategies.kcenter import CHOSEN_PER_SLOT
from napari_al_pose.acquisition.strategy import Batching, Explanation, Requires, ScoreContext, given
from napari_al_pose.acquisition.vectors import unit_rows

_MOST = 2_000


def dissimilar_pairs(unit: NDArray[np.floating], n: int) -> list[tuple[int, int]]:
    """Return up to ``n`` disjoint pairs of unit rows, the least alike first; ``(smaller, larger)``."""
    distance = np.round(1.0 - np.asarray(unit, np.float64) @ np.asarray(unit, np.float64).T, 6)
    distance[np.tril_indices(len(unit))] = -np.inf
    pairs: list[tuple[int, int]] = []
    for _ in range(min(n, len(unit) // 2)):
        first, second = divmod(int(np.argmax(distance)), len(unit))
        pairs.append((first, second))
        for row in (first, second):
            distance[row, :] = -np.inf
            distance[:, row] = -np.inf
    return pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class DissimilarPairs:
    """Rank frames by the pairs they are in."""

    name: str = "dissimilar"
    title: str = "Most dissimilar pairs"
    summary: str = "The two frames that look least alike, then the next two; outliers first"
    family: Family = Family.DIVERSE
    requires: Requires = Requires.FEATURES
    batching: Batching = Batching.BEST
    wants: frozenset[Extra] = frozenset({Extra.DINOV2})
    cost: str = "image features (DINOv2's where its weights, 84 MB, are available) once a frame, then O(N² d)"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return minus the position in the order, ``(N,)``; NaN for frames that are not reached."""
        unit = unit_rows(_features(context))
        order = key_order(context.keys)
        order = order[unit[order].any(axis=1)]
        order = order[systematic(len(order), min(len(order), _MOST), 0.5)]
        pairs = dissimilar_pairs(unit[order], -(-CHOSEN_PER_SLOT * context.batch_size // 2))
        ranked = [row for pair in pairs for row in pair] or list(range(len(order)))  # a pool of one has no pair
        return scores_of_order(len(context.keys), order[ranked])

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Name the frame that looks least like it."""
        unit = unit_rows(_features(context))
        if not unit[index].any() or len(unit) < 2:
            return Explanation(sentence="no other frame to compare with")
        alike = np.round((unit @ unit[index]).astype(np.float64), 6)
        alike[~unit.any(axis=1)] = np.inf
        order = key_order(context.keys)
        other = context.keys[int(order[np.argmin(alike[order])])]
        return Explanation(sentence=f"looks least like {other.video}, frame {other.frame}")


def _features(context: ScoreContext) -> NDArray[np.floating]:
    found = context.extra.get(Extra.DINOV2)
    return given(context.features, "features") if found is None else found
