"""The projects opened lately, remembered from one start to the next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_al_pose.gui.remembered import settings

_KEY = "recent_projects"
_KEEP = 6


def recent_projects() -> list[Path]:
    """Return the project folders opened lately that are still there, newest first."""
    return [path for path in map(Path, _stored()) if (path / "config.yaml").is_file()]


def remember_project(root: Path) -> None:
    """Put the project folder ``root`` in front."""
    path = str(root.resolve())
    kept = [path, *(other for other in _stored() if other != path)][:_KEEP]
    settings().setValue(_KEY, kept)


def _stored() -> list[str]:
    value: Any = settings().value(_KEY, [])
    return [value] if isinstance(value, str) else [str(item) for item in value or []]
