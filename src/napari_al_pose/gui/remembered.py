"""What the window remembers from one start to the next, whatever the project."""

from __future__ import annotations

from qtpy.QtCore import QSettings


def remembered(key: str, default: str) -> str:
    """Return the choice stored under ``key``."""
    return str(settings().value(key, default))


def remember(key: str, value: str) -> None:
    """Store a choice under ``key``."""
    settings().setValue(key, value)


def settings() -> QSettings:
    """Return the file the choices are in."""
    return QSettings(QSettings.Format.IniFormat, QSettings.Scope.UserScope, "napari-al-pose", "napari-al-pose")
