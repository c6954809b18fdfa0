"""Hybrid: what no label stands for first, uncertain frames as far as the model has earned trust, and some by lot.

    total = w U + (1 - w) R

``U`` is the mean of the pool quantiles of whichever there are of: multiple peak entropy (mean over bodyparts), least
confidence, jumps in time above what is usual around that time of the video, and pose novelty. ``R`` is the pool
quantile of coverage (`napari_al_pose.acquisition.coverage`). ``w`` is `ScoreContext.reliability`, at most 0.8:
measured on the batch labelled last, not assumed. Quantiles make the parts comparable whatever their scales, and what
cannot be said of a frame counts as the least.

Coverage comes first because early scoremaps mean little (Hacohen et al. 2022), and it counts labels, where influence
goes on asking for what is typical and labelled already; a measured switch to uncertainty (Liu & Ferrari 2017); novelty
only as one of four signals since outlier-seeking alone wastes a small budget. Half of a batch is chosen by the total
and made by `select_batch`; the other half is drawn evenly from the videos, so that a score that misleads costs no more
than half of the labels (`docs/results/development.md` has what was measured).

Cost: that of its parts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.confidence import LeastConfidence
from napari_al_pose.acquisition.coverage import Coverage
from napari_al_pose.acquisition.extras import Extra
from napari_al_pose.acquisition.fusion import pool_quantiles
from napari_al_pose.acquisition.lightning_temporal import TemporalNorm
from napari_al_pose.acquisition.mpe import MultiplePeakEntropy
from napari_al_pose.acquisition.pose_novelty import PoseNovelty
from napari_al_pose.acquisition.strategy import Explanation, Requires, ScoreContext, Strategy, can_score

_TRUST_LIMIT = 0.8
_ENTROPY = MultiplePeakEntropy(aggregation="mean")
_UNCERTAIN: tuple[Strategy, ...] = (_ENTROPY, LeastConfidence(), TemporalNorm(above_usual=True), PoseNovelty())
_OPEN = Coverage()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hybrid:
    """Rank frames by coverage at first, by uncertainty as the model becomes reliable."""

    name: str = "hybrid"
    title: str = "Hybrid"
    summary: str = "Unlike what is labelled at first, uncertain as the model becomes reliable; half of them by lot"
    requires: Requires = Requires.FEATURES | Requires.PREDICTIONS
    spreads_batch: bool = False
    uses: Requires = Requires.SCOREMAPS | Requires.LABELS
    wants: frozenset[Extra] = frozenset({Extra.NEIGHBOUR_XY})
    cost: str = "two or three passes of the network a frame"
    explores: float = 0.5

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return the totals, ``(N,)``, in [0, 1]."""
        parts = [part.score(context) for part in _UNCERTAIN if can_score(part, context)]
        parts = [part for part in parts if np.isfinite(part).any()]
        weight = float(np.clip(context.reliability, 0.0, _TRUST_LIMIT)) if parts else 0.0
        uncovered = np.nan_to_num(pool_quantiles(_OPEN.score(context)))
        if not parts:
            return uncovered
        uncertain = np.mean([np.nan_to_num(pool_quantiles(part)) for part in parts], axis=0)
        return weight * uncertain + (1 - weight) * uncovered

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Say both sides, the weightier first."""
        uncovered = _OPEN.explain(context, index)
        doubt = next((part for part in _UNCERTAIN if can_score(part, context)), None)
        if doubt is None:
            return uncovered
        uncertain = doubt.explain(context, index)
        sentences = [uncovered.sentence, uncertain.sentence]
        if context.reliability > 0.5:
            sentences.reverse()
        return Explanation(uncertain.reasons, "; ".join(sentences))
