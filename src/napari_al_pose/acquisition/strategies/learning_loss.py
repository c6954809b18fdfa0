"""Learning Loss and LearningLoss++: frames on which an auxiliary network expects the model to do badly.

Yoo & Kweon, "Learning Loss for Active Learning", CVPR 2019, and Shukla & Ahmed, "A Mathematical Analysis of Learning
Loss for Active Learning in Regression", CVPRW 2021. A small network on the pose network's features predicts one number
for each frame. It is trained on pairs of labelled frames, whose true losses ``l`` are known:

    Learning Loss     max(0, 1 - sign(l_i - l_j) (l^_i - l^_j))
    LearningLoss++    KL(p || q),  p = l / (l_i + l_j),  q = softmax(l^_i, l^_j)

The frame with the highest prediction is labelled first. The network and its training are in
`napari_al_pose.pose.auxiliary`; its gradients do not reach the pose network. It ranks failures well, but "detecting
failures accurately does not necessarily improve general performance" (their words, in short). Below a hundred labels
its losses are all alike and the ranking is noise, so MPE takes its place.

Cost: one pass of the network for each frame, and about a minute to train the auxiliary network for each model.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.extras import Extra
from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.formatting import percent_of_pool
from napari_al_pose.acquisition.ordering import share_below
from napari_al_pose.acquisition.strategy import Explanation, Requires, ScoreContext


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningLoss:
    """Rank frames by the loss an auxiliary network expects."""

    name: str = "learning_loss"
    title: str = "Learning Loss"
    summary: str = "Frames on which a second network, trained beside the model, expects it to do badly"
    family: Family = Family.LEARNED
    requires: Requires = Requires.LABELS
    needs: frozenset[Extra] = frozenset({Extra.PREDICTED_LOSS})
    fewest_labels: int = 100
    fallback: str = "mpe"
    cost: str = "one pass of the network a frame, and training a second network for about a minute"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return the expected losses, ``(N,)``, without a unit."""
        return self._losses(context)

    def _losses(self, context: ScoreContext) -> NDArray[np.float64]:
        (name,) = self.needs
        return np.asarray(context.extra_of(name), np.float64)

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Say on which share of the pool the model is expected to do better."""
        share = share_below(self._losses(context), index)
        return Explanation(sentence=f"the model should do worse here than on {percent_of_pool(share)}")


def learning_loss_pp() -> LearningLoss:
    """Return LearningLoss++."""
    return dataclasses.replace(
        LearningLoss(),
        name="learning_loss_pp",
        family=Family.LEARNED,
        title="LearningLoss++",
        summary="Learning Loss that compares shares of the loss instead of using a margin",
        needs=frozenset({Extra.PREDICTED_LOSS_PP}),
    )
