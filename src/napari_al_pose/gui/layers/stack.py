"""The session on the canvas: which layers there are, and when each is drawn anew."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_al_pose.domain import FrameKey
from napari_al_pose.gui.frames import NewestFrame
from napari_al_pose.gui.layers.keypoints import KeypointLayers
from napari_al_pose.gui.layers.mouse import CanvasMouse
from napari_al_pose.gui.layers.prompt import prompt
from napari_al_pose.gui.layers.scoremap import ScoremapLayer
from napari_al_pose.gui.layers.video import VideoLayer
from napari_al_pose.gui.sources import CachedSource
from napari_al_pose.gui.state import ALL_BODYPARTS
from napari_al_pose.video import lazy_array

if TYPE_CHECKING:
    from napari_al_pose.gui.session import Session


class LayerStack(QObject):
    """Draws what the session says, and tells the session where the user has moved napari's slider.

    From below: video, scoremap, skeleton, peaks, guesses, labels. All but the video hold the current frame only. The
    layers come with the project's first frame and go with the project; one that the user deletes comes back
    with the next video.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Only weakly referred to: the viewer's callbacks hold this object, not the other way round.
    session : Session
        Becomes the parent.
    """

    built = Signal()
    """The layers were made anew."""

    def __init__(self, viewer: Any, session: Session) -> None:
        super().__init__(session)
        self._viewer_ref = weakref.ref(viewer)
        self._session = session
        self._video: VideoLayer | None = None
        self._scoremap: ScoremapLayer | None = None
        self._keypoints: KeypointLayers | None = None
        self._syncing = False
        self._mouse = CanvasMouse(
            viewer, session, picture_is_current=lambda: self.picture_is_current, preview=self._preview
        )
        session.set_picture_check(lambda: self.picture_is_current)
        viewer.dims.events.current_step.connect(self._on_slider)
        session.projectChanged.connect(self.remove)
        session.sourceChanged.connect(self._show_source)
        session.frameChanged.connect(self._show_frame)
        session.annotationChanged.connect(self._show_keypoints)
        session.bodypartChanged.connect(self._show_bodypart)
        session.lookedChanged.connect(self._show_scoremap)
        session.scoremapChoiceChanged.connect(self._show_scoremap)
        session.queueChanged.connect(self._show_scoremap)

    @property
    def layers(self) -> list[Any]:
        """Our layers, lowest first; empty without a project."""
        if self._video is None or self._scoremap is None or self._keypoints is None:
            return []
        return [self._video.layer, self._scoremap.layer, *self._keypoints.all]

    @property
    def picture_is_current(self) -> bool:
        """Whether the pixels on the canvas are the current frame's; a click before that would label another frame."""
        position = self._session.position
        return self._video is not None and position >= 0 and self._video.shown_position == position

    def toggle_names(self) -> None:
        """Show or hide the bodyparts' names beside their points."""
        if self._keypoints is not None:
            self._keypoints.toggle_names()

    def remove(self) -> None:
        """Take our layers off the canvas and end the frames' thread."""
        ours, viewer = self.layers, self._viewer_ref()
        if self._video is not None:
            self._video.stop()
            self._video.frames.join()
            self._video.deleteLater()
        self._video = self._scoremap = self._keypoints = None
        if viewer is not None:
            for layer in ours:
                if layer in viewer.layers:
                    viewer.layers.remove(layer)
            viewer.canvas.overlays.text.visible = False

    def close(self) -> None:
        """Leave the viewer as it was."""
        self.remove()
        viewer = self._viewer_ref()
        if viewer is not None:
            self._mouse.detach()
            viewer.dims.events.current_step.disconnect(self._on_slider)

    # ---- from the session ---------------------------------------------------------------------

    def _show_source(self) -> None:
        source = self._session.source
        if source is None:
            if self._video is not None:
                self._video.layer.visible = False
            return
        if self._video is None or self._missing(self.layers):
            self._build(source)
        elif self._video.frames.source is not source:
            self._syncing = True
            try:
                resized = self._video.swap(self._newest(source))
            finally:
                self._syncing = False
            if resized:
                self._fit()
        self._show_frame()

    def _build(self, source: CachedSource) -> None:
        viewer, project = self._viewer_ref(), self._session.project
        if viewer is None or project is None:
            return
        self.remove()
        self._syncing = True
        try:
            self._video = VideoLayer(viewer, self._newest(source), self)
            self._scoremap = ScoremapLayer(viewer, project.skeleton)
            self._keypoints = KeypointLayers(viewer, project.skeleton, max(source.shape[1:3]))
        finally:
            self._syncing = False
        text = viewer.canvas.overlays.text
        text.font_size, text.position, text.visible = 12, "top_left", True
        self._fit()
        self.built.emit()

    def _newest(self, source: CachedSource) -> NewestFrame:
        frames = NewestFrame(source, lazy_array(source))
        frames.news.failed.connect(self._session.notice_error)
        return frames

    def _missing(self, layers: Iterable[Any]) -> bool:
        viewer = self._viewer_ref()
        return viewer is not None and any(layer not in viewer.layers for layer in layers)

    def _fit(self) -> None:
        viewer = self._viewer_ref()
        if viewer is not None:
            viewer.fit_to_view()

    def _show_frame(self) -> None:
        viewer, position = self._viewer_ref(), self._session.position
        if viewer is None or self._video is None:
            return
        if self._video.layer.visible != (position >= 0):
            self._video.layer.visible = position >= 0
        if position >= 0:
            self._syncing = True
            try:
                viewer.dims.set_current_step(self._time_axis(viewer), position)
            finally:
                self._syncing = False
        self._show_bodypart()
        self._show_keypoints()
        self._show_scoremap()

    def _show_keypoints(self) -> None:
        if self._keypoints is not None:
            self._keypoints.show(self._session.position, self._session.annotation, self._session.guess)
            self._show_prompt()

    def _show_bodypart(self) -> None:
        if self._keypoints is not None:
            self._keypoints.choose(self._session.bodypart)
            self._show_prompt()

    def _show_scoremap(self) -> None:
        if self._scoremap is None or self._keypoints is None:
            return
        session = self._session
        choice, looked = session.scoremap_choice, session.looked
        chosen = session.bodyparts if choice == ALL_BODYPARTS else tuple(filter(None, (choice,)))
        self._scoremap.show(None if looked is None else looked.scoremaps, chosen)
        self._keypoints.show_peaks(session.suggestion, set(chosen))

    def _show_prompt(self) -> None:
        viewer, session = self._viewer_ref(), self._session
        if viewer is not None:
            viewer.canvas.overlays.text.text = prompt(
                session.annotation, session.guess, session.bodypart, read_only=session.read_only
            )

    def _preview(self, index: int, xy: tuple[float, float]) -> None:
        if self._keypoints is not None:
            self._keypoints.move(index, xy)

    # ---- from the viewer ----------------------------------------------------------------------

    def _on_slider(self) -> None:
        viewer, source, current = self._viewer_ref(), self._session.source, self._session.current
        if self._syncing or viewer is None or source is None or current is None or self._video is None:
            return
        position = int(viewer.dims.current_step[self._time_axis(viewer)])
        if 0 <= position < len(source):
            self._session.go_to(FrameKey(current.video, source.number(position)))

    @staticmethod
    def _time_axis(viewer: Any) -> int:
        """napari aligns layers on their trailing axes; ours are (t, y, x)."""
        return int(viewer.dims.ndim) - 3
