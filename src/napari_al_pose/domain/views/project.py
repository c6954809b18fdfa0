"""What the header says of the open project."""

from __future__ import annotations

from napari_al_pose.domain.views.words import count


def project_line(scorer: str, *, n_complete: int, n_labelled: int, n_holdout: int) -> str:
    """Return the counts under the project's name: "Pranav · 36 frames labelled · 2 begun · 8 hold-out"."""
    parts = [scorer, f"{count(n_complete, 'frame')} labelled"]
    if n_labelled > n_complete:
        parts.append(f"{n_labelled - n_complete:,} begun")
    if n_holdout:
        parts.append(f"{n_holdout:,} hold-out")
    return " · ".join(part for part in parts if part)


def save_line(*, read_only: bool, lock_holder: str) -> str:
    """Return whether edits are kept: every click is on disk, unless the project can't be written."""
    if not read_only:
        return "Every click is saved"
    return f"Read-only: open in {lock_holder}" if lock_holder else "Read-only: the folder can't be written"
