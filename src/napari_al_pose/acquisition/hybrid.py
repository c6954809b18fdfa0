"""Hybrid: a frame from every stretch without labels; within it what the model doubts, as far as it has earned trust.

    total = w U + (1 - w) V

``U`` is the pool quantile of the mean of the pool quantiles of whichever there are of: multiple peak entropy (mean over
bodyparts), least confidence, jumps in time above what is usual around that time of the video, and pose novelty. ``V``
is drawn, evenly in [0, 1]. ``w`` is `ScoreContext.reliability`, at most 0.5: measured on the batch labelled last, not
assumed. Quantiles make the parts comparable whatever their scales, and what cannot be said of a frame counts as the
least.

The batch is made by `napari_al_pose.acquisition.stretches`: videos are kept level, and each of the stretches of time
between labels gives its best frame. What was measured is in ``docs/results/development.md``: filling the gaps of time
saves labels; scores over the whole pool, and scores for what is typical, lost to evenly spread frames. Early scoremaps
mean little (Hacohen et al. 2022), hence a measured switch to uncertainty (Liu & Ferrari 2017), which never has more
than half of the say.

Cost: that of its parts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.baselines import Random
from napari_al_pose.acquisition.confidence import LeastConfidence
from napari_al_pose.acquisition.extras import Extra
from napari_al_pose.acquisition.fusion import pool_quantiles
from napari_al_pose.acquisition.lightning_temporal import TemporalNorm
from napari_al_pose.acquisition.mpe import MultiplePeakEntropy
from napari_al_pose.acquisition.pose_novelty import PoseNovelty
from napari_al_pose.acquisition.strategy import Explanation, Requires, ScoreContext, Strategy, can_score, given

_TRUST_LIMIT = 0.5
_ENTROPY = MultiplePeakEntropy(aggregation="mean")
_UNCERTAIN: tuple[Strategy, ...] = (_ENTROPY, LeastConfidence(), TemporalNorm(above_usual=True), PoseNovelty())
_LOT = Random()
_GAP = "from a stretch of the video without labels"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hybrid:
    """Rank frames by lot at first, by doubt as the model becomes reliable; even in time either way."""

    name: str = "hybrid"
    title: str = "Hybrid"
    summary: str = (
        "A frame from every stretch of time without labels, there what the model doubts, once it can be trusted"
    )
    requires: Requires = Requires.PREDICTIONS
    spreads_batch: bool = False
    uses: Requires = Requires.SCOREMAPS | Requires.LABELS
    wants: frozenset[Extra] = frozenset({Extra.NEIGHBOUR_XY})
    cost: str = "two or three passes of the network a frame"
    in_stretches: bool = True

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return the totals, ``(N,)``, in [0, 1]."""
        given(context.xy, "poses")
        parts = [part.score(context) for part in _UNCERTAIN if can_score(part, context)]
        parts = [part for part in parts if np.isfinite(part).any()]
        weight = float(np.clip(context.reliability, 0.0, _TRUST_LIMIT))
        lot = pool_quantiles(_LOT.score(context))
        if not parts:
            return lot
        uncertain = np.mean([np.nan_to_num(pool_quantiles(part)) for part in parts], axis=0)
        return weight * pool_quantiles(uncertain) + (1 - weight) * lot

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Say what the model doubts, and that the frame is one of those that fill the gaps between labels."""
        doubt = next((part for part in _UNCERTAIN if can_score(part, context)), None)
        if doubt is None:
            return Explanation(sentence=_GAP)
        uncertain = doubt.explain(context, index)
        return Explanation(uncertain.reasons, f"{_GAP}; {uncertain.sentence}")
