"""The scoremap over the video: one picture, whatever the number of bodyparts."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image

from napari_al_pose.domain import Scoremaps, Skeleton, Suggestion
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
        self.layer = Image(
            np.zeros((2, 2, 4), np.float32), rgb=True, name="scoremap", interpolation2d="linear", visible=False
        )
        viewer.add_layer(self.layer)

    def show(self, scoremaps: Scoremaps | None, choice: str, suggestion: Suggestion | None) -> None:
        """Lay the chosen scoremap over the video, with rings round the peaks that made the frame's score.

        Parameters
        ----------
        scoremaps : Scoremaps or None
            Of the current frame; None hides the layer.
        choice : str
            "" none, "*" all, else a bodypart.
        suggestion : Suggestion or None
            The queue's entry for the frame.
        """
        picture = None if scoremaps is None else self._picture(scoremaps, choice, suggestion)
        if scoremaps is None or picture is None:
            self.layer.visible = False
            return
        self.layer.data = picture
        self.layer.scale, self.layer.translate = grid_transform(scoremaps.grid)
        self.layer.visible = True

    def _picture(self, scoremaps: Scoremaps, choice: str, suggestion: Suggestion | None) -> np.ndarray | None:
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
