"""The whole frame, small, in a corner of the canvas while the view shows a part of it."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QObject, QPointF, QRectF, Qt
from qtpy.QtGui import QImage, QMouseEvent, QPainter, QPen
from qtpy.QtWidgets import QWidget

from napari_al_pose.gui.layers.images import VideoLayer
from napari_al_pose.gui.layers.napari_widgets import canvas_widget
from napari_al_pose.gui.state.view_options import ViewOptions
from napari_al_pose.gui.theme import BEHIND_VIDEO, ON_VIDEO, see_through

LONG_SIDE = 200
"""Longer side of the inset, in screen pixels."""
PART = 0.9
"""A view that shows less than this of the frame's width or height shows a part of it."""
_MARGIN = 10


class Overview(QWidget):
    """The inset: what is in sight is bright. A click or a drag moves the view there.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Only weakly referred to.
    canvas : QWidget
        What it lies on.
    options : ViewOptions
    """

    def __init__(self, viewer: Any, canvas: QWidget, options: ViewOptions) -> None:
        super().__init__(canvas)
        self._viewer_ref = weakref.ref(viewer)
        self._options = options
        self._video: VideoLayer | None = None
        self._image: QImage | None = None
        self._shown: NDArray[np.uint8] | None = None
        self.setToolTip("The whole frame. Click to look elsewhere.")
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.hide()
        for event in (viewer.scene.camera.events.center, viewer.scene.camera.events.zoom):
            event.connect(self.refresh)
        options.changed.connect(self._on_option)
        canvas.installEventFilter(self)

    @property
    def in_sight(self) -> QRectF:
        """What the canvas shows, in source pixels; the first pixel begins at -0.5."""
        viewer, canvas = self._viewer_ref(), self.parentWidget()
        if viewer is None or canvas is None:
            return QRectF()
        camera = viewer.scene.camera
        width, height = canvas.width() / camera.zoom, canvas.height() / camera.zoom
        y, x = camera.center[-2:]
        return QRectF(x - width / 2, y - height / 2, width, height)

    def watch(self, video: VideoLayer | None) -> None:
        """Show the frames of ``video``; None for no video."""
        self._unhear()
        self._video, self._image, self._shown = video, None, None
        if video is not None:
            video.layer.events.set_data.connect(self.refresh)
        self.refresh()

    def leave(self) -> None:
        """Disconnect from viewer and video; may be called after the canvas, and this widget with it, was deleted."""
        self._unhear()
        self._video = None
        viewer = self._viewer_ref()
        if viewer is not None:
            for event in (viewer.scene.camera.events.center, viewer.scene.camera.events.zoom):
                event.disconnect(self.refresh)

    def _unhear(self) -> None:
        if self._video is not None:
            self._video.layer.events.set_data.disconnect(self.refresh)

    def refresh(self, _event: Any = None) -> None:
        """Show what is in sight now, or nothing while that is the whole frame."""
        video = self._video
        if video is None or not self._options.overview or not self._is_part(video):
            self.hide()
            return
        height, width = video.frames.shape[1:3]
        scale = LONG_SIDE / max(height, width)
        self.setFixedSize(max(1, round(width * scale)), max(1, round(height * scale)))
        self._place()
        picture = video.frames.shown
        if picture is not self._shown:
            self._shown, self._image = picture, _small(picture, round(1 / scale) if scale < 1 else 1)
        self.show()
        self.update()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self.refresh()
        return False

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._look_at(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._look_at(event)

    def paintEvent(self, _event: Any) -> None:
        if self._image is None or self._video is None:
            return
        painter = QPainter(self)
        area = QRectF(self.rect())
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(area, self._image)
        scale = self.width() / self._video.frames.shape[2]
        seen = self.in_sight.translated(0.5, 0.5)
        bright = QRectF(seen.x() * scale, seen.y() * scale, seen.width() * scale, seen.height() * scale).intersected(
            area
        )
        painter.fillRect(area, see_through(BEHIND_VIDEO, 0.5))
        painter.drawImage(bright, self._image, _scaled(bright, self._image.width() / self.width()))
        painter.setPen(QPen(ON_VIDEO, 1.5))
        painter.drawRect(bright.adjusted(0.5, 0.5, -1, -1))
        painter.setPen(QPen(see_through(ON_VIDEO, 0.6), 1))
        painter.drawRect(area.adjusted(0, 0, -1, -1))
        painter.end()

    def _is_part(self, video: VideoLayer) -> bool:
        height, width = video.frames.shape[1:3]
        seen = self.in_sight.intersected(QRectF(-0.5, -0.5, width, height))
        return bool(video.layer.visible) and (seen.width() < PART * width or seen.height() < PART * height)

    def _place(self) -> None:
        """Move to the lower right corner."""
        canvas = self.parentWidget()
        if canvas is not None:
            self.move(canvas.width() - self.width() - _MARGIN, canvas.height() - self.height() - _MARGIN)

    def _look_at(self, event: QMouseEvent) -> None:
        viewer = self._viewer_ref()
        if viewer is None or self._video is None or not event.buttons() & Qt.MouseButton.LeftButton:
            return
        scale = self._video.frames.shape[2] / self.width()
        at: QPointF = event.position()
        x = min(max(at.x(), 0), self.width()) * scale - 0.5
        y = min(max(at.y(), 0), self.height()) * scale - 0.5
        camera = viewer.scene.camera
        camera.center = (*tuple(camera.center)[:-2], y, x)

    def _on_option(self, name: str) -> None:
        if name == "overview":
            self.refresh()


def overview_on(viewer: Any, options: ViewOptions) -> Overview | None:
    """Return an inset on the viewer's canvas; None for a viewer without a window."""
    canvas = canvas_widget(viewer)
    return None if canvas is None else Overview(viewer, canvas, options)


def _small(frame: NDArray[np.uint8], step: int) -> QImage:
    """Return every ``step``-th pixel, which takes no time whatever the video's size."""
    pixels = np.ascontiguousarray(frame[::step, ::step])
    height, width = pixels.shape[:2]
    return QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()


def _scaled(area: QRectF, by: float) -> QRectF:
    return QRectF(area.x() * by, area.y() * by, area.width() * by, area.height() * by)
