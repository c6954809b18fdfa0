"""Aleatoric uncertainty: how far from the truth does an auxiliary network expect each bodypart to be?

Kendall & Gal, "What Uncertainties Do We Need in Bayesian Deep Learning for Computer Vision?", NeurIPS 2017, in
AL4Pose's form for poses. A small network on the pose network's features predicts the log variance ``s_k`` of bodypart
``k``. It is trained on the errors ``r_k`` of the labelled frames with the loss

    1/2 |r_k|^2 exp(-s_k) + s_k

averaged over the labelled bodyparts. (The published code has ``1/2 s_k``, which is right for one dimension but not for
two, and also averages over missing bodyparts.) A frame's score is the mean of ``s_k``. Hidden or blurred bodyparts stay
uncertain however many labels there are, so this is kept as a baseline.

Cost: one pass of the network for each frame, and about a minute to train the auxiliary network for each model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.extras import Extra
from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.strategy import Explanation, Requires, ScoreContext, explain_by_worst


@dataclass(frozen=True, slots=True, kw_only=True)
class Aleatoric:
    """Rank frames by the mean log variance an auxiliary network expects."""

    name: str = "aleatoric"
    title: str = "Expected error (aleatoric)"
    summary: str = "Frames in which a second network expects the bodyparts to be far from where the model puts them"
    family: Family = Family.LEARNED
    requires: Requires = Requires.LABELS
    needs: frozenset[Extra] = frozenset({Extra.LOG_VARIANCE})
    fewest_labels: int = 100
    fallback: str = "least_confidence"
    cost: str = "one pass of the network a frame, and training a second network for about a minute"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return the mean log variances, ``(N,)``."""
        return np.asarray(context.extra_of(Extra.LOG_VARIANCE), np.float64).mean(axis=1)

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Give each bodypart's expected error in animal sizes, and word the largest."""
        expected = np.exp(np.asarray(context.extra_of(Extra.LOG_VARIANCE)[index], np.float64) / 2)
        return explain_by_worst(
            context,
            expected,
            lambda name, value: f"{name}: expected {value:.0%} of the animal's size from the truth",
            otherwise="no error is expected in this frame",
        )
