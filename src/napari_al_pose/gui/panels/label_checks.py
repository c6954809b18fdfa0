"""The labels worth a second look, in the dock: the canvas shows both places, and each is decided by one press."""

from __future__ import annotations

from qtpy.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt
from qtpy.QtGui import QPainter
from qtpy.QtWidgets import QHBoxLayout, QSizePolicy, QStyledItemDelegate, QStyleOptionViewItem, QVBoxLayout, QWidget

from napari_al_pose.domain.label_checks import can_take
from napari_al_pose.domain.views.label_checks import (
    KEEP,
    NEXT,
    CheckRow,
    check_heading,
    check_place,
    check_rows,
    take_text,
)
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.key_choices import KeyChoices
from napari_al_pose.gui.state.label_checks import LabelChecks
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.gui.theme import Colours
from napari_al_pose.gui.widgets import ROW, KeyTip, RowsModel, RowsView, button, label, line, row_height

_ROW_HEIGHT = 40
_FEWEST_ROWS = 2


class LabelCheckPanel(QWidget):
    """The list and what is decided about the label that is looked at; takes the place of queue and reasons.

    Parameters
    ----------
    projects : ProjectSession
    frame : CurrentFrame
    checks : LabelChecks
    keys : KeyChoices
    colours : Colours
    parent : QWidget, optional
    """

    def __init__(
        self,
        projects: ProjectSession,
        frame: CurrentFrame,
        *,
        checks: LabelChecks,
        keys: KeyChoices,
        colours: Colours,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._projects, self._checks = projects, checks
        self._place = label("", "dim")
        self.heading = label("", "dim", wrap=True)
        self._rows = RowsModel(lambda row: f"{row.title} {row.detail}", lambda row: row.detail, self)
        self.list = RowsView(self._rows)
        self.list.chosen.connect(lambda row: checks.show(row.check))
        self.list.setMinimumHeight(_FEWEST_ROWS * row_height(self.list.fontMetrics(), _ROW_HEIGHT, lines=2))
        self.list.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._delegate = _CheckDelegate(self)
        self._delegate.colours = colours
        self.list.setItemDelegate(self._delegate)
        self.keep = button(KEEP, "", checks.keep)
        self.take = button("", "", checks.take)
        self.next = button(NEXT, "", checks.next)
        KeyTip(self.keep, "Keep the label as it is and don't list it again ({checks.keep})", keys)
        KeyTip(self.take, "Make the label what the model says ({checks.take})", keys)
        KeyTip(self.next, "Look at the next label, decide later ({checks.next})", keys)
        self._lay_out()
        for signal in (checks.changed, checks.currentChanged, frame.keyChanged, projects.projectChanged):
            signal.connect(self.refresh)
        self.refresh()

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.addWidget(label("Check labels", "title"))
        head.addWidget(self._place, 1)
        head.addWidget(button("Done", "Back to the queue; what is undecided stays listed", self._checks.close))
        buttons = QHBoxLayout()
        buttons.setSpacing(4)
        for made, share in ((self.keep, 3), (self.take, 4), (self.next, 2)):
            buttons.addWidget(made, share)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(4)
        rows.addWidget(line())
        rows.addLayout(head)
        rows.addLayout(buttons)  # above the list: they stay where they are
        rows.addWidget(self.heading)
        rows.addWidget(self.list, 1)

    @property
    def rows(self) -> tuple[CheckRow, ...]:
        """What is shown."""
        return self._rows.rows

    def set_colours(self, colours: Colours) -> None:
        """Paint with another theme."""
        self._delegate.colours = colours
        self.list.viewport().update()

    def refresh(self) -> None:
        """Show the labels to check, and which one is looked at."""
        checks, current = self._checks.all, self._checks.current
        rows = check_rows(checks)
        self._delegate.current = current
        self._rows.set_rows(rows)
        self.list.viewport().update()
        if current in checks:
            self.list.scrollTo(self._rows.index(list(checks).index(current)))
        self._place.setText(check_place(checks, current))
        self.heading.setText(check_heading(len(checks)))
        decides = self._checks.in_front is not None and not self._projects.read_only
        self.keep.setEnabled(decides)
        self.take.setText(take_text(current))
        self.take.setEnabled(decides and current is not None and can_take(current))
        self.next.setEnabled(bool(checks) and (current not in checks or len(checks) > 1))


class _CheckDelegate(QStyledItemDelegate):
    colours: Colours
    current: object = None

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(80, row_height(option.fontMetrics, _ROW_HEIGHT, lines=2))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        row: CheckRow = index.data(ROW)
        area = QRectF(option.rect)
        painter.save()
        if row.check == self.current:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self.colours.selected)
            painter.drawRoundedRect(area.adjusted(0, 1, 0, -1), 3, 3)
        metrics, room = painter.fontMetrics(), area.adjusted(6, 3, -6, -3)
        left = Qt.AlignmentFlag.AlignLeft
        painter.setPen(self.colours.text)
        title = metrics.elidedText(row.title, Qt.TextElideMode.ElideMiddle, int(room.width()))
        painter.drawText(room, Qt.AlignmentFlag.AlignTop | left, title)
        painter.setPen(self.colours.text if row.check == self.current else self.colours.dim)
        detail = metrics.elidedText(row.detail, Qt.TextElideMode.ElideRight, int(room.width()))
        painter.drawText(room, Qt.AlignmentFlag.AlignBottom | left, detail)
        painter.restore()
