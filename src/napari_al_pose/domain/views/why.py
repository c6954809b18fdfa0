"""Why the current frame is worth labelling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from napari_al_pose.domain.annotation import FrameRole
from napari_al_pose.domain.frames import FrameKey
from napari_al_pose.domain.suggestion import BodypartReason, Suggestion
from napari_al_pose.domain.views.formatting import number


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
    """What the panel shows: a sentence, bars with a caption saying what they measure, and more for whoever asks."""

    sentence: str
    caption: str
    bars: tuple[WhyBar, ...]
    more: str = ""


MAX_BARS = 4
"""More bars than this don't fit; the most telling ones stay."""

AS_LIKELY = 0.3
"""Share of the highest peak from which another one counts as a place where the bodypart may be."""

CAPTION = "Score by bodypart, highest first"
SCALE = "A full bar is the highest score of any bodypart in the queue."
NOT_SUGGESTED = "This frame isn't suggested."
PRESS_NEXT = " Press {} for the next suggestion."
RANDOM = "Test frame: drawn at random to measure the error, never used for training."
_NUMBERS = ("no", "one", "two", "three", "four", "five")


def why_view(
    key: FrameKey | None, suggestion: Suggestion | None, queue: Sequence[Suggestion] = (), *, next_key: str = ""
) -> WhyView:
    """Return what makes a suggested frame worth labelling, and what tells it from the other suggestions.

    Parameters
    ----------
    key : FrameKey or None
        The frame in front of the user.
    suggestion : Suggestion or None
        Its row in the queue, if it has one.
    queue : sequence of Suggestion
        All suggestions: the bars of all of them are on one scale.
    next_key : str
        The key that goes on to the queue's next frame; "" where there is none to go to.
    """
    if key is None:
        return WhyView("", "", ())
    if suggestion is None:
        return WhyView(NOT_SUGGESTED + (PRESS_NEXT.format(next_key) if next_key else ""), "", ())
    if suggestion.role is FrameRole.HOLDOUT:
        return WhyView(RANDOM, "", ())
    scored = [reason for reason in suggestion.reasons if math.isfinite(reason.score)]
    if not scored:
        return WhyView(_plain(suggestion), "", ())
    bars = _bars(scored, [reason for each in queue for reason in each.reasons])
    return WhyView(_standing_out(suggestion, scored, queue), CAPTION, bars, _plain(suggestion))


def _plain(suggestion: Suggestion) -> str:
    """Return the strategy's own sentence, as a sentence."""
    reason = suggestion.sentence or f"Chosen by {suggestion.strategy}"
    return f"{reason[0].upper()}{reason[1:]}".rstrip(".") + "."


def _standing_out(suggestion: Suggestion, scored: Sequence[BodypartReason], queue: Sequence[Suggestion]) -> str:
    """Return what is more in this frame than in the other suggestions."""
    others: dict[str, list[float]] = {}
    for each in queue:
        if each.key != suggestion.key:
            for reason in each.reasons:
                others.setdefault(reason.bodypart, []).append(reason.score)

    def share_below(reason: BodypartReason) -> float:
        scores = others.get(reason.bodypart, ())
        return sum(score < reason.score for score in scores) / len(scores) if scores else 0.0

    most = max(scored, key=lambda reason: (share_below(reason), reason.score))
    share = share_below(most)
    if share < 0.5:
        return f"The model sees {_seen(max(scored, key=lambda reason: reason.score))}."
    compared = "any other suggestion" if share == 1 else f"{100 * share:.0f} % of the others"
    if _places(most) > 1:
        return f"The model sees {_seen(most)}; the score is higher than in {compared}."
    return f"The model sees the {most.bodypart} less clearly than in {compared}."


def _seen(reason: BodypartReason) -> str:
    n = _places(reason)
    return (
        f"{_NUMBERS[n]} possible places for the {reason.bodypart}" if n > 1 else f"the {reason.bodypart} least clearly"
    )


def _places(reason: BodypartReason) -> int:
    highest = max((height for _, _, height in reason.peaks), default=0.0)
    return min(len(_NUMBERS) - 1, sum(height >= AS_LIKELY * highest for _, _, height in reason.peaks))


def _bars(scored: Sequence[BodypartReason], in_queue: Sequence[BodypartReason]) -> tuple[WhyBar, ...]:
    """Return the `MAX_BARS` highest scores, highest first, on the queue's scale."""
    longest = max(abs(reason.score) for reason in (*scored, *in_queue) if math.isfinite(reason.score))
    bars = []
    for reason in sorted(scored, key=lambda reason: -reason.score)[:MAX_BARS]:
        fraction = abs(reason.score) / longest if longest > 0 else 0.0
        peaks = ", ".join(f"{height:.2f} at ({x:.0f}, {y:.0f})" for x, y, height in reason.peaks)
        tooltip = f"{reason.bodypart}: peaks {peaks}" if peaks else reason.bodypart
        bars.append(WhyBar(reason.bodypart, fraction, number(reason.score), f"{tooltip}\n{SCALE}"))
    return tuple(bars)
