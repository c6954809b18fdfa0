"""The tools and modes of labelling, as in napari-deeplabcut, and what a click does in each."""

from __future__ import annotations

import enum

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain.annotation import KeypointState


class Tool(enum.StrEnum):
    """What the mouse does."""

    ADD = "add"
    """A click places the selected bodypart."""
    SELECT = "select"
    """A click selects a bodypart and never places one; the arrow keys nudge it."""
    PAN = "pan"
    """The mouse only moves the view."""


class LabelMode(enum.StrEnum):
    """What follows a click that places a bodypart."""

    SEQUENTIAL = "sequential"
    """The next bodypart of the frame. A click never moves a label; dragging does."""
    QUICK = "quick"
    """Like sequential, but a click moves the label if the selected bodypart has one."""
    LOOP = "loop"
    """The same bodypart in the next frame; after the last frame, the next bodypart in the first frame."""


class ColourBy(enum.StrEnum):
    """What a point's colour shows."""

    BODYPART = "bodypart"
    INDIVIDUAL = "individual"


class Click(enum.Enum):
    """What a click does."""

    PLACE = enum.auto()
    CHOOSE = enum.auto()
    NOTHING = enum.auto()


def next_mode(mode: LabelMode) -> LabelMode:
    """Return the mode after ``mode``, cycling."""
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
        The selected bodypart.
    states : int8 array, (K,)
        `KeypointState` values of the frame.
    tool : Tool
        The active tool.
    mode : LabelMode
        The active mode.

    Returns
    -------
    Click
        With the tool *add*, it places the selected bodypart, even right beside another one, since two close bodyparts
        must be placeable. A click on another bodypart selects that one only if the selected one was looked at.
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
    """Return the bodypart to select after a click that placed one.

    Parameters
    ----------
    before : int8 array, (K,)
        States before the click.
    chosen_by_edit : int
        The selection after any other edit of that kind, see `labelling.bodypart_after_edit`.
    clicked : int
        The bodypart that was placed.
    mode : LabelMode
        The active mode.

    Returns
    -------
    int
        In *quick* mode, moving a label selects the next bodypart in order (the last one stays), as placing a new one
        does; in *loop* mode the selection stays.
    """
    if mode is LabelMode.LOOP:
        return clicked
    if mode is LabelMode.QUICK and before[clicked] == KeypointState.PLACED:
        return min(clicked + 1, len(before) - 1)
    return chosen_by_edit
