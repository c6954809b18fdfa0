"""Chooses one batch of an arm: the loop's own scoring and choice, on a data set with known labels.

Only two things differ from the loop: where frames, predictions and labels come from (`napari_al_pose.simulation.pool`),
and what an arm changes in its strategy (`napari_al_pose.simulation.arms`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_al_pose.acquisition import ScoreContext, Strategy
from napari_al_pose.acquisition.ordering import rank_order, says_nothing
from napari_al_pose.acquisition.selection import diverse_batch, random_batch
from napari_al_pose.domain.steps import finish
from napari_al_pose.engine.choosing import choose_batch, draw_evenly
from napari_al_pose.engine.extras import ExtraCache
from napari_al_pose.engine.pool import Pool
from napari_al_pose.engine.scoring import PoolScores, Scoring, score_pool
from napari_al_pose.simulation.arms import strategies_of
from napari_al_pose.simulation.pool import Situation, dataset_pool, frame_rates, ranking_input
from napari_al_pose.simulation.preparing import Prepared
from napari_al_pose.simulation.protocol import Arm

SHOWN = 8
"""Number of frames kept from either end of a ranking, for the contact sheets."""


@dataclass(frozen=True, slots=True)
class Pick:
    """A chosen frame: its row, its score (None if it was drawn), and "al", "random" or "start"."""

    row: int
    score: float | None
    provenance: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The choice and a summary of the scores, since a saturated score would go unnoticed.

    Parameters
    ----------
    picks : tuple of Pick
    n_pool, n_scored : int
        Frames to choose from, and those left without near-duplicates.
    low, high : float or None
        Smallest and largest score.
    ties : int
        Scores that equal another.
    unscored : int
        Frames without a score.
    fallback : str
        What chose instead, if the strategy could not be used.
    top, bottom : tuple of int
        Rows at both ends of the ranking.
    """

    picks: tuple[Pick, ...]
    n_pool: int
    n_scored: int
    low: float | None = None
    high: float | None = None
    ties: int = 0
    unscored: int = 0
    fallback: str = ""
    top: tuple[int, ...] = ()
    bottom: tuple[int, ...] = ()


def start_rows(prepared: Prepared, pool: Sequence[int], n: int, *, seed: int, arm: Arm | None = None) -> list[int]:
    """Choose the first frames to label: a stratified random draw or, given an arm, its choice without a model."""
    keys = [prepared.dataset.times[row] for row in pool]
    fps = frame_rates(prepared.dataset)
    if arm is None or not arm.deduplicate:
        picks = random_batch(keys, n, seed=seed, taken=(), fps=fps)
    else:
        picks = diverse_batch(keys, prepared.features[list(pool)], n, seed=seed, fps=fps)
    return [pool[i] for i in picks]


def choose(arm: Arm, n: int, situation: Situation) -> Choice:
    """Choose the next ``n`` frames as the loop would.

    All arms get the same number of labels: if the pool without near-duplicates is too small, others are drawn.
    """
    pool = dataset_pool(situation, deduplicate=arm.deduplicate)
    strategy, known = strategies_of(arm, situation)
    inputs, seed = ranking_input(situation, pool, trust=arm.trust), situation.seed
    scoring = finish(score_pool(strategy, inputs, ExtraCache(device="cpu"), n=n, seed=seed, known=known))
    return _chosen(scoring, pool, n, situation, wanted=arm.strategy)


def choose_by(strategy: Strategy, n: int, situation: Situation) -> Choice:
    """Choose the next ``n`` frames by a strategy that need not be installed."""
    pool = dataset_pool(situation, deduplicate=True)
    inputs = ranking_input(situation, pool)
    scoring = finish(score_pool(strategy, inputs, ExtraCache(device="cpu"), n=n, seed=situation.seed))
    return _chosen(scoring, pool, n, situation, wanted=strategy.name)


def scored(strategy: Strategy, n: int, situation: Situation) -> ScoreContext:
    """Return what a strategy is given to score the pool without near-duplicates.

    Raises
    ------
    ValueError
        If the strategy can't be used here.
    """
    inputs = ranking_input(situation, dataset_pool(situation, deduplicate=True))
    scoring = finish(score_pool(strategy, inputs, ExtraCache(device="cpu"), n=n, seed=situation.seed, known={}))
    if scoring.scores is None:
        raise ValueError(f"Expected a situation that {strategy.name} can score, got: {scoring.notice}")
    return scoring.scores.context


def _chosen(scoring: Scoring, pool: Pool, n: int, situation: Situation, *, wanted: str) -> Choice:
    """Make the batch of a scored pool."""
    seed = situation.seed
    batch = choose_batch(scoring, pool, n, seed=seed)
    batch += draw_evenly(pool, n - len(batch), seed=seed, taken=[frame.key for frame in batch])
    row_of = {situation.prepared.dataset.times[row]: row for row in situation.pool}
    values = None if scoring.scores is None else scoring.scores.values
    picks = tuple(
        Pick(row_of[frame.key], None, "random")
        if frame.row is None
        else Pick(row_of[frame.key], None if values is None else _finite(values[frame.row]), "al")
        for frame in batch
    )
    about: dict[str, Any] = {"fallback": "diverse: no strategy can be used"}
    if scoring.scores is not None:
        rows = [row_of[key] for key in pool.keys]
        about = _about(scoring.scores, rows) | {"fallback": _fallback(wanted, scoring.scores)}
    return Choice(picks, len(pool.candidates), len(pool.keys), **about)


def _about(scores: PoolScores, rows: Sequence[int]) -> dict[str, Any]:
    """Summarise the scores of frames, given by their rows in the data set."""
    values = scores.values
    order = [rows[i] for i in rank_order(scores.context.keys, values).tolist()]
    finite = values[np.isfinite(values)]
    return {
        "low": float(finite.min()) if len(finite) else None,
        "high": float(finite.max()) if len(finite) else None,
        "ties": len(finite) - len(np.unique(np.round(finite, 9))),
        "unscored": len(values) - len(finite),
        "top": tuple(order[:SHOWN]),
        "bottom": tuple(order[: len(finite)][::-1][:SHOWN]),
    }


def _fallback(wanted: str, scores: PoolScores) -> str:
    if says_nothing(scores.values):
        return "random: all scores are equal"
    used = scores.strategy.name
    return "" if used == wanted else f"{used} instead of {wanted}"


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
