"""Qt's docks, arranged: which one a widget is in, two in one place, one without a title."""

from __future__ import annotations

from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget


def dock_of(widget: QWidget | None) -> QDockWidget | None:
    """Return the dock a widget is in; what napari's methods return may be a proxy that Qt doesn't take."""
    while widget is not None and not isinstance(widget, QDockWidget):
        widget = widget.parentWidget()
    return widget


def share_place(front: QDockWidget, behind: QDockWidget) -> None:
    """Put two docks of a window in one place, as tabs."""
    window = front.window()
    if isinstance(window, QMainWindow):
        window.tabifyDockWidget(front, behind)
        front.raise_()


def without_title(dock: QDockWidget, name: str) -> None:
    """Take a dock's title bar away, and give it a short name for where it is a tab."""
    dock.setTitleBarWidget(QWidget(dock))
    dock.setWindowTitle(name)
