"""A policy that learned to choose, from batches of which the true labels said how good they were.

After MATAL (Gong et al., CVPR 2022), whose agents pick one image each, given the others' picks, and are rewarded by the
estimator's performance. Ours learns by imitation instead of reinforcement (as ImitAL, Gonsior et al. 2022): many
batches of a simulated round are tried with their true labels, and boosted trees learn what the frames of the better
ones have in common (`napari_al_pose.simulation.policy_learning`). The trees see 19 features of a frame
(`napari_al_pose.acquisition.candidate_features`), computed again after every pick of a batch.

``napari-al-pose learn-policy`` makes the trees. Those that come with the package, ``policy.json``, learned from drawn
animals and from the development folds of real data sets; a package of one's own can add others, as
``LearnedPolicy(ranker=read_ranker(path))``.

Cost: image features once a frame and one pass of the network, then O(1,000 N) for each frame chosen.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.boosted_trees import BoostedTrees
from napari_al_pose.acquisition.candidate_features import (
    FEATURE_NAMES,
    FEATURE_WORDS,
    OF_A_FRAME,
    CandidateFeatures,
)
from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.formatting import join
from napari_al_pose.acquisition.strategies.kcenter import CHOSEN_PER_SLOT
from napari_al_pose.acquisition.strategy import Batching, Explanation, Requires, ScoreContext
from napari_al_pose.domain import AlPoseError

_TOLD = 3
"""Features named in an explanation."""


def read_ranker(path: Path) -> BoostedTrees:
    """Read the trees that ``learn-policy`` wrote.

    Raises
    ------
    AlPoseError
        If there is no such file, it holds something else, or was made for other features.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise AlPoseError(f"{path} can't be read as JSON.", "Give a file that learn-policy wrote.") from error
    return BoostedTrees.from_json(document, names=FEATURE_NAMES, where=str(path))


@functools.cache
def shipped_ranker() -> BoostedTrees:
    """Read the trees that come with the package."""
    return read_ranker(Path(__file__).parents[1] / "policy.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedPolicy:
    """Rank frames as trees do that learned from batches with true labels.

    Parameters
    ----------
    ranker : BoostedTrees, optional
        By default those that come with the package; they are read when the first pool is ranked.
    """

    ranker: BoostedTrees | None = None
    name: str = "policy"
    title: str = "Learned policy"
    summary: str = "Frames with the features that the best of many tried batches shared"
    family: Family = Family.LEARNED
    requires: Requires = Requires.PREDICTIONS | Requires.FEATURES
    uses: Requires = Requires.LABELS
    fallback: str = "uherding"
    batching: Batching = Batching.BEST
    cost: str = "image features once a frame and a pass of the network, then O(1,000 N) a frame chosen"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return ``(N,)`` scores: the frames picked one after the other from 2 down to 1, all others below 1."""
        ranker, features = self.ranker or shipped_ranker(), CandidateFeatures(context)
        scores = np.full(len(context.keys), np.nan)
        if not len(features):
            return scores
        open_ = np.ones(len(features), bool)
        values = ranker.predict(features.table())
        own = 1.0 / (1.0 + np.exp(-values)) * (1.0 - 1e-6)
        picks: list[int] = []
        for _ in range(min(len(features), CHOSEN_PER_SLOT * context.batch_size)):
            pick = int(np.argmax(np.where(open_, np.round(values, 9), -np.inf)))
            open_[pick] = False
            picks.append(pick)
            features.pick(pick)
            values = ranker.predict(features.table())
        own[picks] = 2.0 - np.arange(len(picks)) / max(1, len(picks))
        scores[features.order] = own
        return scores

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Name the features that speak for the frame most."""
        features = CandidateFeatures(context)
        place = np.flatnonzero(features.order == index)
        if not len(place):
            return Explanation(sentence="no usable image features")
        told = (self.ranker or shipped_ranker()).contributions(features.table()[place[0]])[:OF_A_FRAME]
        most = [i for i in np.argsort(-told, kind="stable")[:_TOLD].tolist() if told[i] > 0]
        if not most:
            return Explanation(sentence="no single feature stands out")
        return Explanation(sentence=f"chosen for {join([FEATURE_WORDS[i] for i in most])}")
