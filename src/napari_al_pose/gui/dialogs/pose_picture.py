"""A picture of a frame with poses drawn over it, for dialogs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QImage, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_al_pose.domain import AlPoseError, FrameKey
from napari_al_pose.gui.background import Background
from napari_al_pose.gui.theme import BEHIND_VIDEO, ON_VIDEO, see_through
from napari_al_pose.project import Project

_CLOSE_UP_MARGIN = 0.35
_CLOSE_UP_LEAST = 60.0
_RADIUS = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class DrawnPose:
    """One pose over the picture.

    Parameters
    ----------
    xy : float array, (K, 2)
        Source pixels; NaN is not drawn.
    colours : sequence of str
        One a point.
    hollow : bool
        Rings instead of discs, for the second of two poses.
    links : sequence of (int, int)
        Points joined by lines.
    """

    xy: NDArray[np.floating]
    colours: Sequence[str]
    hollow: bool = False
    links: Sequence[tuple[int, int]] = field(default=())


class PosePicture(QWidget):
    """Paints a frame with poses; empty until the frame is there."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.image: QImage | None = None
        self.poses: tuple[DrawnPose, ...] = ()
        self._close_up = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(320, 240)

    def sizeHint(self) -> QSize:
        return QSize(520, 340)

    def set_image(self, image: QImage | None) -> None:
        """Show another frame, or none while it is being read."""
        self.image = image
        self.update()

    def set_poses(self, *poses: DrawnPose) -> None:
        """Draw other poses."""
        self.poses = poses
        self.update()

    def set_close_up(self, close_up: bool) -> None:
        """Show only what is around the poses."""
        self._close_up = close_up
        self.update()

    @property
    def region(self) -> QRectF:
        """The part of the frame that is shown, in source pixels."""
        whole = QRectF(-0.5, -0.5, self.image.width(), self.image.height()) if self.image else QRectF(0, 0, 640, 480)
        points = np.concatenate([pose.xy for pose in self.poses]) if self.poses else np.empty((0, 2))
        points = points[np.isfinite(points).all(axis=1)]
        if not self._close_up or not len(points):
            return whole
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
        width, height = max(right - left, _CLOSE_UP_LEAST), max(bottom - top, _CLOSE_UP_LEAST)
        centre = QPointF((left + right) / 2, (top + bottom) / 2)
        size = (1 + 2 * _CLOSE_UP_MARGIN) * max(width, height)
        return QRectF(centre.x() - size / 2, centre.y() - size / 2, size, size)

    def paintEvent(self, _event: Any) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), BEHIND_VIDEO)
        region = self.region
        scale = min(self.width() / region.width(), self.height() / region.height())
        shown = QSize(round(region.width() * scale), round(region.height() * scale))
        painter.translate((self.width() - shown.width()) / 2, (self.height() - shown.height()) / 2)
        painter.setClipRect(QRectF(0, 0, shown.width(), shown.height()))
        if self.image is not None:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            # Pixel centres lie at integers: the first pixel begins half a pixel before 0.
            corner = QPointF((-0.5 - region.left()) * scale, (-0.5 - region.top()) * scale)
            size = QSize(round(self.image.width() * scale), round(self.image.height() * scale))
            painter.drawImage(QRectF(corner.x(), corner.y(), size.width(), size.height()), self.image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for pose in self.poses:
            points = [
                QPointF((x - region.left()) * scale, (y - region.top()) * scale) if np.isfinite([x, y]).all() else None
                for x, y in pose.xy
            ]
            _paint_pose(painter, pose, points)
        painter.end()


class FramePictures(QObject):
    """Reads frames of a project for pictures, on a thread of its own.

    Parameters
    ----------
    project : Project
    parent : QObject
    """

    ready = Signal(object, object)
    """A `FrameKey` and its `QImage`, None where it cannot be read."""

    def __init__(self, project: Project, parent: QObject) -> None:
        super().__init__(parent)
        self._project = project
        self._background = Background("al-pose-pictures", self)
        self._wanted: FrameKey | None = None

    def request(self, key: FrameKey) -> None:
        """Read a frame; an earlier request that has not begun is dropped."""
        self._wanted = key
        self._background.run(self._reading(key), then=self._take, failed=lambda _error: self._take((key, None)))

    def close(self) -> None:
        """Let the frame in hand end on its own."""
        self._background.close(wait=False)

    def _reading(self, key: FrameKey) -> Callable[[], tuple[FrameKey, QImage | None]]:
        def read() -> tuple[FrameKey, QImage | None]:
            if key != self._wanted:
                return key, None
            with closing(self._project.video(key.video).open(cache_bytes=0)) as source:
                try:
                    return key, _image(source[source.position(key.frame)])
                except (KeyError, IndexError) as error:
                    raise AlPoseError(
                        f"{key.video} has no frame {key.frame}.", "Check that the file is the video that was labelled."
                    ) from error

        return read

    def _take(self, found: tuple[FrameKey, QImage | None]) -> None:
        key, image = found
        if key == self._wanted:
            self.ready.emit(key, image)


def _paint_pose(painter: QPainter, pose: DrawnPose, points: Sequence[QPointF | None]) -> None:
    painter.setPen(QPen(see_through(ON_VIDEO, 0.43), 1.2))
    for a, b in pose.links:
        start, end = points[a], points[b]
        if start is not None and end is not None:
            painter.drawLine(start, end)
    for point, colour in zip(points, pose.colours, strict=True):
        if point is None:
            continue
        painter.setPen(QPen(BEHIND_VIDEO if not pose.hollow else QColor(colour), 1.0 if not pose.hollow else 2.4))
        painter.setBrush(Qt.BrushStyle.NoBrush if pose.hollow else QColor(colour))
        radius = _RADIUS + 3 if pose.hollow else _RADIUS
        painter.drawEllipse(point, radius, radius)


def _image(frame: NDArray[np.uint8]) -> QImage:
    pixels = np.ascontiguousarray(frame)
    height, width = pixels.shape[:2]
    return QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
