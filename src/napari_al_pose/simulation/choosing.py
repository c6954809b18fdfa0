"""One batch of an arm: the loop's own scoring and selection, on a data set whose labels are known."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition import Extra, ScoreContext, Strategy, Traits, installed_strategies, traits
from napari_al_pose.acquisition.batches import make_batch
from napari_al_pose.acquisition.ordering import rank_order, says_nothing
from napari_al_pose.acquisition.pool import drop_near_duplicates
from napari_al_pose.acquisition.selection import diverse_batch, random_batch
from napari_al_pose.acquisition.strategy import can_score
from napari_al_pose.simulation.extras import extras_for
from napari_al_pose.simulation.learner import Learned, Output
from napari_al_pose.simulation.measures import frame_errors
from napari_al_pose.simulation.preparing import Prepared
from napari_al_pose.simulation.protocol import ANTI, ORACLE, Arm

DEFAULT = "hybrid"
_CLUSTERED = "mpe"
"""The strategy whose batches those of the true error are made like: chosen by score, spread by clusters."""
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
    keys = [prepared.dataset.times[row] for row in pool]
    fps = _fps(prepared)
    if arm is None or not arm.deduplicate:
        picks = random_batch(keys, n, seed=seed, taken=(), fps=fps)
    else:
        picks = diverse_batch(keys, prepared.features[list(pool)], n, seed=seed, fps=fps)
    return [pool[i] for i in picks]


@dataclass(frozen=True, slots=True, eq=False)
class Situation:
    """What an arm chooses in.

    Parameters
    ----------
    prepared : Prepared
        The data set.
    model : Learned
        Trained on ``labelled``.
    pool, labelled : sequence of int
        Rows of the data set; what is labelled is never chosen.
    reliability : float
        As in `ScoreContext`.
    seed : int
        For all that is drawn.
    """

    prepared: Prepared
    model: Learned
    pool: Sequence[int]
    labelled: Sequence[int]
    reliability: float
    seed: int


def choose(arm: Arm, n: int, situation: Situation) -> Ranking:
    """Choose the next ``n`` frames as the loop would."""
    here = _Choice(arm, situation)
    done = set(situation.labelled)
    open_rows = [row for row in situation.pool if row not in done]
    candidates = here.without_near_duplicates(open_rows) if arm.deduplicate else open_rows
    n_random = _traits(arm).n_drawn(n)
    scored = here.score(candidates, n - n_random)
    if scored is None:
        picks = [Pick(row, None, "al") for row in here.diverse(candidates, n)]
        return Ranking(tuple(picks), len(open_rows), len(candidates), fallback="diverse: no strategy can be used")
    keys = [here.times[row] for row in candidates]
    scores = scored.scores
    picks = [Pick(candidates[i], _finite(scores[i]), "al") for i in here.select(candidates, scored, n - n_random)]
    picks += [Pick(row, None, "random") for row in here.draw(open_rows, picks, n - len(picks))]
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
        fallback="random: all scores are alike" if says_nothing(scores) else scored.fallback,
        top=tuple(order[:SHOWN]),
        bottom=tuple(order[: len(finite)][::-1][:SHOWN]),
    )


def _traits(arm: Arm) -> Traits:
    """Return what the arm's strategy says of itself, with the share of exploration that the arm prescribes."""
    own = Traits() if arm.strategy in (ORACLE, ANTI) else traits(installed_strategies()[arm.strategy])
    return own if arm.explore is None else replace(own, explores=arm.explore)


@dataclass(frozen=True, slots=True, eq=False)
class _Scored:
    """Scores, the strategy they are of, and, where that is not the arm's own, which it is."""

    strategy: Strategy
    scores: NDArray[np.float64]
    fallback: str = ""


