"""The list of labels worth a second look, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_al_pose.domain.annotation import Annotation, KeypointState
from napari_al_pose.domain.label_checks import LabelCheck
from napari_al_pose.domain.views.formatting import count, number

_SAME_PLACE_PX = 0.01


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One row: where, what and why."""

    check: LabelCheck
    title: str
    detail: str


def check_rows(checks: Sequence[LabelCheck]) -> tuple[CheckRow, ...]:
    """Return the rows, in the order of ``checks``."""
    return tuple(CheckRow(check, f"{check.key.video}, frame {check.key.frame}", _why(check)) for check in checks)


def check_button_text(n_checks: int) -> str:
    """Return what the button that opens the list says; "" while there is nothing to check."""
    return f"Check {count(n_checks, 'label')}" if n_checks else ""


def check_heading(n_checks: int) -> str:
    """Return the line above the list."""
    if not n_checks:
        return "No label looks wrong. They are checked again after each round."
    return (
        "A model that was not trained on these labels is sure of another place. Click one to go there, "
        "then move the keypoint or keep your label."
    )


def still_to_check(
    checks: Sequence[LabelCheck], annotation: Annotation, bodyparts: Sequence[str]
) -> tuple[LabelCheck, ...]:
    """Return ``checks`` without those of labels that ``annotation`` has moved or taken back since."""
    return tuple(check for check in checks if check.key != annotation.key or _is_in_place(check, annotation, bodyparts))


def _is_in_place(check: LabelCheck, annotation: Annotation, bodyparts: Sequence[str]) -> bool:
    if check.bodypart not in bodyparts:
        return False
    k = list(bodyparts).index(check.bodypart)
    placed = annotation.states[k] == KeypointState.PLACED
    return bool(placed and np.abs(annotation.xy[k] - (check.x, check.y)).max() <= _SAME_PLACE_PX)


def _why(check: LabelCheck) -> str:
    sure = f"the model is {check.likelihood:.0%} sure"
    if check.kind == "swapped":
        return f"{check.bodypart} and its counterpart on the other side look swapped; {sure}"
    return f"{check.bodypart}: {number(check.distance)} px from where the model sees it; {sure}"
