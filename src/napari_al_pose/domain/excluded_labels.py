"""Labels that the model can't learn from, counted by reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ExcludedLabels:
    """Labelled frames that are excluded for one reason.

    Parameters
    ----------
    reason : str
        Completes the word "frames": "without an image", "of cam1, whose video is missing".
    frames : int
        Their number.
    """

    reason: str
    frames: int


def excluded_labels_sentence(learnt: int, left_out: Sequence[ExcludedLabels]) -> str:
    """Return how many labelled frames are learnt from and why others are not; "" if none is excluded.

    Examples
    --------
    >>> excluded_labels_sentence(9, [ExcludedLabels("of cam1, whose images are missing", 3)])
    'Learnt from 9 of 12 labelled frames. Left out: 3 of cam1, whose images are missing.'
    """
    if not left_out:
        return ""
    missing = sum(some.frames for some in left_out)
    listed = "; ".join(f"{some.frames} {some.reason}" for some in left_out)
    return f"Trained on {learnt} of {learnt + missing} labelled frames. Left out: {listed}."
