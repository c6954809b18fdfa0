"""What the bodypart panel shows of one frame."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_al_pose.domain.annotation import Annotation, KeypointState
from napari_al_pose.domain.views.prompt import Guessed
from napari_al_pose.domain.wording import counted


class BodypartMark(enum.StrEnum):
    """Which icon a bodypart gets."""

    OPEN = "open"
    GUESSED = "guessed"
    DOUBTED = "doubted"
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
    annotation: Annotation | None, guessed: Guessed | None, bodyparts: Sequence[str], current: str
) -> tuple[BodypartRow, ...]:
    """Return one row per bodypart in labelling order.

    A label always hides the guess: it is only offered where nobody looked yet.
    """
    rows = []
    for index, name in enumerate(bodyparts):
        state = KeypointState.UNSEEN if annotation is None else KeypointState(int(annotation.states[index]))
        mark, text = _mark(state, guessed, index)
        rows.append(BodypartRow(name, mark, text, is_current=name == current))
    return tuple(rows)


def frame_progress(annotation: Annotation | None) -> str:
    """Return how much of the frame is labelled: "3 of 4 bodyparts" or "complete"."""
    if annotation is None:
        return ""
    done = int((annotation.states != KeypointState.UNSEEN).sum())
    if annotation.is_complete:
        return "complete"
    return f"{done} of {counted(len(annotation.states), 'bodypart')}"


def _mark(state: KeypointState, guessed: Guessed | None, index: int) -> tuple[BodypartMark, str]:
    if state is KeypointState.PLACED:
        return BodypartMark.PLACED, "placed"
    if state is KeypointState.NOT_VISIBLE:
        return BodypartMark.NOT_VISIBLE, "not visible"
    if guessed is None or not np.isfinite(guessed.pose.xy[index]).all():
        return BodypartMark.OPEN, ""
    if guessed.copied_from is not None:
        return BodypartMark.GUESSED, f"from frame {guessed.copied_from.frame}"
    likelihood = float(guessed.pose.likelihood[index])
    if guessed.doubted[index]:
        return BodypartMark.DOUBTED, f"not visible? {likelihood:.0%}"
    return BodypartMark.GUESSED, f"guess {likelihood:.0%}"
