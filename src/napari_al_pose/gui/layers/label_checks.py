"""A label that is checked: a ring around it, one where the model sees the bodypart, and how far apart they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Layer, Points, Vectors

from napari_al_pose.domain.views.label_checks import CheckMarks
from napari_al_pose.gui.layers.shapes import NO_LINE, segments, to_napari
from napari_al_pose.gui.theme import MODEL_ON_VIDEO, ON_VIDEO

RING_SIZE = 0.03
"""Diameter of a ring as a share of the longer image side."""

CANVAS_SIZE = (0, 44)
"""Smallest and largest ring, screen pixels."""

LABEL_COLOUR, MODEL_COLOUR = ON_VIDEO.name(), MODEL_ON_VIDEO.name()
TEXT = {"string": "{said}", "size": 12, "color": [LABEL_COLOUR, MODEL_COLOUR], "anchor": "upper_left"}


class CheckMarkLayers:
    """Two small layers, hidden unless a label is checked; below the keypoints, which stay as they are.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Gets the layers.
    long_side : int
        Longer side of the video's frames, in pixels.
    """

    def __init__(self, viewer: Any, long_side: int) -> None:
        self._shown: CheckMarks | None = None
        size = max(6.0, RING_SIZE * long_side)
        self.line = viewer.add_layer(
            Vectors(
                np.array([NO_LINE]),
                ndim=2,
                name="checked distance",
                vector_style="line",
                edge_color=MODEL_COLOUR,
                edge_width=max(1.0, size / 12),
                visible=False,
            )
        )
        self.rings = viewer.add_layer(
            Points(
                np.zeros((2, 2)),
                name="checked label",
                size=size,
                face_color="transparent",
                border_color=[LABEL_COLOUR, MODEL_COLOUR],
                border_width=0.12,
                canvas_size_limits=CANVAS_SIZE,
                features={"said": ["", ""]},
                text={**TEXT, "translation": [0, 0.7 * size]},
                visible=False,
            )
        )

    @property
    def all(self) -> tuple[Layer, ...]:
        """The layers, lowest first."""
        return self.line, self.rings

    def show(self, marks: CheckMarks | None) -> bool:
        """Draw the two places, or nothing; return whether others were drawn before."""
        if marks == self._shown:
            return False
        self._shown = marks
        if marks is not None:
            xy = np.array([marks.label, marks.seen], float)
            self.line.data = segments(xy, [(0, 1)])
            self.rings.data = to_napari(xy)[0]
            self.rings.features = {"said": ["yours", marks.text]}
        for layer in self.all:
            if layer.visible != (marks is not None):
                layer.visible = marks is not None
        return True
