"""Videos opened by napari's own *File > Open*: the slider never waits for them, and everybody else gets the very frame.

napari's slicing and a script index the same array, and nothing in what they ask for tells them apart:
`napari_al_pose.gui.slicing` does.
"""

from __future__ import annotations

import logging
import weakref
from typing import Any, cast

from napari.layers import Image
from napari.utils.notifications import show_error
from qtpy.QtCore import QObject, Slot

from napari_al_pose.gui.frames import NewestFrame
from napari_al_pose.gui.slicing import asked_by_slicing
from napari_al_pose.gui.sources import CachedSource
from napari_al_pose.video import LazyFrames

log = logging.getLogger(__name__)

_watched: weakref.WeakSet[Any] = weakref.WeakSet()


def watch(viewer: Any) -> None:
    """Show videos that are put into this viewer from now on as they arrive; does nothing the second time."""
    if viewer in _watched:
        return
    _watched.add(viewer)
    # Before napari itself slices the layer at whatever frame the slider is.
    viewer.layers.events.inserted.connect(_on_inserted, position="first")
    _let_screenshots_wait(viewer)


def _let_screenshots_wait(viewer: Any) -> None:
    """Make screenshots wait until the canvas shows the slider's frame, as animations need.

    Before it takes one, napari waits for its slicer, which knows nothing of our frames and has no event to tell of it.
    """
    layers, slicer = viewer.layers, getattr(viewer, "_layer_slicer", None)
    wait = getattr(slicer, "wait_until_idle", None)
    if slicer is None or wait is None:
        log.warning("this napari takes screenshots another way: they may show the frame before")
        return

    def wait_for_frames_too(timeout: float | None = None) -> None:
        for layer in layers:
            if isinstance(layer, Image) and isinstance(layer.data, LazyFrames):
                shown, layer.data.shown = layer.data.shown, None
                try:
                    layer.refresh(highlight=False, extent=False)
                finally:
                    layer.data.shown = shown
        wait(timeout)

    slicer.wait_until_idle = wait_for_frames_too


def _on_inserted(event: Any) -> None:
    layer = event.value
    if not isinstance(layer, Image) or not isinstance(layer.data, LazyFrames):
        return
    if layer.data.shown is None:
        layer.data.shown = _Shown(layer.data)
    if isinstance(layer.data.shown, _Shown):
        layer.data.shown.layers.add(layer)


class _Shown(NewestFrame):
    """What napari's slicing gets of a video: a layer is sliced again once the frame it wants has arrived.

    Parameters
    ----------
    frames : LazyFrames
        The thread that decodes ends with them.
    """

    def is_asked(self) -> bool:
        """Return whether `LazyFrames` is indexed by napari's slicing, which must not wait."""
        return asked_by_slicing()

    def __init__(self, frames: LazyFrames) -> None:
        array = frames.array  # not the frames, which this must not keep alive
        super().__init__(cast("CachedSource", frames.source), lambda: array, asked=lambda: True)
        self.layers: weakref.WeakSet[Image] = weakref.WeakSet()
        self._listener = _Listener(self.layers)
        self.news.arrived.connect(self._listener.refresh)
        self.news.failed.connect(self._listener.tell)
        weakref.finalize(frames, self.close).atexit = False


class _Listener(QObject):
    """A QObject, because frames arrive on another thread, and only Qt objects receive signals across threads safely."""

    def __init__(self, layers: weakref.WeakSet[Image]) -> None:
        super().__init__()
        self._layers = layers

    @Slot(int)
    def refresh(self, _position: int) -> None:
        for layer in list(self._layers):
            layer.refresh(highlight=False, extent=False)

    @Slot(str, str)
    def tell(self, message: str, hint: str) -> None:
        show_error(f"{message} {hint}")
