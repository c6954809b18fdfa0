"""Labels, guesses, skeleton and the peaks of the reason, of the current frame.

The rows of every layer are the bodyparts of the first individual, then those of the second, and so on, then the unique
bodyparts.

Labels too are shown for the current frame only. A layer of all frames' labels would make each click cost more with
every frame labelled (tens of milliseconds at 15,000 points), would tie napari's slider positions to frame numbers
that a folder of images does not have, and would be a second truth beside the label store. This way a click
changes two small arrays whatever the size of the project.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.layers import Layer, Points, Vectors
from numpy.typing import NDArray

from napari_al_pose.domain import Annotation, Prediction, Skeleton, Suggestion
from napari_al_pose.domain.tools import ColourBy
from napari_al_pose.domain.views import bodypart_colours
from napari_al_pose.domain.views.colours import Palette, individual_colours
from napari_al_pose.gui.layers.picking import points_on_canvas
from napari_al_pose.gui.layers.shapes import NO_LINE, fade, parse_colours, segments, to_napari

LABEL_SIZE = 0.016
"""Diameter of a point as a share of the longer image side."""

CANVAS_SIZE = (0, 26)
"""Smallest and largest point, screen pixels; above 0 napari would show the point it keeps in an empty layer."""

NAMES = {"string": "{bodypart}", "size": 9, "color": "white", "anchor": "upper_left", "visible": False}
"""How the bodyparts' names stand beside their labels."""

PEAKS = 5
"""Peaks drawn of one bodypart."""

CHOSEN_BORDER = (1.0, 1.0, 1.0, 1.0)
BORDER = (0.0, 0.0, 0.0, 0.8)

GUESS_SIZE = 1.3
"""Diameter of a guess, where a label's is 1."""

OTHERS = 0.45
"""How strong the guesses of the individuals that are not chosen are, beside those of the chosen one."""

SPOT = 0.4
"""Opacity of a guess that is not believed."""

DOUBTED = (1.0, 0.1, 0.1)
"""Ring of a guess below the likelihood cutoff, where the user asks for it; napari-deeplabcut's colour for it."""


class RowsLayer:
    """A Points layer for one frame, made to change fast.

    The rows never become more or fewer, so that colours, names and sizes are set once; what does not exist is not
    shown. Rows change in place: assigning ``data`` makes napari work out the extent of the whole viewer anew, which
    costs more than everything else in a click. Points are ``(t, y, x)`` with the current position as ``t``,
    because napari shows every row of a layer without a sliced axis, also those that are not to be shown.

    Napari's own tools never edit the layer (see `ViewGuard.hold`): every edit goes through the session to the label
    store.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The layer is added on top.
    n : int
        Number of rows.
    **style
        Passed on to `napari.layers.Points`.
    """

    def __init__(self, viewer: Any, n: int, **style: Any) -> None:
        self.layer = Points(np.zeros((n, 3)), ndim=3, shown=np.zeros(n, bool), **style)
        viewer.add_layer(self.layer)

    @property
    def shown(self) -> NDArray[np.bool_]:
        """Which rows are shown, (n,)."""
        return np.array(self.layer.shown)

    @property
    def yx(self) -> NDArray[np.float64]:
        """Where the rows are, (n, 2)."""
        return np.array(self.layer.data[:, 1:])

    def fill(self, position: int, yx: NDArray[np.floating], shown: NDArray[np.bool_]) -> None:
        """Show the rows ``shown`` at ``yx`` in the frame at ``position``; does nothing if nothing changes."""
        rows = np.column_stack([np.full(len(yx), float(position)), yx])
        moved = not np.array_equal(self.layer.data[shown], rows[shown])
        if moved:
            self.layer.data[shown] = rows[shown]
        if not np.array_equal(self.layer.shown, shown):
            self.layer.shown = shown
        elif moved:
            self.layer.refresh(thumbnail=False, highlight=False, extent=False)


