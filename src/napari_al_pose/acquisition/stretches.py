"""A batch that is even in time like a systematic sample, and takes the best of each stretch of it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.ordering import key_order, rank_order, says_nothing
from napari_al_pose.acquisition.selection import random_batch, room
from napari_al_pose.acquisition.spacing import Spacing, take_spaced
from napari_al_pose.domain import FrameKey

logger = logging.getLogger(__name__)


def select_from_stretches(
    keys: Sequence[FrameKey],
    scores: NDArray[np.floating],
    n: int,
    *,
    labelled_keys: Collection[FrameKey],
    fps: Mapping[str, float],
    seed: int,
) -> list[int]:
    """Choose the best-scored frame of each stretch of a video in which nothing is labelled.

    Videos are kept level, as in `napari_al_pose.acquisition.selection.select_batch`. A video with ``m`` labelled frames
    that may get ``q`` more is cut into ``m + q`` stretches with the same number of frames, labelled ones and those of
    the pool; at least ``q`` of them have no label, and stand with their best frame. So a batch halves the gaps that
    labels have left, whatever the scores say, and the scores choose within: a score that misleads, or that can't
    know of what has never been labelled, costs little against evenly spread frames (`docs/results/development.md`).

    Parameters
    ----------
    keys : sequence of FrameKey, N
        The pool; labelled frames in it are never chosen.
    scores : float array, (N,)
        Higher is sooner; NaN comes last. If no score stands out the batch is drawn by `random_batch`.
    n : int
        Frames wanted.
    labelled_keys : collection of FrameKey
        Never chosen, nor come near to in time.
    fps : mapping of str to float
        Frames per second of each video; 30 where it says nothing.
    seed : int
        For `random_batch`.

    Returns
    -------
    list of int
        ``n`` different rows, the best first, fewer only if the pool has fewer unlabelled frames.
    """
    labelled = set(labelled_keys)
    rows = np.array([row for row in key_order(keys).tolist() if keys[row] not in labelled], np.int64)
    if not len(rows) or n < 1:
        return []
    if says_nothing(np.asarray(scores)[rows]):
        logger.info("The scores of all frames are alike; the batch is drawn at random.")
        return random_batch(keys, n, seed=seed, taken=labelled_keys, fps=fps)
    ranked = rows[rank_order([keys[row] for row in rows], np.asarray(scores)[rows])].tolist()
    sure, most = room([keys[row] for row in ranked], labelled, n)
    best = _best_of_stretches(keys, ranked, labelled, most)
    spacing = Spacing(labelled, fps)
    picks = take_spaced(keys, best, min(n, sum(sure.values())), spacing=spacing, others=ranked, room=sure)
    left = Counter(most) - Counter(keys[row].video for row in picks)
    return picks + take_spaced(keys, best, n - len(picks), spacing=spacing, others=ranked, room=left)


def _best_of_stretches(
    keys: Sequence[FrameKey], ranked: Sequence[int], labelled: Collection[FrameKey], most: Mapping[str, int]
) -> list[int]:
    """Return the best row of each stretch without a label, the best first."""
    frames: dict[str, list[int]] = {}
    for key in {*(keys[row] for row in ranked), *labelled}:
        frames.setdefault(key.video, []).append(key.frame)
    stretch: dict[FrameKey, int] = {}
    n_labelled = Counter(key.video for key in labelled)
    for video, n in most.items():
        n_stretches = n_labelled[video] + n
        for position, frame in enumerate(sorted(frames[video])):
            stretch[FrameKey(video, frame)] = position * n_stretches // len(frames[video])
    done = {(key.video, stretch[key]) for key in labelled if key in stretch}
    best = []
    for row in ranked:
        place = keys[row].video, stretch[keys[row]]
        if place not in done:
            done.add(place)
            best.append(row)
    return best
