"""The video on the canvas."""

from __future__ import annotations

from typing import Any

from napari.layers import Image

from napari_al_pose.gui.frames import NewestFrame


class VideoLayer:
    """napari's image layer with the current video in it; the layer stays when the video changes.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    """

    def __init__(self, viewer: Any, frames: NewestFrame) -> None:
        self.frames = frames
        self.layer = Image(frames, rgb=True, multiscale=False, name=frames.source.name)
        viewer.add_layer(self.layer)
        frames.arrived.connect(self.refresh)

    @property
    def shown_position(self) -> int:
        """Position of the frame whose pixels are on the canvas; -1 while none of this video's are."""
        return self.frames.shown_position if self.layer.visible else -1

    def swap(self, frames: NewestFrame) -> bool:
        """Show another video; return whether its frames have another size."""
        resized = frames.shape[1:] != self.frames.shape[1:]
        self.stop()
        self.frames = frames
        frames.arrived.connect(self.refresh)
        if not self.layer.visible:
            self.layer.visible = True  # napari takes no notice of the length of a hidden layer
        self.layer.data = frames
        self.layer.name = frames.source.name
        return resized

    def refresh(self, position: int = -1) -> None:
        """Slice again: the wanted frame has arrived."""
        self.layer.refresh(thumbnail=False, highlight=False, extent=False)

    def stop(self) -> None:
        """End the frames' thread."""
        self.frames.arrived.disconnect(self.refresh)
        self.frames.close()
