"""What napari imports and makes with its first layers, imported and made before they are wanted."""

from __future__ import annotations

import importlib
import threading

SLOW = ("pandas", "scipy.ndimage")
"""Modules that napari imports with the first layer of points and the first image."""


def prepare_layers() -> None:
    """Import what the first layers need on another thread, while the window waits for a project to be read.

    Call it on the window's thread once the window is up. Otherwise the first picture waits half a second for this.
    """
    threading.Thread(target=_import_slow_modules, name="al-pose-preparation", daemon=True).start()
    import pint

    pint.get_application_registry().Unit("pixel")  # made on first use; another thread must not see it half made


def _import_slow_modules() -> None:
    for name in SLOW:
        importlib.import_module(name)
