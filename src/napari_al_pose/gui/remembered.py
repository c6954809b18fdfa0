"""What the window remembers from one start to the next, whatever the project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import QSettings

_RECENT = "recent_projects"
_KEEP = 6


def remembered(key: str, default: str) -> str:
    """Return the choice stored under ``key``."""
    return str(settings().value(key, default))


def remember(key: str, value: str) -> None:
    """Store a choice under ``key``."""
    settings().setValue(key, value)


def settings() -> QSettings:
    """Return the file the choices are in."""
    return QSettings(QSettings.Format.IniFormat, QSettings.Scope.UserScope, "napari-al-pose", "napari-al-pose")


def recent_projects() -> list[Path]:
    """Return the project folders opened lately that are still there, newest first."""
    return [path for path in map(Path, _stored()) if (path / "config.yaml").is_file()]


def remember_project(root: Path) -> None:
    """Put the project folder ``root`` in front."""
    path = str(root.resolve())
    kept = [path, *(other for other in _stored() if other != path)][:_KEEP]
    settings().setValue(_RECENT, kept)


def _stored() -> list[str]:
    value: Any = settings().value(_RECENT, [])
    return [value] if isinstance(value, str) else [str(item) for item in value or []]
