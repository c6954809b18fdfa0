"""A frame on which a skeleton is made: a click places a bodypart, and in a second step lines are drawn."""

from __future__ import annotations

import enum

from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QLineEdit, QSizePolicy, QWidget

from napari_al_pose.domain.skeleton_draft import Place, SkeletonDraft
from napari_al_pose.domain.views import bodypart_colours
from napari_al_pose.gui.theme import BEHIND_VIDEO, ON_VIDEO, see_through

_RADIUS, _REACH, _SLACK = 6.0, 12.0, 3
_FIELD_WIDTH = 150
_LINE = see_through(ON_VIDEO, 0.75)


class Step(enum.Enum):
    """What the mouse does."""

    PLACE = "place"
    LINK = "link"


class SkeletonPicture(QWidget):
    """Draws a draft over a frame and says what is done to it; changes nothing itself."""

    placed = Signal(str, float, float)
    """A bodypart, and where it is now: pixels of the frame."""
    linked = Signal(str, str)
    """A line between two bodyparts is drawn, or taken away."""
    removed = Signal(str)
    """A bodypart is taken out."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._image: QImage | None = None
        self._draft = SkeletonDraft()
        self._step = Step.PLACE
        self._held = self._start = ""
        self._pressed_at: QPointF | None = None
        self._mouse: QPointF | None = None
        self._asked: Place | None = None
        self.name_field = _NameField(self)
        self.name_field.setPlaceholderText("name, then Enter")
        self.name_field.setFixedWidth(_FIELD_WIDTH)
        self.name_field.returnPressed.connect(self._take_name)
        self.name_field.given_up.connect(self._forget_name)
        self.name_field.hide()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(320, 240)
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.CrossCursor)

    def sizeHint(self) -> QSize:
        return QSize(560, 420)

    @property
    def has_image(self) -> bool:
        """Whether the frame is there, so that it can be clicked on."""
        return self._image is not None

    def set_image(self, image: QImage | None) -> None:
        """Show another frame; None while it is read."""
        self._image = image
        self.update()

    def set_draft(self, draft: SkeletonDraft) -> None:
        """Draw another draft."""
        self._draft = draft
        self.update()

    def set_step(self, step: Step) -> None:
        """Let the mouse place bodyparts, or draw lines."""
        self._take_name()
        self._step, self._start = step, ""
        self.update()

    def place_of(self, x: float, y: float) -> QPointF:
        """Return where pixel ``(x, y)`` of the frame is drawn."""
        corner, scale = self._target()
        return QPointF(corner.x() + (x + 0.5) * scale, corner.y() + (y + 0.5) * scale)

    # ---- the mouse ----------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._image is None:
            return
        self._take_name()
        at = event.position()
        hit = self._hit(at)
        if event.button() == Qt.MouseButton.RightButton:
            if hit:
                self.removed.emit(hit)
        elif event.button() == Qt.MouseButton.LeftButton:
            self._pressed_at, self._held = at, hit
            if self._step is Step.LINK and hit and self._start and hit != self._start:
                self.linked.emit(self._start, hit)
                self._held = ""
            if self._step is Step.LINK:
                self._start = hit
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._mouse = event.position()
        if self._held and self._step is Step.PLACE and self._has_moved(self._mouse):
            self.placed.emit(self._held, *self._pixel(self._mouse))
        hit = self._hit(self._mouse)
        self.setToolTip(hit)
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._pressed_at is None or self._image is None:
            return
        at, moved = event.position(), self._has_moved(event.position())
        held, self._held, self._pressed_at = self._held, "", None
        if self._step is Step.LINK:
            hit = self._hit(at)
            if held and hit and hit != held:
                self.linked.emit(held, hit)
                self._start = hit
        elif not held and not moved and self._is_on_frame(at):
            self._click(at)
        self.update()

    def _click(self, at: QPointF) -> None:
        following = self._draft.next_bodypart
        if following:
            self.placed.emit(following, *self._pixel(at))
            return
        self._asked = self._pixel(at)
        x = min(at.x() + 12, self.width() - _FIELD_WIDTH - 2)
        y = min(max(at.y() - 12, 2.0), self.height() - self.name_field.sizeHint().height() - 2.0)
        self.name_field.move(round(x), round(y))
        self.name_field.clear()
        self.name_field.show()
        self.name_field.setFocus()

    def _take_name(self) -> None:
        """Place what was named; without a name the click is forgotten."""
        name, place = " ".join(self.name_field.text().replace(",", " ").replace(";", " ").split()), self._asked
        self._forget_name()
        if name and place is not None:
            self.placed.emit(name, *place)

    def _forget_name(self) -> None:
        self._asked = None
        self.name_field.clear()
        self.name_field.hide()
        self.update()

    # ---- drawing ------------------------------------------------------------------------------

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), BEHIND_VIDEO)
        if self._image is not None:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            corner, scale = self._target()
            size = self._image.width() * scale, self._image.height() * scale
            painter.drawImage(QRectF(corner.x(), corner.y(), *size), self._image)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            self._paint_lines(painter)
            self._paint_points(painter)
        painter.end()

    def _paint_lines(self, painter: QPainter) -> None:
        painter.setPen(QPen(_LINE, 2.0))
        for a, b in self._draft.links:
            if a in self._draft.places and b in self._draft.places:
                painter.drawLine(self.place_of(*self._draft.places[a]), self.place_of(*self._draft.places[b]))
        if self._step is Step.LINK and self._start in self._draft.places and self._mouse is not None:
            painter.setPen(QPen(_LINE, 1.5, Qt.PenStyle.DashLine))
            painter.drawLine(self.place_of(*self._draft.places[self._start]), self._mouse)

    def _paint_points(self, painter: QPainter) -> None:
        names = self._draft.bodyparts
        for name, colour in zip(names, bodypart_colours(len(names)), strict=True):
            if name in self._draft.places:
                self._paint_point(painter, self.place_of(*self._draft.places[name]), QColor(colour), name)
        if self._asked is not None:
            self._paint_point(painter, self.place_of(*self._asked), ON_VIDEO, "")

    def _paint_point(self, painter: QPainter, at: QPointF, colour: QColor, name: str) -> None:
        painter.setPen(QPen(BEHIND_VIDEO, 1.2))
        painter.setBrush(colour)
        painter.drawEllipse(at, _RADIUS, _RADIUS)
        beside = at + QPointF(_RADIUS + 4, painter.fontMetrics().ascent() / 2 - 1)
        for shift, pen in ((QPointF(1, 1), BEHIND_VIDEO), (QPointF(0, 0), ON_VIDEO)):
            painter.setPen(pen)
            painter.drawText(beside + shift, name)

    # ---- where things are ---------------------------------------------------------------------

    def _target(self) -> tuple[QPointF, float]:
        """Return the frame's upper left corner on the widget and the widget's pixels for one of the frame."""
        if self._image is None:
            return QPointF(), 1.0
        width, height = self._image.width(), self._image.height()
        scale = min(self.width() / width, self.height() / height)
        return QPointF((self.width() - scale * width) / 2, (self.height() - scale * height) / 2), scale

    def _pixel(self, at: QPointF) -> Place:
        corner, scale = self._target()
        width, height = (1, 1) if self._image is None else (self._image.width(), self._image.height())
        x, y = (at.x() - corner.x()) / scale - 0.5, (at.y() - corner.y()) / scale - 0.5
        return min(max(x, 0.0), width - 1.0), min(max(y, 0.0), height - 1.0)

    def _is_on_frame(self, at: QPointF) -> bool:
        corner, scale = self._target()
        image = self._image
        return image is not None and QRectF(
            corner.x(), corner.y(), image.width() * scale, image.height() * scale
        ).contains(at)

    def _hit(self, at: QPointF) -> str:
        """Return the bodypart under the mouse, the nearest one; "" for none."""
        gaps = {name: (self.place_of(*place) - at).manhattanLength() for name, place in self._draft.places.items()}
        nearest = min(gaps, key=lambda name: gaps[name], default="")
        return nearest if nearest and gaps[nearest] <= _REACH else ""

    def _has_moved(self, at: QPointF) -> bool:
        return self._pressed_at is not None and (at - self._pressed_at).manhattanLength() > _SLACK


class _NameField(QLineEdit):
    """Where a clicked bodypart is named; Escape takes the click back and leaves the dialog open."""

    given_up = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.given_up.emit()
            return
        super().keyPressEvent(event)
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            event.accept()  # or the dialog would press its default button
