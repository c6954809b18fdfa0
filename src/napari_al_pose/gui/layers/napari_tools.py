"""What napari's own tool buttons, status line and help say while a layer of ours is active.

napari's tools do nothing on our layers: every edit goes through the session to the label store. Its buttons are off,
and say which tool of ours the mouse has.
"""

from __future__ import annotations

import weakref
from typing import Any, Protocol

from qtpy.QtCore import QObject, Slot

from napari_al_pose.domain.views.tools import KEYS_HELP, napari_button_tip, status_line
from napari_al_pose.gui.layers.napari_widgets import tool_buttons
from napari_al_pose.gui.layers.shapes import to_source
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.key_choices import KeyChoices
from napari_al_pose.gui.state.view_options import ViewOptions


class HasLayers(Protocol):
    """What holds our layers."""

    @property
    def layers(self) -> list[Any]:
        """Our layers, lowest first."""


class NapariTools(QObject):
    """Puts our tool into napari's words.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Only weakly referred to.
    ours : HasLayers
        Becomes the parent.
    frame : CurrentFrame
    options : ViewOptions
    keys : KeyChoices
    """

    def __init__(self, viewer: Any, ours: Any, *, frame: CurrentFrame, options: ViewOptions, keys: KeyChoices) -> None:
        super().__init__(ours)
        self._viewer_ref = weakref.ref(viewer)
        self._ours: HasLayers = ours
        self._frame, self._options, self._keys = frame, options, keys
        options.changed.connect(self._on_option)
        keys.changed.connect(self.show)
        frame.bodypartChanged.connect(self._show_status)
        for moment in (viewer.events.status, viewer.events.mouse_over_canvas):
            moment.connect(self._on_status)
        viewer.events.help.connect(self._on_help)

    def close(self) -> None:
        """Restore napari's own texts."""
        viewer = self._viewer_ref()
        if viewer is not None:
            for moment in (viewer.events.status, viewer.events.mouse_over_canvas):
                moment.disconnect(self._on_status)
            viewer.events.help.disconnect(self._on_help)

    @Slot()
    def show(self) -> None:
        """Say which tool is active, on napari's buttons and in its lines."""
        viewer = self._viewer_ref()
        tip, help_text = self._keys.named(napari_button_tip(self._options.tool)), self._keys.named(KEYS_HELP)
        for layer in self._ours.layers:
            layer.editable = False  # napari's buttons that edit are off
            layer.help = help_text
            for button in tool_buttons(viewer, layer):
                button.setToolTip(tip)
        self._on_help()
        self._show_status()

    @property
    def _is_ours(self) -> bool:
        viewer = self._viewer_ref()
        active = None if viewer is None else viewer.layers.selection.active
        return active is not None and any(active is layer for layer in self._ours.layers)

    def _on_option(self, name: str) -> None:
        if name == "tool":
            self.show()

    def _on_status(self, _event: Any = None) -> None:
        self._show_status()

    @Slot()
    def _show_status(self) -> None:
        viewer = self._viewer_ref()
        if viewer is None or not self._is_ours or self._frame.source is None:
            return
        mouse = to_source(viewer.cursor.position) if viewer.mouse_over_canvas else None
        line = status_line(self._options.tool, self._frame.bodypart, mouse, size=self._frame.size)
        text = self._keys.named(line)
        if viewer.status != text:
            viewer.status = text

    def _on_help(self, _event: Any = None) -> None:
        viewer, text = self._viewer_ref(), self._keys.named(KEYS_HELP)
        if viewer is not None and self._is_ours and viewer.help != text:
            viewer.layers.selection.active.help = text
            viewer.help = text
