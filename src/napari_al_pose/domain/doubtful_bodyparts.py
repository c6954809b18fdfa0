"""Asking for the doubtful bodyparts of a frame instead of all of them.

What is not asked for stays unseen, and training masks it. So that no bodypart is forgotten, every `WHOLE_EVERY`-th
frame of the queue is asked for as a whole. So is each test frame: the error must not depend on the model's doubt.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain.annotation import Annotation, FrameRole, KeypointState
from napari_al_pose.domain.prediction import Prediction

WHOLE_EVERY = 5
"""One frame of the queue in so many is asked for as a whole."""


def is_whole_frame(row: int, role: FrameRole) -> bool:
    """Return whether all bodyparts of a frame are asked for.

    Parameters
    ----------
    row : int
        Its row in the queue, from 0; -1 outside the queue.
    role : FrameRole
        What it is for.
    """
    return role is FrameRole.HOLDOUT or (row >= 0 and row % WHOLE_EVERY == WHOLE_EVERY - 1)


def doubtful_bodyparts(states: NDArray[np.int8], guess: Prediction | None, threshold: float) -> list[int]:
    """Return the unseen bodyparts that the model doubts, the most doubtful first.

    Parameters
    ----------
    states : int8 array, (K,)
        `KeypointState` values of the frame.
    guess : Prediction or None
        The model's guess for it; without a guess, every bodypart is doubtful.
    threshold : float
        Likelihood from which a guess is believed.
    """
    likelihood = np.zeros(len(states)) if guess is None else _likelihood(guess)
    doubtful = np.flatnonzero((states == KeypointState.UNSEEN) & (likelihood < threshold))
    return [int(k) for k in doubtful[np.argsort(likelihood[doubtful], kind="stable")]]


def n_asked(prediction: Prediction, threshold: float) -> int:
    """Return how many bodyparts of an unlabelled frame of one animal are asked for."""
    return int((_likelihood(prediction) < threshold).sum())


def is_answered(annotations: Sequence[Annotation], guesses: Sequence[Prediction | None], threshold: float) -> bool:
    """Return whether nothing more is asked of a frame: a label was made, and no animal has a doubtful guess left.

    Parameters
    ----------
    annotations : sequence of Annotation
        The labels of each individual.
    guesses : sequence of Prediction or None
        The guess for what is unlabelled of each, in the same order. An individual with neither guess nor labels is
        skipped.
    threshold : float
        Likelihood from which a guess is believed.
    """
    begun = [not annotation.is_empty for annotation in annotations]
    return any(begun) and not any(
        doubtful_bodyparts(annotation.states, guess, threshold)
        for annotation, guess, has_labels in zip(annotations, guesses, begun, strict=True)
        if has_labels or guess is not None
    )


def _likelihood(guess: Prediction) -> NDArray[np.float64]:
    """Return the likelihoods, 0 where there is no position."""
    return np.where(np.isfinite(guess.xy).all(axis=1), guess.likelihood, 0.0).astype(np.float64)
