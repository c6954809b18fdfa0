"""A simulated annotator who knows the answers, with the precision and patience of a person.

Guesses within the tolerance are accepted as they are, so labels have the errors of people who correct guesses. A placed
or dragged point lies on the label, give or take a person's jitter. The worst guess is corrected first.
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
    xy : float array, (K, 2)
        Pixels; NaN unless placed.
    states : int8 array, (K,)
    length : float
        Unit of errors, px.
    tolerance : float
        Largest error that is left as it is, in lengths.
    jitter : float array, (K, 2)
        Error of a click, px; drawn once for each frame, so that all workflows click at the same places.
    """

    xy: NDArray[np.float64]
    states: NDArray[np.int8]
    length: float
    tolerance: float
    jitter: NDArray[np.float64]

    def clicks(self, k: int) -> NDArray[np.float64]:
        """Return where a person clicks for bodypart ``k``."""
        where: NDArray[np.float64] = self.xy[k] + self.jitter[k]
        return where

    def errors(self, xy: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the errors of guesses (K, 2), in lengths; 0 for hidden bodyparts, infinite for missing guesses."""
        off = np.hypot(*(np.asarray(xy, np.float64) - self.xy).T) / self.length
        return np.where(self.states == _PLACED, np.where(np.isfinite(off), off, np.inf), 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """The result of labelling a frame.

    Parameters
    ----------
    xy : float array, (K, 2)
    states : int8 array, (K,)
    taken : bool array, (K,)
        Which were guesses that were taken as they are.
    actions : Actions
    answers : tuple of (int, float, bool)
        For each judged guess: bodypart, likelihood, and whether it was right.
    """

    xy: NDArray[np.float64]
    states: NDArray[np.int8]
    taken: NDArray[np.bool_]
    actions: Actions
    answers: tuple[tuple[int, float, bool], ...] = ()


def from_scratch(truth: Truth) -> Labelled:
    """Place every point of a frame without guesses."""
    placed = truth.states == _PLACED
    xy = np.where(placed[:, None], truth.xy + truth.jitter, np.nan)
    hidden = int((truth.states == _HIDDEN).sum())
    none = np.zeros(len(xy), bool)
    return Labelled(xy, truth.states.copy(), none, Actions(looks=1, placed=int(placed.sum()), accepted=hidden))


def correct_frame(
    truth: Truth, guess: NDArray[np.floating], likelihood: NDArray[np.floating], infer: PoseInference | None
) -> Labelled:
    """Correct a frame's wrong guesses, the worst first; one key accepts the others."""
    xy = np.array(guess, np.float64)
    labelled = truth.states != _UNSEEN
    hidden = truth.states == _HIDDEN
    first = truth.errors(xy) <= truth.tolerance
    clicked = np.zeros(len(xy), bool)
    actions = Actions(looks=1, points=int(labelled.sum()), accepted=1 + int(hidden.sum()))
    while True:
        errors = np.where(clicked, 0.0, truth.errors(xy))
        worst = int(errors.argmax())
        if errors[worst] <= truth.tolerance:
            break
        xy[worst] = truth.clicks(worst)
        clicked[worst] = True
        actions += Actions(dragged=1)
        if infer is not None:
            before, xy = xy, infer(xy, clicked, labelled & ~hidden & ~clicked)
            moved = np.hypot(*(xy - before).T) > truth.tolerance * truth.length
            actions += Actions(points=int(np.nan_to_num(moved).sum()))
    placed = truth.states == _PLACED
    xy = np.where(placed[:, None], xy, np.nan)
    answers = tuple(
        (k, float(likelihood[k]), bool(first[k] and not hidden[k])) for k in np.flatnonzero(labelled).tolist()
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
) -> Labelled:
    """Answer for some bodyparts of a frame, in the given order, with one key or one drag each.

    ``sure`` marks others (K,) that one more key accepts unseen at the end.
    """
    xy = np.array(guess, np.float64)
    states = np.full(len(xy), _UNSEEN, np.int8)
    clicked, taken = np.zeros(len(xy), bool), np.zeros(len(xy), bool)
    actions, answers = Actions(looks=1), []
    for k in asked:
        actions += Actions(points=1)
        states[k] = truth.states[k]
        right = truth.states[k] == _PLACED and truth.errors(xy)[k] <= truth.tolerance
        answers.append((k, float(likelihood[k]), bool(right)))
        if truth.states[k] == _HIDDEN or right:
            actions += Actions(accepted=1)
            clicked[k] = taken[k] = right
            continue
        xy[k] = truth.clicks(k)
        clicked[k] = True
        actions += Actions(dragged=1)
        if infer is not None:
            xy = infer(xy, clicked, (states == _UNSEEN) & (truth.states != _HIDDEN))
    if sure is not None and (sure & (states == _UNSEEN)).any():
        taken |= sure & (states == _UNSEEN)
        states = np.where(sure & (states == _UNSEEN), np.int8(_PLACED), states)
        actions += Actions(accepted=1)
    return Labelled(np.where((states == _PLACED)[:, None], xy, np.nan), states, taken, actions, tuple(answers))


def clicks_needed(truth: Truth, guess: NDArray[np.floating], infer: PoseInference | None) -> int:
    """Return NoC: the clicks until every point is within the tolerance, the worst first."""
    exact = replace(truth, states=np.where(truth.states == _HIDDEN, np.int8(_UNSEEN), truth.states))
    return correct_frame(exact, guess, np.zeros(len(guess)), infer).actions.dragged


def make_inference(prior: PosePrior | None, evidence: Evidence | None) -> PoseInference | None:
    """Return the function that infers a frame's other guesses; None without a prior or evidence."""
    if prior is None or evidence is None:
        return None
    return lambda xy, clicked, open_: infer_pose(prior, evidence, xy=xy, clicked=clicked, open_=open_).xy
