"""The only place that knows where napari keeps the widgets we touch: what files are dropped on, sliders, tools...

napari has no public name for them. If it moves them, nothing of ours breaks: the overview and the tooltips stay away,
the sliders stay, napari reads what is dropped without asking how, and a test says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari.layers import Layer
from qtpy.compat import isalive
from qtpy.QtWidgets import QAbstractButton, QWidget


def canvas_widget(viewer: Any) -> QWidget | None:
    """Return the widget that the picture is drawn on; None for a viewer without a window."""
    found = getattr(getattr(_qt_viewer(viewer), "canvas", None), "native", None)
    return found if isinstance(found, QWidget) else None


def is_taken_apart(viewer: Any) -> bool:
    """Return whether the window of ``viewer`` is being destroyed, and its canvas is gone already."""
    found = canvas_widget(viewer)
    return found is not None and not isalive(found)


def slider_widget(viewer: Any) -> QWidget | None:
    """Return what holds napari's sliders below the canvas; None for a viewer without a window."""
    found = getattr(_qt_viewer(viewer), "dims", None)
    return found if isinstance(found, QWidget) else None


def drop_target(viewer: Any) -> QWidget | None:
    """Return what takes the files that are dropped on the canvas; None for a viewer without a window."""
    found = _qt_viewer(viewer)
    return found if isinstance(found, QWidget) else None


def open_in_napari(viewer: Any, paths: Sequence[Path], *, stack: bool, choose_plugin: bool) -> None:
    """Open files as if they were dropped on the canvas: napari asks which reader to use where there are several."""
    names = [str(path) for path in paths]
    ask_and_open = getattr(_qt_viewer(viewer), "_qt_open", None)
    if ask_and_open is None:
        viewer.open(names, stack=stack)
    else:
        ask_and_open(names, stack=stack, choose_plugin=choose_plugin)


def tool_buttons(viewer: Any, layer: Layer) -> list[QAbstractButton]:
    """Return napari's buttons for the tools of ``layer``: add, select, pan, transform, delete."""
    widgets = getattr(getattr(_qt_viewer(viewer), "controls", None), "widgets", {})
    controls = widgets.get(layer)
    grid = getattr(controls, "button_grid", None)
    if grid is None:
        return []
    found = (grid.itemAt(i).widget() for i in range(grid.count()))
    return [each for each in found if isinstance(each, QAbstractButton)]


def _qt_viewer(viewer: Any) -> Any:
    real = getattr(viewer, "__wrapped__", viewer)  # plug-in widgets are given a proxy, which warns of private names
    return getattr(getattr(real, "window", None), "_qt_viewer", None)
