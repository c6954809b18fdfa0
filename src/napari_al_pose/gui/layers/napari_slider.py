"""napari's slider, which says and does what our timeline does: one of the two is enough."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QObject, Slot
from qtpy.QtWidgets import QDockWidget

from napari_al_pose.gui.layers.napari_widgets import slider_widget
from napari_al_pose.gui.state.view_options import ViewOptions


class NapariSlider(QObject):
    """Hides napari's sliders while the timeline is visible and napari's own panels are hidden.

    They stay where there is more than one: a layer of the user's then has an axis that the timeline does not know.

    Parameters
    ----------
    viewer : napari.Viewer
    timeline : QDockWidget
        Becomes the parent.
    options : ViewOptions
    """

    def __init__(self, viewer: Any, timeline: QDockWidget, *, options: ViewOptions) -> None:
        super().__init__(timeline)
        self._viewer, self._timeline, self._options = viewer, timeline, options
        self._sliders = slider_widget(getattr(viewer, "__wrapped__", viewer))  # plugins get a proxy of the viewer
        for event in self._events:
            event.connect(self._on_dims)
        options.changed.connect(self._on_option)
        timeline.visibilityChanged.connect(self.refresh)
        self.refresh()

    def close(self) -> None:
        """Show napari's sliders again."""
        for event in self._events:
            event.disconnect(self._on_dims)
        if self._sliders is not None:
            self._sliders.show()

    @Slot()
    def refresh(self) -> None:
        """Show or hide the sliders."""
        dims = self._viewer.dims
        n_sliders = sum(n > 1 for axis, n in enumerate(dims.nsteps) if axis not in dims.displayed)
        is_away = self._options.wide and n_sliders <= 1 and not self._timeline.isHidden()
        if self._sliders is not None and self._sliders.isHidden() != is_away:
            self._sliders.setVisible(not is_away)

    @property
    def _events(self) -> tuple[Any, ...]:
        events = self._viewer.dims.events
        return events.ndim, events.range, events.order, events.ndisplay

    def _on_dims(self, _event: Any = None) -> None:
        self.refresh()

    def _on_option(self, name: str) -> None:
        if name == "wide":
            self.refresh()
