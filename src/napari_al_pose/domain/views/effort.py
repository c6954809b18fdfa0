"""What labelling took, in words."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import replace

from napari_al_pose.domain.effort import Effort, RoundEffort
from napari_al_pose.domain.suggestion import Round
from napari_al_pose.domain.views.formatting import duration
from napari_al_pose.domain.views.learning import ErrorCurve, error_curve
from napari_al_pose.domain.wording import counted


def round_line(effort: RoundEffort) -> str:
    """Return what a round took: "Round 4: 31 of 40 points accepted, 9 corrected, 61 s"."""
    total = effort.accepted + effort.corrected + effort.placed
    if effort.accepted or effort.corrected:
        parts = [f"{effort.accepted} of {counted(total, 'point')} accepted"]
        parts += [f"{effort.corrected} corrected"] if effort.corrected else []
        parts += [f"{effort.placed} placed"] if effort.placed else []
    else:
        parts = [f"{counted(effort.placed, 'point')} placed"]
    return f"Round {effort.number}: {', '.join(parts)}, {duration(effort.seconds)}"


def newest_line(rounds: Sequence[RoundEffort]) -> str:
    """Return the line of the newest round in which something was labelled; "" if there is none."""
    return round_line(rounds[-1]) if rounds else ""


def newest_sentence(effort: Effort | None) -> str:
    """Return `newest_line` as a sentence, to stand after another one; "" while nothing is known."""
    line = newest_line(effort.rounds) if effort is not None else ""
    return f"{line}." if line else ""


def effort_lines(effort: Effort) -> list[str]:
    """Return what all labelling took, a line for each round and for each kind of action."""
    if not effort.frames:
        return ["Nothing has been labelled in the window yet."]
    lines = [round_line(one) for one in effort.rounds]
    each = effort.seconds_a_frame or 0.0
    lines.append(
        f"{counted(effort.frames, 'frame')} in {duration(effort.seconds)}: {each:.0f} s and "
        f"{effort.clicks_a_frame or 0:.1f} clicks a frame, {counted(effort.pauses, 'pause')} left out"
    )
    kinds = {
        "Looking at a frame": effort.look,
        "Placing a point": effort.place,
        "Correcting a point": effort.drag,
        "Accepting guesses": effort.accept,
        "Undoing": effort.undo,
    }
    lines += [f"{name}: {t.seconds:.1f} s ({t.n})" for name, t in kinds.items() if t.seconds is not None]
    return lines


class CurveAxis(enum.StrEnum):
    """What the error over the rounds is drawn against."""

    FRAMES = "labelled frames"
    CLICKS = "clicks"
    MINUTES = "minutes of labelling"


def curve_over(rounds: Sequence[Round], effort: Effort | None, axis: CurveAxis) -> ErrorCurve:
    """Return the error of the rounds against what labelling had taken until each of them.

    Against frames while the log has not been read yet.
    """
    curve = error_curve(rounds)
    if axis is CurveAxis.FRAMES or effort is None:
        return curve
    spent = tuple(sum(_amount(one, axis) for one in effort.rounds if one.number <= number) for number in curve.rounds)
    return replace(curve, labels=spent)


def _amount(effort: RoundEffort, axis: CurveAxis) -> float:
    return effort.clicks if axis is CurveAxis.CLICKS else effort.seconds / 60
