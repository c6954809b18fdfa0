"""The head of the dock: which project is open, how far it is, and what to do with it."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QMenu, QToolButton, QVBoxLayout, QWidget
from superqt import QElidingLabel

from napari_al_pose.domain.views import LabelTally, project_line, save_line
from napari_al_pose.gui.actions import Actions
from napari_al_pose.gui.panels.parts import button, label
from napari_al_pose.gui.recent import recent_projects
from napari_al_pose.gui.session import Session


class ProjectPanel(QWidget):
    """Name, counts and buttons of the open project."""

    def __init__(self, session: Session, tally: LabelTally, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._tally = tally
        self._actions = actions
        self._said = ""
        self._name = QElidingLabel()
        self._name.setProperty("part", "project")
        self._line = label("", "dim")
        self._saved = label("", "dim")
        self._saved.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        counts = QHBoxLayout()
        counts.addWidget(self._line, 1)
        counts.addWidget(self._saved)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(3)
        rows.addWidget(self._name)
        rows.addLayout(counts)
        rows.addLayout(self._buttons())
        for signal in (session.projectChanged, session.annotationChanged, session.modelChanged):
            signal.connect(self.refresh)
        session.busyChanged.connect(self.refresh)

    def refresh(self) -> None:
        """Show the counts."""
        project = self._session.project
        if project is None:
            return
        self._name.setText(project.config.task)
        self._name.setToolTip(str(project.root))
        line = project_line(
            project.scorer,
            n_complete=len(self._tally.complete),
            n_labelled=len(self._tally.labelled),
            n_holdout=len(self._tally.holdout),
        )
        self._line.setText(self._said or self._session.busy or line)
        self._saved.setText(save_line(read_only=project.read_only, lock_holder=project.lock_holder))
        self._saved.setProperty("part", "warning" if project.read_only else "dim")
        self._saved.style().unpolish(self._saved)
        self._saved.style().polish(self._saved)
        self._add.setEnabled(not project.read_only)

    def say(self, text: str) -> None:
        """Show a line about what is under way instead of the counts; an empty one brings them back."""
        self._said = text
        self.refresh()

    def _buttons(self) -> QHBoxLayout:
        actions = self._actions
        self._open = QToolButton()
        self._open.setText("Open")
        self._open.setToolTip("Open another project")
        self._open.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._open.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        menu = QMenu(self._open)
        menu.aboutToShow.connect(self._fill_menu)
        self._open.setMenu(menu)
        self._add = button("Add videos", "Add video files to this project", actions.add_videos)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self._open)
        row.addWidget(button("New", "Make a project from video files", actions.new))
        row.addWidget(self._add)
        row.addWidget(button("Export", "Write labels or predictions for other programs", actions.export))
        row.addWidget(button("Settings", "How frames are chosen and how a round trains", actions.settings))
        return row

    def _fill_menu(self) -> None:
        menu = self._open.menu()
        menu.clear()
        menu.addAction("Open project…").triggered.connect(lambda _checked=False: self._actions.open_dialog())
        menu.addSeparator()
        for path in recent_projects():
            action = menu.addAction(path.name)
            action.setToolTip(str(path))
            action.triggered.connect(lambda _checked=False, path=path: self._actions.open_path(path))
