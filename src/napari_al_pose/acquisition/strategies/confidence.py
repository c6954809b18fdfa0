"""Plain confidence: how sure is the model of its predictions?

Multiple peak entropy has to beat these baselines. Cost: one pass of the network for each frame, then O(K), or O(K h w)
for the margin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.formatting import peaks_sentence
from napari_al_pose.acquisition.fusion import aggregate
from napari_al_pose.acquisition.peaks import Peaks
from napari_al_pose.acquisition.strategies.mpe import MultiplePeakEntropy, peaks_in_source
from napari_al_pose.acquisition.strategy import Explanation, Requires, ScoreContext, bodypart_reasons, given
from napari_al_pose.domain import BodypartReason

_FINDER = MultiplePeakEntropy()


@dataclass(frozen=True, slots=True, kw_only=True)
class LeastConfidence:
    """Rank frames by ``mean over k of (1 - likelihood_k)``."""

    name: str = "least_confidence"
    title: str = "Least confidence"
    summary: str = "Frames in which the model's likelihoods are lowest"
    family: Family = Family.DOUBT
    requires: Requires = Requires.PREDICTIONS
    cost: str = "one pass of the network a frame"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return the mean doubts, ``(N,)``, in [0, 1]."""
        return aggregate(1.0 - np.asarray(given(context.likelihood, "likelihood"), np.float64), "mean")

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Give each bodypart's doubt, and word the largest."""
        likelihood = np.asarray(given(context.likelihood, "likelihood")[index], np.float64)
        bodyparts = context.skeleton.bodyparts
        least = int(np.argmin(np.nan_to_num(likelihood, nan=np.inf)))
        sentence = f"{bodyparts[least]}: likelihood {likelihood[least]:.2f}"
        return Explanation(bodypart_reasons(context, 1 - likelihood), sentence)


def peak_margins(peaks: Peaks) -> NDArray[np.float64]:
    """Return ``(h1 - h2) / h1`` of the two highest peaks of each map, ``(...)``.

    1 is a single peak; 0 is two equal ones, or none at all.
    """
    heights = np.nan_to_num(peaks.values)
    first, second = heights[..., 0], heights[..., 1]
    margins: NDArray[np.float64] = np.where(first > 0, (first - second) / np.where(first > 0, first, 1.0), 0.0)
    return margins


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """Rank frames by ``-mean over k of (h1 - h2) / h1``: the *smallest* margin first.

    (VATL4Pose's code takes the largest, which are its clearest frames.)
    """

    name: str = "margin"
    title: str = "Smallest margin"
    summary: str = "Frames in which the second-best place of a bodypart comes close to the best"
    family: Family = Family.DOUBT
    requires: Requires = Requires.SCOREMAPS
    cost: str = "one pass of the network a frame, then O(K h w)"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return the negated mean margins, ``(N,)``, in [-1, 0]."""
        return aggregate(-peak_margins(_FINDER.peaks(given(context.scoremaps, "scoremaps"))), "mean")

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Give each bodypart's negated margin and peaks, and word the smallest margin."""
        peaks = _FINDER.peaks(np.asarray(given(context.scoremaps, "scoremaps")[index]))
        margins = peak_margins(peaks)
        bodyparts = context.skeleton.bodyparts
        reasons = tuple(
            BodypartReason(name, -float(margins[k]), peaks_in_source(peaks, k, context.grid_of(index)))
            for k, name in enumerate(bodyparts)
        )
        least = int(np.argmin(margins))
        return Explanation(reasons, peaks_sentence(bodyparts[least], int(peaks.counts[least])))
