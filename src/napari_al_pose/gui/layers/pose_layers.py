"""Our layers on the canvas, made together, and how each shows frame and options."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Layer, Points, Vectors

from napari_al_pose.domain import Skeleton, Suggestion
from napari_al_pose.domain.tools import Tool
from napari_al_pose.domain.views.label_checks import CheckMarks
from napari_al_pose.gui.layers.images import ScoremapLayer, VideoLayer
from napari_al_pose.gui.layers.keypoints import KeypointLayers
from napari_al_pose.gui.layers.shapes import NO_LINE, segments, to_napari
from napari_al_pose.gui.state.current_frame import ALL_BODYPARTS, CurrentFrame
from napari_al_pose.gui.state.view_options import ViewOptions
from napari_al_pose.gui.theme import MODEL_ON_VIDEO, ON_VIDEO

CURSORS = {Tool.ADD: "cross", Tool.SELECT: "pointing", Tool.PAN: "standard"}

RING_SIZE = 0.03
"""Diameter of a ring as a share of the longer image side."""

CANVAS_SIZE = (0, 44)
"""Smallest and largest ring, screen pixels."""

LABEL_COLOUR, MODEL_COLOUR = ON_VIDEO.name(), MODEL_ON_VIDEO.name()
TEXT = {"string": "{said}", "size": 12, "color": [LABEL_COLOUR, MODEL_COLOUR], "anchor": "upper_left"}


class CheckMarkLayers:
    """A label that is checked: a ring around it, one where the model sees the bodypart, and a line between them.

    Two small layers, hidden unless a label is checked; below the keypoints, which stay as they are.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Gets the layers.
    long_side : int
        Longer side of the video's frames, in pixels.
    """

    def __init__(self, viewer: Any, long_side: int) -> None:
        self._shown: CheckMarks | None = None
        self.line = viewer.add_layer(
            Vectors(
                np.array([NO_LINE]),
                ndim=2,
                name="checked distance",
                vector_style="line",
                edge_color=MODEL_COLOUR,
                visible=False,
            )
        )
        self.rings = viewer.add_layer(
            Points(
                np.zeros((2, 2)),
                name="checked label",
                face_color="transparent",
                border_color=[LABEL_COLOUR, MODEL_COLOUR],
                border_width=0.12,
                canvas_size_limits=CANVAS_SIZE,
                features={"said": ["", ""]},
                text=TEXT,
                visible=False,
            )
        )
        self.fit(long_side)

    def fit(self, long_side: int) -> None:
        """Give the rings the size that goes with frames of ``long_side`` pixels."""
        size = max(6.0, RING_SIZE * long_side)
        self.line.edge_width = max(1.0, size / 12)
        self.rings.size = size
        self.rings.text.translation = [0, 0.7 * size]

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


class PoseLayers:
    """From below: video, scoremap, marks of a checked label, skeleton, peaks, guesses, labels.

    All but the video hold the current frame only.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Gets the layers.
    video : VideoLayer
        The lowest, in the viewer already.
    skeleton : Skeleton
    options : ViewOptions
        Shown from the start.
    cutoff : float
        The project's likelihood below which DeepLabCut draws no point.
    """

    def __init__(
        self, viewer: Any, video: VideoLayer, skeleton: Skeleton, *, options: ViewOptions, cutoff: float
    ) -> None:
        long_side = max(video.frames.shape[1:3])
        self._options = options
        self.video = video
        self.scoremap = ScoremapLayer(viewer)
        self.marks = CheckMarkLayers(viewer, long_side)
        self.keypoints = KeypointLayers(
            viewer, skeleton, long_side, colour_by=options.colour_by, palette=options.palette, cutoff=cutoff
        )
        for name in ("names", "points", "borders", "tool", "palette", "contrast", "gamma", "scoremap_opacity"):
            self.show_option(name)

    @property
    def all(self) -> list[Any]:
        """napari's layers, lowest first."""
        return [self.video.layer, self.scoremap.layer, *self.marks.all, *self.keypoints.all]

    def fit(self) -> None:
        """Follow the size of the video's frames."""
        long_side = max(self.video.frames.shape[1:3])
        self.marks.fit(long_side)
        self.keypoints.fit(long_side)

    def show_option(self, name: str) -> None:
        """Show the present value of one of the view's options; does nothing for options that concern no layer."""
        options, keypoints = self._options, self.keypoints
        if name == "names":
            keypoints.show_names(options.names)
        elif name == "points":
            keypoints.show_points(options.points)
        elif name == "borders":
            keypoints.mark_doubted(options.borders)
        elif name in ("colour_by", "palette"):
            keypoints.colour(options.colour_by, options.palette)
            self.scoremap.set_palette(options.palette)
        elif name in ("contrast", "gamma", "scoremap_opacity"):
            self.video.layer.contrast_limits = options.contrast
            self.video.layer.gamma = options.gamma
            self.scoremap.layer.opacity = options.scoremap_opacity
        elif name == "tool":
            for layer in self.all:
                layer.cursor = CURSORS[options.tool]

    def show_video(self, *, visible: bool) -> None:
        """Show or hide the pixels."""
        if self.video.layer.visible != visible:
            self.video.layer.visible = visible

    def show_keypoints(self, frame: CurrentFrame) -> None:
        """Draw labels and guesses of the current frame."""
        self.keypoints.show(
            frame.position,
            frame.annotations,
            frame.guess,
            individual=frame.individual_index,
            doubted=frame.guesses.doubted,
            others=frame.guesses.each,
        )

    def show_scoremap(self, frame: CurrentFrame, suggestion: Suggestion | None) -> None:
        """Draw the chosen scoremaps of the current frame, and the peaks that its suggestion names."""
        choice, names = frame.scoremap_choice, frame.bodyparts
        chosen = names if choice == ALL_BODYPARTS else tuple(filter(None, (choice,)))
        height, width = self.video.frames.shape[1:3]
        self.scoremap.show(frame.guesses.scoremaps, chosen, (height, width), names=names)
        self.keypoints.show_peaks(suggestion, set(chosen))
