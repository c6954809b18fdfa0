"""The line on the canvas that says what the next click does."""

from __future__ import annotations

import numpy as np

from napari_al_pose.domain import Annotation, FrameRole, KeypointState, Prediction


def prompt(annotation: Annotation | None, guess: Prediction | None, bodypart: str, *, read_only: bool) -> str:
    """Return the line for the current frame."""
    if annotation is None:
        return ""
    if read_only:
        return "read-only"
    hold_out = "hold-out · " if annotation.role == FrameRole.HOLDOUT else ""
    n = len(annotation.states)
    done = int((annotation.states != KeypointState.UNSEEN).sum())
    if done == n:
        return f"{hold_out}complete · N: next frame"
    line = f"{hold_out}click: {bodypart} · {done} of {n} · X: not visible"
    if guess is not None and np.isfinite(guess.xy).any():
        line += " · Enter: accept the guess"
    return line
