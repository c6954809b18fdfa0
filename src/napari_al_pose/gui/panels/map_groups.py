"""Groups of frames that look alike: how much of the video each stands for, and whether any of it is labelled."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from napari_al_pose.domain import FrameKey
from napari_al_pose.domain.views.pool_map import GroupRow
from napari_al_pose.gui.thumbnails import HEIGHT, WIDTH
from napari_al_pose.gui.widgets import button, label

_ROW = Qt.ItemDataRole.UserRole
_WHY = "Frames that look alike, those with the fewest labels first. Choose a group to see it on the map."
_NONE = "There are too few candidate frames for groups."


class GroupList(QWidget):
    """One row a group: its most typical frame, and a sentence; the chosen group can be put in the queue."""

    chosen = Signal(int)
    """Number of the group that was chosen."""
    frameWanted = Signal(object)
    """A `FrameKey` to go to."""
    picked = Signal(object)
    """The `GroupRow` whose frames are to be put in the queue."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.list = QListWidget()
        self.list.setIconSize(QSize(WIDTH // 2, HEIGHT // 2))
        self.list.setWordWrap(True)
        self.list.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._why = label(_NONE, "dim", wrap=True)
        self.go = button("Go to it", "Show the most typical frame of this group that is not labelled", self._go)
        self.add = button("Add to the queue", "Put some frames of this group in the queue, next in turn", self._pick)
        self.list.currentItemChanged.connect(self._on_current)
        self.list.itemActivated.connect(lambda _item: self._go())
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 4, 0, 0)
        rows.addWidget(self._why)
        rows.addWidget(self.list, 1)
        rows.addWidget(self.go)
        rows.addWidget(self.add)
        self._enable()

    @property
    def row(self) -> GroupRow | None:
        """The chosen group."""
        item = self.list.currentItem()
        return None if item is None else item.data(_ROW)

    @property
    def keys(self) -> tuple[FrameKey, ...]:
        """The frames that stand for the groups."""
        rows = (self.list.item(i).data(_ROW) for i in range(self.list.count()))
        return tuple(row.key for row in rows if row.key is not None)

    def set_rows(self, rows: tuple[GroupRow, ...], blank: QIcon) -> None:
        """Show groups; their pictures come later."""
        self.list.clear()
        for row in rows:
            item = QListWidgetItem(blank, row.text)
            item.setData(_ROW, row)
            item.setToolTip("" if row.key is None else f"{row.key.video}, frame {row.key.frame}")
            self.list.addItem(item)
        self._why.setText(_WHY if rows else _NONE)
        self._enable()

    def set_icon(self, key: FrameKey, icon: QIcon) -> None:
        """Show the picture of a frame that has been read."""
        for i in range(self.list.count()):
            item = self.list.item(i)
            if item is not None and item.data(_ROW).key == key:
                item.setIcon(icon)

    def _on_current(self) -> None:
        self._enable()
        self.chosen.emit(-1 if self.row is None else self.row.number)

    def _enable(self) -> None:
        row = self.row
        self.go.setEnabled(row is not None and row.key is not None)
        self.add.setEnabled(row is not None and bool(row.picks))

    def _go(self) -> None:
        if self.row is not None and self.row.key is not None:
            self.frameWanted.emit(self.row.key)

    def _pick(self) -> None:
        if self.row is not None:
            self.picked.emit(self.row)
