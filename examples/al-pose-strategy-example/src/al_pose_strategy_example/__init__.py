"""Near the edge: frames in which the animal comes close to the border of what the pool shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_al_pose.acquisition import Explanation, Requires, ScoreContext
from napari_al_pose.domain import BodypartReason


@dataclass(frozen=True, slots=True, kw_only=True)
class NearTheEdge:
    """Rank frames by how near their outermost bodypart is to the border, as far as predictions reach.

    The border is the box of all predicted keypoints of the same video, so that the picture's size need not be known.
    """

    name: str = "edge"
    title: str = "Near the edge (example)"
    summary: str = "Frames in which a bodypart is nearest to the border of where the animal goes"
    requires: Requires = Requires.PREDICTIONS
    fallback: str = "uniform"
    cost: str = "one pass of the network a frame"

    def score(self, context: ScoreContext) -> np.ndarray:
        """Return minus the least distance to the border, ``(N,)``, pixels; NaN without any prediction."""
        distance = self._distances(context)
        known = np.isfinite(distance).any(axis=1)
        return np.where(known, -np.where(np.isfinite(distance), distance, np.inf).min(axis=1), np.nan)

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Give each bodypart's distance, and word the nearest."""
        distance = self._distances(context)[index]
        if not np.isfinite(distance).any():
            return Explanation(sentence="no bodypart found")
        names = context.skeleton.bodyparts
        nearest = int(np.nanargmin(distance))
        return Explanation(
            tuple(BodypartReason(name, -float(value)) for name, value in zip(names, distance, strict=True)),
            f"{names[nearest]}: {distance[nearest]:.0f} px from where the animal never goes",
        )

    def _distances(self, context: ScoreContext) -> np.ndarray:
        """Return each bodypart's distance to the box of its video, ``(N, K)``, pixels."""
        if context.xy is None:
            raise ValueError("Expected a context with predictions, got none.")
        xy = np.asarray(context.xy, np.float64)
        result = np.full(xy.shape[:2], np.nan)
        videos = np.array([key.video for key in context.keys])
        for video in np.unique(videos):
            rows = np.flatnonzero(videos == video)
            places = xy[rows]
            found = np.isfinite(places).all(axis=-1)
            if not found.any():
                continue
            low, high = places[found].min(axis=0), places[found].max(axis=0)
            result[rows] = np.minimum(places - low, high - places).min(axis=-1)
        return result
