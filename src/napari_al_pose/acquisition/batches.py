"""The batch of a strategy: made in the way the strategy says."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.selection import select_batch, select_best
from napari_al_pose.acquisition.strategy import Batching, Strategy, traits
from napari_al_pose.acquisition.stratified import draw_stratified
from napari_al_pose.domain import FrameKey


def make_batch(
    strategy: Strategy,
    keys: Sequence[FrameKey],
    scores: NDArray[np.floating],
    features: NDArray[np.floating],
    n: int,
    *,
    labelled_keys: Collection[FrameKey],
    labelled_features: NDArray[np.floating] | None,
    fps: Mapping[str, float],
    seed: int,
) -> list[int]:
    """Choose ``n`` frames by the scores of a strategy.

    Parameters and result are those of `select_batch`. What is called is what the strategy's `Batching` names.
    """
    batching = traits(strategy).batching
    if batching is Batching.BEST:
        return select_best(keys, scores, n, labelled_keys=labelled_keys, fps=fps, seed=seed)
    if batching is Batching.STRATIFIED:
        return draw_stratified(keys, scores, n, labelled_keys=labelled_keys, fps=fps, seed=seed)
    return select_batch(
        keys,
        scores,
        features,
        n,
        labelled_keys=labelled_keys,
        labelled_features=labelled_features,
        fps=fps,
        seed=seed,
    )
