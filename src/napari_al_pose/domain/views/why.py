"""Why the frame in front of the user is worth labelling."""

from __future__ import annotations

import math
from dataclasses import dataclass

from napari_al_pose.domain.annotation import FrameRole
from napari_al_pose.domain.frames import FrameKey
from napari_al_pose.domain.prediction import Prediction
from napari_al_pose.domain.skeleton import Skeleton
from napari_al_pose.domain.suggestion import Suggestion
from napari_al_pose.domain.views.words import number


@dataclass(frozen=True, slots=True)
class WhyBar:
    """One bodypart's part in the reason.

    Parameters
    ----------
    bodypart : str
    fraction : float
        Length of the bar, in [0, 1].
    text : str
        The number itself.
    tooltip : str
    """

    bodypart: str
    fraction: float
    text: str
    tooltip: str


@dataclass(frozen=True, slots=True)
class WhyView:
    """What the panel shows: a sentence, and bars with a caption saying what they measure."""

    sentence: str
    caption: str
    bars: tuple[WhyBar, ...]


MAX_BARS = 4
"""More bars than this don't fit; the most telling ones stay."""


def why_view(
    key: FrameKey | None,
    suggestion: Suggestion | None,
    guess: Prediction | None,
    skeleton: Skeleton,
    *,
    next_key: str = "",
) -> WhyView:
    """Return the reasons for a suggested frame, and the model's likelihoods for any other.

    Parameters
    ----------
    key : FrameKey or None
        The frame in front of the user.
    suggestion : Suggestion or None
        Its row in the queue, if it has one.
    guess : Prediction or None
        The model's pose in this frame.
    skeleton : Skeleton
        Names the bars.
    next_key : str
        The key that goes on to the queue's next frame; "" where there is none to go to.
    """
    if key is None:
        return WhyView("", "", ())
    if suggestion is not None and suggestion.reasons:
        return _view(_sentence(suggestion), "Score by bodypart", _reason_bars(suggestion), +1)
    sentence = _sentence(suggestion) if suggestion is not None else _beside_the_queue(next_key)
    if guess is None:
        return WhyView(sentence, "", ())
    return _view(sentence, "Likelihood of the guess", _likelihood_bars(guess, skeleton), -1)


def _view(sentence: str, caption: str, bars: tuple[WhyBar, ...], sign: int) -> WhyView:
    """Keep the `MAX_BARS` longest (``sign`` 1) or shortest (-1) bars, in labelling order."""
    ranked = sorted(range(len(bars)), key=lambda index: -sign * bars[index].fraction)
    kept = sorted(ranked[:MAX_BARS])
    if len(kept) < len(bars):
        caption += f", {'highest' if sign > 0 else 'lowest'} {len(kept)} of {len(bars)}"
    return WhyView(sentence, caption, tuple(bars[index] for index in kept))


def _sentence(suggestion: Suggestion) -> str:
    if suggestion.role is FrameRole.HOLDOUT:
        return "Drawn at random to measure the error on; the model never trains on it."
    return suggestion.sentence or f"Chosen by {suggestion.strategy}."


def _beside_the_queue(next_key: str) -> str:
    return f"Not in the queue; {next_key} goes to its next frame." if next_key else "Not in the queue."


def _reason_bars(suggestion: Suggestion) -> tuple[WhyBar, ...]:
    finite = [abs(reason.score) for reason in suggestion.reasons if math.isfinite(reason.score)]
    longest = max(finite, default=0.0)
    bars = []
    for reason in suggestion.reasons:
        fraction = abs(reason.score) / longest if longest > 0 and math.isfinite(reason.score) else 0.0
        peaks = ", ".join(f"{height:.2f} at ({x:.0f}, {y:.0f})" for x, y, height in reason.peaks)
        tooltip = f"{reason.bodypart}: peaks {peaks}" if peaks else reason.bodypart
        bars.append(WhyBar(reason.bodypart, fraction, number(reason.score), tooltip))
    return tuple(bars)


def _likelihood_bars(guess: Prediction, skeleton: Skeleton) -> tuple[WhyBar, ...]:
    bars = []
    for name, likelihood in zip(skeleton.bodyparts, guess.likelihood, strict=True):
        value = float(likelihood) if math.isfinite(likelihood) else 0.0
        bars.append(WhyBar(name, min(1.0, max(0.0, value)), f"{value:.0%}", f"{name}: likelihood {value:.2f}"))
    return tuple(bars)
