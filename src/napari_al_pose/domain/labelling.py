"""The rules of labelling: which bodypart comes next, what a guess may still fill, when to learn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain.annotation import Annotation, KeypointState
from napari_al_pose.domain.prediction import Prediction


def next_unseen(states: NDArray[np.int8], current: int) -> int | None:
    """Return the next bodypart nobody has looked at, going round from ``current``.

    Parameters
    ----------
    states : int8 array, (K,)
        `KeypointState` values.
    current : int
        Index of the bodypart just handled; it comes last.

    Returns
    -------
    int or None
        None when every bodypart was looked at: the frame is complete.
    """
    n = len(states)
    for offset in range(1, n + 1):
        index = (current + offset) % n
        if states[index] == KeypointState.UNSEEN:
            return index
    return None


def first_bodypart(states: NDArray[np.int8]) -> int:
    """Return the bodypart to start with on arriving at a frame: the first unseen one, else the first."""
    unseen = np.flatnonzero(states == KeypointState.UNSEEN)
    return int(unseen[0]) if len(unseen) else 0


def bodypart_after_edit(before: NDArray[np.int8], after: NDArray[np.int8], current: int, edited: int) -> int:
    """Return the bodypart to choose after an edit.

    Parameters
    ----------
    before, after : int8 array, (K,)
        `KeypointState` values of the frame.
    current, edited : int
        The chosen bodypart, and the one that was edited.

    Returns
    -------
    int
        A cleared bodypart is chosen again. A label that was only moved leaves the choice as it is, and so does any
        edit while the chosen bodypart is still to be looked at. Otherwise the next unseen one; where there
        is none the frame is complete and the choice stays.
    """
    if after[edited] == KeypointState.UNSEEN:
        return edited
    nothing_new = np.array_equal(before == KeypointState.UNSEEN, after == KeypointState.UNSEEN)
    if nothing_new or after[current] == KeypointState.UNSEEN:
        return current
    following = next_unseen(after, current)
    return current if following is None else following


def bodypart_after_undo(before: NDArray[np.int8], after: NDArray[np.int8], current: int) -> int:
    """Return the bodypart to choose after an undo or redo in the same frame.

    One whose label is gone is chosen again; otherwise it is as after the edit itself.
    """
    reopened = np.flatnonzero((before != KeypointState.UNSEEN) & (after == KeypointState.UNSEEN))
    return int(reopened[0]) if len(reopened) else bodypart_after_edit(before, after, current, current)


def neighbour_bodypart(current: int, delta: int, n_bodyparts: int) -> int:
    """Return the bodypart ``delta`` places along, going round at the ends."""
    return (current + delta) % n_bodyparts


def open_guess(prediction: Prediction | None, annotation: Annotation) -> Prediction | None:
    """Return what of ``prediction`` the user has not labelled yet.

    Returns
    -------
    Prediction or None
        ``xy`` is NaN and ``likelihood`` 0 where a label is; None if nothing is left to guess.
    """
    if prediction is None or len(prediction.xy) != len(annotation.states):
        return None
    unseen = annotation.states == KeypointState.UNSEEN
    shown = unseen & np.isfinite(prediction.xy).all(axis=1)
    if not shown.any():
        return None
    xy = np.where(shown[:, None], prediction.xy, np.float32(np.nan)).astype(np.float32)
    likelihood = np.where(shown, prediction.likelihood, 0).astype(np.float32)
    return Prediction(prediction.key, prediction.model_version, xy, likelihood)


def time_to_learn(n_new: int, learn_after: int) -> bool:
    """Tell whether ``n_new`` complete frames since the last training are enough to start the next.

    ``learn_after`` 0 means never by itself.
    """
    return learn_after > 0 and n_new >= learn_after
