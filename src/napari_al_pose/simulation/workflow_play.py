"""Plays a workflow: an annotator labels until the time of a round is used up, the model learns, and so on.

A budget is still a number of frames, but stands for time: as long as it takes to label that many frames from scratch.
So all workflows have trained equally often when they have taken equally long, whatever they did with the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import KeypointState
from napari_al_pose.domain.evidence import Evidence, of_scoremaps
from napari_al_pose.domain.pose_prior import PosePrior, fit_prior
from napari_al_pose.simulation.annotator import (
    Labelled,
    PoseInference,
    Truth,
    answer_points,
    clicks_needed,
    correct_frame,
    from_scratch,
    inference_of_each,
    keys_for_hidden,
    make_inference,
)
from napari_al_pose.simulation.bodypart_selection import GuessDoubt, JudgedGuess, select_bodyparts
from napari_al_pose.simulation.choosing import Choice, choose
from napari_al_pose.simulation.dataset import Labels
from napari_al_pose.simulation.folds import Fold
from napari_al_pose.simulation.learner import Learned, Output
from napari_al_pose.simulation.matching import Guesses, guesses_of
from napari_al_pose.simulation.pool import Situation
from napari_al_pose.simulation.preparing import Prepared
from napari_al_pose.simulation.protocol import Arm, Protocol
from napari_al_pose.simulation.workflows import Actions, Costs, Workflow

_BATCHES = 4
"""Most batches chosen in a round, if frames take less time than expected."""


@dataclass(slots=True)
class WorkflowState:
    """The state of an arm.

    Parameters
    ----------
    labels : Labels
        Filled in as frames are labelled.
    labelled : list of int
        The opened rows, in that order.
    judged : list of (int, float, bool)
        The judged guesses.
    actions : Actions
        All so far.
    seconds_a_frame : float
        Of the last round.
    reliability : float
    """

    labels: Labels
    labelled: list[int] = field(default_factory=list)
    judged: list[JudgedGuess] = field(default_factory=list)
    actions: Actions = field(default_factory=Actions)
    seconds_a_frame: float = 0.0
    reliability: float = 0.0


class Annotating:
    """Labels the frames of one fold and seed.

    Parameters
    ----------
    prepared : Prepared
    protocol : Protocol
    fold : Fold
    seed : int
        For all random draws.
    """

    def __init__(self, prepared: Prepared, protocol: Protocol, fold: Fold, seed: int) -> None:
        self._prepared, self._protocol, self._fold, self._seed = prepared, protocol, fold, seed
        self._dataset = prepared.dataset

    def seconds(self, budget: int) -> float:
        """Return how long labelling ``budget`` frames of the pool from scratch takes."""
        states = self._dataset.states[self._fold.pool]
        placed = (states == int(KeypointState.PLACED)).sum(axis=1).mean()
        hidden = keys_for_hidden(states, self._dataset.n_animals).mean()
        costs = self._protocol.costs
        return budget * float(costs.look + placed * costs.place + hidden * costs.accept)

    def start(self, state: WorkflowState, rows: list[int]) -> None:
        """Label the first frames, from scratch."""
        for row in rows:
            self._keep(state, None, row, from_scratch(self._truth(row)))

    def go_on(
        self, state: WorkflowState, model: Learned, *, arm: Arm, way: Workflow, number: int, budget: int
    ) -> Choice:
        """Label further frames until the time of ``budget`` is used up; return how they were chosen."""
        before, costs = state.actions, self._protocol.costs
        allowed, n_before = self.seconds(budget), len(state.labelled)
        each = state.seconds_a_frame or self._expected(way)
        choice: Choice | None = None
        for batch in range(_BATCHES):
            left = allowed - state.actions.seconds(costs)
            n = min(round(left / each), len(self._fold.pool) - len(state.labelled))
            if n < 1:
                break
            chosen = self._choose(state, model, arm, n, self._seed + 7919 * number + 104_729 * batch)
            choice = chosen if choice is None else replace(choice, picks=(*choice.picks, *chosen.picks))
            for row, labelled in self._worked(state, model, way, [pick.row for pick in chosen.picks]):
                if state.actions.seconds(costs) >= allowed:
                    break
                self._keep(state, way, row, labelled)
            n_new = len(state.labelled) - n_before
            each = (state.actions.seconds(costs) - before.seconds(costs)) / max(1, n_new)
        if way.by_points and len(state.labelled) >= len(self._fold.pool):
            self._ask_again(state, model, way, allowed)
        n_new = len(state.labelled) - n_before
        if n_new:
            state.seconds_a_frame = (state.actions.seconds(costs) - before.seconds(costs)) / n_new
        done = set(state.labelled)
        choice = choice or Choice((), len(self._fold.pool) - n_before, 0)
        return replace(choice, picks=tuple(pick for pick in choice.picks if pick.row in done))

    def noc(self, state: WorkflowState, model: Learned) -> dict[str, float]:
        """Return the clicks that a test frame takes until all is right: by the peaks alone, and fused and corrected."""
        rows = self._fold.test.tolist()
        output, prior = model.predict(rows, with_scoremaps=True), self._prior(state)
        guesses = guesses_of(self._dataset, rows, output)
        plain, mended = [], []
        for i, row in enumerate(rows):
            truth, guess = self._truth(row), guesses.xy[i].astype(np.float64)
            plain.append(clicks_needed(truth, guess, None))
            infer = _inference(prior, output, guesses, i)
            if infer is not None:
                guess = infer(guess, np.zeros(len(guess), bool), np.ones(len(guess), bool))
            mended.append(clicks_needed(truth, guess, infer))
        return {"noc": float(np.mean(plain)), "noc_mended": float(np.mean(mended))}

    # ---- the work ---------------------------------------------------------------------------------

    def _worked(
        self, state: WorkflowState, model: Learned, way: Workflow, rows: list[int]
    ) -> Iterator[tuple[int, Labelled]]:
        """Label frames, one after the other."""
        if not way.guesses:
            for row in rows:
                yield row, from_scratch(self._truth(row))
            return
        output = model.predict(rows, with_scoremaps=way.mended or way.fused)
        guesses = guesses_of(self._dataset, rows, output)
        prior = self._prior(state) if way.mended or way.fused else None
        doubt = self._doubt(state)
        for i, row in enumerate(rows):
            truth, guess, likelihood = self._truth(row), guesses.xy[i].astype(np.float64), guesses.likelihood[i]
            extra, decide = int(guesses.extra[i]), _inference(prior, output, guesses, i)
            if way.fused and decide is not None:
                guess = decide(guess, np.zeros(len(guess), bool), np.ones(len(guess), bool))
            infer = decide if way.mended else None
            rng = np.random.default_rng([self._seed, row, 1])
            if not way.by_points or rng.random() < way.whole:
                yield row, correct_frame(truth, guess, likelihood, infer, extra=extra)
                continue
            doubts = doubt(likelihood)
            n = max(1, round(way.share * len(doubts)))
            asked = select_bodyparts(doubts, self._n_labels(state), n, drawn=way.drawn, rng=rng)
            sure = None if way.sure is None else doubts <= 1 - way.sure
            yield row, answer_points(truth, guess, likelihood, asked, infer=infer, sure=sure, extra=extra)

    def _ask_again(self, state: WorkflowState, model: Learned, way: Workflow, allowed: float) -> None:
        """Ask for the rest of frames opened before, once there is no other frame."""
        unseen = state.labels.states == KeypointState.UNSEEN
        rows = [row for row in state.labelled if unseen[row].any()]
        if not rows:
            return
        guesses = guesses_of(self._dataset, rows, model.predict(rows, with_scoremaps=False))
        doubts = self._doubt(state)(guesses.likelihood)
        most = np.where(unseen[rows], doubts, -1.0).max(axis=1)
        for i in np.argsort(-most, kind="stable").tolist():
            if state.actions.seconds(self._protocol.costs) >= allowed:
                break
            row = rows[i]
            open_ = np.flatnonzero(unseen[row])
            n = max(1, round(way.share * len(doubts[i])))
            asked = open_[np.argsort(-doubts[i][open_], kind="stable")][:n].tolist()
            answered = answer_points(self._truth(row), guesses.xy[i], guesses.likelihood[i], asked, infer=None)
            self._keep(state, way, row, answered)

    def _keep(self, state: WorkflowState, way: Workflow | None, row: int, labelled: Labelled) -> None:
        new = labelled.states != KeypointState.UNSEEN
        state.labels.xy[row, new] = labelled.xy[new]
        state.labels.states[row, new] = labelled.states[new]
        state.labels.taken[row, new] = labelled.taken[new] & (way is not None and way.weighed)
        if row not in state.labelled:
            state.labelled.append(row)
        state.judged += [(k % self._dataset.skeleton.n_bodyparts, sure, right) for k, sure, right in labelled.answers]
        state.actions += labelled.actions

    # ---- what is known ----------------------------------------------------------------------------

    def _choose(self, state: WorkflowState, model: Learned, arm: Arm, n: int, seed: int) -> Choice:
        """Choose frames as the loop would, which knows no more than the labels."""
        known = replace(self._prepared, dataset=replace(self._dataset, xy=state.labels.xy, states=state.labels.states))
        situation = Situation(known, model, self._fold.pool.tolist(), state.labelled, state.reliability, seed)
        return choose(arm, n, situation)

    def _truth(self, row: int) -> Truth:
        length = float(self._dataset.reference[row])
        rng = np.random.default_rng([self._seed, row])
        jitter = rng.normal(0.0, self._protocol.jitter * length, self._dataset.xy[row].shape)
        return Truth(
            self._dataset.xy[row],
            self._dataset.states[row],
            length,
            self._protocol.tolerance,
            jitter,
            self._dataset.n_animals,
        )

    def _doubt(self, state: WorkflowState) -> Callable[[NDArray[np.floating]], NDArray[np.float64]]:
        """Return a function from likelihoods (..., P) to the probability that each guess has to be moved."""
        k = self._dataset.skeleton.n_bodyparts
        doubt = GuessDoubt(state.judged, k)
        return lambda likelihood: doubt(likelihood.reshape(*likelihood.shape[:-1], -1, k)).reshape(likelihood.shape)

    def _prior(self, state: WorkflowState) -> PosePrior | None:
        poses = self._dataset.by_animal(state.labels.xy[state.labelled])
        return fit_prior(poses.reshape(-1, *poses.shape[2:]))

    def _n_labels(self, state: WorkflowState) -> NDArray[np.int64]:
        """Return how often the bodypart of each point was labelled, (P,)."""
        labelled = self._dataset.by_animal(state.labels.states[state.labelled]) != KeypointState.UNSEEN
        return np.tile(labelled.sum(axis=(0, 1)), self._dataset.n_animals)

    def _expected(self, way: Workflow) -> float:
        """Return the expected seconds for a frame before any was labelled this way: two of five guesses are wrong."""
        costs, k = self._protocol.costs, self._dataset.xy.shape[1]
        if not way.guesses:
            return self.seconds(1)
        n = max(1, round(way.share * k)) if way.by_points else k
        return costs.look + costs.accept + n * (costs.point + 0.4 * costs.drag)


def _inference(prior: PosePrior | None, output: Output, guesses: Guesses, i: int) -> PoseInference | None:
    """Return the function that infers the guesses of frame ``i``, animal by animal."""
    return inference_of_each([make_inference(prior, _evidence(output, i, slot)) for slot in guesses.slots[i].tolist()])


def _evidence(output: Output, i: int, slot: int) -> Evidence | None:
    """Return what the scoremaps of a pose of frame ``i`` say; None for an animal without a pose."""
    animals = output.animals
    maps = output.scoremaps if animals is None else animals.scoremaps
    if maps is None or slot < 0:
        return None
    if animals is None:
        return of_scoremaps(maps[i].astype(np.float32), output.grid)
    return of_scoremaps(maps[i, slot].astype(np.float32), animals.grids[i][slot])


def work_as_json(state: WorkflowState, costs: Costs) -> dict[str, Any]:
    """Return the record of the work in a round: counts, and the labels to continue from."""
    labels = state.labels
    states = labels.states[state.labelled]
    return {
        **asdict(state.actions),
        "clicks": state.actions.clicks,
        "seconds": round(state.actions.seconds(costs), 3),
        "seconds_a_frame": state.seconds_a_frame,
        "n_points": int((states != KeypointState.UNSEEN).sum()),
        # Not rounded: a training off by a thousandth of a pixel ends elsewhere, and a resumed run must not.
        "judged": [list(one) for one in state.judged],
        "labels": [
            [
                row,
                labels.states[row].tolist(),
                np.flatnonzero(labels.taken[row]).tolist(),
                [None if np.isnan(v) else float(v) for v in labels.xy[row].flat],
            ]
            for row in state.labelled
        ],
    }


def work_from_json(state: WorkflowState, work: dict[str, Any]) -> None:
    """Restore what `work_as_json` recorded."""
    state.labels.xy[:], state.labels.states[:], state.labels.taken[:] = np.nan, 0, False
    state.labelled = []
    for row, states, taken, flat in work["labels"]:
        state.labelled.append(int(row))
        state.labels.states[row] = states
        state.labels.taken[row, taken] = True
        state.labels.xy[row] = np.array([np.nan if v is None else v for v in flat]).reshape(-1, 2)
    state.judged = [(int(k), float(likelihood), bool(right)) for k, likelihood, right in work["judged"]]
    state.actions = Actions(**{name: int(work[name]) for name in asdict(Actions())})
