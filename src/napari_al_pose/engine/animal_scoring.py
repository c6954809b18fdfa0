"""Scores of frames that show several animals: each animal gets a score, and a frame their mean.

A person who labels a frame labels all animals in it, so a frame is worth what each of them is worth. A frame without
any found animal has no score of its own. Strategies that look at frames as a whole score them as usual.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition import Extra, Requires, ScoreContext, Strategy, traits
from napari_al_pose.engine.pool import PoolOutput
from napari_al_pose.pose.animals import AnimalPoses

OF_ANIMALS = frozenset({Extra.NEIGHBOUR_XY})
"""Extra arrays that hold a value for each animal, on the axis behind that of frames."""


@dataclass(frozen=True, slots=True, eq=False)
class PoolScores:
    """A strategy's scores of the pool.

    Parameters
    ----------
    strategy : Strategy
        The one that computed the scores.
    context : ScoreContext
        What it scored.
    values : float64 array, (N,)
        One score for each frame of the pool; higher comes first, NaN if unknown.
    """

    strategy: Strategy
    context: ScoreContext
    values: NDArray[np.float64]


def score_animals(strategy: Strategy, context: ScoreContext, output: PoolOutput | None) -> PoolScores:
    """Score the pool, animal by animal if the model predicts several and the strategy uses its predictions.

    Parameters
    ----------
    strategy : Strategy
        Everything it needs is available.
    context : ScoreContext
        Of the pool, with the surest of several animals, and extra arrays with an axis of animals.
    output : PoolOutput or None
        The model's predictions.

    Returns
    -------
    PoolScores
        With the context of each frame's highest-scored animal, whose reasons are shown.
    """
    of_a_model = Requires.PREDICTIONS | Requires.SCOREMAPS
    looks = bool((strategy.requires | traits(strategy).uses) & of_a_model) or bool(traits(strategy).needs)
    if output is None or output.animals is None or not looks or Extra.ANIMALS_XY in traits(strategy).needs:
        return PoolScores(strategy, context, np.asarray(strategy.score(context), np.float64))
    animals = output.animals
    contexts = [_of_animal(context, animals, a) for a in range(animals.xy.shape[1])]
    there = np.isfinite(animals.xy[..., 0]).any(axis=2).T
    scores = np.stack([np.asarray(strategy.score(one), np.float64) for one in contexts])
    scores = np.where(there, scores, np.nan)
    known = np.isfinite(scores)
    mean = np.where(known, scores, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    worst = np.where(known, scores, -np.inf).argmax(axis=0)
    return PoolScores(strategy, _chosen(contexts, worst), np.where(known.any(axis=0), mean, np.nan))


def _of_animal(context: ScoreContext, animals: AnimalPoses, a: int) -> ScoreContext:
    """Return the context for one animal of each frame."""
    extra = {name: rows[:, a] if name in OF_ANIMALS else rows for name, rows in context.extra.items()}
    return replace(
        context,
        xy=animals.xy[:, a],
        likelihood=animals.likelihood[:, a],
        scoremaps=None if animals.scoremaps is None else animals.scoremaps[:, a],
        grids={key: grids[a] for key, grids in zip(context.keys, animals.grids, strict=True)},
        extra=extra,
    )


def _chosen(contexts: list[ScoreContext], which: NDArray[np.int64]) -> ScoreContext:
    """Return the context with one of each frame's animals."""
    first, rows = contexts[0], np.arange(len(which))

    def pick(arrays: list[NDArray[np.floating] | None]) -> NDArray[np.floating] | None:
        there = [array for array in arrays if array is not None]
        return np.stack(there)[which, rows] if there else None

    return replace(
        first,
        xy=pick([one.xy for one in contexts]),
        likelihood=pick([one.likelihood for one in contexts]),
        scoremaps=pick([one.scoremaps for one in contexts]),
        grids={key: contexts[a].grids[key] for key, a in zip(first.keys, which.tolist(), strict=True)},
        extra={
            name: np.stack([one.extra[name] for one in contexts])[which, rows] if name in OF_ANIMALS else values
            for name, values in first.extra.items()
        },
    )
