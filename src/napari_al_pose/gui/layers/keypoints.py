"""Labels, guesses and skeleton of the current frame.

Labels too are shown for the current frame only. A layer of all frames' labels would make each click cost more with
every frame labelled (tens of milliseconds at 15,000 points), would tie napari's slider positions to frame numbers
that a folder of images does not have, and would be a second truth beside the label store. With one row per
bodypart, hidden where there is no label, a click changes two small arrays whatever the size of the project.

The layers cannot be edited by napari's own tools: every edit goes through the session to the store.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Layer, Points, Vectors
from numpy.typing import NDArray

from napari_al_pose.domain import Annotation, KeypointState, Prediction, Skeleton
from napari_al_pose.domain.views import bodypart_colours
from napari_al_pose.gui.layers.picking import points_on_canvas
from napari_al_pose.gui.layers.shapes import fade, parse_colours, segments, to_napari

LABEL_SIZE = 0.016
"""Diameter of a point as a share of the longer image side."""

CHOSEN_BORDER = (1.0, 1.0, 1.0, 1.0)
BORDER = (0.0, 0.0, 0.0, 0.8)


class KeypointLayers:
    """Three small layers that are filled anew for each frame and edit.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    skeleton : Skeleton
    long_side : int
        Longer side of the video's frames, in pixels: the size of the points follows it.
    """

    def __init__(self, viewer: Any, skeleton: Skeleton, long_side: int) -> None:
        self._skeleton = skeleton
        self._rgb = parse_colours(bodypart_colours(skeleton.n_bodyparts))
        self._xy = np.full((skeleton.n_bodyparts, 2), np.nan)
        self._likelihood = np.zeros(0)
        self._chosen = ""
        size = max(3.0, LABEL_SIZE * long_side)
        self.skeleton = Vectors(
            np.zeros((0, 2, 2)),
            ndim=2,
            name="skeleton",
            vector_style="line",
            edge_color="white",
            edge_width=max(1.0, size / 8),
            opacity=0.5,
        )
        self.guesses = self._points("guesses", size=size * 1.2)
        self.labels = self._points("labels", size=size)
        self.guesses.border_width = 0.22
        self.guesses.face_color = np.zeros((skeleton.n_bodyparts, 4))
        self.labels.face_color = np.column_stack([self._rgb, np.ones(skeleton.n_bodyparts)])
        for layer in self.all:
            layer.events.mode.connect(self._keep_pan_zoom)
            viewer.add_layer(layer)

    @property
    def all(self) -> tuple[Layer, ...]:
        """The layers, lowest first."""
        return self.skeleton, self.guesses, self.labels

    @property
    def names_visible(self) -> bool:
        """Whether bodypart names stand beside the points."""
        return bool(self.labels.text.visible)

    @names_visible.setter
    def names_visible(self, visible: bool) -> None:
        self.labels.text.visible = visible
        self.guesses.text.visible = visible

    def show(self, annotation: Annotation | None, guess: Prediction | None) -> None:
        """Fill the layers with one frame's labels, and with the guess where there is none."""
        n = self._skeleton.n_bodyparts
        labelled: NDArray[np.floating] = np.full((n, 2), np.nan)
        guessed: NDArray[np.floating] = labelled
        likelihood: NDArray[np.floating] = np.zeros(n)
        if annotation is not None:
            points = points_on_canvas(annotation, guess)
            self._xy = points.xy
            placed = annotation.states == KeypointState.PLACED
            labelled = np.where(placed[:, None], points.xy, np.nan)
            guessed = np.where(placed[:, None], np.nan, points.xy)
            likelihood = likelihood if guess is None else guess.likelihood
        else:
            self._xy = labelled
        _fill(self.labels, *to_napari(labelled))
        self._fade(likelihood)
        _fill(self.guesses, *to_napari(guessed))
        self._draw_skeleton(self._xy)

    def move(self, index: int, xy: tuple[float, float]) -> None:
        """Draw the label of one bodypart at ``xy`` while it is dragged; nothing is stored."""
        yx, shown = np.array(self.labels.data), np.array(self.labels.shown)
        yx[index], shown[index] = xy[::-1], True
        _fill(self.labels, yx, shown)
        hidden = np.array(self.guesses.shown)
        hidden[index] = False
        _fill(self.guesses, np.array(self.guesses.data), hidden)
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
        self.labels.border_color = borders

    def _fade(self, likelihood: NDArray[np.floating]) -> None:
        if not np.array_equal(likelihood, self._likelihood):
            self._likelihood = np.array(likelihood)
            self.guesses.border_color = fade(self._rgb, likelihood)

    def _draw_skeleton(self, xy: NDArray[np.floating]) -> None:
        lines = segments(xy, self._skeleton.link_indices())
        if not np.array_equal(lines, self.skeleton.data):
            self.skeleton.data = lines

    def _points(self, name: str, *, size: float) -> Points:
        n = self._skeleton.n_bodyparts
        return Points(
            np.zeros((n, 2)),
            ndim=2,
            name=name,
            size=size,
            shown=np.zeros(n, bool),
            features={"bodypart": list(self._skeleton.bodyparts)},
            border_width=0.12,
            border_color=np.tile(BORDER, (n, 1)),
            canvas_size_limits=(7, 40),
            text={
                "string": "{bodypart}",
                "size": 9,
                "color": "white",
                "anchor": "upper_left",
                "translation": [0, size],
            },
        )

    def _keep_pan_zoom(self, event: Any) -> None:
        """Refuse napari's own editing modes: the store would not hear of it."""
        if event.source.mode != "pan_zoom":
            event.source.mode = "pan_zoom"


def _fill(layer: Points, yx: NDArray[np.floating], shown: NDArray[np.bool_]) -> None:
    """Move the points of ``layer``, where they differ from what it shows.

    In place: assigning ``data`` makes napari work out the extent of the whole viewer anew, which costs more than
    everything else in a click.
    """
    moved = not np.array_equal(layer.data[shown], yx[shown])
    if moved:
        layer.data[shown] = yx[shown]
    if not np.array_equal(layer.shown, shown):
        layer.shown = shown
    elif moved:
        layer.refresh(thumbnail=False, highlight=False, extent=False)
