"""Uncertainty and influence, weighed by how reliable the model has become.

Liu & Ferrari, "Active Learning for Human Pose Estimation", ICCV 2017, in VATL4Pose's form:

    total = w * minmax(MPE) + (1 - w) * minmax(influence)

Representative frames come first, and ambiguous ones once the model is worth listening to. Their ``w`` is the mean
height of the model's own peaks, which an overconfident model drives up at once. Ours, `ScoreContext.reliability`, is
measured: it is how well the model predicted the batch labelled last, before it was trained on it
(`napari_al_pose.acquisition.reliability`).

Cost: that of MPE and influence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.fusion import min_max
from napari_al_pose.acquisition.strategies.influence import Influence
from napari_al_pose.acquisition.strategies.mpe import MultiplePeakEntropy
from napari_al_pose.acquisition.strategy import Explanation, Requires, ScoreContext

_UNCERTAIN = MultiplePeakEntropy(aggregation="mean")
_TYPICAL = Influence()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dynamic:
    """Rank frames by influence at first and by multiple peak entropy as the model becomes reliable."""

    name: str = "dynamic"
    title: str = "Influence, then entropy (dynamic)"
    summary: str = "Typical frames while the model is poor, ambiguous ones as it becomes reliable"
    family: Family = Family.VARIANT
    requires: Requires = Requires.SCOREMAPS | Requires.FEATURES
    cost: str = "one pass of the network a frame, then O(K h w)"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return the weighted totals, ``(N,)``, in [0, 1]."""
        weight = float(np.clip(context.reliability, 0.0, 1.0))
        return weight * min_max(_UNCERTAIN.score(context)) + (1 - weight) * min_max(_TYPICAL.score(context))

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Give both reasons."""
        ambiguous, typical = _UNCERTAIN.explain(context, index), _TYPICAL.explain(context, index)
        return Explanation(ambiguous.reasons, f"{ambiguous.sentence}; {typical.sentence}")
