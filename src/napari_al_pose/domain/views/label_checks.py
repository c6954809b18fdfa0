"""What the window says and draws of labels that look wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_al_pose.domain.label_checks import LabelCheck
from napari_al_pose.domain.views.prompt import Prompt
from napari_al_pose.domain.wording import counted

KEEP, TAKE, EXCHANGE, NEXT = "Keep my label", "Take the model's point", "Exchange the two", "Next"
"""What the buttons say."""


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One row: where, what and why."""

    check: LabelCheck
    title: str
    detail: str


@dataclass(frozen=True, slots=True)
class CheckMarks:
    """What is drawn of a check: the label, where the model sees it, and what stands beside the second.

    Parameters
    ----------
    label, seen : (float, float)
        Source pixels.
    text : str
    """

    label: tuple[float, float]
    seen: tuple[float, float]
    text: str


def check_button_text(n_checks: int) -> str:
    """Return what the button that opens the labels to check says; "" if there are none."""
    return f"Check {counted(n_checks, 'label')}" if n_checks else ""


def check_rows(checks: Sequence[LabelCheck]) -> tuple[CheckRow, ...]:
    """Return the rows, in the order of ``checks``."""
    return tuple(CheckRow(check, f"{check.key.video}, frame {check.key.frame}", _why(check)) for check in checks)


def check_place(checks: Sequence[LabelCheck], current: LabelCheck | None) -> str:
    """Return which of the labels is looked at: "2 of 7"."""
    if current is not None and current in checks:
        return f"{list(checks).index(current) + 1} of {len(checks)}"
    return f"{len(checks)} left" if checks else "none left"


def check_heading(n_checks: int) -> str:
    """Return the line above the list."""
    if not n_checks:
        return "No label looks wrong any more. They are checked again after each round."
    return "A model that was not trained on these labels confidently predicts another place."


def take_text(check: LabelCheck | None) -> str:
    """Return what the button that follows the model says."""
    return EXCHANGE if check is not None and check.counterpart else TAKE


def check_marks(check: LabelCheck) -> CheckMarks | None:
    """Return what is drawn on the canvas; None if the model's point is not known."""
    if check.seen is None:
        return None
    apart = float(np.hypot(check.seen[0] - check.x, check.seen[1] - check.y))
    return CheckMarks((check.x, check.y), check.seen, f"model, {apart:.0f} px away")


def swap_text(check: LabelCheck) -> str:
    """Return which two bodyparts look swapped."""
    other = check.counterpart or "its counterpart on the other side"
    return f"{check.bodypart} and {other} look swapped"


def check_prompt(check: LabelCheck) -> Prompt:
    """Return what the strip above the canvas says while a label is checked."""
    take = take_text(check)
    keys = f"{{checks.keep}}: keep my label   {{checks.take}}: {take[0].lower()}{take[1:]}   {{checks.next}}: next"
    who = f"{check.individual}: " if check.individual else ""
    if check.kind == "swapped":
        return Prompt(f"{who}{swap_text(check)}", keys)
    return Prompt(f"{who}Your {check.bodypart} is {check.distance:.0f} px from where the model sees it", keys)


def _why(check: LabelCheck) -> str:
    sure = f"{check.likelihood:.0%} sure"
    who = f"{check.individual}, " if check.individual else ""
    if check.kind == "swapped":
        return f"{who}{swap_text(check)}; {sure}"
    return f"{who}{check.bodypart}: {check.distance:.0f} px from the model's point; {sure}"
