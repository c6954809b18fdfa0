"""The head of the dock: which project is open, how far it is, and what to do with it."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QMenu, QVBoxLayout, QWidget
from superqt import QElidingLabel

from napari_al_pose.domain.views import project_line, save_view
from napari_al_pose.domain.views.pose_export import export_button
from napari_al_pose.gui.actions import WindowActions
from napari_al_pose.gui.remembered import recent_projects
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.label_repair import LabelRepair
from napari_al_pose.gui.state.learning import Learning
from napari_al_pose.gui.state.notices import Notices
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.gui.widgets import button, label, menu_button

_NAME_WIDTH, _NAME_SLACK = 220, 8
"""A longer name may be cut; pixels beside its letters."""


class ProjectPanel(QWidget):
    """Name, counts and buttons of the open project."""

    def __init__(
        self,
        projects: ProjectSession,
        frame: CurrentFrame,
        *,
        learning: Learning,
        repair: LabelRepair,
        notices: Notices,
        actions: WindowActions,
        view_menu: QMenu | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._view_menu = view_menu
        self._notices, self._frame, self._projects = notices, frame, projects
        self._repair, self._learning = repair, learning
        self._actions = actions
        self._said = ""
        self._name = QElidingLabel()
        self._name.setProperty("part", "project")
        self._line = QElidingLabel()
        self._line.setProperty("part", "dim")
        self._saved = label("", "dim")
        self._saved.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(self._name, 1)
        top.addWidget(self._line, 2)
        top.addWidget(self._saved)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(3)
        rows.addLayout(top)
        rows.addLayout(self._buttons())
        for signal in (projects.projectChanged, frame.annotationChanged, learning.modelChanged):
            signal.connect(self.refresh)
        notices.busyChanged.connect(self.refresh)
        learning.exportChanged.connect(self._tell_export)

    def refresh(self) -> None:
        """Show the counts."""
        project = self._projects.project
        if project is None:
            return
        self._name.setText(project.config.task)
        self._name.ensurePolished()  # else in another font
        width = self._name.fontMetrics().horizontalAdvance(project.config.task) + _NAME_SLACK
        self._name.setMinimumWidth(min(width, _NAME_WIDTH))  # the counts give way first
        self._name.setMaximumWidth(width)
        self._name.setToolTip(f"{project.config.task}\n{project.root}")
        line = project_line(
            project.scorer,
            n_complete=len(self._projects.tally.complete),
            n_labelled=len(self._projects.tally.labelled),
            n_holdout=len(self._projects.tally.holdout),
        )
        self._line.setText(self._said or self._notices.busy or line.removeprefix(f"{project.scorer} · "))
        self._line.setToolTip(line)
        saved = save_view(read_only=project.read_only, lock_holder=project.lock_holder)
        self._saved.setText(saved.text)
        self._saved.setToolTip(saved.tooltip)
        self._saved.setProperty("part", "warning" if project.read_only else "dim")
        self._saved.style().unpolish(self._saved)
        self._saved.style().polish(self._saved)

    def _tell_export(self) -> None:
        """Show on its button how far the export is, whether or not its dialog is open."""
        export = self._learning.export
        self._export.setText(export_button(busy=export.busy, done=export.done, total=export.total))

    def say(self, text: str) -> None:
        """Show a line about what is under way instead of the counts; an empty one brings them back."""
        self._said = text
        self.refresh()

    def _buttons(self) -> QHBoxLayout:
        actions = self._actions
        self._menu = QMenu(self)
        self._menu.setToolTipsVisible(True)
        self._menu.aboutToShow.connect(self._fill_menu)
        project = menu_button("Project", "New, open, recent projects, add videos", self._menu)
        row = QHBoxLayout()
        row.setSpacing(3)
        row.addWidget(project, 1)
        self._export = button("Export", "Write labels or predictions for other programs", actions.export)
        row.addWidget(self._export, 1)
        row.addWidget(button("Settings", "How frames are chosen and how models are trained", actions.settings), 1)
        if self._view_menu is not None:
            tooltip = "Contrast, colours, names, and napari's own panels"
            row.addWidget(menu_button("View", tooltip, self._view_menu), 1)
        return row

    def _fill_menu(self) -> None:
        actions, menu = self._actions, self._menu
        menu.clear()
        menu.addAction("New from videos…").triggered.connect(lambda _checked=False: actions.new())
        menu.addAction("Open…").triggered.connect(lambda _checked=False: actions.open_dialog())
        recent = menu.addMenu("Open recent")
        for path in recent_projects():
            action = recent.addAction(path.name)
            action.setToolTip(str(path))
            action.triggered.connect(lambda _checked=False, path=path: actions.open_path(path))
        recent.setEnabled(bool(recent.actions()))
        menu.addSeparator()
        add = menu.addAction("Add videos…")
        add.setEnabled(not self._projects.read_only)
        add.triggered.connect(lambda _checked=False: actions.add_videos())
        region = menu.addAction("Crop this video…")
        region.setToolTip("Nothing outside the rectangle is trained on, ranked or predicted")
        region.setEnabled(self._frame.source is not None and not self._projects.read_only)
        region.triggered.connect(lambda _checked=False: actions.region())
        model = menu.addAction("Use a trained model…")
        model.setToolTip(
            "DeepLabCut's SuperAnimals, a DeepLabCut 3 snapshot or an ONNX model: guesses until the first round here"
        )
        model.setEnabled(not self._projects.read_only)
        model.triggered.connect(lambda _checked=False: actions.adopt_model())
        predictions = menu.addAction("Add predictions…")
        predictions.setToolTip(
            "From DeepLabCut, SLEAP or Lightning Pose; used to rank the queue until there is a model"
        )
        predictions.setEnabled(not self._projects.read_only)
        predictions.triggered.connect(lambda _checked=False: actions.add_predictions())
        import_ = menu.addAction("Import labels…")
        import_.setToolTip("From DeepLabCut, SLEAP, Lightning Pose, COCO, MPII or LSP")
        import_.triggered.connect(lambda _checked=False: actions.import_labels())
        export = menu.addAction("Export labels…")
        export.setToolTip("For DeepLabCut, SLEAP, Lightning Pose, COCO, MPII or LSP")
        export.triggered.connect(lambda _checked=False: actions.export_labels())
        history = menu.addAction("History of this frame…")
        history.setEnabled(self._frame.key is not None)
        history.triggered.connect(lambda _checked=False: actions.history())
        conflicts = menu.addAction("Labels another program also changed…")
        conflicts.setEnabled(bool(self._repair.conflicts))
        conflicts.triggered.connect(lambda _checked=False: actions.conflicts())
        menu.addSeparator()
        menu.addAction("Close project").triggered.connect(lambda _checked=False: actions.close_project())
