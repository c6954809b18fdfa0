"""The scoremap over the video: one picture, whatever the number of bodyparts."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray

from napari_al_pose.domain import ScoremapGrid, Scoremaps, Skeleton, Suggestion
from napari_al_pose.domain.views import bodypart_colours
from napari_al_pose.gui.layers.overlay import compose_scoremaps, draw_peaks, grid_transform
from napari_al_pose.gui.layers.shapes import parse_colours
from napari_al_pose.gui.state import ALL_BODYPARTS


class ScoremapLayer:
    """A 2-D RGBA image layer; layers of one map each would cost ten milliseconds a bodypart and frame.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    skeleton : Skeleton
    """

    def __init__(self, viewer: Any, skeleton: Skeleton) -> None:
        self._skeleton = skeleton
        self._rgb = parse_colours(bodypart_colours(skeleton.n_bodyparts))
        self._grid: ScoremapGrid | None = None
        self.layer = Image(
            np.zeros((2, 2, 4), np.float32), rgb=True, name="scoremap", interpolation2d="linear", visible=False
        )
        viewer.add_layer(self.layer)

    def show(self, scoremaps: Scoremaps | None, choice: str, suggestion: Suggestion | None) -> None:
        """Lay the chosen scoremap over the video, with rings round the peaks that made the frame's score.

        Parameters
        ----------
        scoremaps : Scoremaps or None
            Of the current frame; None clears it.
        choice : str
            "" none, "*" all, else a bodypart.
        suggestion : Suggestion or None
            The queue's entry for the frame.
        """
        picture = None if scoremaps is None else self._picture(scoremaps, choice, suggestion)
        if scoremaps is not None and picture is not None:
            self._paint(picture, scoremaps.grid)
        elif choice and self.layer.visible:
            self._paint(np.zeros_like(self.layer.data), None)  # the next frame's comes soon: hiding costs more
        elif self.layer.visible:
            self.layer.visible = False

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

    def _picture(self, scoremaps: Scoremaps, choice: str, suggestion: Suggestion | None) -> NDArray[np.float32] | None:
        if len(scoremaps.maps) != self._skeleton.n_bodyparts:
            return None
        if choice == ALL_BODYPARTS:
            chosen = list(range(self._skeleton.n_bodyparts))
        elif choice in self._skeleton.bodyparts:
            chosen = [self._skeleton.index(choice)]
        else:
            return None
        picture = compose_scoremaps(scoremaps.maps[chosen], self._rgb[chosen])
        if suggestion is None or suggestion.model_version != scoremaps.model_version:
            return picture
        names = {self._skeleton.bodyparts[index] for index in chosen}
        peaks = [peak for reason in suggestion.reasons if reason.bodypart in names for peak in reason.peaks]
        return draw_peaks(picture, peaks, scoremaps.grid)
