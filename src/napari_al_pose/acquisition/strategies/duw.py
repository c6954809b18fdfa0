"""Uncertainty and distance, weighed by how well the model did on the last batch.

VATL4Pose's "dynamic uncertainty weighting" (WACV 2024): k-centre that chooses the largest

    (1 - G) md_i / max(md) + G u_i

where ``md`` is the distance to the nearest labelled or chosen frame, ``u`` the uncertainty scaled to [0, 1], and ``G``
how well the model predicted the batch that was labelled last. Their code leaves ``md`` unscaled and weighs ``u`` by
0.01, which makes it core-set whatever ``G`` is; here both terms have the same range. The uncertainty is least
confidence.

Cost: that of `napari_al_pose.acquisition.strategies.kcenter`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.fusion import min_max
from napari_al_pose.acquisition.strategies.confidence import LeastConfidence
from napari_al_pose.acquisition.strategies.kcenter import (
    CHOSEN_PER_SLOT,
    Value,
    farthest_first,
    unlike_labelled,
    usable_rows,
)
from napari_al_pose.acquisition.strategy import Batching, Explanation, Requires, ScoreContext


def weigh(uncertainty: NDArray[np.float64], reliability: float) -> Value:
    """Return what `farthest_first` maximises."""

    def value(distance: NDArray[np.float64]) -> NDArray[np.float64]:
        far = np.where(np.isinf(distance), 1.0, distance)  # no labels: the distance says nothing
        return (1 - reliability) * far / max(float(far.max()), 1e-12) + reliability * uncertainty

    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class UncertaintyWeightedKCenter:
    """Rank frames by distance while the model is poor and by uncertainty once it is good."""

    name: str = "duw"
    title: str = "Core-set with uncertainty (DUW)"
    summary: str = "Frames unlike any labelled one at first, uncertain ones as the model becomes reliable"
    family: Family = Family.DIVERSE
    requires: Requires = Requires.FEATURES | Requires.PREDICTIONS
    batching: Batching = Batching.BEST
    cost: str = "one pass of the network a frame, then O((M + n) N d)"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return the value of each frame at the time it was ranked, ``(N,)``; frames that were not ranked get less."""
        order, rows, distance = usable_rows(context)
        scores = np.full(len(context.keys), np.nan)
        if not len(rows):
            return scores
        uncertainty = np.nan_to_num(min_max(LeastConfidence().score(context)))[order]
        value = weigh(uncertainty, context.reliability)
        picks, _, left = farthest_first(rows, distance, CHOSEN_PER_SLOT * context.batch_size, value=value)
        # The scale of the distances shrinks with every pick, so worths are not comparable; ranks are.
        ranked = value(left) / 2
        ranked[picks] = 1.0 + np.arange(len(picks), 0, -1) / len(picks)
        scores[order] = ranked
        return scores

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Give both reasons."""
        doubt = LeastConfidence().explain(context, index)
        return Explanation(doubt.reasons, f"{doubt.sentence}; {unlike_labelled(context, index)}")
