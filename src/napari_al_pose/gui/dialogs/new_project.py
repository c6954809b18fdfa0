"""The dialog for a new project: videos first, then a skeleton clicked on one of their frames, then name and folder."""

from __future__ import annotations

import getpass
import os
from datetime import date
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QDragEnterEvent, QDropEvent, QFontDatabase
from qtpy.QtWidgets import (
    QCheckBox,
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QPlainTextEdit,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from napari_al_pose.domain.views import parse_bodyparts
from napari_al_pose.domain.views.formatting import short_paths
from napari_al_pose.domain.views.new_project import (
    check_names,
    check_skeleton,
    check_videos,
    folder_preview,
    project_folder,
    steps_text,
    suggested_name,
)
from napari_al_pose.domain.wording import counted
from napari_al_pose.gui.background import Background
from napari_al_pose.gui.dialogs.files import ask_for_videos
from napari_al_pose.gui.dialogs.new_skeleton import SkeletonPage
from napari_al_pose.gui.remembered import remember, remembered
from napari_al_pose.gui.widgets import button, label
from napari_al_pose.project.known_videos import videos_in
from napari_al_pose.project.to_open import NothingToOpen, VideosToAdd, what_to_open

_FOLDER, _SCORER = "new_project/folder", "new_project/scorer"
SIZE = 880, 600
"""Fits a laptop's screen of 1366 x 768."""


class NewProjectDialog(QDialog):
    """Three steps; `details` are the arguments of `napari_al_pose.project.create_project`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("New project from videos")
        self.resize(*SIZE)
        self.setAcceptDrops(True)
        self.videos = VideosPage()
        self.skeleton = SkeletonPage()
        self.names = NamesPage()
        self._unreadable = ""
        self._pages = QStackedWidget()
        for page in (self.videos, self.skeleton, self.names):
            self._pages.addWidget(page)
        self._steps = label("", "title")
        self.complaint = label("", "warning", wrap=True)
        self.complaint.setMinimumHeight(self.fontMetrics().height() * 2)
        self.back_button = button("Back", "", lambda: self._go(-1))
        self.next_button = button("Next", "", lambda: self._go(1), part="main")
        self.create_button = button("Create project", "", self.accept, part="main")
        self._lay_out()
        self.videos.changed.connect(self._on_videos)
        self.skeleton.changed.connect(self.refresh)
        self.skeleton.frames.failed.connect(self._on_unreadable)
        self.names.changed.connect(self.refresh)
        self.finished.connect(self._end)
        self.refresh()

    @property
    def step(self) -> int:
        """Which of the three steps is shown, from 0."""
        return self._pages.currentIndex()

    @property
    def details(self) -> dict[str, Any]:
        """What was entered."""
        draft = self.skeleton.draft
        return {
            "parent": Path(self.names.parent_folder.text()).expanduser(),
            "task": self.names.task.text().strip(),
            "scorer": self.names.scorer.text().strip(),
            "bodyparts": draft.bodyparts,
            "skeleton": draft.links,
            "individuals": parse_bodyparts(self.skeleton.individuals.text()),
            "unique_bodyparts": parse_bodyparts(self.skeleton.unique_bodyparts.text()),
            "videos": self.videos.paths,
            "copy_videos": self.videos.copy_videos.isChecked(),
        }

    def refresh(self) -> None:
        """Say what is missing in this step, and let go on when nothing is."""
        complaint = self._complaint()
        last = self.step == self._pages.count() - 1
        self._steps.setText(steps_text(self.step))
        self.complaint.setText(complaint or (self.videos.left_out if self.step == 0 else ""))
        self.back_button.setEnabled(self.step > 0)
        self.next_button.setVisible(not last)
        self.next_button.setEnabled(not complaint)
        self.create_button.setVisible(last)
        self.create_button.setEnabled(not complaint)
        if last:
            self.names.show_preview(self.details)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Take files and folders that are dropped anywhere on the dialog for videos."""
        self.videos.look_in([Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()])
        event.acceptProposedAction()

    def _complaint(self) -> str:
        details = self.details
        if self.step == 0:
            said = self.videos.left_out if not details["videos"] else ""
            return self.videos.looking or said or check_videos(details["videos"]) or self._unreadable
        if self.step == 1:
            checked = check_skeleton(
                *(details[name] for name in ("bodyparts", "skeleton", "individuals", "unique_bodyparts"))
            )
            return self.skeleton.complaint or checked
        return check_names(details["task"], details["scorer"]) or self.names.folder_complaint(details)

    def _go(self, by: int) -> None:
        self._pages.setCurrentIndex(self.step + by)
        self.refresh()

    def _on_videos(self) -> None:
        first = next(iter(self.videos.paths), None)
        self._unreadable = ""
        self.skeleton.set_video(first)
        self.names.suggest(first)
        self.refresh()

    def _on_unreadable(self, why: str) -> None:
        self._unreadable = why
        self.refresh()

    def _end(self, result: int) -> None:
        self.skeleton.close_video()
        self.videos.close_folders()
        if result:
            remember(_FOLDER, self.names.parent_folder.text())
            remember(_SCORER, self.names.scorer.text())

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.addWidget(button("Cancel", "", self.reject))
        buttons.addStretch(1)
        for made in (self.back_button, self.next_button, self.create_button):
            buttons.addWidget(made)
        rows = QVBoxLayout(self)
        rows.setSpacing(10)
        rows.addWidget(self._steps)
        rows.addWidget(self._pages, 1)
        rows.addWidget(self.complaint)
        rows.addLayout(buttons)


class VideosPage(QWidget):
    """The first step: which videos."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._background = Background("al-pose-folders", self)
        self._looked_in = 0
        self.left_out = ""
        """Why the folder that was dropped last has no videos; empty if it has."""
        self.list = QListWidget()
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setSelectionMode(QListWidget.SelectionMode.ExtendedSelection)
        self.copy_videos = QCheckBox("Copy the videos into the project")
        self.copy_videos.setToolTip("If not ticked, they stay where they are and the project remembers where")
        row = QHBoxLayout()
        row.addWidget(button("Add…", "Choose one or several videos", self._ask))
        row.addWidget(button("Remove", "Remove the chosen ones from the list", self.remove))
        row.addStretch(1)
        row.addWidget(self.copy_videos)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(label("Drop the videos here, or choose them. More can be added later.", "dim", wrap=True))
        rows.addWidget(self.list, 1)
        rows.addLayout(row)

    @property
    def paths(self) -> list[Path]:
        """The videos in the list."""
        return [Path(self.list.item(i).text()) for i in range(self.list.count())]

    @property
    def looking(self) -> str:
        """What is said while folders are being listed; empty when all are."""
        return "Looking for videos…" if self._looked_in else ""

    def add(self, paths: list[Path], *, left_out: str = "") -> None:
        """Add videos, each once, and say why others are ``left_out``."""
        self.left_out = short_paths(left_out)
        known = set(self.paths)
        self.list.addItems([str(path) for path in dict.fromkeys(paths) if path not in known])
        self.changed.emit()

    def look_in(self, paths: list[Path]) -> None:
        """Add videos, and of each folder the videos in it, once a thread has listed them: disks may be far away."""
        self._looked_in += 1
        self._background.run(lambda: _videos_among(paths), self._take, lambda error: self._take(([], str(error))))
        self.changed.emit()

    def close_folders(self) -> None:
        """Let the folder in hand end on its own."""
        self._background.close(wait=False)

    def _take(self, found: tuple[list[Path], str]) -> None:
        self._looked_in -= 1
        self.add(found[0], left_out=found[1])

    def _ask(self) -> None:
        self.add(ask_for_videos(self))

    def remove(self) -> None:
        """Take the chosen videos out of the list."""
        for item in self.list.selectedItems():
            self.list.takeItem(self.list.row(item))
        self.changed.emit()


class NamesPage(QWidget):
    """The third step: what the project is called, and where it is made."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.task = QLineEdit(placeholderText="e.g. open-field")
        self.scorer = QLineEdit(remembered(_SCORER, "") or _user_name())
        self.scorer.setToolTip("Who labels. DeepLabCut calls this the scorer")
        self.parent_folder = QLineEdit(remembered(_FOLDER, str(Path.home())))
        self.preview = QPlainTextEdit()
        self.preview.setReadOnly(True)
        self.preview.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.preview.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        folder = QHBoxLayout()
        folder.addWidget(self.parent_folder, 1)
        folder.addWidget(button("Browse…", "", self._ask_folder))
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.addRow("Name", self.task)
        form.addRow("Who labels", self.scorer)
        form.addRow("Made in", folder)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addLayout(form)
        rows.addWidget(label("What will be made", "title"))
        rows.addWidget(self.preview, 1)
        for field in (self.task, self.scorer, self.parent_folder):
            field.textChanged.connect(self.changed)

    def suggest(self, video: Path | None) -> None:
        """Suggest the name of the first video's folder, unless a name was typed."""
        if not self.task.isModified():
            self.task.setText("" if video is None else suggested_name(video.absolute()))

    def show_preview(self, details: dict[str, Any]) -> None:
        """Show the folder as it will be."""
        self.preview.setPlainText(
            folder_preview(
                details["parent"],
                task=details["task"],
                scorer=details["scorer"],
                videos=details["videos"],
                copy_videos=details["copy_videos"],
                today=date.today(),
            )
        )

    def folder_complaint(self, details: dict[str, Any]) -> str:
        """Return why the project can't be made there."""
        if not details["parent"].is_dir():
            return f"There is no folder {details['parent']}."
        root = details["parent"] / project_folder(details["task"], details["scorer"], date.today())
        return f"{root} exists already: choose another name or folder." if root.exists() else ""

    def _ask_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder for the project", self.parent_folder.text())
        if folder:
            self.parent_folder.setText(folder)


def _videos_among(paths: list[Path]) -> tuple[list[Path], str]:
    """Return the files and the videos directly in the folders, and why some folders have none."""
    found: list[Path] = []
    reasons: list[str] = []
    for path in paths:
        there = VideosToAdd((path,)) if os.path.isfile(path) else what_to_open([path])
        if isinstance(there, VideosToAdd):
            found += there.paths
        elif isinstance(there, NothingToOpen):
            reasons.append(there.message)
        elif videos := videos_in(path):
            found += videos
        else:
            reasons.append(f"{path} is a project: open it, or choose other videos.")
    more = f" Also without videos: {counted(len(reasons) - 1, 'more folder')}." if len(reasons) > 1 else ""
    return found, "".join(reasons[:1]) + more


def _user_name() -> str:
    """Return the login name, or nothing where the system knows none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""
