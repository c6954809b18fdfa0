"""Asking for some bodyparts of a frame instead of all of them: the doubtful ones, and a few drawn at random.

What is not asked for stays unseen, and training masks it. So that no bodypart is forgotten, every `WHOLE_EVERY`-th
frame of the queue is asked for as a whole. So is each test frame: the error must not depend on the model's doubt.
Of what the model is sure of, a share is drawn: otherwise nobody would notice where it is sure and wrong.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain.annotation import Annotation, FrameRole, KeypointState
from napari_al_pose.domain.confidence_threshold import Threshold, believed, margin
from napari_al_pose.domain.frames import FrameKey
from napari_al_pose.domain.prediction import Prediction

WHOLE_EVERY = 5
"""One frame of the queue in so many is asked for as a whole."""

DRAWN = 0.05
"""Share of the guesses that the model is sure of that are asked for as well."""


_SCARCE = 0.5
"""How much more the doubt about a bodypart without labels counts than that about the one with the most."""


def scarcity(n_labels: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return how much the doubt about each bodypart counts, (K,), so that labels are level over bodyparts.

    Parameters
    ----------
    n_labels : int array, (K,)
        Number of labels of each.

    Returns
    -------
    float array, (K,)
        1 for the bodypart with the most labels, and 1.5 for one without any.
    """
    return 1.0 + _SCARCE * (1.0 - np.asarray(n_labels, np.float64) / max(1, int(n_labels.max(initial=0))))


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


@functools.lru_cache(maxsize=4096)
def is_drawn(key: FrameKey, individual: str, n: int) -> NDArray[np.bool_]:
    """Return which bodyparts of an animal in a frame are asked for however sure the model is, the same every time.

    Parameters
    ----------
    key : FrameKey
        The frame.
    individual : str
        The animal.
    n : int
        Number of bodyparts.

    Returns
    -------
    bool array, (n,)
        Each is true with a probability of `DRAWN`.
    """
    name = f"{key.video}\n{key.frame}\n{individual}"
    seed = int.from_bytes(hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=8).digest())
    result: NDArray[np.bool_] = np.random.default_rng(seed).random(n) < DRAWN
    result.setflags(write=False)  # the queue asks for the same ones at every click
    return result


def asked_bodyparts(annotation: Annotation, guess: Prediction | None, threshold: Threshold) -> list[int]:
    """Return the unseen bodyparts that are asked for: the doubtful ones, worst first, and then those that were drawn.

    Parameters
    ----------
    annotation : Annotation
        The labels of one individual in the frame.
    guess : Prediction or None
        The model's guess for it; without a guess, every bodypart is doubtful.
    threshold : float, or float array, (K,)
        Likelihood from which a guess is believed.
    """
    unseen = annotation.states == KeypointState.UNSEEN
    if guess is None:
        return [int(k) for k in np.flatnonzero(unseen)]
    sure = np.isfinite(believed(guess, threshold)).all(axis=1)
    doubtful = np.flatnonzero(unseen & ~sure)
    worst_first = doubtful[np.argsort(margin(guess, threshold)[doubtful], kind="stable")]
    drawn = np.flatnonzero(unseen & sure & is_drawn(annotation.key, annotation.individual, len(unseen)))
    return [*worst_first.tolist(), *drawn.tolist()]


def is_answered(
    annotations: Sequence[Annotation], guesses: Sequence[Prediction | None], thresholds: Sequence[Threshold]
) -> bool:
    """Return whether nothing more is asked of a frame: a label was made, and of no animal is a bodypart asked for.

    Parameters
    ----------
    annotations : sequence of Annotation
        The labels of each individual.
    guesses : sequence of Prediction or None
        The guess for what is unlabelled of each, in the same order. An individual with neither guess nor labels is
        skipped.
    thresholds : sequence of float, or of float array, (K,)
        Likelihood from which guesses for each are believed.
    """
    begun = [not annotation.is_empty for annotation in annotations]
    return any(begun) and not any(
        asked_bodyparts(annotation, guess, threshold)
        for annotation, guess, threshold, has_labels in zip(annotations, guesses, thresholds, begun, strict=True)
        if has_labels or guess is not None
    )