class _Choice:
    """The steps of one choice."""

    def __init__(self, arm: Arm, situation: Situation) -> None:
        self._arm, self._here = arm, situation
        self._prepared, self._dataset = situation.prepared, situation.prepared.dataset
        self._fps = _fps(situation.prepared)
        self.times = self._dataset.times
        self._taken = [self.times[row] for row in situation.labelled]

    def without_near_duplicates(self, rows: Sequence[int]) -> list[int]:
        kept = drop_near_duplicates([self.times[row] for row in rows], self._prepared.features[list(rows)], self._fps)
        return [rows[i] for i in kept.tolist()]

    def score(self, rows: Sequence[int], n: int) -> _Scored | None:
        """Score ``rows``; what can't be used is replaced by what it names, as in the loop. None if nothing can."""
        output = self._here.model.predict(rows, with_scoremaps=True)
        if self._arm.strategy == ORACLE:
            return _Scored(installed_strategies()[_CLUSTERED], self._true_errors(rows, output))
        strategy = installed_strategies()[DEFAULT if self._arm.strategy == ANTI else self._arm.strategy]
        tried: list[str] = []
        while strategy.name not in tried:
            extra = extras_for(strategy, self._dataset, self._here.model, rows, self._here.labelled)
            context = self._context(output, rows, n, extra)
            if can_score(strategy, context):
                scores = strategy.score(context)
                fallback = f"{strategy.name} instead of {tried[0]}" if tried else ""
                return _Scored(strategy, -scores if self._arm.strategy == ANTI else scores, fallback)
            tried.append(strategy.name)
            strategy = installed_strategies().get(traits(strategy).fallback, strategy)
        return None

    def _true_errors(self, rows: Sequence[int], output: Output) -> NDArray[np.float64]:
        """Return each frame's mean capped error; NaN where nothing is placed."""
        errors = np.minimum(frame_errors(self._dataset, np.array(rows, np.int64), output.xy), self._dataset.cap)
        known = ~np.isnan(errors)
        total = np.where(known, errors, 0.0).sum(axis=1)
        return np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan)

    def _context(
        self, output: Output, rows: Sequence[int], n: int, extra: Mapping[Extra, NDArray[Any]]
    ) -> ScoreContext:
        labelled = list(self._here.labelled)
        reliability = self._here.reliability if self._arm.trust is None else self._arm.trust
        return ScoreContext(
            keys=[self.times[row] for row in rows],
            skeleton=self._dataset.skeleton,
            features=self._prepared.features[list(rows)],
            xy=output.xy,
            likelihood=output.likelihood,
            scoremaps=output.scoremaps,
            grid=output.grid,
            labelled_features=self._prepared.features[labelled],
            labelled_keys=self._taken,
            labelled_xy=self._dataset.xy[labelled],
            extra=extra,
            reliability=reliability,
            batch_size=max(1, n),
            n_frames=Counter(self.times[row].video for row in rows),
            seed=self._here.seed,
        )

    def select(self, rows: Sequence[int], scored: _Scored, n: int) -> list[int]:
        """Return positions in ``rows``: spread as the loop spreads them, or simply the best."""
        keys, scores = [self.times[row] for row in rows], scored.scores
        if not self._arm.spread or self._arm.strategy == ANTI:
            return rank_order(keys, scores)[:n].tolist()
        return make_batch(
            scored.strategy,
            keys,
            scores,
            self._prepared.features[list(rows)],
            n,
            labelled_keys=self._taken,
            labelled_features=self._prepared.features[list(self._here.labelled)],
            fps=self._fps,
            seed=self._here.seed,
        )

    def diverse(self, rows: Sequence[int], n: int) -> list[int]:
        keys, features = [self.times[row] for row in rows], self._prepared.features[list(rows)]
        picks = diverse_batch(keys, features, n, seed=self._here.seed, fps=self._fps, labelled_keys=self._taken)
        return [rows[i] for i in picks]

    def draw(self, rows: Sequence[int], picks: Sequence[Pick], n: int) -> list[int]:
        """Draw the share for exploration, and what the strategy left open."""
        taken = [*self._taken, *(self.times[pick.row] for pick in picks)]
        drawn = random_batch([self.times[row] for row in rows], n, seed=self._here.seed, taken=taken, fps=self._fps)
        return [rows[i] for i in drawn]


def _fps(prepared: Prepared) -> dict[str, float]:
    """Return the frame rate of each video, for the rules on time; where none is known, `Dataset.times` keeps away."""
    dataset = prepared.dataset
    return dict.fromkeys(dataset.videos, dataset.fps) if dataset.fps > 0 else {}


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
