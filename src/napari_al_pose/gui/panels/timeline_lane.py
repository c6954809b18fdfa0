"""The painted lane of labels and queue, and what its colours mean."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QPixmap, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_al_pose.domain.views import FrameAxis, Mark, MarkKind, describe_frame
from napari_al_pose.gui.theme import Colours

_LANE_HEIGHT = 26
_REACH_PX = 4.0
_PAINT_ORDER = (MarkKind.QUEUED, MarkKind.QUEUED_HOLDOUT, MarkKind.LABELLED, MarkKind.HOLDOUT)


class SeekLane(QWidget):
    """Something painted along a video; a click or a drag seeks.

    It is painted once into a picture, so that moving along a long video with many labels costs one line.

    Parameters
    ----------
    colours : Colours
    parent : QWidget, optional
    """

    sought = Signal(int)

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colours = colours
        self._axis = FrameAxis(0)
        self._position = -1
        self._picture: QPixmap | None = None
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_axis(self, axis: FrameAxis) -> None:
        """Show another source."""
        self._axis = axis
        self.repaint_picture()

    def set_position(self, position: int) -> None:
        """Show where the user is; -1 for nowhere."""
        self._position = position
        self.update()

    def set_colours(self, colours: Colours) -> None:
        """Paint with another theme."""
        self._colours = colours
        self.repaint_picture()

    def repaint_picture(self) -> None:
        """Paint all of it again."""
        self._picture = None
        self.update()

    def paint_picture(self) -> QPixmap:
        """Return what lies along the video."""
        raise NotImplementedError

    def paint_position(self, painter: QPainter, x: float) -> None:
        """Paint where the user is."""
        painter.fillRect(QRectF(x - 0.75, 0, 1.5, self.height()), self._colours.text)

    def seek(self, event: QMouseEvent) -> None:
        """Go where the mouse is, if its button is down."""
        if self._axis.n_positions and event.buttons() & Qt.MouseButton.LeftButton:
            self.sought.emit(self._axis.position_at(event.position().x(), self.width()))

    def resizeEvent(self, event: Any) -> None:
        self._picture = None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.seek(event)

    def paintEvent(self, event: Any) -> None:
        if self._picture is None:
            self._picture = self.paint_picture()
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._picture)
        if self._position >= 0:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            self.paint_position(painter, self._axis.x_of(self._position, self.width()))
        painter.end()


class Lane(SeekLane):
    """The lane of labels and queue."""

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(colours, parent)
        self._marks: dict[int, MarkKind] = {}
        self.setFixedHeight(_LANE_HEIGHT)

    @property
    def axis(self) -> FrameAxis:
        """Which frames the lane stands for."""
        return self._axis

    @property
    def marks(self) -> tuple[Mark, ...]:
        """What is marked."""
        return tuple(Mark(position, kind) for position, kind in self._marks.items())

    def set_marks(self, marks: tuple[Mark, ...]) -> None:
        """Show other marks."""
        by_position = {mark.position: mark.kind for mark in marks}
        if by_position != self._marks:
            self._marks = by_position
            self.repaint_picture()

    def set_mark(self, position: int, kind: MarkKind | None) -> None:
        """Change or remove the mark of one position; only its place in the picture is painted again."""
        if kind is None:
            self._marks.pop(position, None)
        else:
            self._marks[position] = kind
        if self._picture is not None:
            x = round(self._axis.x_of(position, self.width()))
            painter = QPainter(self._picture)
            area = QRectF(x - 2, 0, 4, self.height())
            painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
            painter.fillRect(area, Qt.GlobalColor.transparent)
            painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
            painter.setClipRect(area)
            first, last = (self._axis.position_at(edge, self.width()) for edge in (x - 4, x + 5))
            self._paint_on(painter, range(max(0, first), last + 1))
            painter.end()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(400, _LANE_HEIGHT)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self.seek(event)
        if self._axis.n_positions:
            position = self._axis.position_at(event.position().x(), self.width())
            reach = _REACH_PX / max(1, self.width()) * self._axis.n_positions
            near = range(position - math.ceil(reach), position + math.ceil(reach) + 1)
            marks = [Mark(place, self._marks[place]) for place in near if place in self._marks]
            text = describe_frame(self._axis, position, marks, reach=reach)
            QToolTip.showText(event.globalPosition().toPoint(), text, self)

    def paint_position(self, painter: QPainter, x: float) -> None:
        super().paint_position(painter, x)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._colours.text)
        painter.drawPolygon(QPolygonF([QPointF(x - 5, 0), QPointF(x + 5, 0), QPointF(x, 6)]))

    def paint_picture(self) -> QPixmap:
        ratio = self.devicePixelRatioF()
        picture = QPixmap(self.size() * ratio)
        picture.setDevicePixelRatio(ratio)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        self._paint_on(painter, self._marks)
        painter.end()
        return picture

    def _paint_on(self, painter: QPainter, positions: Iterable[int]) -> None:
        """Paint the lane, and the marks at ``positions``: queued frames first, each pixel once."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._colours.raised)
        painter.drawRoundedRect(QRectF(0, 7, self.width(), self.height() - 8), 3, 3)
        places: dict[MarkKind, set[int]] = {kind: set() for kind in _PAINT_ORDER}
        for position in positions:
            kind = self._marks.get(position)
            if kind is not None:
                places[kind].add(round(self._axis.x_of(position, self.width())))
        for kind, columns in places.items():
            for x in columns:
                painter.fillRect(_mark_area(x, self.height(), kind), mark_colour(kind, self._colours))


class Legend(QWidget):
    """What the lane's colours mean; left out where there is no room for it."""

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colours = colours
        self._kinds = (MarkKind.LABELLED, MarkKind.HOLDOUT, MarkKind.QUEUED)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)

    def minimumSizeHint(self) -> QSize:
        return QSize(0, self.sizeHint().height())

    def set_colours(self, colours: Colours) -> None:
        """Paint with another theme."""
        self._colours = colours
        self.update()

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        return QSize(sum(metrics.horizontalAdvance(kind) + 26 for kind in self._kinds), metrics.height() + 2)

    def paintEvent(self, event: Any) -> None:
        if self.width() < self.sizeHint().width():
            return
        painter = QPainter(self)
        x = 0
        for kind in self._kinds:
            painter.fillRect(QRectF(x + 4, self.height() / 2 - 5, 3, 10), mark_colour(kind, self._colours))
            painter.setPen(self._colours.dim)
            width = self.fontMetrics().horizontalAdvance(kind)
            painter.drawText(QRectF(x + 12, 0, width + 4, self.height()), Qt.AlignmentFlag.AlignVCenter, kind)
            x += width + 26
        painter.end()


def mark_colour(kind: MarkKind, colours: Colours) -> QColor:
    """Return the colour of a kind of mark."""
    if kind in (MarkKind.HOLDOUT, MarkKind.QUEUED_HOLDOUT):
        return colours.holdout
    return colours.good if kind is MarkKind.LABELLED else colours.accent


def _mark_area(x: float, height: int, kind: MarkKind) -> QRectF:
    """Return where a mark is painted: labels the lane's full height, queued frames its lower part."""
    top = height * 0.6 if kind in (MarkKind.QUEUED, MarkKind.QUEUED_HOLDOUT) else 8.0
    return QRectF(x - 1, top, 2, height - 2 - top)
