"""Trains the learned policy: tries batches of simulated rounds with their true labels, and imitates the best.

A state is a world, its labelled frames, and a model that learned from them. In each state some twenty batches are made
(`napari_al_pose.simulation.best_of`) and tried with their true labels. Every pick of every batch becomes a row: the
features of that frame, given the picks before it, and how good the batch was beside the others. The ranker learns from
all rows. In the second round the states are those that the first round's policy gets into, and its own batches are
tried too (DAgger: Ross, Gordon & Bagnell, 2011).

Each state is a file, written whole: a run that was ended goes on from there.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from napari_al_pose.acquisition import Explanation, Requires, ScoreContext
from napari_al_pose.acquisition.boosted_trees import BoostedTrees
from napari_al_pose.acquisition.candidate_features import FEATURE_NAMES, CandidateFeatures
from napari_al_pose.acquisition.strategies.policy import LearnedPolicy
from napari_al_pose.formats.atomic import replacing, write_text
from napari_al_pose.simulation.best_of import candidate_batch
from napari_al_pose.simulation.choosing import Choice, choose_by, scored, start_rows
from napari_al_pose.simulation.policy_fitting import fit_ranker
from napari_al_pose.simulation.policy_gate import badness
from napari_al_pose.simulation.policy_worlds import PolicyWorld, Trial
from napari_al_pose.simulation.pool import Situation

log = logging.getLogger(__name__)

START = 10
BATCHES = (10, 10, 20)
"""Frames of the batches of a play, after the start."""

ROUNDS = 2
_LEAST_STATES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRun:
    """Where and how far to learn.

    Parameters
    ----------
    output : Path
        Of states and rankers.
    way : {"solved", "short", "whole"}
        How batches are tried.
    candidates : int
        Batches tried in each state.
    states : int
        States of each round.
    seed : int
    """

    output: Path
    way: Trial
    candidates: int = 20
    states: int = 40
    seed: int = 100


@dataclass(frozen=True, slots=True, eq=False)
class PolicyState:
    """What was tried in one state.

    Parameters
    ----------
    world : str
    rows : float64 array, (n, F)
        Features of the picks, given those before them in their batch.
    batch : int64 array, (n,)
        The batch of each row.
    worth : float64 array, (M,)
        How good each batch was beside the others, in [0, 1): 1 less `badness`.
    """

    world: str
    rows: NDArray[np.float64]
    batch: NDArray[np.int64]
    worth: NDArray[np.float64]


def learn_policy(
    worlds: Sequence[PolicyWorld], run: PolicyRun, *, out_of_time: Callable[[int], bool]
) -> dict[str, Any]:
    """Play both rounds as far as time allows, and fit the ranker; what is on disk is not played again.

    Parameters
    ----------
    worlds : sequence of PolicyWorld
        Played in turn.
    run : PolicyRun
        Where and how far.
    out_of_time : callable
        ``out_of_time(round)`` says whether to begin no more state of a round.

    Returns
    -------
    dict
        ``states`` of each round, ``rows``, and ``left_out``: for each data set, Spearman's correlation between what a
        ranker that never saw it expects of its batches and how good they were, mean over its states.
    """
    rankers: list[BoostedTrees] = []
    for number in range(ROUNDS):
        _collect(worlds, run, number, rankers[-1] if rankers else None, out_of_time=partial(out_of_time, number))
        states = read_states(run.output, rounds=number + 1)
        if len(states) < _LEAST_STATES:
            return {"states": len(states), "rows": 0, "left_out": {}}
        rankers.append(_fit(states, run.seed))
        write_text(run.output / f"policy-{number}.json", json.dumps(rankers[-1].to_json()) + "\n")
    ranker = rankers[-1]
    states = read_states(run.output)
    document = {
        "states": len(states),
        "rows": int(sum(len(state.rows) for state in states)),
        "tried_by": run.way,
        "left_out": left_out(states, run.seed),
    }
    write_text(run.output / "policy.json", json.dumps(ranker.to_json()) + "\n")
    write_text(run.output / "learned.json", json.dumps(document, indent=1) + "\n")
    return document


def read_states(output: Path, *, rounds: int = ROUNDS) -> list[PolicyState]:
    """Return the states of the first ``rounds`` in a folder, in the order of their names."""
    found = []
    paths = [path for path in (output / "states").glob("*.npz") if int(path.name.partition("-")[0]) < rounds]
    for path in sorted(paths):
        with np.load(path, allow_pickle=False) as file:
            found.append(PolicyState(str(file["world"]), file["rows"], file["batch"], file["worth"]))
    return found


def left_out(states: Sequence[PolicyState], seed: int) -> dict[str, float | None]:
    """Return for each data set how well a ranker that never saw it ranks its batches."""
    of = [state.world.rpartition("-f")[0] for state in states]
    found: dict[str, float | None] = {}
    for name in sorted(set(of)):
        others = [state for state, own in zip(states, of, strict=True) if own != name]
        if not others:
            found[name] = None
            continue
        ranker = _fit(others, seed)
        values = [_agreement(ranker, state) for state, own in zip(states, of, strict=True) if own == name]
        known = [value for value in values if np.isfinite(value)]
        found[name] = round(float(np.mean(known)), 3) if known else None
    return found


def _agreement(ranker: BoostedTrees, state: PolicyState) -> float:
    """Return Spearman's correlation between the mean prediction of each batch and its worth."""
    predicted = ranker.predict(state.rows)
    batches = np.unique(state.batch)
    expected = [float(predicted[state.batch == number].mean()) for number in batches.tolist()]
    return float(spearmanr(expected, state.worth[batches]).statistic)


