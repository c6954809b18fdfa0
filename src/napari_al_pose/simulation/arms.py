"""The strategy of an arm: one of the registry with the arm's changes, or one that knows the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition import (
    Batching,
    Explanation,
    Extra,
    Requires,
    ScoreContext,
    Strategy,
    installed_strategies,
    traits,
)
from napari_al_pose.acquisition.strategy import given
from napari_al_pose.simulation.dataset import Dataset
from napari_al_pose.simulation.matching import matched_points
from napari_al_pose.simulation.measures import frame_errors
from napari_al_pose.simulation.pool import Situation
from napari_al_pose.simulation.protocol import ANTI, HARDEST, Arm

DEFAULT = "hybrid"


def strategies_of(arm: Arm, situation: Situation) -> tuple[Strategy, Mapping[str, Strategy]]:
    """Return the arm's strategy and, by name, its possible fallbacks, all with the arm's modifiers."""
    known = {name: ArmStrategy(strategy, arm) for name, strategy in installed_strategies().items()}
    if arm.strategy == HARDEST:
        return ArmStrategy(TrueError(situation.prepared.dataset), arm), known
    if arm.strategy == ANTI:
        return ArmStrategy(known[DEFAULT], arm, name=ANTI, reverse=True), known
    return known[arm.strategy], known


class ArmStrategy:
    """A strategy with the arm's changes; its traits are attributes, as in `Traits`.

    Parameters
    ----------
    strategy : Strategy
    arm : Arm
        Says whether the batch is spread, and which share of it is drawn.
    name : str
        Another name.
    reverse : bool
        Whether the least wanted frames come first, as they come.
    """

    def __init__(self, strategy: Strategy, arm: Arm, *, name: str = "", reverse: bool = False) -> None:
        self._strategy, self._name, self._sign = strategy, name or strategy.name, -1.0 if reverse else 1.0
        own = traits(strategy)
        if arm.explore is not None:
            own = replace(own, explores=arm.explore)
        if reverse or not arm.spread:
            own = replace(own, batching=Batching.RANKED)
        for trait in fields(own):
            setattr(self, trait.name, getattr(own, trait.name))

    @property
    def name(self) -> str:
        """See `Strategy`."""
        return self._name

    @property
    def title(self) -> str:
        """See `Strategy`."""
        return self._strategy.title

    @property
    def summary(self) -> str:
        """See `Strategy`."""
        return self._strategy.summary

    @property
    def requires(self) -> Requires:
        """See `Strategy`."""
        return self._strategy.requires

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """See `Strategy`."""
        return self._sign * np.asarray(self._strategy.score(context), np.float64)

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """See `Strategy`."""
        return self._strategy.explain(context, index)


class TrueError:
    """Ranks frames by the model's true error; batches are made as for most strategies.

    Parameters
    ----------
    dataset : Dataset
        Knows the labels of all frames.
    """

    name = HARDEST
    title = "True error"
    summary = "Frames on which the model is furthest from the labels"
    requires = Requires.PREDICTIONS

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        # With several animals it looks at whole frames, not at one animal after the other.
        self.needs = frozenset({Extra.ANIMALS_XY} if dataset.n_animals > 1 else ())
        self._rows = {key: row for row, key in enumerate(dataset.times)}

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return each frame's mean capped error, ``(N,)``; NaN if nothing is placed."""
        rows = np.array([self._rows[key] for key in context.keys], np.int64)
        xy = given(context.xy, "poses")
        if self._dataset.n_animals > 1:
            xy = matched_points(self._dataset, rows.tolist(), context.extra_of(Extra.ANIMALS_XY))
        errors = np.minimum(frame_errors(self._dataset, rows, xy), self._dataset.cap)
        known = ~np.isnan(errors)
        total = np.where(known, errors, 0.0).sum(axis=1)
        result: NDArray[np.float64] = np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan)
        return result

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Refer to the labels."""
        return Explanation(sentence="the labels say so")
