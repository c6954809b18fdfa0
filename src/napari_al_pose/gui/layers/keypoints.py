"""Labels, guesses, skeleton and the peaks of the reason, of the current frame.

Labels too are shown for the current frame only. A layer of all frames' labels would make each click cost more with
every frame labelled (tens of milliseconds at 15,000 points), would tie napari's slider positions to frame numbers
that a folder of images does not have, and would be a second truth beside the label store. This way a click
changes two small arrays whatever the size of the project.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Layer, Vectors
from numpy.typing import NDArray

from napari_al_pose.domain import Annotation, KeypointState, Prediction, Skeleton, Suggestion
from napari_al_pose.domain.views import bodypart_colours
from napari_al_pose.gui.layers.picking import points_on_canvas
from napari_al_pose.gui.layers.rows import RowsLayer
from napari_al_pose.gui.layers.shapes import fade, parse_colours, segments, to_napari

LABEL_SIZE = 0.016
"""Diameter of a point as a share of the longer image side."""

CANVAS_SIZE = (0, 40)
"""Smallest and largest point, screen pixels; above 0 napari would show the point it keeps in an empty layer."""

PEAKS = 5
"""Peaks drawn of one bodypart."""

CHOSEN_BORDER = (1.0, 1.0, 1.0, 1.0)
BORDER = (0.0, 0.0, 0.0, 0.8)


class KeypointLayers:
    """Four small layers that are filled anew for each frame and edit.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Gets the layers.
    skeleton : Skeleton
        The project's.
    long_side : int
        Longer side of the video's frames, in pixels: the size of the points follows it.
    """

    def __init__(self, viewer: Any, skeleton: Skeleton, long_side: int) -> None:
        self._skeleton = skeleton
        self._rgb = parse_colours(bodypart_colours(skeleton.n_bodyparts))
        self._xy = np.full((skeleton.n_bodyparts, 2), np.nan)
        self._position = -1
        self._likelihood = np.zeros(0)
        self._chosen = ""
        n, size = skeleton.n_bodyparts, max(3.0, LABEL_SIZE * long_side)
        solid = np.column_stack([self._rgb, np.ones(n)])
        hollow = {"face_color": "transparent", "border_width": 0.22, "canvas_size_limits": CANVAS_SIZE}
        self.skeleton = viewer.add_layer(
            Vectors(
                np.zeros((0, 2, 2)),
                ndim=2,
                name="skeleton",
                vector_style="line",
                edge_color="white",
                edge_width=max(1.0, size / 8),
                opacity=0.5,
            )
        )
        self._peaks = RowsLayer(
            viewer,
            n * PEAKS,
            name="peaks",
            symbol="cross",
            size=size,
            face_color=np.repeat(solid, PEAKS, axis=0),
            border_color="black",
            border_width=0.08,
            canvas_size_limits=CANVAS_SIZE,
        )
        self._guesses = RowsLayer(viewer, n, name="guesses", size=size * 1.3, border_color=solid, **hollow)
        self._labels = RowsLayer(
            viewer,
            n,
            name="labels",
            size=size,
            face_color=solid,
            border_color=np.tile(BORDER, (n, 1)),
            border_width=0.12,
            canvas_size_limits=CANVAS_SIZE,
            features={"bodypart": list(skeleton.bodyparts)},
            text={
                "string": "{bodypart}",
                "size": 9,
                "color": "white",
                "anchor": "upper_left",
                "translation": [0, 0, size],
            },
        )

    @property
    def all(self) -> tuple[Layer, ...]:
        """The layers, lowest first."""
        return self.skeleton, self._peaks.layer, self._guesses.layer, self._labels.layer

    def toggle_names(self) -> None:
        """Show or hide the bodyparts' names beside the labels."""
        text = self._labels.layer.text
        text.visible = not text.visible

    def show(self, position: int, annotation: Annotation | None, guess: Prediction | None) -> None:
        """Fill the layers with one frame's labels, and with the guess where there is none.

        Parameters
        ----------
        position : int
            The frame's position in its video; below 0 nothing is shown.
        annotation : Annotation or None
            The frame's labels.
        guess : Prediction or None
            What the model says of the rest.
        """
        n = self._skeleton.n_bodyparts
        self._position, self._xy = position, np.full((n, 2), np.nan)
        placed, likelihood = np.zeros(n, bool), np.zeros(n)
        if annotation is not None and position >= 0:
            self._xy = points_on_canvas(annotation, guess).xy
            placed = annotation.states == KeypointState.PLACED
            likelihood = likelihood if guess is None else guess.likelihood.astype(float)
        yx, there = to_napari(self._xy)
        self._labels.fill(position, yx, there & placed)
        self._fade(likelihood)
        self._guesses.fill(position, yx, there & ~placed)
        self._draw_skeleton(self._xy)

    def show_peaks(self, suggestion: Suggestion | None, bodyparts: set[str]) -> None:
        """Mark the peaks that made the frame's score.

        Parameters
        ----------
        suggestion : Suggestion or None
            The queue's entry for the frame.
        bodyparts : set of str
            Whose peaks.
        """
        xy = np.full((self._skeleton.n_bodyparts, PEAKS, 2), np.nan)
        for reason in () if suggestion is None else suggestion.reasons:
            if reason.bodypart in bodyparts:
                for rank, (x, y, _) in enumerate(reason.peaks[:PEAKS]):
                    xy[self._skeleton.index(reason.bodypart), rank] = x, y
        if self._peaks.layer.visible != bool(bodyparts):
            self._peaks.layer.visible = bool(bodyparts)  # a hidden layer costs nothing when stepping
        self._peaks.fill(self._position, *to_napari(xy.reshape(-1, 2)))

    def move(self, index: int, xy: tuple[float, float]) -> None:
        """Draw the label of one bodypart at ``xy`` while it is dragged; nothing is stored."""
        yx, shown = self._labels.yx, self._labels.shown
        yx[index], shown[index] = xy[::-1], True
        self._labels.fill(self._position, yx, shown)
        shown = self._guesses.shown
        shown[index] = False
        self._guesses.fill(self._position, self._guesses.yx, shown)
        dragged = self._xy.copy()
        dragged[index] = xy
        self._draw_skeleton(dragged)

    def choose(self, bodypart: str) -> None:
        """Mark the bodypart the next click places."""
        if bodypart == self._chosen:
            return
        self._chosen = bodypart
        borders = np.tile(BORDER, (self._skeleton.n_bodyparts, 1))
        if bodypart in self._skeleton.bodyparts:
            borders[self._skeleton.index(bodypart)] = CHOSEN_BORDER
        self._labels.layer.border_color = borders

    def _fade(self, likelihood: NDArray[np.floating]) -> None:
        if not np.array_equal(likelihood, self._likelihood):
            self._likelihood = np.array(likelihood)
            self._guesses.layer.border_color = fade(self._rgb, likelihood)

    def _draw_skeleton(self, xy: NDArray[np.floating]) -> None:
        lines = segments(xy, self._skeleton.link_indices())
        if not np.array_equal(lines, self.skeleton.data):
            self.skeleton.data = lines
