"""The dialogs: a new project, settings, export."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.file_names import VIDEO_SUFFIXES
from napari_al_pose.domain.settings import LoopSettings
from napari_al_pose.domain.views import check_new_project, parse_bodyparts, parse_links
from napari_al_pose.gui.dialogs.settings_form import SettingsForm
from napari_al_pose.gui.widgets import button, label


class NewProjectDialog(QDialog):
    """Asks for what a project needs; `details` are the arguments of `napari_al_pose.project.create_project`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("New project from videos")
        self.setMinimumWidth(480)
        self.task = QLineEdit(placeholderText="e.g. open-field")
        self.scorer = QLineEdit(_user_name())
        self.bodyparts = QPlainTextEdit(
            placeholderText="One on each line, in the order you will click them:\nnose\nleft ear"
        )
        self.links = QPlainTextEdit(placeholderText="Lines to draw between them, if you like:\nnose - left ear")
        self.individuals = QLineEdit(placeholderText="Only if a picture shows several animals: mouse1, mouse2")
        self.videos = QListWidget()
        self.videos.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.videos.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.parent_folder = QLineEdit(str(Path.home()))
        self.copy_videos = QCheckBox("Copy the videos into the project")
        self.copy_videos.setToolTip("If not ticked, they stay where they are and the project remembers where")
        self._complaint = label("", "warning", wrap=True)
        self._complaint.setMinimumHeight(self.fontMetrics().height() * 2)
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self._create = QPushButton("Create project")
        self._buttons.addButton(self._create, QDialogButtonBox.ButtonRole.AcceptRole)
        self._lay_out()
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        for field in (self.task, self.scorer, self.bodyparts, self.links, self.individuals, self.parent_folder):
            field.textChanged.connect(self._check)
        self._check()

    @property
    def details(self) -> dict[str, Any]:
        """What was entered.

        Raises
        ------
        AlPoseError
            If the skeleton can't be read.
        """
        bodyparts = parse_bodyparts(self.bodyparts.toPlainText())
        return {
            "parent": Path(self.parent_folder.text()).expanduser(),
            "task": self.task.text().strip(),
            "scorer": self.scorer.text().strip(),
            "bodyparts": bodyparts,
            "skeleton": parse_links(self.links.toPlainText(), bodyparts),
            "individuals": parse_bodyparts(self.individuals.text()),
            "videos": [Path(self.videos.item(i).text()) for i in range(self.videos.count())],
            "copy_videos": self.copy_videos.isChecked(),
        }

    def add_videos(self, paths: list[Path]) -> None:
        """Add ``paths`` to the list, each once."""
        known = {self.videos.item(i).text() for i in range(self.videos.count())}
        self.videos.addItems([path for path in dict.fromkeys(map(str, paths)) if path not in known])
        self._check()

    def _check(self) -> None:
        try:
            details = self.details
        except AlPoseError as error:
            complaint = str(error)
        else:
            complaint = check_new_project(
                task=details["task"],
                scorer=details["scorer"],
                bodyparts=details["bodyparts"],
                links=details["skeleton"],
                individuals=details["individuals"],
                videos=details["videos"],
            )
            if not complaint and not details["parent"].is_dir():
                complaint = f"There is no folder {details['parent']}."
        self._complaint.setText(complaint)
        self._create.setEnabled(not complaint)

    def _lay_out(self) -> None:
        for text in (self.bodyparts, self.links):
            text.setFixedHeight(92)
            text.setTabChangesFocus(True)
        self.videos.setFixedHeight(92)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.addRow("Name", self.task)
        form.addRow("Scorer", self.scorer)
        form.addRow("Videos", self._with_buttons(self.videos, ("Add…", self._ask_videos), ("Remove", self._remove)))
        form.addRow("", self.copy_videos)
        form.addRow("Bodyparts", self.bodyparts)
        form.addRow("Skeleton", self.links)
        form.addRow("Individuals", self.individuals)
        form.addRow("Folder", self._with_buttons(self.parent_folder, ("Browse…", self._ask_folder)))
        rows = QVBoxLayout(self)
        rows.setSpacing(10)
        rows.addLayout(form)
        rows.addWidget(self._complaint)
        rows.addWidget(self._buttons)

    @staticmethod
    def _with_buttons(field: QWidget, *buttons: tuple[str, Callable[[], None]]) -> QWidget:
        made = QWidget()
        row = QHBoxLayout(made)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(field, 1)
        column = QVBoxLayout()
        column.setSpacing(4)
        for text, clicked in buttons:
            column.addWidget(button(text, "", clicked))
        if len(buttons) > 1:
            column.addStretch(1)
        row.addLayout(column)
        return made

    def _ask_videos(self) -> None:
        self.add_videos(ask_for_videos(self))

    def _remove(self) -> None:
        for item in self.videos.selectedItems():
            self.videos.takeItem(self.videos.row(item))
        self._check()

    def _ask_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder for the project", self.parent_folder.text())
        if folder:
            self.parent_folder.setText(folder)


