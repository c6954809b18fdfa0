"""The bodypart panel: what is labelled in this frame, and what the next click places."""

from __future__ import annotations

from qtpy.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPen
from qtpy.QtWidgets import (
    QHBoxLayout,
    QMenu,
    QSizePolicy,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolButton,
    QWidget,
)

from napari_al_pose.domain.tools import ColourBy
from napari_al_pose.domain.views import BodypartMark, BodypartRow, bodypart_colours, bodypart_rows, frame_progress
from napari_al_pose.domain.views.colours import individual_colours
from napari_al_pose.gui.panels.tools import ToolRows
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.key_choices import KeyChoices
from napari_al_pose.gui.state.label_editor import LabelEditor
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.gui.state.track_editor import TrackEditor
from napari_al_pose.gui.state.view_options import ViewOptions
from napari_al_pose.gui.theme import Colours, see_through
from napari_al_pose.gui.widgets import ROW, KeyTip, RowsModel, RowsView, Section, button, row_height, tool_button

ROW_HEIGHT, TIGHT_ROW_HEIGHT = 22, 19
"""Height of a bodypart's row, px; the second if only that shows all of them."""
GUESSES = (BodypartMark.GUESSED, BodypartMark.DOUBTED)
_FEWEST_ROWS, _MOST_ROWS = 4, 12


