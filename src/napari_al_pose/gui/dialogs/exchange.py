"""The dialogs *Import labels* and *Export labels*: they ask, show how it goes, and say what was left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from napari_al_pose.domain import AlPoseError
from napari_al_pose.exchange import (
    FORMATS,
    Exported,
    Imported,
    LabelFormat,
    export_labels,
    format_named,
    import_labels,
)
from napari_al_pose.exchange.filling import begun
from napari_al_pose.exchange.form_rules import (
    export_complaint,
    file_patterns,
    import_complaint,
    suggest_output,
    suggest_project,
    summary,
)
from napari_al_pose.gui.dialogs.job import DialogJob, JobDialog
from napari_al_pose.gui.remembered import remember, remembered
from napari_al_pose.gui.state.key_choices import KeyChoices
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.gui.widgets import button, label
from napari_al_pose.project import Project

_LAST_FORMAT = "exchange/format"
_LAST_FOLDER = "exchange/folder"


class _ExchangeDialog(JobDialog):
    """A form and the progress of what it started; after an import, also what was left out."""

    reports = True
    """Whether what was left out stays on show; else it closes, and whoever hears `ended` tells it."""

    ended = Signal(object)
    """What came of it: `Imported` or `Exported`."""

    def __init__(self, title: str, start: str, *, projects: ProjectSession, parent: QWidget | None) -> None:
        super().__init__(title, projects=projects, parent=parent)
        self.setMinimumWidth(520)
        self.form = QWidget()
        self.complaint.setMinimumHeight(self.fontMetrics().height() * 2)
        self.report = QPlainTextEdit()
        self.report.setReadOnly(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.cancel_button = buttons.button(QDialogButtonBox.StandardButton.Cancel)
        self.start_button = QPushButton(start)
        buttons.addButton(self.start_button, QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.rejected.connect(self.reject)
        rows = QVBoxLayout(self)
        rows.setSpacing(10)
        for widget in (self.form, self.complaint, self.bar, self.report, buttons):
            rows.addWidget(widget)
        self.report.hide()

    def begin(self) -> DialogJob:
        """Take no other order until the job has ended."""
        self.form.setEnabled(False)
        self.start_button.setEnabled(False)
        return super().begin()

    def take(self, outcome: Imported | Exported | AlPoseError | None) -> None:
        """Say what went wrong or was left out; close where there is nothing to say."""
        if outcome is None or isinstance(outcome, AlPoseError):
            self.form.setEnabled(True)
            self.start_button.setEnabled(True)
            self.complaint.setText("Cancelled; nothing was changed." if outcome is None else str(outcome))
            return
        self.ended.emit(outcome)
        if not (self.reports and outcome.notices):
            self.accept()
            return
        self.form.hide()
        self.complaint.hide()
        self.start_button.hide()
        self.cancel_button.setText("Close")
        self.report.setPlainText("\n\n".join([summary(outcome), *outcome.notices]))
        self.report.show()


class ImportDialog(_ExchangeDialog):
    """Asks for a file of labels and where they go: into the open project or a new one.

    Parameters
    ----------
    projects : ProjectSession
    keys : KeyChoices
    source : Path, optional
        The file, if it was chosen already.
    parent : QWidget, optional
    """

    def __init__(
        self, projects: ProjectSession, keys: KeyChoices, *, source: Path | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__("Import labels", "Import", projects=projects, parent=parent)
        self.start_button.clicked.connect(lambda _checked=False: self.start())
        self.source = QLineEdit(placeholderText="config.yaml, CollectedData, .slp, .csv, .json or joints.mat")
        self.format = QComboBox()
        self.format.addItem("Detect from the file", "")
        for known in FORMATS:
            self.format.addItem(known.title, known.name)
        project = projects.project
        writable = project is not None and not project.read_only
        self.into_open = QRadioButton(
            f"This project ({project.config.task})" if project is not None else "This project"
        )
        self.into_open.setEnabled(writable)
        self.into_open.setToolTip(keys.named("Labels that are there already stay; {undo} takes the import back"))
        self.into_new = QRadioButton("A new project in its own folder")
        (self.into_open if writable and source is None else self.into_new).setChecked(True)
        self.folder = QLineEdit()
        rows = QFormLayout(self.form)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        rows.addRow("Labels", _with_button(self.source, self._ask_source))
        rows.addRow("Format", self.format)
        rows.addRow("Into", self.into_open)
        rows.addRow("", self.into_new)
        rows.addRow("", _with_button(self.folder, self._ask_folder))
        self.source.textChanged.connect(self._on_source)
        self.folder.textChanged.connect(self._check)
        self.into_open.toggled.connect(self._check)
        self.source.setText(str(source) if source is not None else "")
        self._check()

    def start(self) -> None:
        """Import; the open project is not labelled meanwhile."""
        source, name = Path(self.source.text()).expanduser(), self.format.currentData()
        remember(_LAST_FOLDER, str(source.parent))
        if self.into_open.isChecked():
            job = self.begin()
            self._projects.change_labels(
                "Importing labels…", lambda project: job.run(import_labels(source, project, format=name))
            )
        else:
            self.run(import_labels(source, Path(self.folder.text()).expanduser(), format=name))

    def _on_source(self) -> None:
        if self.source.text().strip():
            self.folder.setText(str(suggest_project(Path(self.source.text()).expanduser().absolute())))
        self._check()

    def _check(self) -> None:
        into_open = self.into_open.isChecked()
        self.folder.setEnabled(not into_open)
        complaint = import_complaint(self.source.text(), self.folder.text(), into_open=into_open)
        self.complaint.setText(complaint)
        self.start_button.setEnabled(not complaint)

    def _ask_source(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Labels", str(remembered(_LAST_FOLDER, "")), file_patterns())
        if path:
            self.source.setText(path)

    def _ask_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Folder for the project", str(Path(self.folder.text()).parent))
        if path:
            self.folder.setText(str(Path(path) / Path(self.folder.text()).name))


class ExportLabelsDialog(_ExchangeDialog):
    """Asks for a format and a place, and writes the labels of the open project.

    Parameters
    ----------
    projects : ProjectSession
    parent : QWidget, optional
    """

    reports = False

    def __init__(self, projects: ProjectSession, parent: QWidget | None = None) -> None:
        super().__init__("Export labels", "Export", projects=projects, parent=parent)
        self.start_button.clicked.connect(lambda _checked=False: self.start())
        self.format = QComboBox()
        for known in FORMATS:
            self.format.addItem(known.title, known.name)
        self.format.setCurrentIndex(max(0, self.format.findData(remembered(_LAST_FORMAT, "sleap"))))
        self.about = label("", "dim", wrap=True)
        self.output = QLineEdit()
        self.filling = _filling_box(projects.project)
        rows = QFormLayout(self.form)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        rows.addRow("Format", self.format)
        rows.addRow("", self.about)
        rows.addRow("", self.filling)
        rows.addRow("Write to", _with_button(self.output, self._ask_output))
        self.format.currentIndexChanged.connect(self._on_format)
        self.output.textChanged.connect(self._check)
        self._on_format()

    @property
    def chosen(self) -> LabelFormat:
        """The format that is chosen."""
        return format_named(self.format.currentData())

    def start(self) -> None:
        """Export the complete frames."""
        project = self._projects.project
        if project is None:
            return
        remember(_LAST_FORMAT, self.chosen.name)
        output = Path(self.output.text()).expanduser()
        self.run(export_labels(project, self.chosen, output, filling=self.filling.isChecked()))

    def _on_format(self) -> None:
        self.about.setText(self.chosen.about)
        if self._projects.project is not None:
            self.output.setText(str(suggest_output(self._projects.project.root, self.chosen)))
        self._check()

    def _check(self) -> None:
        complaint = export_complaint(self.chosen, self.output.text())
        self.complaint.setText(complaint)
        self.start_button.setEnabled(not complaint)

    def _ask_output(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Write to", self.output.text())
        if path:
            self.output.setText(path)


def _filling_box(project: Project | None) -> QCheckBox:
    """Return the choice to fill unfinished frames; it is hidden where there are none, or no model that could."""
    n_begun = 0 if project is None or not project.models.latest() else len(begun(project.labels.annotations()))
    box = QCheckBox(f"Fill unfinished frames with the model's guesses ({n_begun:,})")
    box.setToolTip(
        "Bodyparts nobody has looked at are filled in if the model is confident of all that a frame lacks. A table "
        "beside the labels lists these guesses."
    )
    box.setVisible(n_begun > 0)
    return box


def _with_button(field: QLineEdit, clicked: Callable[[], None]) -> QWidget:
    made = QWidget()
    row = QHBoxLayout(made)
    row.setContentsMargins(0, 0, 0, 0)
    row.addWidget(field, 1)
    row.addWidget(button("Browse…", "", clicked))
    return made
