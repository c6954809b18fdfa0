"""The dialog in which bodyparts are renamed, added, reordered and removed, and the skeleton is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_al_pose.domain import AlPoseError, Skeleton
from napari_al_pose.domain.skeleton_edit import SkeletonEdit, edited_skeleton
from napari_al_pose.domain.views import DraftRow, change_sentences, draft_edit, links_among, rename_in_links
from napari_al_pose.gui.widgets import button, label

_ORIGIN = Qt.ItemDataRole.UserRole
_NAME = Qt.ItemDataRole.UserRole + 1


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """What the dialog needs to say what a change would do.

    Parameters
    ----------
    labels, archived : mapping of str to int
        Labels of each bodypart, and of bodyparts removed before.
    n_frames, n_models : int
        Labelled frames and models there are.
    """

    labels: Mapping[str, int]
    archived: Mapping[str, int]
    n_frames: int
    n_models: int


class SkeletonDialog(QDialog):
    """Changes nothing itself: `agreed` says what was agreed to.

    Parameters
    ----------
    skeleton : Skeleton
        The project's.
    counts : LabelCounts
    parent : QWidget, optional
    """

    agreed = Signal(object)
    """The `SkeletonEdit`."""

    def __init__(
        self,
        skeleton: Skeleton,
        counts: LabelCounts,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._skeleton = skeleton
        self._counts = counts
        self._links = skeleton.links
        self.setWindowTitle("Bodyparts and skeleton")
        self.setMinimumSize(560, 480)
        self.bodyparts = QListWidget()
        self.bodyparts.setDragDropMode(QListWidget.DragDropMode.InternalMove)
        self.lines = QListWidget()
        self._ends = QComboBox(), QComboBox()
        self._preview = label("", wrap=True)
        self._complaint = label("", "warning", wrap=True)
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self._change = QPushButton("Change the project")
        self._buttons.addButton(self._change, QDialogButtonBox.ButtonRole.AcceptRole)
        for name in skeleton.bodyparts:
            self._append(name, name)
        self._lay_out()
        self.bodyparts.itemChanged.connect(self._on_renamed)
        self.bodyparts.model().rowsMoved.connect(self.refresh)
        self._buttons.accepted.connect(self._on_accepted)
        self._buttons.rejected.connect(self.reject)
        self.refresh()

    @property
    def edit(self) -> SkeletonEdit:
        """What the dialog stands for now."""
        items = [self.bodyparts.item(row) for row in range(self.bodyparts.count())]
        rows = [DraftRow(item.text().strip(), item.data(_ORIGIN)) for item in items]
        return draft_edit(rows, self._links)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What it would do."""
        return tuple(self._preview.text().splitlines())

    def refresh(self, *_moved: object) -> None:
        """Say what the change would do, or why it can't be."""
        edit, counts = self.edit, self._counts
        self._show_links(edit.bodyparts)
        try:
            edited_skeleton(self._skeleton, edit, archived=counts.archived)
        except AlPoseError as error:
            self._complaint.setText(str(error))
            self._preview.setText("")
            self._change.setEnabled(False)
            return
        sentences = change_sentences(
            self._skeleton,
            edit,
            labels=counts.labels,
            archived=counts.archived,
            n_frames=counts.n_frames,
            n_models=counts.n_models,
        )
        self._complaint.setText("")
        self._preview.setText("\n".join(sentences) or "Nothing is changed yet.")
        self._change.setEnabled(bool(sentences))

    def add(self) -> None:
        """Add a bodypart and let its name be typed."""
        names = self.edit.bodyparts
        number = next(n for n in range(1, len(names) + 2) if f"bodypart{n}" not in names)
        self.bodyparts.editItem(self._append(f"bodypart{number}", ""))
        self.refresh()

    def remove(self) -> None:
        """Take the chosen bodypart out of the list, with its lines."""
        row = self.bodyparts.currentRow()
        if row >= 0:
            self.bodyparts.takeItem(row)
            self._links = links_among(self._links, self.edit.bodyparts)
            self.refresh()

    def move_bodypart(self, by: int) -> None:
        """Move the chosen bodypart up or down."""
        row = self.bodyparts.currentRow()
        if row >= 0 and 0 <= row + by < self.bodyparts.count():
            item = self.bodyparts.takeItem(row)
            self.bodyparts.insertItem(row + by, item)
            self.bodyparts.setCurrentItem(item)
            self.refresh()

    def add_line(self) -> None:
        """Draw a line between the two chosen bodyparts."""
        a, b = (box.currentText() for box in self._ends)
        if a != b and not any({a, b} == set(link) for link in self._links):
            self._links = (*self._links, (a, b))
            self.refresh()

    def remove_line(self) -> None:
        """Take the chosen line away."""
        row = self.lines.currentRow()
        if row >= 0:
            self._links = self._links[:row] + self._links[row + 1 :]
            self.refresh()

    def _append(self, name: str, origin: str) -> QListWidgetItem:
        item = QListWidgetItem(name)
        item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
        item.setData(_ORIGIN, origin)
        item.setData(_NAME, name)
        item.setToolTip("Double-click to rename, drag to reorder")
        self.bodyparts.addItem(item)
        self.bodyparts.setCurrentItem(item)
        return item

    def _on_renamed(self, item: QListWidgetItem) -> None:
        name, before = item.text().strip(), item.data(_NAME)
        if name != before:
            item.setData(_NAME, name)
            self._links = rename_in_links(self._links, before, name)
            self.refresh()

    def _on_accepted(self) -> None:
        self.agreed.emit(self.edit)
        self.accept()

    def _show_links(self, names: tuple[str, ...]) -> None:
        self.lines.clear()
        self.lines.addItems([f"{a} – {b}" for a, b in self._links])
        for box, fallback in zip(self._ends, (0, 1), strict=True):
            chosen = box.currentText()
            box.clear()
            box.addItems(list(names))
            box.setCurrentIndex(names.index(chosen) if chosen in names else min(fallback, len(names) - 1))

    def _lay_out(self) -> None:
        lists = QHBoxLayout()
        lists.setSpacing(14)
        lists.addLayout(
            _column(
                label("Bodyparts, in labelling order", "title"),
                self.bodyparts,
                _row(
                    button("Add", "A new bodypart at the end", self.add),
                    button("Remove", "Its labels are archived, not erased", self.remove),
                    button("Up", "Move it up in the labelling order", lambda: self.move_bodypart(-1)),
                    button("Down", "Move it down in the labelling order", lambda: self.move_bodypart(1)),
                ),
            ),
            1,
        )
        lists.addLayout(
            _column(
                label("Lines of the skeleton", "title"),
                self.lines,
                _row(*self._ends),
                _row(
                    button("Add line", "Add a line between the two bodyparts above", self.add_line),
                    button("Remove line", "Remove the chosen line", self.remove_line),
                ),
            ),
            1,
        )
        rows = QVBoxLayout(self)
        rows.setSpacing(10)
        rows.addLayout(lists, 1)
        rows.addWidget(self._preview)
        rows.addWidget(self._complaint)
        rows.addWidget(self._buttons)


def _column(*widgets: QWidget | QHBoxLayout) -> QVBoxLayout:
    made = QVBoxLayout()
    made.setSpacing(6)
    for each in widgets:
        if isinstance(each, QHBoxLayout):
            made.addLayout(each)
        else:
            made.addWidget(each, 0 if isinstance(each, QLabel) else 1)
    return made


def _row(*widgets: QWidget) -> QHBoxLayout:
    made = QHBoxLayout()
    made.setSpacing(4)
    for each in widgets:
        made.addWidget(each, 1)
    return made
