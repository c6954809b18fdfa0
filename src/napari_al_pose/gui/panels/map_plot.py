"""The plane of the map: a dot for each candidate frame, and pictures of as many as there is room for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph
from qtpy.QtCore import QTimer, Signal
from qtpy.QtGui import QColor, QPainter, QPixmap
from qtpy.QtWidgets import QGraphicsItem, QGraphicsPixmapItem, QLabel, QWidget

from napari_al_pose.domain import FrameKey
from napari_al_pose.domain.views.pool_map import CHOSEN, LABELLED, SCORED, TEST, MapDot, pictured
from napari_al_pose.gui.theme import Colours, mix, see_through
from napari_al_pose.gui.thumbnails import HEIGHT, WIDTH, Thumbnails

PICTURE_WIDTH, PICTURE_HEIGHT = WIDTH // 2, HEIGHT // 2
MOST_PICTURES = 60
_FRAME = 2
_GAP = 6
_SETTLED_MS = 120
_FAINT = 0.18


class MapPlot(pyqtgraph.PlotWidget):
    """Dots on a plane without axes; the wheel zooms, a drag moves, a click goes to the frame.

    Pictures stand where they cover no other picture, those of suggested and labelled frames first; zooming in brings
    more.

    Parameters
    ----------
    colours : Colours
    thumbnails : Thumbnails
    """

    picturesWanted = Signal()
    """`wanted` has changed."""
    frameWanted = Signal(object)
    """The `FrameKey` of a dot that was clicked."""

    def __init__(self, colours: Colours, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent, background=colours.raised)
        self._colours, self._thumbnails = colours, thumbnails
        self._dots: tuple[MapDot, ...] = ()
        self._group = -1
        self._pictures: dict[FrameKey, QGraphicsPixmapItem] = {}
        self.wanted: tuple[FrameKey, ...] = ()
        self.setMenuEnabled(False)
        self.hideButtons()
        self.hideAxis("left")
        self.hideAxis("bottom")
        self.setMinimumSize(320, 280)
        self.dots = pyqtgraph.ScatterPlotItem(hoverable=True, tip=_tip, hoverPen=pyqtgraph.mkPen(colours.text, width=2))
        self.dots.sigClicked.connect(self._on_click)
        self.addItem(self.dots)
        self._settle = QTimer(self, singleShot=True, interval=_SETTLED_MS)
        self._settle.timeout.connect(self._choose_pictures)
        self.getViewBox().sigRangeChanged.connect(lambda *_args: self._settle.start())

    @property
    def pictures(self) -> tuple[FrameKey, ...]:
        """The frames whose pictures are shown."""
        return tuple(self._pictures)

    def set_dots(self, dots: tuple[MapDot, ...]) -> None:
        """Draw ``dots``, later ones above."""
        self._dots = dots
        self._draw()
        self.autoRange()
        self._choose_pictures()

    def set_group(self, number: int) -> None:
        """Let the frames of one group stand out; -1 for none."""
        if number != self._group:
            self._group = number
            self._draw()
            self._choose_pictures()

    def add_picture(self, key: FrameKey) -> None:
        """Show the picture of a frame that has been read, if there is room for it."""
        if key in self.wanted and key not in self._pictures:
            dot = next((dot for dot in self._dots if dot.key == key), None)
            image = self._thumbnails.image(key)
            if dot is not None and image is not None:
                self._pictures[key] = self._picture(dot, QPixmap.fromImage(image))

    def _draw(self) -> None:
        dots = self._dots
        self.dots.setData(
            x=np.array([dot.x for dot in dots]),
            y=np.array([dot.y for dot in dots]),
            size=np.array([11 if dot.kind in (CHOSEN, LABELLED, TEST) else 7 for dot in dots]),
            brush=[pyqtgraph.mkBrush(self._faded(dot)) for dot in dots],
            pen=[pyqtgraph.mkPen(self._edge(dot)) if dot.kind == CHOSEN else None for dot in dots],
            data=list(dots),
        )

    def _in_group(self, dot: MapDot) -> bool:
        return self._group < 0 or dot.group == self._group

    def _faded(self, dot: MapDot) -> QColor:
        colour = dot_colour(dot, self._colours)
        return colour if self._in_group(dot) else see_through(colour, _FAINT)

    def _edge(self, dot: MapDot) -> QColor:
        return self._colours.text if self._in_group(dot) else see_through(self._colours.text, _FAINT)

    def _choose_pictures(self) -> None:
        """Choose which dots get a picture now, and take the others' away."""
        (left, right), (bottom, top) = self.getViewBox().viewRange()
        dots = [dot for dot in self._dots if self._in_group(dot)]
        found = pictured(
            dots,
            view=(left, right, bottom, top),
            size=(self.width(), self.height()),
            picture=(PICTURE_WIDTH + _GAP, PICTURE_HEIGHT + _GAP),
            most=MOST_PICTURES,
        )
        self.wanted = tuple(dots[index].key for index in found)
        for item in self._pictures.values():
            self.removeItem(item)
        self._pictures = {}
        for key in self.wanted:
            self.add_picture(key)
        self.picturesWanted.emit()

    def _picture(self, dot: MapDot, image: QPixmap) -> QGraphicsPixmapItem:
        """Return a picture framed in the colour of its dot, of one size however far the map is zoomed."""
        framed = QPixmap(PICTURE_WIDTH, PICTURE_HEIGHT)
        framed.fill(dot_colour(dot, self._colours))
        painter = QPainter(framed)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawPixmap(framed.rect().adjusted(_FRAME, _FRAME, -_FRAME, -_FRAME), image)
        painter.end()
        item = QGraphicsPixmapItem(framed)
        item.setOffset(-PICTURE_WIDTH / 2, -PICTURE_HEIGHT / 2)
        item.setFlag(QGraphicsItem.GraphicsItemFlag.ItemIgnoresTransformations)
        item.setToolTip(dot.tooltip)
        item.setPos(dot.x, dot.y)
        item.setZValue(1)
        item.mousePressEvent = lambda event: self.frameWanted.emit(dot.key)  # type: ignore[method-assign]
        self.addItem(item, ignoreBounds=True)
        return item

    def _on_click(self, _item: Any, points: Any, *_event: Any) -> None:
        if len(points):
            self.frameWanted.emit(points[0].data().key)


def dot_colour(dot: MapDot, colours: Colours) -> QColor:
    """Return the colour of a dot: the same as the frame has in the queue and on the timeline, scores in grey."""
    if dot.kind == CHOSEN:
        return colours.accent
    if dot.kind == TEST:
        return colours.holdout
    if dot.kind == LABELLED:
        return colours.good
    return mix(colours.line, colours.text, 0.7 * dot.shade) if dot.kind == SCORED else colours.line


def map_legend(colours: Colours) -> QLabel:
    """Return what the colours of the dots mean."""
    entries = (
        (colours.accent, "would be chosen"),
        (colours.good, "labelled"),
        (colours.holdout, "test frame"),
        (mix(colours.line, colours.text, 0.07), "low score"),
        (mix(colours.line, colours.text, 0.7), "high score, by rank"),
    )
    made = QLabel("&nbsp;&nbsp; ".join(f'<span style="color:{c.name()}">●</span> {text}' for c, text in entries))
    made.setProperty("part", "dim")
    return made


def _tip(x: float, y: float, data: MapDot) -> str:
    return data.tooltip
