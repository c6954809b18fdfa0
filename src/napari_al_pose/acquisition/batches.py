"""Turns the scores of a strategy into a batch, in the way that the strategy asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.ordering import rank_order, video_order
from napari_al_pose.acquisition.selection import (
    BatchRequest,
    room,
    select_batch,
    select_best,
    select_ranked,
    take_level,
    unlabelled,
)
from napari_al_pose.acquisition.spacing import Spacing
from napari_al_pose.acquisition.strategy import Batching, Strategy, traits
from napari_al_pose.domain import FrameKey

__all__ = ["BatchRequest", "draw_stratified", "make_batch"]


def make_batch(strategy: Strategy, scores: NDArray[np.floating], request: BatchRequest) -> list[int]:
    """Choose frames by the scores of a strategy, in the way that its `Batching` names.

    Parameters
    ----------
    strategy : Strategy
        Its traits name the way.
    scores : float array, (N,)
        One score for each frame of the request's pool; higher comes first, NaN last.
    request : BatchRequest
        The pool and the size of the batch.

    Returns
    -------
    list of int
        ``request.n`` different rows of the pool in the order in which to label them; fewer if the pool has fewer
        unlabelled frames.
    """
    return _WAYS[traits(strategy).batching](scores, request)


def draw_stratified(scores: NDArray[np.floating], request: BatchRequest) -> list[int]:
    """Draw a frame from each unlabelled stretch of a video, and order the batch by the scores.

    Videos are kept level, as in `napari_al_pose.acquisition.selection.select_batch`. A video with ``m`` labelled frames
    that may get ``q`` more is cut into ``m + q`` stretches with the same number of frames, counting labelled frames and
    those of the pool. At least ``q`` stretches have no label, and ``q`` of these give a frame each. So a batch fills
    the gaps between labels. Independent draws, however even, would leave some gaps open.

    The parameters and the result are those of `make_batch`.
    """
    keys, n = request.keys, request.n
    labelled = set(request.labelled_keys)
    rows = unlabelled(keys, labelled)
    if not len(rows) or n < 1:
        return []
    shuffled = np.random.default_rng(request.seed).permutation(rows).tolist()
    places = {name: i for i, name in enumerate(video_order((keys[row].video for row in shuffled), request.seed))}
    shuffled.sort(key=lambda row: places[keys[row].video])  # decides who gets the last step of the levels
    sure, most = room([keys[row] for row in shuffled], labelled, n)
    drawn = _one_from_each_stretch(keys, shuffled, labelled, most)
    picks = take_level(keys, drawn, shuffled, n, spacing=Spacing(labelled, request.fps), sure=sure, most=most)
    order = rank_order([keys[row] for row in picks], np.asarray(scores)[picks], seed=request.seed)
    return [picks[i] for i in order.tolist()]


def _one_from_each_stretch(
    keys: Sequence[FrameKey], shuffled: Sequence[int], labelled: Collection[FrameKey], most: Mapping[str, int]
) -> list[int]:
    """Return the first row of each unlabelled stretch, in the order of ``shuffled``."""
    frames: dict[str, list[int]] = {}
    for key in {*(keys[row] for row in shuffled), *labelled}:
        frames.setdefault(key.video, []).append(key.frame)
    n_labelled = Counter(key.video for key in labelled)
    stretch: dict[FrameKey, int] = {}
    for video, n in most.items():
        n_stretches = n_labelled[video] + n
        for position, frame in enumerate(sorted(frames[video])):
            stretch[FrameKey(video, frame)] = position * n_stretches // len(frames[video])
    done = {(key.video, stretch[key]) for key in labelled if key in stretch}
    drawn = []
    for row in shuffled:
        place = keys[row].video, stretch[keys[row]]
        if place not in done:
            done.add(place)
            drawn.append(row)
    return drawn


_WAYS = {
    Batching.CLUSTERED: select_batch,
    Batching.BEST: select_best,
    Batching.STRATIFIED: draw_stratified,
    Batching.RANKED: select_ranked,
}
