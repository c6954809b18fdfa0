"""Keeps the canvas on frames: a click means a pixel of the current frame only while napari draws that frame in y, x."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.layers import Image, Layer
from napari.utils.transforms import Affine

from napari_al_pose.gui.state.notices import Notices

Sentence = tuple[str, str]
"""Message and hint for the user; two empty strings where nothing is wrong."""

NOTHING: Sentence = ("", "")
TURNED_BACK: Sentence = (
    "The view stays on single frames in 2-D while a pose project is open.",
    "Look at volumes or other axes in a new window (Ctrl+N).",
)
COVERING = 0.9
"""Opacity from which an image above the video hides it."""


class ViewGuard:
    """Returns the view to frames in 2-D, and our layers to the video's place.

    Rolled or transposed axes and the 3-D view are undone. napari has sliced the layers by then: `NewestFrame` sees to
    it that this does not read the whole video.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Only weakly referred to.
    notices : Notices
        Is told what was undone.
    """

    def __init__(self, viewer: Any, notices: Notices) -> None:
        self._viewer_ref = weakref.ref(viewer)
        self._notices = notices
        self._holds = False
        for event in (viewer.dims.events.ndisplay, viewer.dims.events.order):
            event.connect(self._on_view)

    def turn_back(self) -> None:
        """Return to frames in 2-D; if something else was shown, tell the user."""
        viewer = self._viewer_ref()
        if viewer is not None and not shows_frames(viewer):
            viewer.dims.ndisplay = 2
            viewer.dims.order = tuple(range(viewer.dims.ndim))
            self._notices.tell(*TURNED_BACK)

    def hold(self, layers: Sequence[Layer]) -> None:
        """Keep the view on ``layers``, which are ours, and keep napari's tools from rotating or dragging them."""
        self._holds = True
        for layer in layers:
            layer.events.affine.connect(_straighten)
            layer.events.mode.connect(_keep_pan_zoom)

    def release(self) -> None:
        """Allow any view, as long as there are no layers of ours."""
        self._holds = False

    def close(self) -> None:
        """Stop watching the view."""
        viewer = self._viewer_ref()
        if viewer is not None:
            for event in (viewer.dims.events.ndisplay, viewer.dims.events.order):
                event.disconnect(self._on_view)

    def _on_view(self) -> None:
        if self._holds:
            self.turn_back()


def shows_frames(viewer: Any) -> bool:
    """Whether the canvas shows y down and x to the right, in 2-D."""
    ndim = viewer.dims.ndim
    return viewer.dims.ndisplay == 2 and tuple(viewer.dims.displayed) == (ndim - 2, ndim - 1)


def what_is_wrong(
    viewer: Any, video: Layer, drawn: Sequence[Layer], *, position: int, xy: tuple[float, float]
) -> Sentence:
    """Return why a click at ``xy`` is not a click on the frame at ``position``.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        What draws the canvas.
    video : napari.layers.Layer
        The video on the canvas.
    drawn : sequence of napari.layers.Layer
        The layers that show what a click makes.
    position : int
        The frame's position in its video.
    xy : (float, float)
        Source pixels.
    """
    if viewer.canvas.grid.enabled:
        return "The grid is on, so labels and video lie apart.", "Turn the grid off (Ctrl+G), then label."
    if not shows_frames(viewer):
        return "The canvas doesn't show frames.", "Undo the change of axes, leave the 3-D view, then label."
    if abs(viewer.dims.point[viewer.dims.ndim - 3] - position) > 1e-6:
        return "The slider isn't at a frame of this video.", "Move it back into the video, then label."
    for layer in (video, *drawn):
        if not layer.visible or layer.opacity == 0:
            return f'The layer "{layer.name}" is hidden.', "Click the eye beside it in the layer list, then label."
        if not lies_on_pixels(layer):
            return f'The layer "{layer.name}" was moved or scaled.', "Delete it: it comes back in the right place."
    above = next((layer for layer in _above(viewer, video) if _covers(layer, viewer, xy)), None)
    if above is not None:
        return f'The layer "{above.name}" lies over the video.', "Hide it or make it see-through, then label."
    return NOTHING


def lies_on_pixels(layer: Layer) -> bool:
    """Whether the layer's last two axes are source pixels."""
    corners = np.eye(3, layer.ndim, layer.ndim - 2)
    return all(np.allclose(layer.data_to_world(corner), corner) for corner in corners)


def _above(viewer: Any, video: Layer) -> list[Layer]:
    return list(viewer.layers)[viewer.layers.index(video) + 1 :]


def _covers(layer: Layer, viewer: Any, xy: tuple[float, float]) -> bool:
    """Whether a layer of the user's hides the video at ``xy``; the scoremap lies over it and hides nothing."""
    if not isinstance(layer, Image) or not layer.visible or layer.opacity < COVERING:
        return False
    if str(layer.blending) not in ("opaque", "translucent", "translucent_no_depth") or is_see_through(layer):
        return False
    here = list(viewer.dims.point)
    here[-2:] = xy[1], xy[0]
    low, high = layer.extent.world
    here = here[-layer.ndim :]
    return bool(np.all(low - 0.5 <= here) and np.all(here <= high + 0.5))


def is_see_through(layer: Image) -> bool:
    """Whether the picture brings an opacity of its own."""
    return bool(layer.rgb) and layer.data.shape[-1] == 4


def _straighten(event: Any) -> None:
    layer = event.source
    if not np.allclose(layer.affine.affine_matrix, np.eye(layer.ndim + 1)):
        layer.affine = Affine(ndim=layer.ndim)


def _keep_pan_zoom(event: Any) -> None:
    if event.source.mode != "pan_zoom":
        event.source.mode = "pan_zoom"
