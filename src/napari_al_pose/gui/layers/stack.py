"""The session on the canvas: which layers there are, and when each is redrawn."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal, Slot
from qtpy.QtGui import QCursor
from qtpy.QtWidgets import QToolTip

from napari_al_pose.domain import FrameKey, KeypointState
from napari_al_pose.domain.views.label_checks import check_marks
from napari_al_pose.domain.views.prompt import point_name
from napari_al_pose.gui.frames import NewestFrame
from napari_al_pose.gui.layers.camera import FIT_MARGIN, Camera, CameraAim, FitOnResize
from napari_al_pose.gui.layers.context import ContextPlayer
from napari_al_pose.gui.layers.guard import (
    NOTHING,
    Sentence,
    ViewGuard,
    shows_frames,
    what_is_wrong,
)
from napari_al_pose.gui.layers.images import VideoLayer
from napari_al_pose.gui.layers.mouse import CanvasMouse
from napari_al_pose.gui.layers.napari_tools import NapariTools
from napari_al_pose.gui.layers.napari_widgets import is_taken_apart
from napari_al_pose.gui.layers.overview import overview_on
from napari_al_pose.gui.layers.pose_layers import PoseLayers
from napari_al_pose.gui.plain_layers import watch
from napari_al_pose.gui.playback import VideoPlayer
from napari_al_pose.gui.sources import CachedSource
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.key_choices import KeyChoices
from napari_al_pose.gui.state.label_checks import LabelChecks
from napari_al_pose.gui.state.label_editor import LabelEditor
from napari_al_pose.gui.state.navigator import Navigator
from napari_al_pose.gui.state.notices import Notices
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.gui.state.view_options import ViewOptions
from napari_al_pose.video import lazy_array


class LayerStack(QObject):
    """Draws the session's state, and tells the session where the user has moved napari's slider.

    The layers come with the project's first frame and go with the project. If the user deletes one, all are made again.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Only weakly referred to: the viewer's callbacks hold this object, not the other way round.
    projects : ProjectSession
    frame : CurrentFrame
    navigator : Navigator
        Becomes the parent.
    editor : LabelEditor
        Of what is clicked and dragged.
    checks : LabelChecks
        The doubtful one in front is marked.
    options : ViewOptions
    keys : KeyChoices
        Named where napari's own tools are refused.
    notices : Notices
    """

    built = Signal()
    """The layers were made again."""

    def __init__(
        self,
        viewer: Any,
        projects: ProjectSession,
        frame: CurrentFrame,
        *,
        navigator: Navigator,
        editor: LabelEditor,
        checks: LabelChecks,
        options: ViewOptions,
        keys: KeyChoices,
        notices: Notices,
    ) -> None:
        super().__init__(navigator)
        self._viewer_ref = weakref.ref(viewer)
        self._notices, self._options = notices, options
        self._frame, self._projects, self._navigator = frame, projects, navigator
        self._checks = checks
        self._layers: PoseLayers | None = None
        self._syncing = self._putting_back = False
        self._guard = ViewGuard(viewer, notices)
        watch(viewer)  # napari's menu duplicates a video
        self.camera = Camera(viewer, self)
        FitOnResize(viewer, self.camera, self).due.connect(self._fit)
        self._aim = CameraAim(self.camera, frame, options)
        self._overview = overview_on(viewer, options)
        if self._overview is not None:
            self._overview.destroyed.connect(self._lose_overview)
        self._tools = NapariTools(viewer, self, frame=frame, options=options, keys=keys)
        self.context = ContextPlayer(frame, navigator, parent=self)
        self._mouse = CanvasMouse(
            viewer, self, projects=projects, frame=frame, editor=editor, options=options, notices=notices
        )
        self.player = VideoPlayer(projects, frame, navigator=navigator, parent=self)
        self.context.playing.connect(self._on_playing)
        self.context.positionWanted.connect(self._show_position)
        options.changed.connect(self._on_option)
        frame.set_picture(self)
        viewer.dims.events.point.connect(self._on_slider)
        viewer.layers.events.removed.connect(self._on_removed)
        projects.projectChanged.connect(self.remove)
        frame.sourceChanged.connect(self._show_source)
        frame.keyChanged.connect(self._show_frame)
        frame.annotationChanged.connect(self._show_keypoints)
        frame.bodypartChanged.connect(self._show_bodypart)
        frame.individualChanged.connect(self._show_bodypart)
        frame.guesses.lookedChanged.connect(self._show_scoremap)
        frame.scoremapChoiceChanged.connect(self._show_scoremap)
        navigator.queueChanged.connect(self._show_scoremap)
        checks.changed.connect(self._show_check)
        checks.currentChanged.connect(self._show_check)

    @property
    def layers(self) -> list[Any]:
        """Our layers, lowest first; empty without a project."""
        return [] if self._layers is None else self._layers.all

    @property
    def shown_position(self) -> int:
        """Position of the frame whose pixels are on the canvas; -1 while none are, or frames around it are played."""
        layers = self._layers
        position = -1 if layers is None or self.context.is_playing else layers.video.shown_position
        return position if position >= 0 and self._stands_at(position) else -1

    def toggle_close_up(self) -> None:
        """Zoom in on the chosen bodypart, or zoom out again."""
        viewer = self._viewer_ref()
        if viewer is not None and (self._layers is not None or self.camera.is_close):
            self._aim.toggle_close_up(viewer.cursor.position)

    def fit_view(self) -> None:
        """Fill the canvas with the picture."""
        if self._layers is not None:
            self._fit()

    def toggle_play(self) -> None:
        """Play the video at its own speed from the current frame on, or stop."""
        self.context.stop()
        self.player.toggle()

    def toggle_context(self) -> None:
        """Play the frames around the current one, or go back to it."""
        self.player.stop()
        self.context.toggle()

    def remove(self) -> None:
        """Take our layers off the canvas and end the frames' thread."""
        ours, viewer = self.layers, self._viewer_ref()
        if self._layers is not None:
            self._layers.video.stop()
            self._layers.video.frames.join()
            self._layers.video.deleteLater()
        self._layers = None
        self._watch(None)
        self._guard.release()
        # In a viewer that is being taken apart, napari would draw the rest on a canvas that is gone.
        if ours and viewer is not None and not is_taken_apart(viewer):
            with viewer.layers.batched_update():  # else napari collects all of Python's garbage once a layer
                for layer in ours:  # of `layers`, none is ours any more: nothing is put back
                    if layer in viewer.layers:
                        viewer.layers.remove(layer)

    def close(self) -> None:
        """Leave the viewer as it was."""
        self._frame.set_picture(None)
        self.remove()
        viewer = self._viewer_ref()
        if viewer is not None:
            self._mouse.detach()
            self._guard.close()
            self._tools.close()
            viewer.dims.events.point.disconnect(self._on_slider)
            viewer.layers.events.removed.disconnect(self._on_removed)
        if self._overview is not None:
            self._overview.deleteLater()
            self._lose_overview()

    # ---- from the session ---------------------------------------------------------------------

    def _show_source(self) -> None:
        source = self._frame.source
        if source is None:
            if self._layers is not None:
                self._layers.video.layer.visible = False
            return
        if self._layers is None or self._missing(self.layers):
            self._build(source)
        elif self._layers.video.frames.source is not source:
            self._syncing = True
            try:
                resized = self._layers.video.swap(self._newest(source))
            finally:
                self._syncing = False
            if resized:
                self._layers.fit()
                self._fit()
        self._show_frame()

    def _build(self, source: CachedSource) -> None:
        viewer, project, skeleton = self._viewer_ref(), self._projects.project, self._frame.skeleton
        if viewer is None or project is None or skeleton is None:
            return
        self.remove()
        self._guard.turn_back()
        self._syncing = True
        try:
            self._layers = PoseLayers(
                viewer,
                VideoLayer(viewer, self._newest(source), self),
                skeleton,
                options=self._options,
                cutoff=project.config.pcutoff,
            )
        finally:
            self._syncing = False
        self._guard.hold(self.layers)
        self._watch(self._layers.video)
        self._fit()
        self.built.emit()

    @Slot()
    def _lose_overview(self) -> None:
        """Forget the inset: it is deleted with the canvas, maybe before the session."""
        overview, self._overview = self._overview, None
        if overview is not None:
            overview.leave()

    def _watch(self, video: VideoLayer | None) -> None:
        if self._overview is not None:
            self._overview.watch(video)
        self._tools.show()

    def _newest(self, source: CachedSource) -> NewestFrame:
        frames = NewestFrame(source, lambda: lazy_array(source), single=True)
        frames.news.failed.connect(self._notices.warn)
        return frames

    def _missing(self, layers: Iterable[Any]) -> bool:
        viewer = self._viewer_ref()
        return viewer is not None and any(layer not in viewer.layers for layer in layers)

    def _fit(self) -> None:
        viewer = self._viewer_ref()
        if viewer is not None and self._layers is not None:
            # To the frame alone: points that are not shown lie in its corner, and half of each lies outside.
            # Beside a layer of the user's that has more axes, napari can only fit to all layers.
            frame = self._layers.video.layer
            layers = [frame] if viewer.dims.ndim == frame.ndim else None
            viewer.fit_to_view(layers=layers, margin=FIT_MARGIN)
            self.camera.forget()

    def _show_frame(self) -> None:
        viewer, position = self._viewer_ref(), self._frame.position
        if viewer is None or self._layers is None:
            return
        self._layers.show_video(visible=position >= 0)
        if position >= 0:
            self._show_position(position)
        self._show_bodypart()
        self._show_keypoints()
        self._show_scoremap()
        self._show_check()
        if self._options.follow:
            self._aim.follow()

    def _show_position(self, position: int) -> None:
        """Show the frame at ``position`` in napari, without changing the session's current frame."""
        viewer = self._viewer_ref()
        if viewer is not None:
            self._syncing = True
            try:
                # Not a step: a layer of the user's may have given the axis other steps, or another beginning.
                viewer.dims.set_point(self._time_axis(viewer), position)
            finally:
                self._syncing = False

    def _show_keypoints(self) -> None:
        if self._layers is not None:
            self._layers.show_keypoints(self._frame)
            self._aim.jump()

    def _show_bodypart(self) -> None:
        if self._layers is not None:
            self._layers.keypoints.choose(self._frame.individual_index, self._frame.bodypart)
            self._aim.to_bodypart()

    def name_point(self, row: int | None) -> None:
        """Say what is under the mouse."""
        frame, skeleton, text = self._frame, self._frame.skeleton, ""
        if row is not None and frame.annotations and skeleton is not None:
            owner = skeleton.keypoints[row][0]
            annotation, index = frame.annotations[skeleton.owners.index(owner)], row - skeleton.rows_of(owner).start
            is_guess = annotation.states[index] == KeypointState.UNSEEN and owner == frame.individual
            guessed = frame.guesses.guessed() if is_guess else None
            text = point_name(skeleton.bodyparts_of(owner), index, guessed, individual=owner)
        QToolTip.showText(QCursor.pos(), text)

    def _on_option(self, name: str) -> None:
        if self._layers is None:
            return
        self._layers.show_option(name)
        if name in ("colour_by", "palette"):
            self._show_scoremap()
        elif name == "follow" and self._options.follow:
            self._aim.follow()

    def _on_playing(self, playing: bool) -> None:
        if self._layers is not None:
            self._layers.keypoints.show_skeleton(self._options.points and not playing)

    def _show_scoremap(self) -> None:
        if self._layers is not None:
            self._layers.show_scoremap(self._frame, self._navigator.suggestion)

    def _show_check(self) -> None:
        """Mark the label that is checked and where the model sees it; a close-up moves to the middle of both."""
        if self._layers is None:
            return
        check = self._checks.in_front
        marks = None if check is None or self._frame.position < 0 else check_marks(check)
        if self._layers.marks.show(marks) and marks is not None:
            (ax, ay), (bx, by) = marks.label, marks.seen
            self.camera.jump(((ax + bx) / 2, (ay + by) / 2))

    def preview(self, rows: Sequence[int], xy: NDArray[np.float64]) -> None:
        if self._layers is not None:
            self._layers.keypoints.move(rows, xy)

    # ---- from the viewer ----------------------------------------------------------------------

    def _on_slider(self) -> None:
        viewer, source, current = self._viewer_ref(), self._frame.source, self._frame.key
        if self._syncing or viewer is None or source is None or current is None or self._layers is None:
            return
        if self._missing(self.layers):
            return  # napari's slider begins anew with the layers that are left; ours are being put back
        point = viewer.dims.point[self._time_axis(viewer)]
        position = round(point)
        self.context.stop()
        if 0 <= position < len(source):
            self._navigator.go_to(FrameKey(current.video, source.number(position)))
            if point != position:
                self._show_position(self._frame.position)

    def _on_removed(self, event: Any) -> None:
        if not self._putting_back and event.value in self.layers:
            self._putting_back = True
            QTimer.singleShot(0, self, self._put_back)  # the user may be deleting several

    def _put_back(self) -> None:
        """Make the layers again: without them, nobody could see or label the open project."""
        viewer, source = self._viewer_ref(), self._frame.source
        self._putting_back = False
        if viewer is None or source is None or not _is_open(viewer) or not self._missing(self.layers):
            return
        self._build(source)
        self._show_frame()
        self._notices.tell(
            "The pose layers were restored: they show the open project.", "They go when the project is closed."
        )

    def _stands_at(self, position: int) -> bool:
        viewer = self._viewer_ref()
        if viewer is None or self._missing(self.layers) or not shows_frames(viewer):
            return False
        return bool(viewer.dims.point[self._time_axis(viewer)] == position)

    def refusal(self, xy: tuple[float, float]) -> Sentence:
        """Return why a click at ``xy`` is no click on the current frame."""
        viewer = self._viewer_ref()
        if viewer is None or self._layers is None or self._missing(self.layers):
            return NOTHING  # they are being put back
        if not self._options.points:
            return "The points are hidden.", "Show them ({options.toggle points}), then label."
        drawn, position = self._layers.keypoints.all[-2:], self._frame.position
        return what_is_wrong(viewer, self._layers.video.layer, drawn, position=position, xy=xy)

    @staticmethod
    def _time_axis(viewer: Any) -> int:
        """napari aligns layers on their trailing axes; ours are (t, y, x)."""
        return int(viewer.dims.ndim) - 3


def _is_open(viewer: Any) -> bool:
    """Whether the viewer still has its window; one without any, as scripts have, stays open."""
    window = getattr(viewer, "window", None)
    return window is None or getattr(window, "_qt_window", None) is not None