def _fit(states: Sequence[PolicyState], seed: int) -> BoostedTrees:
    rows = np.concatenate([state.rows for state in states])
    worth = np.concatenate([state.worth[state.batch] for state in states])
    return fit_ranker(rows, worth, seed=seed)


def _collect(
    worlds: Sequence[PolicyWorld],
    run: PolicyRun,
    number: int,
    ranker: BoostedTrees | None,
    *,
    out_of_time: Callable[[], bool],
) -> None:
    """Play states of a round: world after world, seed after seed, until there are enough or time is up."""
    folder = run.output / "states"
    folder.mkdir(parents=True, exist_ok=True)
    n_plays = -(-run.states // len(BATCHES))
    for play in range(n_plays):
        world = worlds[play % len(worlds)]
        seed = run.seed + 1000 * number + play
        paths = [folder / f"{number}-{play:03d}-{world.name}-{step}.npz" for step in range(len(BATCHES))]
        finished = folder / f"{number}-{play:03d}.done"
        if finished.exists():
            continue
        for path, state in zip(paths, _play(world, run, ranker, seed, out_of_time), strict=False):
            _write(path, state)
            log.info("%s: %s batches tried", path.stem, len(state.worth))
        if out_of_time():
            return
        write_text(finished, "")


def _play(
    world: PolicyWorld, run: PolicyRun, ranker: BoostedTrees | None, seed: int, out_of_time: Callable[[], bool]
) -> Iterator[PolicyState]:
    """Play one world from its start; what is labelled next is the policy's batch, at first one of the tried ones."""
    labelled = start_rows(world.prepared, world.fold.pool.tolist(), START, seed=seed)
    rng = np.random.default_rng(seed)
    for n in BATCHES:
        if out_of_time() or len(world.fold.pool) - len(labelled) < 2 * n:
            return  # no time left, or too few frames for one batch to differ from another
        situation = world.situation(world.learn(labelled, seed), labelled, seed)
        batches = [candidate_batch(i, n, situation) for i in range(run.candidates)]
        if ranker is not None:
            batches.append(choose_by(LearnedPolicy(ranker=ranker), n, situation))
        tried = [world.trial([*labelled, *_rows(batch)], run.way, seed=seed) for batch in batches]
        worth = 1.0 - badness(tried)
        rows, batch = picks_as_rows(batches, situation, n)
        yield PolicyState(world.name, rows, batch, worth)
        # Any batch will do to go on from; the better half keeps the plays realistic.
        better = np.argsort(-worth, kind="stable")[: max(1, len(batches) // 2)]
        goes_on = batches[-1] if ranker is not None else batches[int(rng.choice(better))]
        labelled = [*labelled, *_rows(goes_on)]


def picks_as_rows(
    batches: Sequence[Choice], situation: Situation, n: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the features of all picks, (n, F), and the batch of each; frames outside the scored pool are left out."""
    context = scored(_Everything(), n, situation)
    times = situation.prepared.dataset.times
    first = CandidateFeatures(context)
    place = {context.keys[row]: i for i, row in enumerate(first.order.tolist())}
    rows: list[NDArray[np.float64]] = []
    of: list[int] = []
    for number, batch in enumerate(batches):
        features = first.copy()
        for pick in batch.picks:
            own = place.get(times[pick.row])
            if own is not None:
                rows.append(features.table()[own])
                of.append(number)
                features.pick(own)
    return np.array(rows).reshape(len(rows), len(FEATURE_NAMES)), np.array(of, np.int64)


class _Everything:
    """Asks for all that the features need."""

    name = title = "policy features"
    summary = "What a policy knows"
    requires = Requires.PREDICTIONS | Requires.FEATURES
    uses = Requires.LABELS

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Score nothing."""
        return np.zeros(len(context.keys))

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Explain nothing."""
        return Explanation()


def _rows(batch: Choice) -> list[int]:
    return [pick.row for pick in batch.picks]


def _write(path: Path, state: PolicyState) -> None:
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, world=state.world, rows=state.rows, batch=state.batch, worth=state.worth)
