"""The header's texts about the open project."""

from __future__ import annotations

from dataclasses import dataclass


def project_line(scorer: str, *, n_complete: int, n_labelled: int, n_holdout: int) -> str:
    """Return the counts under the project's name: "Pranav · 36 labelled · 2 begun · 8 test"."""
    parts = [scorer, f"{n_complete:,} labelled"]
    if n_labelled > n_complete:
        parts.append(f"{n_labelled - n_complete:,} begun")
    if n_holdout:
        parts.append(f"{n_holdout:,} test")
    return " · ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class SaveView:
    """Whether edits are kept, in a word and in a sentence."""

    text: str
    tooltip: str


def save_view(*, read_only: bool, lock_holder: str) -> SaveView:
    """Return whether edits are kept: every click is on disk, unless the project can't be written."""
    if not read_only:
        return SaveView("saved", "Every click is on disk before the next one")
    if lock_holder:
        return SaveView("read-only", f"The project is open in {lock_holder}; close it there, then open it here again")
    return SaveView("read-only", "You can't write to the project's folder")
