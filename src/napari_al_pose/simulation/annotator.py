"""A simulated annotator who knows the answers, with the precision and patience of a person.

Guesses within the tolerance are accepted as they are, so labels have the errors of people who correct guesses. A placed
or dragged point lies on the label, give or take a person's jitter. The worst guess is corrected first.

A frame's P points are those of all its animals, which are labelled together: one key accepts the guesses of all. An
animal that was not found is placed point by point, and each pose that is no animal is judged and refused by one key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import KeypointState
from napari_al_pose.domain.evidence import Evidence
from napari_al_pose.domain.pose_inference import infer_pose
from napari_al_pose.domain.pose_prior import PosePrior
from napari_al_pose.simulation.workflows import Actions

_PLACED, _HIDDEN, _UNSEEN = (int(s) for s in (KeypointState.PLACED, KeypointState.NOT_VISIBLE, KeypointState.UNSEEN))

PoseInference = Callable[[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]], NDArray[np.float64]]
"""``infer(xy, clicked, open_)`` returns the inferred points, (K, 2)."""


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What is known of a frame, and how precise the annotator is.

    Parameters
    ----------
    xy : float array, (P, 2)
        Pixels; NaN unless placed.
    states : int8 array, (P,)
    length : float
        Unit of errors, px.
    tolerance : float
        Largest error that is left as it is, in lengths.
    jitter : float array, (P, 2)
        Error of a click, px; drawn once for each frame, so that all workflows click at the same places.
    n_animals : int
        Individuals among whom the points are divided.
    """

    xy: NDArray[np.float64]
    states: NDArray[np.int8]
    length: float
    tolerance: float
    jitter: NDArray[np.float64]
    n_animals: int = 1

    @property
    def n_hidden(self) -> int:
        """The keys that say what can't be seen."""
        return int(keys_for_hidden(self.states[None], self.n_animals)[0])

    def clicks(self, k: int) -> NDArray[np.float64]:
        """Return where a person clicks for point ``k``."""
        where: NDArray[np.float64] = self.xy[k] + self.jitter[k]
        return where

    def errors(self, xy: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the errors of guesses (P, 2), in lengths; 0 for hidden bodyparts, infinite for missing guesses."""
        off = np.hypot(*(np.asarray(xy, np.float64) - self.xy).T) / self.length
        return np.where(self.states == _PLACED, np.where(np.isfinite(off), off, np.inf), 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """The result of labelling a frame.

    Parameters
    ----------
    xy : float array, (P, 2)
    states : int8 array, (P,)
    taken : bool array, (P,)
        Which were guesses that were taken as they are.
    actions : Actions
    answers : tuple of (int, float, bool)
        For each judged guess: point, likelihood, and whether it was right.
    """

    xy: NDArray[np.float64]
    states: NDArray[np.int8]
    taken: NDArray[np.bool_]
    actions: Actions
    answers: tuple[tuple[int, float, bool], ...] = ()


def keys_for_hidden(states: NDArray[np.int8], n_animals: int) -> NDArray[np.int64]:
    """Return the keys that say what can't be seen in frames (n, P).

    There is one for each hidden bodypart, and one for a whole animal of several that is not there.
    """
    hidden = (states == _HIDDEN).reshape(len(states), n_animals, -1)
    counts = hidden.sum(axis=2)
    if n_animals > 1:
        counts = np.where(hidden.all(axis=2), 1, counts)
    return np.asarray(counts.sum(axis=1), np.int64)


def from_scratch(truth: Truth) -> Labelled:
    """Place every point of a frame without guesses."""
    placed = truth.states == _PLACED
    xy = np.where(placed[:, None], truth.xy + truth.jitter, np.nan)
    none = np.zeros(len(xy), bool)
    actions = Actions(looks=1, placed=int(placed.sum()), accepted=truth.n_hidden)
    return Labelled(xy, truth.states.copy(), none, actions)


def correct_frame(
    truth: Truth,
    guess: NDArray[np.floating],
    likelihood: NDArray[np.floating],
    infer: PoseInference | None,
    *,
    extra: int = 0,
) -> Labelled:
    """Correct a frame's wrong guesses, the worst first; one key accepts the others.

    Points without a guess are placed. ``extra`` guessed poses are no animal.
    """
    xy = np.array(guess, np.float64)
    labelled, guessed = truth.states != _UNSEEN, np.isfinite(xy[:, 0])
    hidden = truth.states == _HIDDEN
    first = truth.errors(xy) <= truth.tolerance
    clicked = np.zeros(len(xy), bool)
    judged = labelled & guessed
    actions = Actions(looks=1, points=int(judged.sum()) + extra, accepted=1 + truth.n_hidden + extra)
    while True:
        errors = np.where(clicked, 0.0, truth.errors(xy))
        worst = int(errors.argmax())
        if errors[worst] <= truth.tolerance:
            break
        actions += Actions(dragged=1) if np.isfinite(xy[worst, 0]) else Actions(placed=1)
        xy[worst] = truth.clicks(worst)
        clicked[worst] = True
        if infer is not None:
            before, xy = xy, infer(xy, clicked, labelled & ~hidden & ~clicked)
            moved = np.hypot(*(xy - before).T) > truth.tolerance * truth.length
            actions += Actions(points=int(np.nan_to_num(moved).sum()))
    placed = truth.states == _PLACED
    xy = np.where(placed[:, None], xy, np.nan)
    answers = tuple(
        (k, float(likelihood[k]), bool(first[k] and not hidden[k])) for k in np.flatnonzero(judged).tolist()
    )
    return Labelled(xy, truth.states.copy(), placed & ~clicked, actions, answers)


def answer_points(
    truth: Truth,
    guess: NDArray[np.floating],
    likelihood: NDArray[np.floating],
    asked: Sequence[int],
    *,
    infer: PoseInference | None,
    sure: NDArray[np.bool_] | None = None,
    extra: int = 0,
) -> Labelled:
    """Answer for some points of a frame, in the given order, with one key or one drag each.

    ``sure`` marks others (P,) that one more key accepts unseen at the end. Points without a guess are placed, and
    ``extra`` guessed poses are no animal.
    """
    xy = np.array(guess, np.float64)
    guessed = np.isfinite(xy[:, 0])
    sure = None if sure is None else sure & guessed
    states = np.full(len(xy), _UNSEEN, np.int8)
    clicked, taken = np.zeros(len(xy), bool), np.zeros(len(xy), bool)
    actions, answers = Actions(looks=1, points=extra, accepted=extra), []
    for k in asked:
        states[k] = truth.states[k]
        right = truth.states[k] == _PLACED and truth.errors(xy)[k] <= truth.tolerance
        if guessed[k]:
            actions += Actions(points=1)
            answers.append((k, float(likelihood[k]), bool(right)))
        if truth.states[k] == _HIDDEN or right:
            actions += Actions(accepted=1)
            clicked[k] = taken[k] = right
            continue
        actions += Actions(dragged=1) if np.isfinite(xy[k, 0]) else Actions(placed=1)
        xy[k] = truth.clicks(k)
        clicked[k] = True
        if infer is not None:
            xy = infer(xy, clicked, (states == _UNSEEN) & (truth.states != _HIDDEN))
    if sure is not None and (sure & (states == _UNSEEN)).any():
        taken |= sure & (states == _UNSEEN)
        states = np.where(sure & (states == _UNSEEN), np.int8(_PLACED), states)
        actions += Actions(accepted=1)
    return Labelled(np.where((states == _PLACED)[:, None], xy, np.nan), states, taken, actions, tuple(answers))


def clicks_needed(truth: Truth, guess: NDArray[np.floating], infer: PoseInference | None) -> int:
    """Return NoC: the clicks until every point of every animal is within the tolerance, the worst first."""
    exact = replace(truth, states=np.where(truth.states == _HIDDEN, np.int8(_UNSEEN), truth.states))
    return correct_frame(exact, guess, np.zeros(len(guess)), infer).actions.clicks


def make_inference(prior: PosePrior | None, evidence: Evidence | None) -> PoseInference | None:
    """Return the function that infers a frame's other guesses; None without a prior or evidence."""
    if prior is None or evidence is None:
        return None
    return lambda xy, clicked, open_: infer_pose(prior, evidence, xy=xy, clicked=clicked, open_=open_).xy


def inference_of_each(infers: Sequence[PoseInference | None]) -> PoseInference | None:
    """Return the function that infers the guesses of several animals; None if there is none for any of them.

    A click updates the guesses of its own animal only; before the first click, those of every animal.
    """
    if all(infer is None for infer in infers):
        return None

    def infer_each(
        xy: NDArray[np.float64], clicked: NDArray[np.bool_], open_: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        result, k = xy.copy(), len(xy) // len(infers)
        for a, infer in enumerate(infers):
            own = slice(a * k, (a + 1) * k)
            if infer is not None and (clicked[own].any() or not clicked.any()):
                result[own] = infer(xy[own], clicked[own], open_[own])
        return result

    return infer_each
