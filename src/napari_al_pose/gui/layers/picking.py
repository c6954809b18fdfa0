"""What a press on the canvas means: pure rules, in source pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import Annotation, KeypointState, Prediction

REACH = 8.0
"""How near a press must be to take hold of a point, in screen pixels."""

SLACK = 3.0
"""How far the mouse may move in a click, in screen pixels; hands tremble."""


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """What lies on the canvas: bodyparts of the first individual, then of the second..., then the unique ones.

    Parameters
    ----------
    xy : float array, (n, 2)
        Label, or where there is none the guess for the chosen individual; NaN where neither is.
    is_label : bool array, (n,)
        Where ``xy`` is a label.
    """

    xy: NDArray[np.float64]
    is_label: NDArray[np.bool_]


def points_on_canvas(annotations: Sequence[Annotation], guess: Prediction | None, individual: int) -> Points:
    """Return every individual's labels, and the guess where the chosen ``individual`` has none."""
    xy, is_label = [], []
    for index, annotation in enumerate(annotations):
        placed = annotation.states == KeypointState.PLACED
        guessed = np.full_like(annotation.xy, np.nan)
        if guess is not None and index == individual:
            open_ = annotation.states == KeypointState.UNSEEN
            guessed[open_] = guess.xy[open_]
        xy.append(np.where(placed[:, None], annotation.xy, guessed))
        is_label.append(placed)
    return Points(np.concatenate(xy), np.concatenate(is_label))


def hit(points: Points, xy: tuple[float, float], reach: float, current: int) -> int | None:
    """Return the point a press at ``xy`` takes hold of.

    Parameters
    ----------
    points : Points
        What lies on the canvas.
    xy : (float, float)
        Source pixels.
    reach : float
        In source pixels.
    current : int
        Row of the chosen individual's chosen bodypart; it wins wherever it is within reach.

    Returns
    -------
    int or None
        A row of ``points``; None where nothing is within ``reach``.
    """
    away = np.hypot(*(points.xy - np.asarray(xy)).T)
    away = np.where(np.isfinite(away), away, np.inf)
    if away[current] <= reach:
        return current
    nearest = int(away.argmin())
    return nearest if away[nearest] <= reach else None


def inside(xy: tuple[float, float], height: int, width: int) -> bool:
    """Tell whether ``xy`` (source pixels, pixel centres at integers) lies in the image."""
    return -0.5 <= xy[0] <= width - 0.5 and -0.5 <= xy[1] <= height - 0.5