class SettingsDialog(QDialog):
    """The settings form, with OK, Cancel and the way back to the defaults."""

    chosen = Signal(object)
    """The `LoopSettings` there are to be."""

    def __init__(self, settings: LoopSettings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Settings of this project")
        self.setMinimumWidth(360)
        self.form = SettingsForm(settings)
        strategy = settings.strategy
        standard = QDialogButtonBox.StandardButton
        buttons = QDialogButtonBox(standard.Ok | standard.Cancel | standard.RestoreDefaults)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        buttons.button(standard.RestoreDefaults).clicked.connect(
            lambda _checked=False: self.form.show(
                LoopSettings.model_validate({"strategy": strategy, "regions": settings.regions})
            )
        )
        rows = QVBoxLayout(self)
        rows.addWidget(self.form.widget)
        rows.addWidget(
            label(
                "0 lets the program choose. With 0 new frames, training starts only when you press Train.",
                "dim",
                wrap=True,
            )
        )
        rows.addWidget(buttons)
        self.accepted.connect(lambda: self.chosen.emit(self.form.settings))


def ask_for_videos(parent: QWidget) -> list[Path]:
    """Ask for video files; empty if the user thinks better of it."""
    patterns = " ".join(f"*{suffix}" for suffix in VIDEO_SUFFIXES)
    paths, _ = QFileDialog.getOpenFileNames(parent, "Choose videos", "", f"Videos ({patterns});;All files (*)")
    return [Path(path) for path in paths]


def ask_for_predictions(parent: QWidget) -> list[Path]:
    """Ask for files of predictions; empty if the user thinks better of it."""
    kinds = "Predictions of DeepLabCut, SLEAP, Lightning Pose (*.h5 *.slp *.csv);;All files (*)"
    paths, _ = QFileDialog.getOpenFileNames(parent, "Choose predictions, named after their videos", "", kinds)
    return [Path(path) for path in paths]


def ask_for_project(parent: QWidget) -> Path | None:
    """Ask for a project's config.yaml or SLEAP's file of labels; None if the user thinks better of it."""
    path, _ = QFileDialog.getOpenFileName(
        parent,
        "Open project",
        "",
        "DeepLabCut project or SLEAP labels (config.yaml *.yaml *.yml *.slp);;All files (*)",
    )
    return Path(path) if path else None


def ask_for_model(parent: QWidget, folder: Path) -> Path | None:
    """Ask for a model of another program; None if the user thinks better of it."""
    path, _ = QFileDialog.getOpenFileName(
        parent,
        "Use a trained model",
        str(folder),
        "DeepLabCut 3 snapshot or ONNX model (snapshot*.pt *.onnx);;All files (*)",
    )
    return Path(path) if path else None


def _user_name() -> str:
    """Return the login name, or nothing where the system knows none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""
