"""What a press on the canvas means: pure rules, in source pixels."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import Annotation, KeypointState, Prediction

REACH = 8.0
"""How near a press must be to take hold of a point, in screen pixels."""

SLACK = 3.0
"""How far the mouse may move in a click, in screen pixels; hands tremble."""


class Click(enum.Enum):
    """What a click does."""

    PLACE = enum.auto()
    CHOOSE = enum.auto()


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """What lies on the canvas.

    Parameters
    ----------
    xy : float array, (K, 2)
        Label, or where there is none the model's guess; NaN where neither is.
    is_label : bool array, (K,)
    """

    xy: NDArray[np.float64]
    is_label: NDArray[np.bool_]


def points_on_canvas(annotation: Annotation, guess: Prediction | None) -> Points:
    """Return each bodypart's label, else its guess."""
    is_label = annotation.states == KeypointState.PLACED
    guessed = np.full_like(annotation.xy, np.nan) if guess is None else guess.xy.astype(float)
    hidden = annotation.states == KeypointState.NOT_VISIBLE
    guessed[hidden] = np.nan
    return Points(np.where(is_label[:, None], annotation.xy, guessed), is_label)


def hit(points: Points, xy: tuple[float, float], reach: float, current: int) -> int | None:
    """Return the bodypart a press at ``xy`` takes hold of.

    Parameters
    ----------
    points : Points
        What lies on the canvas.
    xy : (float, float)
        Source pixels.
    reach : float
        In source pixels.
    current : int
        The chosen bodypart; it wins wherever it is within reach.

    Returns
    -------
    int or None
        None where nothing is within ``reach``.
    """
    away = np.hypot(*(points.xy - np.asarray(xy)).T)
    away = np.where(np.isfinite(away), away, np.inf)
    if away[current] <= reach:
        return current
    nearest = int(away.argmin())
    return nearest if away[nearest] <= reach else None


def click_meaning(target: int | None, current: int, states: NDArray[np.int8]) -> Click:
    """Return what a click without a drag does.

    It places the chosen bodypart, also right beside another one: two close bodyparts must be placeable. Only when the
    chosen one has been looked at does a click on another bodypart choose that one.
    """
    if target is None or target == current or states[current] == KeypointState.UNSEEN:
        return Click.PLACE
    return Click.CHOOSE


def inside(xy: tuple[float, float], height: int, width: int) -> bool:
    """Tell whether ``xy`` (source pixels, pixel centres at integers) lies in the image."""
    return -0.5 <= xy[0] <= width - 0.5 and -0.5 <= xy[1] <= height - 0.5
