"""Lightning Pose's own way to choose frames: k-means on the frames that move most.

Biderman et al., "Lightning Pose", Nature Methods 2024; the definition is that of the code of its app's
``frame_selection.py``. The motion energy of a frame is the summed absolute difference of its 64 x 64 picture to the one
before. The pictures of the frames above the 50th percentile are reduced to 32 principal components and clustered into
as many groups as frames are wanted, and the frame nearest to each centroid is taken. Here it runs on the pool, seeded,
in float32 (their float16 sums overflow). Frames that move less follow by their energy, and frames without a neighbour
count as not moving.

Cost: a small picture of each frame and its neighbour, then PCA and k-means.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.clusters import typical_first
from napari_al_pose.acquisition.extras import Extra
from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.formatting import percent_of_pool
from napari_al_pose.acquisition.ordering import key_order, share_below
from napari_al_pose.acquisition.strategies.sleap_baselines import principal
from napari_al_pose.acquisition.strategy import Batching, Explanation, Requires, ScoreContext

_PERCENTILE, _PERCENTILE_OF_MANY, _MANY = 50, 75, 100_000
_COMPONENTS = 32


def motion_energy(frames: NDArray[np.uint8], neighbours: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the summed absolute difference of pictures ``(N, ...)``, ``(N,)``."""
    apart = np.abs(frames.astype(np.int16) - neighbours.astype(np.int16))
    return apart.reshape(len(frames), -1).sum(axis=1, dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionKMeans:
    """Rank moving frames first, their clusters in turn, then the others by their motion."""

    name: str = "lp_motion"
    title: str = "K-means on motion, as in Lightning Pose"
    summary: str = "A typical frame of each group among those that differ most from the next frame"
    family: Family = Family.OTHER_PROGRAMS
    requires: Requires = Requires.NONE
    batching: Batching = Batching.BEST
    needs: frozenset[Extra] = frozenset({Extra.THUMBNAILS, Extra.MOTION_ENERGY})
    fallback: str = "kmeans"
    cost: str = "a small picture of each frame and its neighbour, then PCA and k-means"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return minus the position in the order, ``(N,)``."""
        order = key_order(context.keys)
        energy = np.nan_to_num(context.extra_of(Extra.MOTION_ENERGY))[order]
        percentile = _PERCENTILE_OF_MANY if len(order) >= _MANY else _PERCENTILE
        moving = np.flatnonzero(energy > np.percentile(energy, percentile)) if len(order) else order
        if len(moving) < context.batch_size:
            moving = np.arange(len(order))
        flat = context.extra_of(Extra.THUMBNAILS)[order[moving]].reshape(len(moving), -1)
        turns = moving[typical_first(principal(flat, _COMPONENTS), max(1, context.batch_size), seed=context.seed)]
        taken = set(turns.tolist())
        still = [row for row in np.argsort(-energy, kind="stable").tolist() if row not in taken]
        scores = np.empty(len(order))
        scores[order[[*turns.tolist(), *still]]] = -np.arange(len(order), dtype=np.float64)
        return scores

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Say which share of the pool moves less."""
        energy = np.nan_to_num(context.extra_of(Extra.MOTION_ENERGY))
        return Explanation(sentence=f"moves more than {percent_of_pool(share_below(energy, index))}")
