"""The only place that knows where napari keeps the widgets we touch: its canvas, its sliders, the tools of a layer.

napari has no public name for them. If it moves them, nothing of ours breaks: the overview and the tooltips stay away,
the sliders stay, and a test says so.
"""

from __future__ import annotations

from typing import Any

from napari.layers import Layer
from qtpy.QtWidgets import QAbstractButton, QWidget


def canvas_widget(viewer: Any) -> QWidget | None:
    """Return the widget that the picture is drawn on; None for a viewer without a window."""
    found = getattr(getattr(_qt_viewer(viewer), "canvas", None), "native", None)
    return found if isinstance(found, QWidget) else None


def slider_widget(viewer: Any) -> QWidget | None:
    """Return what holds napari's sliders below the canvas; None for a viewer without a window."""
    found = getattr(_qt_viewer(viewer), "dims", None)
    return found if isinstance(found, QWidget) else None


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
    return getattr(getattr(viewer, "window", None), "_qt_viewer", None)
