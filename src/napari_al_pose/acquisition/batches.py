"""Makes the batch of a strategy in the way that the strategy asks for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.selection import BatchRequest, select_batch, select_best, select_ranked
from napari_al_pose.acquisition.strategy import Batching, Strategy, traits
from napari_al_pose.acquisition.stratified import draw_stratified

__all__ = ["BatchRequest", "make_batch"]

_WAYS = {
    Batching.CLUSTERED: select_batch,
    Batching.BEST: select_best,
    Batching.STRATIFIED: draw_stratified,
    Batching.RANKED: select_ranked,
}


def make_batch(strategy: Strategy, scores: NDArray[np.floating], request: BatchRequest) -> list[int]:
    """Choose frames by the scores of a strategy, in the way that its `Batching` names.

    Parameters
    ----------
    strategy : Strategy
        Says how its scores become a batch.
    scores : float array, (N,)
        One a frame of the request's pool; higher is sooner, NaN comes last.
    request : BatchRequest
        The pool, and how large the batch is to be.

    Returns
    -------
    list of int
        ``request.n`` different rows of the pool in the order in which to label them; fewer only if the pool has fewer
        unlabelled frames.
    """
    return _WAYS[traits(strategy).batching](scores, request)
