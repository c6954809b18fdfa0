"""The lines on the canvas that say what the next click does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from napari_al_pose.domain import Annotation, FrameRole, KeypointState, Prediction
from napari_al_pose.domain.tools import LabelMode, Tool
from napari_al_pose.gui.key_table import with_keys


def prompt(
    annotation: Annotation | None,
    guess: Prediction | None,
    bodypart: str,
    *,
    role: FrameRole = FrameRole.TRAIN,
    tool: Tool = Tool.ADD,
    mode: LabelMode = LabelMode.SEQUENTIAL,
    individuals: Sequence[str] = (),
    read_only: bool = False,
    say: Callable[[str], str] = with_keys,
) -> str:
    """Return the lines for the current frame: what it is, what a click does, and which keys help.

    ``say`` puts the keys in the place of ``{name}``, see `napari_al_pose.gui.key_table.with_keys`.
    """
    if annotation is None:
        return ""
    lines = ["HOLD-OUT: measured on, never trained on"] if role is FrameRole.HOLDOUT else []
    if read_only:
        return "\n".join([*lines, "read-only"])
    n = len(annotation.states)
    done = int((annotation.states != KeypointState.UNSEEN).sum())
    who = f"{annotation.individual} · " if len(individuals) > 1 else ""
    add, select, none = "{options.set tool add}", "{options.set tool select}", "{mark_not_visible}: not visible"
    if tool is Tool.PAN:
        lines.append(f"{who}pan: {add} to label, {select} to select")
    elif done == n:
        lines.append(f"{who}complete · {{next_suggestion}}: next frame")
        lines[-1] += " · {next_individual}: next individual" if who else ""
    elif tool is Tool.SELECT:
        lines.append(f"{who}select: {bodypart} · arrows nudge it · {add} to label")
    else:
        loop = " · loop" if mode is LabelMode.LOOP else ""
        lines.append(f"{who}click: {bodypart} · {done} of {n}{loop}")
        guessed = guess is not None and bool(np.isfinite(guess.xy).any())
        lines.append(f"{{accept_guess}}: accept the guess · {none}" if guessed else none)
    return say("\n".join(lines))


def point_name(bodypart: str, individual: str, likelihood: float | None, *, borrowed: bool = False) -> str:
    """Return what the mouse shows over a point; ``likelihood`` is None over a label."""
    name = f"{individual}: {bodypart}" if individual else bodypart
    if likelihood is None:
        return name
    return f"{name}, from another frame" if borrowed else f"{name}, guess {likelihood:.0%}"
