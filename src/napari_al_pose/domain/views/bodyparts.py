"""What the bodypart panel shows of one frame."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from napari_al_pose.domain.annotation import Annotation, KeypointState
from napari_al_pose.domain.prediction import Prediction
from napari_al_pose.domain.skeleton import Skeleton
from napari_al_pose.domain.views.words import count


class BodypartMark(enum.StrEnum):
    """Which of the four icons a bodypart gets."""

    OPEN = "open"
    GUESSED = "guessed"
    PLACED = "placed"
    NOT_VISIBLE = "not visible"


@dataclass(frozen=True, slots=True)
class BodypartRow:
    """One line of the bodypart panel.

    Parameters
    ----------
    name : str
    mark : BodypartMark
    text : str
        The state in words, short enough to stand beside the name.
    is_current : bool
        Whether the next click places it.
    """

    name: str
    mark: BodypartMark
    text: str
    is_current: bool


def bodypart_rows(
    annotation: Annotation | None, guess: Prediction | None, skeleton: Skeleton, current: str
) -> tuple[BodypartRow, ...]:
    """Return one row per bodypart in labelling order.

    A label always hides the model's guess: the guess is only offered where nobody looked yet.
    """
    rows = []
    for index, name in enumerate(skeleton.bodyparts):
        state = KeypointState.UNSEEN if annotation is None else KeypointState(int(annotation.states[index]))
        mark, text = _mark(state, guess, index)
        rows.append(BodypartRow(name, mark, text, is_current=name == current))
    return tuple(rows)


def frame_progress(annotation: Annotation | None, skeleton: Skeleton) -> str:
    """Return how much of the frame is labelled: "3 of 4 bodyparts" or "complete"."""
    if annotation is None:
        return ""
    done = int((annotation.states != KeypointState.UNSEEN).sum())
    if annotation.is_complete:
        return "complete"
    return f"{done} of {count(skeleton.n_bodyparts, 'bodypart')}"


def _mark(state: KeypointState, guess: Prediction | None, index: int) -> tuple[BodypartMark, str]:
    if state is KeypointState.PLACED:
        return BodypartMark.PLACED, "placed"
    if state is KeypointState.NOT_VISIBLE:
        return BodypartMark.NOT_VISIBLE, "not visible"
    if guess is not None and np.isfinite(guess.xy[index]).all():
        if guess.model_version == 0:
            return BodypartMark.GUESSED, "from another frame"
        return BodypartMark.GUESSED, f"guess {float(guess.likelihood[index]):.0%}"
    return BodypartMark.OPEN, ""
