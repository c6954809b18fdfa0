"""The tools and modes of labelling, as napari-deeplabcut has them, and what a click does in each."""

from __future__ import annotations

import enum

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain.annotation import KeypointState


class Tool(enum.StrEnum):
    """What the mouse is for."""

    ADD = "add"
    """A click places the chosen bodypart."""
    SELECT = "select"
    """A click chooses a bodypart and never places one; the arrow keys nudge it."""
    PAN = "pan"
    """The mouse moves the view and nothing else."""


class LabelMode(enum.StrEnum):
    """What follows a click that places a bodypart."""

    SEQUENTIAL = "sequential"
    """The next bodypart of the frame. A click never moves a label; dragging does."""
    QUICK = "quick"
    """As sequential, but a click moves the label where the chosen bodypart has one."""
    LOOP = "loop"
    """The same bodypart in the next frame; after the last frame the next bodypart, from the first frame."""


class ColourBy(enum.StrEnum):
    """What the colour of a point stands for."""

    BODYPART = "bodypart"
    INDIVIDUAL = "individual"


class Click(enum.Enum):
    """What a click does."""

    PLACE = enum.auto()
    CHOOSE = enum.auto()
    NOTHING = enum.auto()


def next_mode(mode: LabelMode) -> LabelMode:
    """Return the mode after ``mode``, going round."""
    modes = list(LabelMode)
    return modes[(modes.index(mode) + 1) % len(modes)]


def click_meaning(
    target: int | None,
    current: int,
    states: NDArray[np.int8],
    *,
    tool: Tool = Tool.ADD,
    mode: LabelMode = LabelMode.SEQUENTIAL,
) -> Click:
    """Return what a click without a drag does.

    Parameters
    ----------
    target : int or None
        The point under the mouse.
    current : int
        The chosen bodypart.
    states : int8 array, (K,)
        `KeypointState` values of the frame.
    tool : Tool
        What the mouse is for.
    mode : LabelMode
        What follows a click.

    Returns
    -------
    Click
        With the tool *add*: it places the chosen bodypart, also right beside another one, as two close bodyparts must
        be placeable. Only when the chosen one has been looked at does a click on another bodypart choose that one.
    """
    if tool is Tool.PAN:
        return Click.NOTHING
    if tool is Tool.SELECT:
        return Click.NOTHING if target is None else Click.CHOOSE
    if target is not None and target != current and states[current] != KeypointState.UNSEEN:
        return Click.CHOOSE
    if states[current] == KeypointState.PLACED and mode is not LabelMode.QUICK:
        return Click.NOTHING
    return Click.PLACE


def bodypart_after_click(before: NDArray[np.int8], chosen_by_edit: int, clicked: int, mode: LabelMode) -> int:
    """Return the bodypart to choose after a click that placed one.

    Parameters
    ----------
    before : int8 array, (K,)
        States before the click.
    chosen_by_edit : int
        What is chosen after any other edit of that kind, see `labelling.bodypart_after_edit`.
    clicked : int
        The bodypart that was placed.
    mode : LabelMode
        What follows a click.

    Returns
    -------
    int
        In *quick* mode a label that was moved leads to the next bodypart in order (the last stays chosen), as a new
        one does; in *loop* mode the bodypart stays.
    """
    if mode is LabelMode.LOOP:
        return clicked
    if mode is LabelMode.QUICK and before[clicked] == KeypointState.PLACED:
        return min(clicked + 1, len(before) - 1)
    return chosen_by_edit
