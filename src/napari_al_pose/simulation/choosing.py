"""One batch of an arm: the loop's own scoring and selection, on a data set whose labels are known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition import ScoreContext, Strategy, strategies
from napari_al_pose.acquisition.ordering import rank_order, says_nothing
from napari_al_pose.acquisition.pool import drop_near_duplicates
from napari_al_pose.acquisition.selection import diverse_batch, random_batch, select_batch, select_best
from napari_al_pose.acquisition.strategy import can_score
from napari_al_pose.domain import FrameKey
from napari_al_pose.simulation.extras import extras_for
from napari_al_pose.simulation.learner import Learned, Output
from napari_al_pose.simulation.measures import frame_errors
from napari_al_pose.simulation.preparing import Prepared
from napari_al_pose.simulation.protocol import ANTI, ORACLE, Arm

DEFAULT = "hybrid"
SHOWN = 8
"""Frames kept of either end of a ranking, for the contact sheets."""


@dataclass(frozen=True, slots=True)
class Pick:
    """A chosen frame: its row, its score (None where it was drawn), and "al", "random" or "start"."""

    row: int
    score: float | None
    provenance: str


@dataclass(frozen=True, slots=True)
class Ranking:
    """What was chosen and how the scores looked: a saturated score would otherwise go unnoticed.

    Parameters
    ----------
    picks : tuple of Pick
    n_pool, n_scored : int
        Frames to choose from, and those left when near-duplicates were dropped.
    low, high : float or None
        Smallest and largest score.
    ties : int
        Scores that equal another.
    unscored : int
        Frames the strategy could say nothing of.
    fallback : str
        What chose instead, where the strategy could not be used.
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
    """Choose the frames labelled first: at random, stratified; or, given an arm, as it would without a model."""
    keys = [prepared.dataset.keys[row] for row in pool]
    if arm is None or not arm.deduplicate:
        picks = random_batch(keys, n, seed=seed, taken=(), fps={})
    else:
        picks = diverse_batch(keys, prepared.features[list(pool)], n, seed=seed, fps={})
    return [pool[i] for i in picks]


def choose(
    prepared: Prepared,
    arm: Arm,
    model: Learned,
    n: int,
    *,
    pool: Sequence[int],
    labelled: Sequence[int],
    reliability: float,
    seed: int,
) -> Ranking:
    """Choose the next ``n`` frames of ``pool`` as the loop would.

    Parameters
    ----------
    prepared : Prepared
        The data set.
    arm : Arm
        Who chooses.
    model : Learned
        Trained on ``labelled``.
    n : int
        Frames wanted.
    pool, labelled : sequence of int
        Rows of the data set; what is labelled is never chosen.
    reliability : float
        As in `ScoreContext`.
    seed : int
        For all that is drawn.
    """
    dataset = prepared.dataset
    done = set(labelled)
    open_rows = [row for row in pool if row not in done]
    candidates = open_rows
    if arm.deduplicate:
        kept = drop_near_duplicates([dataset.keys[r] for r in open_rows], prepared.features[open_rows], {})
        candidates = [open_rows[i] for i in kept.tolist()]
    taken = [dataset.keys[row] for row in labelled]
    reliability = reliability if arm.trust is None else arm.trust
    n_random = math.ceil(arm.explore * n)
    scored = _score(prepared, arm, model, candidates, labelled, reliability, n - n_random, seed)
    if isinstance(scored, str):
        picked = diverse_batch(
            [dataset.keys[r] for r in candidates], prepared.features[candidates], n, seed=seed, fps={},
            labelled_keys=taken,
        )  # fmt: skip
        picks = [Pick(candidates[i], None, "al") for i in picked]
        return Ranking(tuple(picks), len(open_rows), len(candidates), fallback=scored)
    strategy, scores = scored
    keys = [dataset.keys[row] for row in candidates]
    chosen = _select(prepared, arm, strategy, keys, candidates, scores, labelled, n - n_random, seed)
    picks = [Pick(candidates[i], _finite(scores[i]), "al") for i in chosen]
    picks += _draw(dataset.keys, open_rows, [*labelled, *(pick.row for pick in picks)], n - len(picks), seed)
    order = [candidates[i] for i in rank_order(keys, scores).tolist()]
    finite = scores[np.isfinite(scores)]
    return Ranking(
        picks=tuple(picks),
        n_pool=len(open_rows),
        n_scored=len(candidates),
        low=float(finite.min()) if len(finite) else None,
        high=float(finite.max()) if len(finite) else None,
        ties=len(finite) - len(np.unique(np.round(finite, 9))),
        unscored=len(scores) - len(finite),
        fallback="random: all scores are alike" if says_nothing(scores) else "",
        top=tuple(order[:SHOWN]),
        bottom=tuple(order[: len(finite)][::-1][:SHOWN]),
    )


