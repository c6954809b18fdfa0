"""Choose frames without looking at them: every strategy has to beat this. Cost: none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.ordering import key_order, video_order
from napari_al_pose.acquisition.quotas import allocate, systematic
from napari_al_pose.acquisition.strategy import Batching, Explanation, Requires, ScoreContext


@dataclass(frozen=True, slots=True, kw_only=True)
class Random:
    """Rank frames at random; each video gets its share of the pool."""

    name: str = "random"
    title: str = "Random"
    summary: str = "Frames drawn at random"
    family: Family = Family.DEFAULT
    requires: Requires = Requires.NONE
    batching: Batching = Batching.BEST
    cost: str = "nothing"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return random numbers in [0, 1), ``(N,)``, the same for the same frame, pool and seed."""
        scores = np.empty(len(context.keys))
        scores[key_order(context.keys)] = np.random.default_rng(context.seed).random(len(context.keys))
        return scores

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Say that there is no reason."""
        return Explanation(sentence="drawn at random")


@dataclass(frozen=True, slots=True, kw_only=True)
class Uniform:
    """Rank frames by successive stratified systematic samples of ``batch_size``.

    Each video gets a quota by its length. Within a video, frames are evenly spaced from a random start. This is the
    residency's "uniform". It is a stronger baseline than drawing at random, which is what DeepLabCut's "uniform" does.
    """

    name: str = "uniform"
    title: str = "Evenly spread"
    summary: str = "Frames evenly spread over all videos"
    family: Family = Family.DEFAULT
    short_list: int = 5
    requires: Requires = Requires.NONE
    batching: Batching = Batching.BEST
    cost: str = "nothing"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return minus the position in the order of drawing, ``(N,)``."""
        rng = np.random.default_rng(context.seed)
        order = video_order((key.video for key in context.keys), context.seed)
        left: dict[str, list[int]] = {name: [] for name in order}
        for row in key_order(context.keys).tolist():
            left[context.keys[row].video].append(row)
        weights = [max(1, context.n_frames.get(name, len(rows))) for name, rows in left.items()]
        scores = np.empty(len(context.keys))
        drawn = 0
        while drawn < len(scores):
            sample = _draw(left, weights, max(1, context.batch_size), rng)
            scores[rng.permutation(sample)] = -np.arange(drawn, drawn + len(sample), dtype=np.float64)
            drawn += len(sample)
        return scores

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Say that it is one of many at equal distances."""
        return Explanation(sentence="one of frames evenly spread over the videos")


def _draw(left: dict[str, list[int]], weights: list[int], n: int, rng: np.random.Generator) -> list[int]:
    """Take a systematic sample out of ``left``."""
    sample: list[int] = []
    for name, quota in zip(left, allocate(n, weights, [len(rows) for rows in left.values()]).tolist(), strict=True):
        if quota:
            chosen = {left[name][i] for i in systematic(len(left[name]), quota, float(rng.random()))}
            sample += [row for row in left[name] if row in chosen]
            left[name] = [row for row in left[name] if row not in chosen]
    return sample