class KeypointLayers:
    """Four small layers that are refilled for each frame and edit.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Gets the layers.
    skeleton : Skeleton
        The project's.
    long_side : int
        Longer side of the video's frames, in pixels: the size of the points follows it.
    colour_by : ColourBy
        What a point's colour stands for.
    palette : Palette
    cutoff : float
        Likelihood below which a guess is doubted.
    """

    def __init__(
        self,
        viewer: Any,
        skeleton: Skeleton,
        long_side: int,
        *,
        colour_by: ColourBy = ColourBy.BODYPART,
        palette: Palette = Palette.DISTINCT,
        cutoff: float,
    ) -> None:
        self._skeleton = skeleton
        n = len(skeleton.keypoints)
        self._rgb = row_colours(skeleton, colour_by, palette)
        self._xy = np.full((n, 2), np.nan)
        self._position = -1
        self._likelihood, self._doubted = np.zeros(n), np.zeros(n, bool)
        self._mark_doubted, self._cutoff = False, cutoff
        self._chosen = -1
        solid = np.column_stack([self._rgb, np.ones(n)])
        hollow = {"face_color": "transparent", "border_width": 0.22, "canvas_size_limits": CANVAS_SIZE}
        self.skeleton = viewer.add_layer(
            Vectors(
                np.array([NO_LINE]),
                ndim=2,
                name="skeleton",
                vector_style="line",
                edge_color="white",
                opacity=0.5,
            )
        )
        self._peaks = RowsLayer(
            viewer,
            n * PEAKS,
            name="peaks",
            symbol="cross",
            face_color=np.repeat(solid, PEAKS, axis=0),
            border_color="black",
            border_width=0.08,
            canvas_size_limits=CANVAS_SIZE,
        )
        self._guesses = RowsLayer(viewer, n, name="guesses", border_color=solid, **hollow)
        self._labels = RowsLayer(
            viewer,
            n,
            name="labels",
            face_color=solid,
            border_color=np.tile(BORDER, (n, 1)),
            border_width=0.12,
            canvas_size_limits=CANVAS_SIZE,
            features={"bodypart": [bodypart for _, bodypart in skeleton.keypoints]},
            text=NAMES,
        )
        self.fit(long_side)

    def fit(self, long_side: int) -> None:
        """Give the points the size that goes with frames of ``long_side`` pixels."""
        size = max(3.0, LABEL_SIZE * long_side)
        self.skeleton.edge_width = max(1.0, size / 8)
        for rows, share in ((self._peaks, 1.0), (self._guesses, GUESS_SIZE), (self._labels, 1.0)):
            rows.layer.size = size * share
        self._labels.layer.text.translation = [0, 0, size]

    @property
    def all(self) -> tuple[Layer, ...]:
        """The layers, lowest first."""
        return self.skeleton, self._peaks.layer, self._guesses.layer, self._labels.layer

    def show_names(self, visible: bool) -> None:
        """Show or hide the bodyparts' names beside the labels."""
        if self._labels.layer.text.visible != visible:
            self._labels.layer.text.visible = visible

    def show_points(self, visible: bool) -> None:
        """Show or hide labels, guesses and skeleton."""
        for layer in (self.skeleton, self._guesses.layer, self._labels.layer):
            if layer.visible != visible:
                layer.visible = visible

    def show_skeleton(self, visible: bool) -> None:
        """Show or hide the skeleton."""
        if self.skeleton.visible != visible:
            self.skeleton.visible = visible

    def colour(self, by: ColourBy, palette: Palette) -> None:
        """Change what colours stand for, or the palette."""
        rgb = row_colours(self._skeleton, by, palette)
        if np.array_equal(rgb, self._rgb):
            return
        self._rgb = rgb
        solid = np.column_stack([self._rgb, np.ones(len(self._rgb))])
        self._labels.layer.face_color = solid
        self._peaks.layer.face_color = np.repeat(solid, PEAKS, axis=0)
        self._fade(self._likelihood, self._doubted, force=True)

    def mark_doubted(self, on: bool) -> None:
        """Ring guesses below the likelihood cutoff in red, or not."""
        if on != self._mark_doubted:
            self._mark_doubted = on
            self._fade(self._likelihood, self._doubted, force=True)

    def show(
        self,
        position: int,
        annotations: Sequence[Annotation],
        guess: Prediction | None,
        *,
        individual: int,
        doubted: NDArray[np.bool_],
        others: Sequence[Prediction | None] = (),
    ) -> None:
        """Fill the layers with one frame's labels, and with the guesses where there are none.

        Parameters
        ----------
        position : int
            The frame's position in its video; below 0 nothing is shown.
        annotations : sequence of Annotation
            The frame's labels, one for each individual; empty without a frame.
        guess : Prediction or None
            What the model says of the rest of the chosen individual.
        individual : int
            The chosen one.
        doubted : bool array
            Which of its bodyparts may not be visible: they are faint spots without a ring, and no line leads to them.
        others : sequence of Prediction or None
            What the model says of each individual; of those that are not chosen it is drawn faintly, and a press does
            not take hold of it: the chosen one may be placed there.
        """
        n, owners = len(self._rgb), self._skeleton.owners
        self._position, self._xy = position, np.full((n, 2), np.nan)
        placed, likelihood, spots = np.zeros(n, bool), np.zeros(n), np.zeros(n, bool)
        if annotations and position >= 0:
            points = points_on_canvas(annotations, guess, individual)
            self._xy, placed = points.xy, points.is_label
            if guess is not None:
                mine = self._skeleton.rows_of(owners[individual])
                likelihood[mine], spots[mine] = guess.likelihood, doubted
            for index, other in enumerate(others):
                if index != individual and other is not None:
                    own = self._skeleton.rows_of(owners[index])
                    open_ = ~np.isfinite(self._xy[own, 0])
                    self._xy[own][open_] = other.xy[open_]
                    likelihood[own] = OTHERS * other.likelihood
        yx, there = to_napari(self._xy)
        self._labels.fill(position, yx, there & placed)
        self._fade(likelihood, spots)
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
        xy = np.full((len(self._rgb), PEAKS, 2), np.nan)
        for reason in () if suggestion is None else suggestion.reasons:
            if reason.bodypart in bodyparts:
                for rank, (x, y, _) in enumerate(reason.peaks[:PEAKS]):
                    xy[self._skeleton.index(reason.bodypart), rank] = x, y
        if self._peaks.layer.visible != bool(bodyparts):
            self._peaks.layer.visible = bool(bodyparts)  # a hidden layer costs nothing when stepping
        self._peaks.fill(self._position, *to_napari(xy.reshape(-1, 2)))

    def move(self, rows: Sequence[int], xy: NDArray[np.floating]) -> None:
        """Draw labels at ``xy``, (n, 2), while they are dragged; nothing is stored."""
        yx, shown = self._labels.yx, self._labels.shown
        yx[rows], shown[rows] = xy[:, ::-1], True
        self._labels.fill(self._position, yx, shown)
        shown = self._guesses.shown
        shown[rows] = False
        self._guesses.fill(self._position, self._guesses.yx, shown)
        dragged = self._xy.copy()
        dragged[rows] = xy
        self._draw_skeleton(dragged)

    def choose(self, individual: int, bodypart: str) -> None:
        """Mark the bodypart the next click places."""
        owner = self._skeleton.owners[individual]
        names = self._skeleton.bodyparts_of(owner)
        row = self._skeleton.rows_of(owner).start + names.index(bodypart) if bodypart in names else -1
        if row == self._chosen:
            return
        self._chosen = row
        borders = np.tile(BORDER, (len(self._rgb), 1))
        if row >= 0:
            borders[row] = CHOSEN_BORDER
        self._labels.layer.border_color = borders

    def _fade(self, likelihood: NDArray[np.floating], doubted: NDArray[np.bool_], *, force: bool = False) -> None:
        others = not np.array_equal(doubted, self._doubted)
        if others or force or not np.array_equal(likelihood, self._likelihood):
            self._likelihood = np.array(likelihood)
            rings = fade(self._rgb, likelihood)
            rings[doubted, 3] = 0
            if self._mark_doubted:
                rings[likelihood < self._cutoff] = (*DOUBTED, 1.0)
            self._guesses.layer.border_color = rings
        if others or force:
            self._doubted = np.array(doubted)
            self._guesses.layer.face_color = np.column_stack([self._rgb, np.where(doubted, SPOT, 0.0)])

    def _draw_skeleton(self, xy: NDArray[np.floating]) -> None:
        k, links = self._skeleton.n_bodyparts, self._skeleton.link_indices()
        xy = np.where((self._doubted & self._guesses.shown)[:, None], np.nan, xy)
        starts = range(0, k * len(self._skeleton.individuals), k)
        lines = segments(xy, [(start + a, start + b) for start in starts for a, b in links])
        if not np.array_equal(lines, self.skeleton.data):
            self.skeleton.data = lines


def row_colours(skeleton: Skeleton, by: ColourBy, palette: Palette = Palette.DISTINCT) -> NDArray[np.float32]:
    """Return the RGB colour of every row, ``(n, 3)``."""
    owners = skeleton.owners
    if by is ColourBy.INDIVIDUAL:
        own = parse_colours(individual_colours(len(skeleton.individuals), len(owners), palette))
        return np.repeat(own, [len(skeleton.bodyparts_of(owner)) for owner in owners], axis=0)
    return np.concatenate(
        [parse_colours(bodypart_colours(len(skeleton.bodyparts_of(owner)), palette)) for owner in owners]
    )
