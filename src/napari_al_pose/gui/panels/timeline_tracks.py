"""What a model said about the whole video: its likelihood, a lane for each animal, and what can be done there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QContextMenuEvent, QImage, QMouseEvent, QPainter, QPen, QPixmap
from qtpy.QtWidgets import QHBoxLayout, QToolTip, QWidget

from napari_al_pose.domain.views import describe_frame
from napari_al_pose.domain.views.colours import individual_colours
from napari_al_pose.domain.views.tracks import (
    RunOverview,
    columns_of,
    gaps_sentence,
    overview_words,
    place_at,
)
from napari_al_pose.gui.panels.timeline_lane import SeekLane
from napari_al_pose.gui.panels.track_menu import TrackMenu
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.key_choices import KeyChoices
from napari_al_pose.gui.state.review import Review
from napari_al_pose.gui.state.track_editor import TrackEditor
from napari_al_pose.gui.theme import Colours, mix
from napari_al_pose.gui.widgets import KeyTip, button, tool_button

CURVE_HEIGHT = 24
LANE_HEIGHT, LEAST_LANE = 14, 4
MOST_LANES_PX = 84
"""Height that all lanes have together at most; with more animals each is lower."""


class TrackLanes(SeekLane):
    """The likelihood along the video, and below it where each animal was found; hidden until a video is predicted.

    A click or a drag seeks, and chooses the individual whose lane it is in.
    """

    def __init__(
        self,
        frame: CurrentFrame,
        tracks: TrackEditor,
        *,
        menu: TrackMenu,
        colours: Colours,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(colours, parent)
        self._frame, self._tracks, self._menu = frame, tracks, menu
        tracks.changed.connect(self._show_overview)
        frame.individualChanged.connect(self.repaint_picture)
        self._show_overview()

    def track_at(self, y: float) -> int:
        """Return whose lane is at ``y``; -1 for none's."""
        track = int((y - CURVE_HEIGHT) // self._lane_height)
        return track if y >= CURVE_HEIGHT and track < len(self._tracks.tracks) else -1

    def sizeHint(self) -> QSize:
        return QSize(400, self.height())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.seek(event)
        track, individuals = self.track_at(event.position().y()), self._frame.animals
        if event.button() == Qt.MouseButton.LeftButton and 0 <= track < len(individuals):
            self._frame.choose_individual(individuals[track])

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self.seek(event)
        QToolTip.showText(event.globalPosition().toPoint(), self.words(event.position()), self)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self._menu.open_for(self.track_at(event.pos().y()), event.globalPos())

    @property
    def _lane_height(self) -> int:
        n = max(1, len(self._tracks.tracks))
        return max(LEAST_LANE, min(LANE_HEIGHT, MOST_LANES_PX // n))

    def _show_overview(self) -> None:
        self.setFixedHeight(CURVE_HEIGHT + self._lane_height * len(self._tracks.tracks) + 2)
        self.setVisible(self._tracks.overview is not None)
        self.repaint_picture()

    def words(self, at: QPointF) -> str:
        """Return what is at a place: frame, likelihood, whose lane, and what to look at."""
        overview = self._tracks.overview
        if overview is None or not self._axis.n_positions:
            return ""
        position = self._axis.position_at(at.x(), self.width())
        words = describe_frame(self._axis, position)
        run = self._tracks.run
        row = None if run is None else run.row(self._axis.number(position))
        if row is not None:
            likelihood = float(overview.likelihood[row // overview.per_bin])
            words += " · nothing found" if np.isnan(likelihood) else f" · likelihood {likelihood:.0%}"
            error = dict(self._tracks.errors.frames).get(row)
            words += "" if error is None else f" · {error:.1f} px from its labels"
            if place_at(overview.doubtful, row):
                words += " · unclear here which animal is which"
        track = self.track_at(at.y())
        return f"{words}\n{gaps_sentence(overview, track)}" if 0 <= track < len(overview.tracks) else words

    # ---- painting -----------------------------------------------------------------------------

    def paint_picture(self) -> QPixmap:
        ratio = self.devicePixelRatioF()
        picture = QPixmap(self.size() * ratio)
        picture.setDevicePixelRatio(ratio)
        picture.fill(Qt.GlobalColor.transparent)
        overview, run = self._tracks.overview, self._tracks.run
        if overview is None or run is None or not self._axis.n_positions:
            return picture
        painter = QPainter(picture)
        numbers = run.header.numbers
        columns = columns_of(overview, self._axis, self.width(), numbers)
        self._paint_curve(painter, columns.likelihood)
        self._paint_errors(painter)
        self._paint_lanes(painter, overview, columns.seen)
        self._paint_places(painter, overview)
        painter.end()
        return picture

    def _paint_curve(self, painter: QPainter, likelihood: NDArray[np.float32]) -> None:
        """Paint the likelihood as an area; below the threshold it is a warning."""
        height, threshold = CURVE_HEIGHT - 4, self._frame.guesses.model_thresholds.pose
        sure = mix(self._colours.text, self._colours.background, 0.6)
        painter.fillRect(QRectF(0, 2, self.width(), height), self._colours.raised)
        for x, value in enumerate(likelihood.tolist()):
            if value == value:  # not NaN
                top = 2 + height * (1 - value)
                colour = sure if value >= threshold else self._colours.caution
                painter.fillRect(QRectF(x, top, 1, 2 + height - top), colour)
        pen = QPen(self._colours.dim, 1, Qt.PenStyle.DotLine)
        painter.setPen(pen)
        y = 2 + height * (1 - threshold)
        painter.drawLine(QPointF(0, y), QPointF(self.width(), y))

    def _paint_errors(self, painter: QPainter) -> None:
        """Paint a line at each labelled frame, as high as its error is beside the largest."""
        errors, height = self._tracks.errors.frames, CURVE_HEIGHT - 4
        largest = max((error for _row, error in errors), default=0.0) or 1.0
        for row, error in errors:
            tall = max(2.0, height * error / largest)
            painter.fillRect(QRectF(self._x_of(row) - 1, 2 + height - tall, 2, tall), self._colours.text)

    def _paint_lanes(self, painter: QPainter, overview: RunOverview, seen: NDArray[np.float32]) -> None:
        height = self._lane_height
        colours = individual_colours(len(self._frame.animals), len(overview.tracks))
        image = np.zeros((len(overview.tracks), self.width(), 4), np.uint8)
        for track, name in enumerate(colours[: len(overview.tracks)]):
            colour = QColor(name)
            image[track, :, :3] = (colour.blue(), colour.green(), colour.red())
            # A gap of one frame among many still shows.
            image[track, :, 3] = np.where(seen[track] >= 1, 255, 150 * seen[track])
        if len(image):
            made = QImage(image.data, image.shape[1], image.shape[0], 4 * image.shape[1], QImage.Format.Format_ARGB32)
            for track in range(len(image)):
                area = QRectF(0, CURVE_HEIGHT + track * height, self.width(), max(2, height - 3))
                painter.fillRect(area, self._colours.raised)
                painter.drawImage(area, made, QRectF(0, track, self.width(), 1))
        if height == LANE_HEIGHT:
            self._paint_names(painter, overview.tracks)

    def _paint_names(self, painter: QPainter, names: tuple[str, ...]) -> None:
        """Write the names at the lanes' left ends; that of the chosen individual stands out."""
        font = painter.font()
        font.setPixelSize(10)
        for track, name in enumerate(names):
            font.setBold(track == self._tracks.current)
            painter.setFont(font)
            width = painter.fontMetrics().horizontalAdvance(name) + 8
            area = QRectF(0, CURVE_HEIGHT + track * LANE_HEIGHT, width, LANE_HEIGHT - 3)
            painter.fillRect(area, self._colours.background)
            painter.setPen(self._colours.text if track == self._tracks.current else self._colours.dim)
            painter.drawText(area.adjusted(3, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, name)

    def _paint_places(self, painter: QPainter, overview: RunOverview) -> None:
        """Mark doubtful crossings, and where the user changed tracks."""
        run = self._tracks.run
        if run is None or not overview.tracks:
            return
        top, height = CURVE_HEIGHT, self.height() - CURVE_HEIGHT - 2
        for x in {self._x_of(place.worst) for place in overview.doubtful}:
            painter.fillRect(QRectF(x - 1, top - 3, 2, height + 3), self._colours.caution)
        painter.setPen(QPen(self._colours.text, 1, Qt.PenStyle.DotLine))
        for x in {self._x_of(edit.row) for edit in run.edits.done if edit.row > 0}:
            painter.drawLine(QPointF(x, top), QPointF(x, top + height))

    def _x_of(self, row: int) -> int:
        position = self._axis.position(self._tracks.key_of(row).frame)
        return -9 if position is None else round(self._axis.x_of(position, self.width()))


class PredictedBar(QWidget):
    """How many places need a look, the button to the next one, and the menu of the tracks."""

    def __init__(
        self,
        tracks: TrackEditor,
        review: Review,
        *,
        keys: KeyChoices,
        menu: TrackMenu,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._tracks = tracks
        self.low = button("", "", lambda: review.go_low(1))
        self.doubtful = button("", "", lambda: review.go_doubtful(1))
        self.menu = tool_button("Review", "", part="menu")
        self.menu.setPopupMode(self.menu.ToolButtonPopupMode.InstantPopup)
        self.menu.setMenu(menu)
        KeyTip(self.low, "Go to the next place where the model is unsure ({go_low 1}; back: {go_low -1})", keys)
        KeyTip(
            self.doubtful,
            "Go to the next place where it is unclear which animal is which ({go_doubtful 1}; back: {go_doubtful -1})",
            keys,
        )
        KeyTip(self.menu, "Put unsure places in the queue; swap, split, join and name tracks", keys)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for made in (self.low, self.doubtful, self.menu):
            row.addWidget(made)
        tracks.changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        overview, run = self._tracks.overview, self._tracks.run
        self.setVisible(overview is not None)
        if overview is None or run is None:
            return
        low, doubtful = overview_words(overview)
        self.low.setText(low)
        self.low.setEnabled(bool(overview.low))
        self.doubtful.setText(doubtful)
        self.doubtful.setEnabled(bool(overview.doubtful))
        self.doubtful.setVisible(bool(overview.tracks))
        version = run.header.model_version
        self.menu.setText(f"Review model {version}" if version else "Review imported")
