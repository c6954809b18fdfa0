"""The dialog that shows the history of a frame and brings an earlier state of it back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QImage
from qtpy.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_al_pose.domain import FrameKey
from napari_al_pose.domain.views import bodypart_colours
from napari_al_pose.domain.views.history import history_row, pose_words
from napari_al_pose.gui.dialogs.pose_picture import DrawnPose, FramePictures, PosePicture
from napari_al_pose.gui.state.key_choices import KeyChoices
from napari_al_pose.gui.state.label_repair import LabelRepair
from napari_al_pose.gui.widgets import label
from napari_al_pose.project import Project


class HistoryDialog(QDialog):
    """Every state the labels of a frame had, newest first, each with a picture.

    Parameters
    ----------
    project : Project
    key : FrameKey
    repair : LabelRepair
    keys : KeyChoices
    parent : QWidget, optional
    """

    def __init__(
        self, project: Project, key: FrameKey, *, repair: LabelRepair, keys: KeyChoices, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._repair = repair
        self._key = key
        self._skeleton = project.skeleton
        self.versions = list(reversed(project.labels.history.of(key)))
        self.setWindowTitle(f"History of {key.video}, frame {key.frame}")
        self.list = QListWidget()
        self.list.setMinimumWidth(300)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.picture = PosePicture()
        self.words = label("", "dim", wrap=True)
        self.close_up = QCheckBox("Close up")
        self.bring_back = QPushButton("Restore this version")
        self.bring_back.setToolTip(keys.named("{undo} undoes this"))
        self._pictures = FramePictures(project, self)
        self._pictures.ready.connect(self._show_image)
        self._lay_out()
        self._fill(read_only=project.read_only)
        self.finished.connect(self._pictures.close)
        self._pictures.request(key)

    def _fill(self, *, read_only: bool) -> None:
        now = datetime.now().astimezone()
        for version in self.versions:
            row = history_row(
                version.kind,
                version.changed,
                time=version.time,
                now=now,
                who=version.who,
                source=version.source,
                n_bodyparts=self._skeleton.n_bodyparts,
            )
            item = QListWidgetItem(f"{row.title}\n{row.detail}")
            item.setToolTip(item.text())
            self.list.addItem(item)
        self._read_only = read_only
        self.list.currentRowChanged.connect(self._show_version)
        self.list.setCurrentRow(0)
        if not self.versions:
            self.words.setText("Nobody has labelled this frame yet.")
            self.bring_back.setEnabled(False)

    def _lay_out(self) -> None:
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.addButton(self.bring_back, QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.accepted.connect(self._bring_back)
        buttons.rejected.connect(self.reject)
        self.close_up.toggled.connect(self.picture.set_close_up)
        right = QVBoxLayout()
        right.addWidget(self.picture, 1)
        below = QHBoxLayout()
        below.addWidget(self.words, 1)
        below.addWidget(self.close_up, 0, Qt.AlignmentFlag.AlignTop)
        right.addLayout(below)
        columns = QHBoxLayout()
        columns.addWidget(self.list)
        columns.addLayout(right, 1)
        rows = QVBoxLayout(self)
        rows.addLayout(columns, 1)
        rows.addWidget(buttons)

    def _show_version(self, row: int) -> None:
        if not 0 <= row < len(self.versions):
            return
        version, skeleton = self.versions[row], self._skeleton
        drawn = [
            DrawnPose(
                pose.xy,
                bodypart_colours(len(pose.xy)),
                links=skeleton.link_indices_of(pose.individual),
            )
            for pose in version.annotations
        ]
        self.picture.set_poses(*drawn)
        words = [
            f"{pose.individual}: {text}" if pose.individual else text
            for pose in version.annotations
            for text in [pose_words(pose.states, skeleton.bodyparts_of(pose.individual))]
        ]
        self.words.setText("\n".join(words))
        self.bring_back.setEnabled(row > 0 and not self._read_only)

    def _show_image(self, _key: Any, image: QImage | None) -> None:
        self.picture.set_image(image)

    def _bring_back(self) -> None:
        version = self.versions[self.list.currentRow()]
        self.accept()
        self._repair.bring_back(self._key, version.action)
