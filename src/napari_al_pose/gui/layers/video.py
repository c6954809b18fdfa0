"""The video on the canvas."""

from __future__ import annotations

from typing import Any

from napari.layers import Image
from qtpy.QtCore import QObject, Slot

from napari_al_pose.gui.frames import NewestFrame


class VideoLayer(QObject):
    """napari's image layer with the current video in it; the layer stays when the video changes.

    A QObject because it hears of frames from their thread: only Qt objects take signals across threads safely.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    frames : NewestFrame
        The first video.
    parent : QObject
    """

    def __init__(self, viewer: Any, frames: NewestFrame, parent: QObject) -> None:
        super().__init__(parent)
        self.frames = frames
        self.layer = Image(frames, rgb=True, multiscale=False, name=frames.source.name, axis_labels=("frame", "y", "x"))
        self.layer.projection_mode = "none"  # a slider with a thickness would have frames averaged
        viewer.add_layer(self.layer)
        frames.news.arrived.connect(self.refresh)

    @property
    def shown_position(self) -> int:
        """Position of the frame whose pixels are on the canvas; -1 while none of this video's are."""
        return self.frames.shown_position if self.layer.visible else -1

    def swap(self, frames: NewestFrame) -> bool:
        """Show another video; return whether its frames have another size."""
        resized = frames.shape[1:] != self.frames.shape[1:]
        self.stop()
        self.frames = frames
        frames.news.arrived.connect(self.refresh)
        if not self.layer.visible:
            self.layer.visible = True  # napari takes no notice of the length of a hidden layer
        self.layer.data = frames
        self.layer.name = frames.source.name
        return resized

    @Slot(int)
    def refresh(self, position: int) -> None:
        """Slice again: the wanted frame has arrived."""
        self.layer.refresh(thumbnail=False, highlight=False, extent=False)

    def stop(self) -> None:
        """End the frames' thread."""
        self.frames.news.arrived.disconnect(self.refresh)
        self.frames.close()