def _score(
    prepared: Prepared,
    arm: Arm,
    model: Learned,
    rows: Sequence[int],
    labelled: Sequence[int],
    reliability: float,
    n: int,
    seed: int,
) -> tuple[Strategy, NDArray[np.float64]] | str:
    """Return the strategy and its scores of ``rows``, or why it can't be used."""
    dataset = prepared.dataset
    strategy = strategies()[DEFAULT if arm.strategy in (ORACLE, ANTI) else arm.strategy]
    output = model.predict(rows, with_scoremaps=True)
    if arm.strategy == ORACLE:
        errors = np.minimum(frame_errors(dataset, np.array(rows, np.int64), output.xy), dataset.cap)
        known = np.isfinite(errors)
        return strategy, np.where(
            known.any(axis=1), np.where(known, errors, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1), np.nan
        )
    context = _context(prepared, output, rows, labelled, reliability, n, seed)
    extra = extras_for(strategy, dataset, model, rows, labelled)
    context = replace(context, extra=extra)
    if not can_score(strategy, context):
        return f"diverse: {strategy.name} needs more than there is"
    scores = strategy.score(context)
    return strategy, -scores if arm.strategy == ANTI else scores


def _context(
    prepared: Prepared,
    output: Output,
    rows: Sequence[int],
    labelled: Sequence[int],
    reliability: float,
    n: int,
    seed: int,
) -> ScoreContext:
    dataset = prepared.dataset
    counts: dict[str, int] = {}
    for row in rows:
        counts[dataset.keys[row].video] = counts.get(dataset.keys[row].video, 0) + 1
    return ScoreContext(
        keys=[dataset.keys[row] for row in rows],
        skeleton=dataset.skeleton,
        features=prepared.features[list(rows)],
        xy=output.xy,
        likelihood=output.likelihood,
        scoremaps=output.scoremaps,
        grid=output.grid,
        labelled_features=prepared.features[list(labelled)],
        labelled_keys=[dataset.keys[row] for row in labelled],
        labelled_xy=dataset.xy[list(labelled)],
        reliability=reliability,
        batch_size=max(1, n),
        n_frames=counts,
        seed=seed,
    )


def _select(
    prepared: Prepared,
    arm: Arm,
    strategy: Strategy,
    keys: Sequence[FrameKey],
    rows: Sequence[int],
    scores: NDArray[np.float64],
    labelled: Sequence[int],
    n: int,
    seed: int,
) -> list[int]:
    """Return positions in ``rows``: spread as the loop spreads them, or simply the best."""
    dataset = prepared.dataset
    taken = [dataset.keys[row] for row in labelled]
    if not arm.spread or arm.strategy == ANTI:
        return rank_order(keys, scores)[:n].tolist()
    if strategy.spreads_batch:
        return select_best(keys, scores, n, labelled_keys=taken, fps={}, seed=seed)
    return select_batch(
        keys,
        scores,
        prepared.features[list(rows)],
        n,
        labelled_keys=taken,
        labelled_features=prepared.features[list(labelled)],
        fps={},
        seed=seed,
    )


def _draw(keys: Sequence[FrameKey], rows: Sequence[int], taken: Sequence[int], n: int, seed: int) -> list[Pick]:
    drawn = random_batch([keys[row] for row in rows], n, seed=seed, taken=[keys[row] for row in taken], fps={})
    return [Pick(rows[i], None, "random") for i in drawn]


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
