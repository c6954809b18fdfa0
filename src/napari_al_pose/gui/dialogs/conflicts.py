"""The dialog that shows labels changed both here and by another program side by side, and asks which to keep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage
from qtpy.QtWidgets import (
    QCheckBox,
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QListWidget,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_al_pose.domain import FrameKey, KeypointState
from napari_al_pose.domain.views import bodypart_colours
from napari_al_pose.domain.views.history import conflict_words, point_words
from napari_al_pose.gui.dialogs.pose_picture import DrawnPose, FramePictures, PosePicture
from napari_al_pose.gui.state.key_choices import KeyChoices
from napari_al_pose.gui.state.label_repair import LabelRepair
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.gui.widgets import button, label
from napari_al_pose.project import Conflict, Project

_THEIRS = 3


class ConflictDialog(QDialog):
    """One frame after the other: our pose in discs, theirs in rings; a tick takes theirs for a bodypart.

    Parameters
    ----------
    project : Project
        With conflicts.
    repair : LabelRepair
    projects : ProjectSession
    keys : KeyChoices
    parent : QWidget, optional
    """

    def __init__(
        self,
        project: Project,
        repair: LabelRepair,
        *,
        projects: ProjectSession,
        keys: KeyChoices,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._choices, self._projects, self._repair = keys, projects, repair
        self._skeleton = project.skeleton
        self._shown: list[Conflict] = []
        self.setWindowTitle("Labels that another program also changed")
        self.words = label("", wrap=True)
        self.frames = QListWidget()
        self.frames.setFixedWidth(190)
        self.picture = PosePicture()
        self.picture.set_close_up(True)
        self.table = QTableWidget(0, _THEIRS + 1)
        self.table.setHorizontalHeaderLabels(["Bodypart", "Here (disc)", "There (ring)", "Take theirs"])
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.table.verticalHeader().hide()
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.setMaximumHeight(190)
        self._pictures = FramePictures(project, self)
        self._pictures.ready.connect(self._show_image)
        self._lay_out()
        self.frames.currentRowChanged.connect(self._show_frame)
        repair.conflictsChanged.connect(self._fill)
        projects.projectChanged.connect(self.close)
        self.finished.connect(self._end)
        self._fill()

    def _lay_out(self) -> None:
        self.close_up = QCheckBox("Close up")
        self.close_up.setChecked(True)
        self.close_up.toggled.connect(self.picture.set_close_up)
        columns = QHBoxLayout()
        columns.addWidget(self.frames)
        columns.addWidget(self.picture, 1)
        choices = QHBoxLayout()
        choices.addWidget(self.close_up)
        choices.addStretch(1)
        choices.addWidget(button("Keep mine", "Keep every label of this frame as it is here", self.keep_ours))
        choices.addWidget(button("Take theirs", "Take all of theirs in this frame", self.take_theirs))
        choices.addWidget(button("Use the ticks", "Take theirs where ticked", self.use_ticks, part="main"))
        everywhere = QHBoxLayout()
        everywhere.addStretch(1)
        everywhere.addWidget(button("Keep mine in all frames", "No label changes", self.keep_ours_everywhere))
        theirs_tip = self._choices.named("{undo} takes it back, frame by frame")
        everywhere.addWidget(button("Take theirs in all frames", theirs_tip, self.take_theirs_everywhere))
        everywhere.addWidget(button("Later", "Your labels stay until then; the project asks again", self.reject))
        rows = QVBoxLayout(self)
        rows.addWidget(self.words)
        rows.addLayout(columns, 1)
        rows.addWidget(self.table)
        rows.addLayout(choices)
        rows.addLayout(everywhere)

    # ---- choices ------------------------------------------------------------------------------

    def keep_ours(self) -> None:
        """Keep every label of the frame shown."""
        self._decide(self._shown, ())

    def take_theirs(self) -> None:
        """Take all of theirs in the frame shown."""
        self._decide(self._shown, self._shown)

    def keep_ours_everywhere(self) -> None:
        """Keep every label there is."""
        self._decide(self._repair.conflicts, ())

    def take_theirs_everywhere(self) -> None:
        """Take all of theirs."""
        self._decide(self._repair.conflicts, self._repair.conflicts)

    def use_ticks(self) -> None:
        """Take theirs where it is ticked in the frame shown."""
        ticked = [
            conflict
            for row, conflict in enumerate(self._shown)
            if (item := self.table.item(row, _THEIRS)) is not None and item.checkState() == Qt.CheckState.Checked
        ]
        self._decide(self._shown, ticked)

    def _decide(self, conflicts: Sequence[Conflict], theirs: Sequence[Conflict]) -> None:
        self._repair.decide_conflicts(tuple(conflicts), tuple(theirs))

    # ---- showing ------------------------------------------------------------------------------

    def _fill(self) -> None:
        conflicts = self._repair.conflicts
        if not conflicts:
            self.accept()
            return
        self._keys = list(dict.fromkeys(conflict.key.frame_key for conflict in conflicts))
        self.words.setText(
            f"{conflict_words(len(conflicts), len(self._keys))} changed both here and in another program. "
            "Yours count until you choose."
        )
        row = min(max(0, self.frames.currentRow()), len(self._keys) - 1)
        self.frames.blockSignals(True)  # one change of the frame shown, at the end
        self.frames.clear()
        self.frames.addItems([f"{key.video}, frame {key.frame}" for key in self._keys])
        self.frames.setCurrentRow(row)
        self.frames.blockSignals(False)
        self._show_frame(row)

    def _show_frame(self, row: int) -> None:
        if not 0 <= row < len(self._keys):
            return
        key = self._keys[row]
        self._shown = [conflict for conflict in self._repair.conflicts if conflict.key.frame_key == key]
        self._fill_table()
        self.picture.set_image(None)
        self.picture.set_poses(*self._poses(key))
        self._pictures.request(key)

    def _fill_table(self) -> None:
        self.table.setRowCount(len(self._shown))
        for row, conflict in enumerate(self._shown):
            name = " ".join(filter(None, (conflict.key.individual, conflict.key.bodypart)))
            ours, theirs = conflict.ours, conflict.theirs
            tick = QTableWidgetItem()
            tick.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
            tick.setCheckState(Qt.CheckState.Unchecked)
            items = [
                QTableWidgetItem(name),
                QTableWidgetItem(point_words(ours.state, ours.x, ours.y)),
                QTableWidgetItem(point_words(theirs.state, theirs.x, theirs.y)),
                tick,
            ]
            items[2].setToolTip(conflict.source)
            for column, item in enumerate(items):
                self.table.setItem(row, column, item)

    def _poses(self, key: FrameKey) -> list[DrawnPose]:
        project = self._projects.project
        if project is None:
            return []
        poses = []
        for individual in self._skeleton.owners:
            names = self._skeleton.bodyparts_of(individual)
            colours = bodypart_colours(len(names))
            links = self._skeleton.link_indices_of(individual)
            ours = project.labels.annotation(key, individual)
            theirs = np.full_like(ours.xy, np.nan)
            for conflict in self._shown:
                if conflict.key.individual == individual and conflict.theirs.state == KeypointState.PLACED:
                    theirs[names.index(conflict.key.bodypart)] = conflict.theirs.x, conflict.theirs.y
            poses.append(DrawnPose(ours.xy, colours, links=links))
            poses.append(DrawnPose(theirs, colours, hollow=True))
        return poses

    def _show_image(self, _key: Any, image: QImage | None) -> None:
        self.picture.set_image(image)

    def _end(self) -> None:
        self._repair.conflictsChanged.disconnect(self._fill)
        self._projects.projectChanged.disconnect(self.close)
        self._pictures.close()
