"""The lines on the canvas that say what the next click does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_al_pose.domain import Annotation, FrameRole, KeypointState, Prediction
from napari_al_pose.domain.tools import LabelMode, Tool


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
) -> str:
    """Return the lines for the current frame: what it is, what a click does, and which keys help."""
    if annotation is None:
        return ""
    lines = ["HOLD-OUT: measured on, never trained on"] if role is FrameRole.HOLDOUT else []
    if read_only:
        return "\n".join([*lines, "read-only"])
    n = len(annotation.states)
    done = int((annotation.states != KeypointState.UNSEEN).sum())
    who = f"{annotation.individual} · " if len(individuals) > 1 else ""
    if tool is Tool.PAN:
        lines.append(f"{who}pan: 2 to label, 3 to select")
    elif done == n:
        lines.append(f"{who}complete · N: next frame" + (" · I: next individual" if who else ""))
    elif tool is Tool.SELECT:
        lines.append(f"{who}select: {bodypart} · arrows nudge it · 2 to label")
    else:
        loop = " · loop" if mode is LabelMode.LOOP else ""
        lines.append(f"{who}click: {bodypart} · {done} of {n}{loop}")
        guessed = guess is not None and bool(np.isfinite(guess.xy).any())
        lines.append("Enter: accept the guess · X: not visible" if guessed else "X: not visible")
    return "\n".join(lines)


def point_name(bodypart: str, individual: str, likelihood: float | None, *, borrowed: bool = False) -> str:
    """Return what the mouse shows over a point; ``likelihood`` is None over a label."""
    name = f"{individual}: {bodypart}" if individual else bodypart
    if likelihood is None:
        return name
    return f"{name}, from another frame" if borrowed else f"{name}, guess {likelihood:.0%}"
