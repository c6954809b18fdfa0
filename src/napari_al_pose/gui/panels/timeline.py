"""The thin strip along the bottom: one video, its labelled and queued frames, and where the user is."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QPixmap, QPolygonF
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QSizePolicy, QToolTip, QVBoxLayout, QWidget

from napari_al_pose.domain import FrameKey, FrameRole
from napari_al_pose.domain.views import (
    FrameAxis,
    Mark,
    MarkKind,
    axis_of,
    describe_frame,
    describe_place,
    entry_frame,
    mark_kind,
    timeline_marks,
)
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.learning import Learning
from napari_al_pose.gui.state.navigator import Navigator
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.gui.theme import Colours
from napari_al_pose.gui.widgets import label

_LANE_HEIGHT = 26
_REACH_PX = 4.0
_PAINT_ORDER = (MarkKind.QUEUED, MarkKind.QUEUED_HOLDOUT, MarkKind.LABELLED, MarkKind.HOLDOUT)


class Timeline(QWidget):
    """Video chooser, lane, and the current frame in words."""

    def __init__(
        self,
        projects: ProjectSession,
        frame: CurrentFrame,
        *,
        navigator: Navigator,
        learning: Learning,
        colours: Colours,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._frame, self._projects, self._navigator = frame, projects, navigator
        self._counted: tuple[int, int] = (-1, -1)
        self._marked: tuple[Any, ...] = ()
        self.lane = Lane(colours)
        self.lane.sought.connect(self._go_to_position)
        self._video = QComboBox()
        self._video.setToolTip("The video on screen")
        self._video.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._video.setMinimumWidth(140)
        self._video.setMaximumWidth(260)
        self._video.activated.connect(lambda i: self._go_to_video(self._video.itemText(i)))
        self._where = label("", "dim")
        self._where.setMinimumWidth(170)
        self._legend = Legend(colours)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addWidget(self._video)
        row.addWidget(self._where)
        row.addStretch(1)
        row.addWidget(self._legend)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(8, 2, 8, 4)
        rows.setSpacing(3)
        rows.addLayout(row)
        rows.addWidget(self.lane)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        projects.projectChanged.connect(self._on_project)
        projects.videosChanged.connect(self._on_project)
        frame.sourceChanged.connect(self._on_source)
        frame.keyChanged.connect(self._on_frame)
        frame.annotationChanged.connect(self._on_annotation)
        navigator.queueChanged.connect(self.refresh_marks)
        learning.modelChanged.connect(self.refresh_marks)
        self._on_project()

    def set_colours(self, colours: Colours) -> None:
        """Paint with another theme."""
        self.lane.set_colours(colours)
        self._legend.set_colours(colours)

    def refresh_marks(self) -> None:
        """Show the labels and the queue as they are now."""
        current = self._frame.key
        if current is None:
            self._marked = ()
            self.lane.set_marks(())
            return
        # Every step through the queue says that it changed: only other frames in it change the marks.
        marked = (current.video, self.lane.axis, self._projects.tally, self._navigator.queue.suggestions)
        same = len(self._marked) == len(marked) and all(
            a is b for a, b in zip(self._marked[1:], marked[1:], strict=True)
        )
        if same and self._marked[0] == current.video and self._counts() == self._counted:
            return
        self._marked, self._counted = marked, self._counts()
        self.lane.set_marks(timeline_marks(current.video, self.lane.axis, **self._sets()))

    def _on_annotation(self) -> None:
        """Mark the current frame anew if it became labelled or empty: most clicks change nothing here."""
        counts, current = self._counts(), self._frame.key
        if counts == self._counted:
            return
        one_frame = max(abs(now - before) for now, before in zip(counts, self._counted, strict=True)) == 1
        known = len(self._marked) == 4 and self._marked[2] is self._projects.tally
        if current is None or not (one_frame and known):
            self.refresh_marks()
            return
        self._counted = counts
        position = self.lane.axis.position(current.frame)
        if position is not None:
            self.lane.set_mark(position, mark_kind(current, **self._sets()))

    def _sets(self) -> dict[str, Any]:
        return {
            "labelled": self._projects.tally.labelled,
            "holdout": self._projects.tally.holdout,
            "queued": [suggestion.key for suggestion in self._navigator.queue.suggestions],
            "queued_holdout": [s.key for s in self._navigator.queue.suggestions if s.role is FrameRole.HOLDOUT],
        }

    def _counts(self) -> tuple[int, int]:
        return len(self._projects.tally.labelled), len(self._projects.tally.holdout)

    def _on_project(self) -> None:
        project = self._projects.project
        self._video.clear()
        if project is not None:
            self._video.addItems([video.name for video in project.videos])
        self._on_source()

    def _on_source(self) -> None:
        source = self._frame.source
        self.lane.set_axis(FrameAxis(0) if source is None else axis_of(source))
        self._on_frame()

    def _on_frame(self) -> None:
        current, position = self._frame.key, self._frame.position
        if current is not None:
            self._video.setCurrentText(current.video)
        self.lane.set_position(position)
        self._where.setText(describe_place(self.lane.axis, position))
        self.refresh_marks()

    def _go_to_position(self, position: int) -> None:
        current = self._frame.key
        if current is not None:
            self._navigator.go_to(FrameKey(current.video, self.lane.axis.number(position)))

    def _go_to_video(self, video: str) -> None:
        queued = [suggestion.key for suggestion in self._navigator.queue.suggestions]
        self._navigator.go_to(entry_frame(video, labelled=self._projects.tally.labelled, queued=queued))


class Lane(QWidget):
    """One painted lane; a click or a drag seeks.

    The marks are painted once into a picture, so that moving along a long video with many labels costs one line.
    """

    sought = Signal(int)

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colours = colours
        self._axis = FrameAxis(0)
        self._marks: dict[int, MarkKind] = {}
        self._position = -1
        self._picture: QPixmap | None = None
        self.setMouseTracking(True)
        self.setFixedHeight(_LANE_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    @property
    def axis(self) -> FrameAxis:
        """Which frames the lane stands for."""
        return self._axis

    @property
    def marks(self) -> tuple[Mark, ...]:
        """What is marked."""
        return tuple(Mark(position, kind) for position, kind in self._marks.items())

    def set_axis(self, axis: FrameAxis) -> None:
        """Show another source."""
        self._axis = axis
        self._repaint_marks()

    def set_marks(self, marks: tuple[Mark, ...]) -> None:
        """Show other marks."""
        by_position = {mark.position: mark.kind for mark in marks}
        if by_position != self._marks:
            self._marks = by_position
            self._repaint_marks()

    def set_mark(self, position: int, kind: MarkKind | None) -> None:
        """Mark one position otherwise, or no longer; of the picture only its place is painted anew."""
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

    def set_position(self, position: int) -> None:
        """Show where the user is; -1 for nowhere."""
        self._position = position
        self.update()

    def set_colours(self, colours: Colours) -> None:
        """Paint with another theme."""
        self._colours = colours
        self._repaint_marks()

    def sizeHint(self) -> QSize:
        return QSize(400, _LANE_HEIGHT)

    def resizeEvent(self, event: Any) -> None:
        self._picture = None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._seek(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._seek(event)
        if self._axis.n_positions:
            position = self._axis.position_at(event.position().x(), self.width())
            reach = _REACH_PX / max(1, self.width()) * self._axis.n_positions
            near = range(position - math.ceil(reach), position + math.ceil(reach) + 1)
            marks = [Mark(place, self._marks[place]) for place in near if place in self._marks]
            text = describe_frame(self._axis, position, marks, reach=reach)
            QToolTip.showText(event.globalPosition().toPoint(), text, self)

    def paintEvent(self, event: Any) -> None:
        if self._picture is None:
            self._picture = self._paint_marks()
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._picture)
        if self._position >= 0:
            x = self._axis.x_of(self._position, self.width())
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._colours.text)
            painter.drawRect(QRectF(x - 0.75, 0, 1.5, self.height()))
            painter.drawPolygon(QPolygonF([QPointF(x - 5, 0), QPointF(x + 5, 0), QPointF(x, 6)]))
        painter.end()

    def _seek(self, event: QMouseEvent) -> None:
        if self._axis.n_positions and event.buttons() & Qt.MouseButton.LeftButton:
            self.sought.emit(self._axis.position_at(event.position().x(), self.width()))

    def _repaint_marks(self) -> None:
        self._picture = None
        self.update()

    def _paint_marks(self) -> QPixmap:
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
    """What the lane's colours mean."""

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colours = colours
        self._kinds = (MarkKind.LABELLED, MarkKind.HOLDOUT, MarkKind.QUEUED)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)

    def set_colours(self, colours: Colours) -> None:
        """Paint with another theme."""
        self._colours = colours
        self.update()

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        return QSize(sum(metrics.horizontalAdvance(kind) + 26 for kind in self._kinds), metrics.height() + 2)

    def paintEvent(self, event: Any) -> None:
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
