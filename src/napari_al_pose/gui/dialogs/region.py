"""Asks which rectangle of a video is looked at: dragged on a picture of it, or typed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QImage, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap
from qtpy.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_al_pose.domain.settings import Rectangle
from napari_al_pose.domain.views.region import dragged, region_sentence
from napari_al_pose.gui.theme import BEHIND_VIDEO, ON_VIDEO, see_through
from napari_al_pose.gui.widgets import label
from napari_al_pose.video.region import SMALLEST

_EDGES = ("Left", "Right", "Top", "Bottom")
_SHADE, _EDGE = see_through(BEHIND_VIDEO, 0.6), ON_VIDEO


class RegionDialog(QDialog):
    """Shows a frame with the rectangle on it.

    Parameters
    ----------
    name : str
        The video's.
    frame : uint8 array, (H, W, 3)
        One of its frames.
    rectangle : (int, int, int, int) or None
        What is looked at now; None for all.
    parent : QWidget, optional
    """

    chosen = Signal(object, bool)
    """The rectangle, zeros for the whole frame, and whether it counts for all videos."""

    def __init__(
        self,
        name: str,
        frame: NDArray[np.uint8],
        rectangle: Rectangle | None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"Crop {name}")
        self._size = frame.shape[0], frame.shape[1]
        self.picture = _Picture(frame)
        self.picture.dragged.connect(self.show_rectangle)
        self.edges = [self._edge(i, title) for i, title in enumerate(_EDGES)]
        self.everywhere = QCheckBox("For all videos of the project")
        self.everywhere.setToolTip(
            "For a camera that never moved. In smaller videos the rectangle is cut to their size"
        )
        self._sentence = label("", "dim", wrap=True)
        standard = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(standard.Ok | standard.Cancel | standard.Reset)
        whole = self.buttons.button(standard.Reset)
        whole.setText("Whole frame")
        whole.setToolTip("Use the whole frame, even if config.yaml crops it")
        whole.clicked.connect(lambda _checked=False: self.show_rectangle(self._whole))
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.accepted.connect(self._keep)
        self._lay_out()
        self.show_rectangle(rectangle or self._whole)

    @property
    def rectangle(self) -> Rectangle:
        """What the dialog says now: ``x1, x2, y1, y2``."""
        x1, x2, y1, y2 = (edge.value() for edge in self.edges)
        return x1, x2, y1, y2

    def show_rectangle(self, rectangle: Rectangle) -> None:
        """Show a rectangle on the picture and in the fields."""
        for edge, value in zip(self.edges, rectangle, strict=True):
            edge.blockSignals(True)
            edge.setValue(value)
            edge.blockSignals(False)
        self._refresh()

    @property
    def _whole(self) -> Rectangle:
        return 0, self._size[1], 0, self._size[0]

    def _edge(self, index: int, title: str) -> QSpinBox:
        edge = QSpinBox()
        edge.setRange(0, self._size[1] if index < 2 else self._size[0])
        edge.setSuffix(" px")
        edge.setAccessibleName(title)
        edge.setToolTip(f"{title} edge, in pixels of the video")
        edge.valueChanged.connect(lambda _value: self._refresh())
        return edge

    def _lay_out(self) -> None:
        rows = QVBoxLayout(self)
        rows.addWidget(
            label(
                "Drag a rectangle around where the animal can be. Nothing outside is trained on, ranked or predicted.",
                "dim",
                wrap=True,
            )
        )
        rows.addWidget(self.picture, 1)
        row = QHBoxLayout()
        for title, edge in zip(_EDGES, self.edges, strict=True):
            row.addWidget(label(title, "dim"))
            row.addWidget(edge)
        rows.addLayout(row)
        rows.addWidget(self._sentence)
        rows.addWidget(self.everywhere)
        rows.addWidget(self.buttons)

    def _refresh(self) -> None:
        sentence = region_sentence(self.rectangle, *self._size, smallest=SMALLEST)
        self._sentence.setText(sentence)
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(not sentence.startswith("Too small"))
        self.picture.mark(self.rectangle)

    def _keep(self) -> None:
        rectangle = (0, 0, 0, 0) if self.rectangle == self._whole else self.rectangle
        self.chosen.emit(rectangle, self.everywhere.isChecked())


class _Picture(QWidget):
    """A frame, as large as there is room, on which a rectangle can be dragged."""

    dragged = Signal(object)

    def __init__(self, frame: NDArray[np.uint8]) -> None:
        super().__init__()
        height, width = frame.shape[:2]
        pixels = np.ascontiguousarray(frame)
        self._size = height, width
        self._pixmap = QPixmap.fromImage(QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888))
        self._rectangle: Rectangle = (0, width, 0, height)
        self._start: tuple[float, float] | None = None
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(240, 180)

    def sizeHint(self) -> QSize:
        """Return a size that fits on small screens."""
        height, width = self._size
        return QSize(560, round(560 * height / width))

    def mark(self, rectangle: Rectangle) -> None:
        """Show this rectangle."""
        self._rectangle = rectangle
        self.update()

    def place_of(self, x: float, y: float) -> QPointF:
        """Return where pixel ``(x, y)`` of the frame is drawn."""
        target, scale = self._target()
        return QPointF(target.x() + x * scale, target.y() + y * scale)

    def paintEvent(self, _event: QPaintEvent | None) -> None:
        """Draw the frame, what is left out darker."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        target, _scale = self._target()
        painter.drawPixmap(target, self._pixmap, QRectF(self._pixmap.rect()))
        x1, x2, y1, y2 = self._rectangle
        inside = QRectF(self.place_of(x1, y1), self.place_of(x2, y2))
        painter.setClipRect(target)
        for part in _around(target, inside):
            painter.fillRect(part, _SHADE)
        painter.setPen(QPen(_EDGE, 2))
        painter.drawRect(inside)
        painter.end()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Begin a rectangle."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self._start = self._pixel(event.position())

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Draw it on."""
        if event is not None and self._start is not None:
            self.dragged.emit(dragged(self._start, self._pixel(event.position()), *self._size))

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """End it."""
        self.mouseMoveEvent(event)
        self._start = None

    def _pixel(self, place: QPointF) -> tuple[float, float]:
        target, scale = self._target()
        return (place.x() - target.x()) / scale, (place.y() - target.y()) / scale

    def _target(self) -> tuple[QRectF, float]:
        """Return where the frame is drawn, and screen pixels a pixel of it."""
        height, width = self._size
        scale = max(1e-6, min(self.width() / width, self.height() / height))
        left, top = (self.width() - width * scale) / 2, (self.height() - height * scale) / 2
        return QRectF(left, top, width * scale, height * scale), scale


def _around(outer: QRectF, inner: QRectF) -> list[QRectF]:
    """Return the four parts of ``outer`` that ``inner`` leaves."""
    return [
        QRectF(outer.left(), outer.top(), outer.width(), inner.top() - outer.top()),
        QRectF(outer.left(), inner.bottom(), outer.width(), outer.bottom() - inner.bottom()),
        QRectF(outer.left(), inner.top(), inner.left() - outer.left(), inner.height()),
        QRectF(inner.right(), inner.top(), outer.right() - inner.right(), inner.height()),
    ]
