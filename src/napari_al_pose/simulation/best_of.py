"""How much could any choice save? Many batches are tried with their true labels, and the best is kept.

After BoSS (arXiv 2603.13109): batches of different strategies, each on a random part of the pool so that they differ,
are each learnt from, and whichever does best is taken. No strategy can know which that is. A better batch may exist
that no candidate is, so what it saves is the least that a choice could.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from napari_al_pose.simulation.choosing import Choice, choose
from napari_al_pose.simulation.pool import Situation
from napari_al_pose.simulation.protocol import HARDEST, Arm

TRIED = (
    "uniform",
    "uherding",
    "coverage",
    "kmeans",
    "mpe",
    "pose_novelty",
    HARDEST,
    "random",
    "kcenter",
    "hybrid",
)
"""Whose batches are tried, in turn."""

_PART = 0.5
"""Share of the pool that a candidate chooses from, from the second turn on."""


def best_of(m: int, n: int, situation: Situation, judge: Callable[[Sequence[int]], tuple[float, float]]) -> Choice:
    """Return the best of ``m`` batches of ``n`` frames.

    Parameters
    ----------
    m, n : int
        Batches to try, and frames in each.
    situation : Situation
        What they choose in.
    judge : callable
        ``judge(rows)`` says how a model does that learnt from these rows too; lower is better. It must not look at
        the frames that results are told of: the best of many is the luckiest of many too.
    """
    best: tuple[tuple[float, float], Choice] | None = None
    for number in range(m):
        choice = candidate_batch(number, n, situation)
        value = judge([pick.row for pick in choice.picks])
        if best is None or value < best[0]:
            best = value, choice
    if best is None:
        raise ValueError(f"Expected at least one batch to try, got {m}.")
    return best[1]


def candidate_batch(number: int, n: int, situation: Situation) -> Choice:
    """Return one of the batches that are tried: of `TRIED` in turn, from the second turn on in half of the pool."""
    turn, place = divmod(number, len(TRIED))
    seed = situation.seed + 104_729 * (number + 1)
    pool = np.asarray(situation.pool)
    if turn:
        rng = np.random.default_rng(seed)
        n_part = min(len(pool), max(4 * n, round(_PART * len(pool))))
        pool = np.sort(rng.choice(pool, n_part, replace=False))
    return choose(Arm.parse(TRIED[place]), n, replace(situation, pool=pool.tolist(), seed=seed))
