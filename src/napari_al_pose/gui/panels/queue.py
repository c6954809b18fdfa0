"""The queue panel: frames worth labelling, best first."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)
from superqt import QElidingLabel

from napari_al_pose.domain import FrameKey
from napari_al_pose.domain.views import (
    AskedBodyparts,
    QueueRow,
    queue_empty_text,
    queue_progress,
    queue_rows,
)
from napari_al_pose.gui.panels.strategy_box import StrategyBox
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.key_choices import KeyChoices
from napari_al_pose.gui.state.learning import Learning
from napari_al_pose.gui.state.navigator import Navigator
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.gui.theme import ON_VIDEO, Colours
from napari_al_pose.gui.thumbnails import Thumbnails
from napari_al_pose.gui.widgets import ROW, KeyTip, RowsModel, RowsView, Section, button, label, row_height, thin_bar

ROW_HEIGHT, LOW_ROW_HEIGHT = 44, 32
"""Height of a suggestion's row, px; the second if there is little room."""
_GOOD_ROWS = 4
"""The list of bodyparts grows only when the queue has as many."""
_FEWEST_PX = 66
"""A row and a half: on the lowest screens the queue gives way before anything is cut off."""
_AROUND_PICTURE = 5


class QueuePanel(Section):
    """Strategy, ranked frames with thumbnails, and the way to the next."""

    mapWanted = Signal()
    """The map of the pool is to be shown."""

    def __init__(
        self,
        projects: ProjectSession,
        frame: CurrentFrame,
        *,
        navigator: Navigator,
        learning: Learning,
        keys: KeyChoices,
        colours: Colours,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("Queue", parent)
        self._keys, self._frame, self._projects = keys, frame, projects
        self._navigator, self._learning = navigator, learning
        self._thumbnails: Thumbnails | None = None
        self._requested: list[FrameKey] = []
        self._strategy = self._strategy_box()
        self.head.insertWidget(1, self._strategy, 1)
        self.head.setStretchFactor(self.side, 0)
        self._rows = RowsModel(lambda row: f"{row.title} {row.detail}", lambda row: row.tooltip, self)
        self._view = RowsView(self._rows)
        self._view.chosen.connect(lambda row: navigator.go_to(row.key))
        self._delegate = _QueueDelegate(self)
        self._delegate.colours = colours
        self._view.setItemDelegate(self._delegate)
        self._view.setMinimumHeight(_FEWEST_PX)
        self._view.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        self._view.verticalScrollBar().valueChanged.connect(lambda _value: self._request_visible())
        self._empty = _empty_label()
        self.body.addLayout(self._buttons())  # above what grows and shrinks, so that they stay in their place
        self.body.addWidget(self._view, 1)
        self._bar = thin_bar()
        self.body.addWidget(self._empty, 1)
        self.body.addWidget(self._bar)
        for signal in (navigator.queueChanged, frame.keyChanged, frame.annotationChanged, projects.settingsChanged):
            signal.connect(self.refresh)
        for signal in (learning.engineChanged, learning.trainingChanged, learning.modelChanged):
            signal.connect(self._refresh_empty)
        projects.settingsChanged.connect(self._show_strategy)

    def set_colours(self, colours: Colours) -> None:
        """Paint with another theme."""
        self._delegate.colours = colours
        self._view.viewport().update()

    def set_project(self, thumbnails: Thumbnails | None) -> None:
        """Show another project's queue, with ``thumbnails`` of its videos."""
        self._thumbnails = thumbnails
        self._delegate.thumbnails = thumbnails
        self._requested = []
        if thumbnails is not None:
            thumbnails.ready.connect(self._on_thumbnail)
        self._show_strategy()
        self.refresh()

    def set_low(self, is_low: bool) -> None:
        """Take little height for each row, or as much as is good to see."""
        height = row_height(self._view.fontMetrics(), LOW_ROW_HEIGHT if is_low else ROW_HEIGHT, lines=2)
        if height != self._delegate.height:
            self._delegate.height = height
            self._view.scheduleDelayedItemsLayout()
            self._request_visible()

    @property
    def room_wanted(self) -> int:
        """Pixels of height by which the list should be higher than it must be."""
        if self.is_folded:
            return 0
        bar = 0 if self._bar.isHidden() else self._bar.height() + self.body.spacing()  # goes when the first rows come
        return _GOOD_ROWS * self._delegate.height - _FEWEST_PX - bar

    @property
    def rows(self) -> tuple[QueueRow, ...]:
        """What is shown."""
        return self._rows.rows

    @property
    def _asked(self) -> AskedBodyparts | None:
        if self._projects.settings.ask == "frames":
            return None
        guesses, individuals = self._frame.guesses, self._frame.individuals
        return AskedBodyparts(guesses.predictions, guesses.model_thresholds, *individuals[:1])

    def refresh(self) -> None:
        """Show the queue and where the user is in it."""
        before = next((row.key for row in self.rows if row.is_current), None)
        rows = queue_rows(
            self._navigator.queue.suggestions,
            self._projects.done,
            self._frame.key,
            self._projects.tally.holdout,
            asked=self._asked,
        )
        self._rows.set_rows(rows)
        self.side.setText(queue_progress(rows))
        self._previous.setEnabled(self._navigator.queue.position > 0)
        self._refresh_empty()
        if self._frame.key != before:
            self._scroll_to_current()
        self._request_visible()

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self._scroll_to_current()
        self._request_visible()

    def _scroll_to_current(self) -> None:
        current = next((i for i, row in enumerate(self.rows) if row.is_current), -1)
        if current >= 0:
            self._view.scrollTo(self._rows.index(current))

    def _buttons(self) -> QHBoxLayout:
        self._previous = button("Previous", "", self._navigator.previous_suggestion)
        self._next = button("Next frame", "", self._navigator.next_suggestion, part="main")
        self._done = QElidingLabel()
        self._done.setProperty("part", "dim")
        KeyTip(self._previous, "The suggestion before this one ({previous_suggestion})", self._keys)
        KeyTip(self._next, "The next suggested frame ({next_suggestion})", self._keys)
        row = QHBoxLayout()
        row.setSpacing(4)
        self.map = button("Map", "Every candidate frame as a dot: see what each strategy chooses", self.mapWanted.emit)
        row.addWidget(self._previous)
        row.addWidget(self._next, 1)
        row.addWidget(self._done, 1)
        row.addWidget(self.map)
        return row

    def _strategy_box(self) -> StrategyBox:
        box = StrategyBox()
        box.setSizeAdjustPolicy(StrategyBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        box.setMinimumContentsLength(8)
        box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        box.picked.connect(self._projects.set_strategy)
        return box

    def _show_strategy(self) -> None:
        if self._projects.project is None:
            self._strategy.clear()
        else:
            self._strategy.offer(self._learning.strategies, self._projects.settings.strategy)

    def _refresh_done(self) -> None:
        """When no suggestion is left, show what follows in place of the button for the next frame."""
        end = self._learning.queue_end
        if end is not None:
            self._done.setText(self._keys.named(end.short))
            self._done.setToolTip(self._keys.named(end.sentence))
        self._done.setVisible(end is not None)
        self._next.setVisible(end is None)

    def _refresh_empty(self) -> None:
        self._refresh_done()
        empty, job = not self._rows.rows, self._learning.training
        self._view.setVisible(not empty)
        self._empty.setVisible(empty)
        self._bar.setVisible(empty and job.busy)
        self._bar.setRange(0, max(1, job.total))
        self._bar.setValue(job.done if job.total else 0)
        if empty:
            rounds, project = self._learning.rounds, self._projects.project
            version = rounds[-1].number if rounds else 0
            self._empty.setText(
                queue_empty_text(
                    engine_state=self._learning.engine_state,
                    model_version=version,
                    busy=self._learning.training.busy,
                    why=self._learning.why_empty,
                    has_videos=project is None or bool(project.videos),
                )
            )

    def _request_visible(self) -> None:
        """Ask for the thumbnails in sight, and for those a scroll would bring."""
        if self._thumbnails is None or not self.rows:
            return
        first = self._view.verticalScrollBar().value() // self._delegate.height
        shown = self._view.viewport().height() // self._delegate.height + 2
        keys = [row.key for row in self.rows[first : first + 2 * shown]]
        if keys != self._requested:
            self._requested = keys
            self._thumbnails.request(keys)

    def _on_thumbnail(self, key: FrameKey) -> None:
        row = next((i for i, row in enumerate(self.rows) if row.key == key), -1)
        if row >= 0:
            self._rows.touch(row)


class _QueueDelegate(QStyledItemDelegate):
    colours: Colours
    thumbnails: Thumbnails | None = None
    height = ROW_HEIGHT

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(160, self.height)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        row: QueueRow = index.data(ROW)
        area = QRectF(option.rect)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if row.is_current:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self.colours.selected)
            painter.drawRoundedRect(area.adjusted(0, 1, 0, -1), 3, 3)
        height = self.height - _AROUND_PICTURE
        picture = QRectF(area.left() + 4, area.center().y() - height / 2, height * 4 / 3, height)
        self._paint_picture(painter, row, picture)
        self._paint_text(painter, row, area.adjusted(picture.width() + 12, 2, -6, -2))
        painter.restore()

    def _paint_picture(self, painter: QPainter, row: QueueRow, area: QRectF) -> None:
        image = self.thumbnails.image(row.key) if self.thumbnails is not None else None
        if image is None:
            painter.fillRect(area, self.colours.raised)
        else:
            painter.drawImage(area, image)
        if row.is_done:
            _paint_tick(painter, QPointF(area.right() - 8, area.bottom() - 8), self.colours.good)

    def _paint_text(self, painter: QPainter, row: QueueRow, area: QRectF) -> None:
        top = QRectF(area.left(), area.top(), area.width(), area.height() / 2)
        low = top.translated(0, area.height() / 2)
        left = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        right = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        dim = self.colours.text if row.is_current else self.colours.dim
        metrics = painter.fontMetrics()
        score_width = metrics.horizontalAdvance(row.score) + 10
        painter.setPen(self.colours.text)
        title = metrics.elidedText(row.title, Qt.TextElideMode.ElideMiddle, int(top.width() - score_width))
        painter.drawText(top, left, title)
        painter.drawText(top, right, row.score)
        painter.setPen(dim)
        painter.drawText(low, left, metrics.elidedText(row.detail, Qt.TextElideMode.ElideRight, int(low.width()) - 70))
        if row.is_holdout:
            painter.setPen(self.colours.holdout)
            painter.drawText(low, right, "test")
        elif row.score:
            bar = QRectF(low.right() - 64, low.center().y() - 2, 64, 4)
            painter.fillRect(bar, self.colours.line)
            bar.setWidth(max(2.0, 64 * row.fraction))
            painter.fillRect(bar, self.colours.accent)


def _paint_tick(painter: QPainter, centre: QPointF, colour: QColor) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawEllipse(centre, 7, 7)
    pen = QPen(ON_VIDEO, 1.8)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPolyline(QPolygonF([centre + QPointF(-3, 0), centre + QPointF(-0.8, 2.4), centre + QPointF(3.2, -2.4)]))


def _empty_label() -> QLabel:
    made = label("", "dim", wrap=True)
    made.setAlignment(Qt.AlignmentFlag.AlignCenter)
    made.setMinimumHeight(_FEWEST_PX)
    made.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
    return made
