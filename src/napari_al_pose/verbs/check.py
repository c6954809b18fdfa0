"""``check``: whether extracted images show the frames that their names say."""

from __future__ import annotations

import argparse
from typing import Any

from napari_al_pose.verbs.common import project_verb, show


def add(verbs: Any) -> None:
    """Add the verb."""
    project_verb(verbs, "check", "compare every extracted image with its video, and look for shifts", _check)


def _check(options: argparse.Namespace) -> None:
    from napari_al_pose import headless

    rows = headless.check(options.project)
    show(rows, "\n".join(map(_sentence, rows)) or "No video with extracted images.", options)


def _sentence(row: dict[str, Any]) -> str:
    found = f"{row['video']}: {row['differing']} of {row['compared']} images show something else than their frames"
    if not row["differing"]:
        return f"{row['video']}: all {row['compared']} images show their frames."
    if row["shift"] is None:
        return f"{found}; no shift of the video makes them fit."
    where = "later" if row["shift"] > 0 else "earlier"
    return f"{found}; the video has what they show {abs(row['shift'])} frames {where}."
