"""The page shown while no project is open."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QVBoxLayout, QWidget
from superqt import QElidingLabel

from napari_al_pose.gui.actions import WindowActions
from napari_al_pose.gui.remembered import recent_projects
from napari_al_pose.gui.state.notices import Notices
from napari_al_pose.gui.widgets import button, label, line


class StartPage(QWidget):
    """Three ways to begin, and the projects opened before."""

    def __init__(self, notices: Notices, actions: WindowActions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._notices = notices
        self._actions = actions
        self._busy = label("", "dim", wrap=True)
        self._recent = QVBoxLayout()
        self._recent.setSpacing(4)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(4, 8, 4, 8)
        rows.setSpacing(8)
        rows.addWidget(label("Label with a model's help", "project"))
        rows.addWidget(
            label(
                "Click the bodyparts in a few frames. A model trains in the background, suggests the next frames "
                "and draws its guesses in them.",
                "dim",
                wrap=True,
            )
        )
        rows.addSpacing(4)
        rows.addWidget(
            button("New project from videos…", "Name the bodyparts, choose the videos", actions.new, part="main")
        )
        rows.addWidget(
            button(
                "Open project…",
                "By its DeepLabCut config.yaml, or SLEAP labels (.slp); your files are not rewritten",
                actions.open_dialog,
            )
        )
        rows.addWidget(
            button(
                "Import labels…",
                "From DeepLabCut, SLEAP, Lightning Pose, COCO, MPII or LSP into a new project",
                actions.import_labels,
            )
        )
        rows.addWidget(button("Try the sample", "Two short videos with a made-up animal", actions.sample))
        rows.addWidget(self._busy)
        rows.addLayout(self._recent)
        rows.addStretch(1)
        notices.busyChanged.connect(self._show_busy)
        self.refresh()

    def refresh(self) -> None:
        """Show the projects opened before."""
        while (item := self._recent.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()  # it may be some time until it is gone
                widget.deleteLater()
        paths = recent_projects()
        if not paths:
            return
        self._recent.addWidget(line())
        self._recent.addWidget(label("Recent", "title"))
        for path in paths:
            self._recent.addWidget(self._recent_row(path))

    def _recent_row(self, path: Path) -> QWidget:
        made = QWidget()
        rows = QVBoxLayout(made)
        rows.setContentsMargins(0, 0, 0, 4)
        rows.setSpacing(1)
        opener = button(path.name, f"Open {path}", lambda: self._actions.open_path(path))
        where = QElidingLabel(str(path.parent))
        where.setElideMode(Qt.TextElideMode.ElideMiddle)
        where.setProperty("part", "dim")
        rows.addWidget(opener)
        rows.addWidget(where)
        return made

    def say(self, text: str) -> None:
        """Show a line about what is under way."""
        self._busy.setText(text)

    def _show_busy(self) -> None:
        self.say(self._notices.busy)
