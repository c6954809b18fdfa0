"""What a ranking leaves for the map: without it, the map would score the whole pool again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import FrameKey
from napari_al_pose.engine.pool import Pool
from napari_al_pose.engine.scoring import Scoring


@dataclass(frozen=True, slots=True, eq=False)
class RankedPool:
    """A scored pool and the frames chosen from it.

    Parameters
    ----------
    asked, scored_by : str
        Names of the strategy that was asked for, and of the one that scored; they differ if one replaced the other.
    version : int
        The model's; 0 for none.
    pool : Pool
        As it was then: frames labelled since are still in it.
    scores : float64 array, (len(pool.keys),)
        NaN for frames without one.
    chosen : tuple of FrameKey
        In the order of the queue; some may be outside the pool, as they were drawn from all candidates.
    notice : str
        What the user should know about it.
    """

    asked: str
    scored_by: str
    version: int
    pool: Pool
    scores: NDArray[np.float64]
    chosen: tuple[FrameKey, ...]
    notice: str = ""


def ranked_pool(
    asked: str, scoring: Scoring, pool: Pool, *, version: int, chosen: tuple[FrameKey, ...], notice: str
) -> RankedPool:
    """Return what to keep of a ranking: scores, not the predictions and scoremaps behind them."""
    scores = scoring.scores
    return RankedPool(
        asked=asked,
        scored_by=asked if scores is None else scores.strategy.name,
        version=version,
        pool=pool,
        scores=np.full(len(pool.keys), np.nan) if scores is None else np.asarray(scores.values, np.float64),
        chosen=chosen,
        notice=notice,
    )