class BodypartPanel(Section):
    """Colour, name and state of every bodypart, and the buttons that change the chosen one."""

    rowsWanted = Signal()
    """There are others, and `fit` is to be called."""

    def __init__(
        self,
        projects: ProjectSession,
        frame: CurrentFrame,
        *,
        editor: LabelEditor,
        tracks: TrackEditor,
        options: ViewOptions,
        keys: KeyChoices,
        colours: Colours,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("Bodyparts", parent)
        self._options, self._keys, self._frame = options, keys, frame
        self._projects, self._editor, self._tracks = projects, editor, tracks
        self._rows = RowsModel(lambda row: f"{row.name} {row.text}".strip(), _tooltip, self)
        self._view = RowsView(self._rows)
        self._view.chosen.connect(lambda row: frame.choose_bodypart(row.name))
        self._delegate = _BodypartDelegate(self)
        self._delegate.colours = colours
        self._view.setItemDelegate(self._delegate)
        self._view.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.tools = ToolRows(projects, frame, options=options, keys=keys)
        self.body.addWidget(self.tools)
        self.body.addWidget(self._view, 1)
        self.body.addLayout(self._buttons())
        for signal in (frame.annotationChanged, frame.bodypartChanged, frame.keyChanged):
            signal.connect(self.refresh)
        tracks.changed.connect(self.refresh)
        options.changed.connect(self._on_option)
        frame.individualChanged.connect(self._on_individual)
        projects.projectChanged.connect(self._on_project)
        self._on_project()

    def set_menu(self, menu: QMenu) -> None:
        """Put ``menu`` beside the title."""
        made = tool_button("⋯", "More: poses, bodyparts and skeleton, test frames", part="menu")
        made.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        made.setMenu(menu)
        self.head.addWidget(made)
        self.setTabOrder(self._title, made)  # as they are seen: it stands beside the title

    def set_colours(self, colours: Colours) -> None:
        """Paint with another theme."""
        self._delegate.colours = colours
        self._view.viewport().update()

    @property
    def rows(self) -> tuple[BodypartRow, ...]:
        """What is shown."""
        return self._rows.rows

    def fit(self, height: int) -> None:
        """Show as many bodyparts as go into a panel of ``height``; a few in any case, the others by scrolling."""
        if self.is_folded:
            return
        n = len(self._frame.bodyparts)
        room = height - (self.minimumSizeHint().height() - self._view.minimumHeight()) - 4
        tight, good = (row_height(self._view.fontMetrics(), height) for height in (TIGHT_ROW_HEIGHT, ROW_HEIGHT))
        height = tight if tight * n <= room < good * n else good
        rows = max(min(n, _FEWEST_ROWS), min(n, _MOST_ROWS, room // height))
        if height != self._delegate.height:
            self._delegate.height = height
            self._view.scheduleDelayedItemsLayout()
        if self._view.height() != height * rows + 4:
            self._view.setFixedHeight(height * rows + 4)

    def refresh(self) -> None:
        """Show the current frame's labels."""
        project, skeleton = self._projects.project, self._frame.skeleton
        if project is None or skeleton is None:
            self._rows.set_rows(())
            return
        frame = self._frame
        rows = bodypart_rows(frame.annotation, frame.guesses.guessed(), frame.bodyparts, frame.bodypart)
        self._rows.set_rows(rows)
        self.side.setText(frame_progress(frame.annotation))
        current = next((i for i, row in enumerate(rows) if row.is_current), -1)
        if current >= 0:
            self._view.scrollTo(self._rows.index(current))
        self._enable()

    def _on_project(self) -> None:
        n = len(self._frame.bodyparts)
        self._colour()
        self._view.setFixedHeight(row_height(self._view.fontMetrics(), ROW_HEIGHT) * min(n, _FEWEST_ROWS) + 4)
        self.refresh()
        self.rowsWanted.emit()

    def _on_option(self, name: str) -> None:
        if name in ("colour_by", "palette"):
            self._recolour()

    def _on_individual(self) -> None:
        n = len(self._rows.rows)
        self._recolour()
        if n != len(self._frame.bodyparts):
            self.rowsWanted.emit()

    def _recolour(self) -> None:
        self._colour()
        self._view.viewport().update()

    def _colour(self) -> None:
        """Give the swatches the colours of the points: the individual's own where they stand for that."""
        names = self._frame.bodyparts
        palette = self._options.palette
        colours = bodypart_colours(len(names), palette)
        if self._options.colour_by is ColourBy.INDIVIDUAL and len(self._frame.individuals) > 1:
            n_animals, n = len(self._frame.animals), len(self._frame.individuals)
            own = individual_colours(n_animals, n, palette)[self._frame.individual_index]
            colours = (own,) * len(names)
        self._delegate.swatches = dict(zip(names, map(QColor, colours), strict=True))

    def _buttons(self) -> QHBoxLayout:
        self._hide = button("Not visible", "", self._editor.mark_not_visible)
        self._clear = button("Clear", "", self._editor.clear)
        self._accept = button("Accept", "", self._editor.accept_guess)
        self._undo = button("↶", "", self._tracks.undo)
        self._redo = button("↷", "", self._tracks.redo)
        for made, tip in (
            (self._hide, "This bodypart isn't visible in this frame ({mark_not_visible})"),
            (self._clear, "Remove this bodypart's label ({clear})"),
            (self._accept, "Turn every trusted guess into a label ({accept_guess})"),
            (self._undo, "Undo the last edit, in any frame ({undo})"),
            (self._redo, "Redo: repeat what was undone ({redo})"),
        ):
            KeyTip(made, tip, self._keys)
        row = QHBoxLayout()
        row.setSpacing(4)
        for made in (self._hide, self._clear, self._accept):
            row.addWidget(made, 1)
        for made in (self._undo, self._redo):
            made.setFixedWidth(28)
            row.addWidget(made)
        return row

    def _enable(self) -> None:
        writable = not self._projects.read_only and self._frame.key is not None
        chosen = next((row for row in self.rows if row.is_current), None)
        labelled = chosen is not None and chosen.mark in (BodypartMark.PLACED, BodypartMark.NOT_VISIBLE)
        self._hide.setEnabled(writable and chosen is not None and chosen.mark is not BodypartMark.NOT_VISIBLE)
        self._clear.setEnabled(writable and labelled)
        self._accept.setEnabled(writable and any(row.mark in GUESSES for row in self.rows))
        self._undo.setEnabled(not self._projects.read_only and self._tracks.can_undo)
        self._redo.setEnabled(not self._projects.read_only and self._tracks.can_redo)


class _BodypartDelegate(QStyledItemDelegate):
    colours: Colours
    swatches: dict[str, QColor]
    height = ROW_HEIGHT

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(80, self.height)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        row: BodypartRow = index.data(ROW)
        area = QRectF(option.rect)
        colour = self.swatches.get(row.name, self.colours.dim)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        if row.is_current:
            painter.setBrush(self.colours.selected)
            painter.drawRoundedRect(area.adjusted(0, 1, 0, -1), 3, 3)
        painter.setBrush(colour)
        painter.drawRoundedRect(QRectF(area.left() + 6, area.center().y() - 6, 12, 12), 3, 3)
        _paint_mark(painter, row.mark, QPointF(area.right() - 12, area.center().y()), colour, self.colours)
        font = painter.font()
        font.setBold(row.is_current)
        painter.setFont(font)
        middle = Qt.AlignmentFlag.AlignVCenter
        room = area.adjusted(26, 0, -24, 0)
        state_width = painter.fontMetrics().horizontalAdvance(row.text) + 8
        name = painter.fontMetrics().elidedText(row.name, Qt.TextElideMode.ElideRight, int(room.width() - state_width))
        painter.setPen(self.colours.text)
        painter.drawText(room, middle | Qt.AlignmentFlag.AlignLeft, name)
        font.setBold(False)
        painter.setFont(font)
        painter.setPen(self.colours.text if row.is_current else self.colours.dim)
        painter.drawText(room, middle | Qt.AlignmentFlag.AlignRight, row.text)
        painter.restore()


def _paint_mark(painter: QPainter, mark: BodypartMark, centre: QPointF, colour: QColor, colours: Colours) -> None:
    """Paint a full disc (placed), a ring (guess), a faint disc (a doubted one), a crossed ring (not visible) or a dot
    (nobody looked)."""
    ring = QPen(colour if mark is BodypartMark.GUESSED else colours.dim, 1.6)
    if mark is BodypartMark.PLACED:
        painter.setBrush(colour)
        painter.drawEllipse(centre, 4.5, 4.5)
    elif mark is BodypartMark.DOUBTED:
        painter.setBrush(see_through(colour, 0.4))
        painter.drawEllipse(centre, 4.5, 4.5)
    elif mark is BodypartMark.OPEN:
        painter.setBrush(colours.dim)
        painter.drawEllipse(centre, 1.5, 1.5)
    else:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(ring)
        painter.drawEllipse(centre, 4.5, 4.5)
    if mark is BodypartMark.NOT_VISIBLE:
        painter.drawLine(centre + QPointF(-3.2, 3.2), centre + QPointF(3.2, -3.2))


def _tooltip(row: BodypartRow) -> str:
    state = row.text or "not looked at yet"
    return f"{row.name}: {state}\nClick to place it next"
