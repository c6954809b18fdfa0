"""The images on the canvas: the video, and the scoremap over it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Slot

from napari_al_pose.domain import ScoremapGrid, Scoremaps
from napari_al_pose.domain.views import bodypart_colours
from napari_al_pose.domain.views.colours import Palette
from napari_al_pose.gui.frames import NewestFrame
from napari_al_pose.gui.layers.overlay import another_hue, compose_scoremaps, grid_transform, on_frame
from napari_al_pose.gui.layers.shapes import parse_colours


class VideoLayer(QObject):
    """napari's image layer with the current video in it; the layer stays when the video changes.

    A QObject, because frames arrive on another thread, and only Qt objects receive signals across threads safely.

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


class ScoremapLayer:
    """A 2-D RGBA image layer; layers of one map each would cost ten milliseconds a bodypart and frame.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    """

    def __init__(self, viewer: Any) -> None:
        self._palette = Palette.DISTINCT
        self._grid: ScoremapGrid | None = None
        self.layer = Image(
            np.zeros((2, 2, 4), np.float32), rgb=True, name="scoremap", interpolation2d="linear", visible=False
        )
        viewer.add_layer(self.layer)

    def set_palette(self, palette: Palette) -> None:
        """Set the colours for the next time that it is shown."""
        self._palette = palette

    def show(
        self, scoremaps: Scoremaps | None, chosen: Sequence[str], size: tuple[int, int], *, names: Sequence[str]
    ) -> None:
        """Lay the scoremaps of the ``chosen`` bodyparts over the video.

        Parameters
        ----------
        scoremaps : Scoremaps or None
            Of the current frame; None clears the layer until they come.
        chosen : sequence of str
            None of them hides the layer.
        size : (int, int)
            Height and width of the frame, which the picture doesn't leave.
        names : sequence of str
            The bodyparts of the chosen individual, whose scoremaps these are.
        """
        indices = [names.index(name) for name in chosen if name in names]
        if not chosen:
            if self.layer.visible:
                self.layer.visible = False
        elif scoremaps is not None and len(scoremaps.maps) == len(names) and indices:
            rgb = parse_colours(bodypart_colours(len(names), self._palette))[indices]
            maps, grid = on_frame(scoremaps.maps[indices], scoremaps.grid, *size)
            # Several are told apart by their bodyparts' colours; a single one must not hide its own ring.
            colours = rgb if len(indices) > 1 else another_hue(rgb)
            self._paint(compose_scoremaps(maps, colours), grid)
        elif self.layer.visible:
            self._paint(np.zeros_like(self.layer.data), None)  # the next frame's comes soon: hiding costs more

    def _paint(self, picture: NDArray[np.float32], grid: ScoremapGrid | None) -> None:
        if not self.layer.visible:
            self.layer.visible = True
        if grid is not None and grid != self._grid:
            self._grid = grid
            self.layer.scale, self.layer.translate = grid_transform(grid)
        if picture.shape == self.layer.data.shape:
            # In place: assigning ``data`` makes napari work out the extent of the whole viewer anew.
            self.layer.data[...] = picture
            self.layer.refresh(thumbnail=False, highlight=False, extent=False)
        else:
            self.layer.data = picture
