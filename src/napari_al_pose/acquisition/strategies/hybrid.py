"""Hybrid: a frame from every stretch of time without labels, in the order of the model's doubt.

The batch is drawn by `napari_al_pose.acquisition.batches`: videos get even shares, and each stretch of time between
labels gives a frame. The score only sets their order:

    U = mean of the pool quantiles of whichever there are of: multiple peak entropy (mean over bodyparts), least
        confidence, jumps in time above what is usual around that time of the video, and pose novelty.

Quantiles make the parts comparable whatever their scales; a part that is unknown for a frame counts as the lowest.

``docs/results/development.md`` shows why the score does not choose. Up to 80 labels, filling gaps in time saved labels
or cost none. The more weight doubt had, the more labels it cost (as Hacohen et al. 2022 found for few labels of other
kinds). Scores for typical frames lost most to evenly spread ones.

Cost: that of its parts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.extras import Extra
from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.fusion import pool_quantiles
from napari_al_pose.acquisition.strategies.confidence import LeastConfidence
from napari_al_pose.acquisition.strategies.lightning_temporal import TemporalNorm
from napari_al_pose.acquisition.strategies.mpe import MultiplePeakEntropy
from napari_al_pose.acquisition.strategies.pose_novelty import PoseNovelty
from napari_al_pose.acquisition.strategy import (
    Batching,
    Explanation,
    Requires,
    ScoreContext,
    Strategy,
    can_score,
    given,
)

_UNCERTAIN: tuple[Strategy, ...] = (
    MultiplePeakEntropy(aggregation="mean"),
    LeastConfidence(),
    TemporalNorm(above_usual=True),
    PoseNovelty(),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hybrid:
    """Put frames that fill the gaps between labels in the order of the model's doubt."""

    name: str = "hybrid"
    title: str = "Spread + uncertain"
    summary: str = "One frame from each stretch of time without labels, most uncertain first"
    family: Family = Family.DEFAULT
    short_list: int = 1
    requires: Requires = Requires.PREDICTIONS
    uses: Requires = Requires.SCOREMAPS | Requires.LABELS
    wants: frozenset[Extra] = frozenset({Extra.NEIGHBOUR_XY})
    cost: str = "two or three passes of the network a frame"
    batching: Batching = Batching.STRATIFIED

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return the doubts, ``(N,)``, in [0, 1]."""
        given(context.xy, "poses")
        parts = [part.score(context) for part in _UNCERTAIN if can_score(part, context)]
        doubt: NDArray[np.float64] = np.mean([np.nan_to_num(pool_quantiles(part)) for part in parts], axis=0)
        return doubt

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Say that the frame fills a gap, and what the model doubts."""
        doubt = next(part for part in _UNCERTAIN if can_score(part, context)).explain(context, index)
        return Explanation(doubt.reasons, f"no label nearby in time. {doubt.sentence[:1].upper()}{doubt.sentence[1:]}")
