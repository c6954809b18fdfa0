"""The dialog *Use a trained model*: a file or a download, and which of its bodyparts are the project's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QComboBox,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.pretrained import PRETRAINED, PretrainedModel
from napari_al_pose.domain.views.trained_model import (
    INTRO,
    NO_GUESS,
    download_note,
    mapping_complaint,
    mapping_sentence,
)
from napari_al_pose.engine.messages import Described
from napari_al_pose.exchange.model_download import download_model, downloaded, model_folder
from napari_al_pose.gui.dialogs.job import JobDialog
from napari_al_pose.gui.state.learning import Learning
from napari_al_pose.gui.state.notices import Notices
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.gui.widgets import button, label

_TABLE_HEIGHT = 260
"""Height of the list of bodyparts, px; longer lists scroll."""

FILES = "Trained model (snapshot*.pt superanimal*.pt *.onnx);;All files (*)"


class TrainedModelDialog(JobDialog):
    """Asks for a model that another program trained.

    Parameters
    ----------
    projects : ProjectSession
    learning : Learning
        Says what a file knows.
    notices : Notices
        Say what is wrong with it, which is then shown here only.
    parent : QWidget, optional
    folder : Path, optional
        Where downloads go; by default the platform's cache.
    url : callable, optional
        Where a model is downloaded from; by default its publisher's page.
    """

    chosen = Signal(object, object)
    """The file, and by the project's bodypart the model's, or nothing ("")."""

    def __init__(
        self,
        projects: ProjectSession,
        learning: Learning,
        *,
        notices: Notices,
        parent: QWidget | None = None,
        folder: Path | None = None,
        url: Callable[[PretrainedModel], str] = lambda model: model.url,
    ) -> None:
        super().__init__("Use a trained model", projects=projects, parent=parent)
        self._learning, self._notices = learning, notices
        self._folder, self._url = folder or model_folder(), url
        self._described: Described | None = None
        self._asked: Path | None = None
        self.setMinimumWidth(600)
        self.path = QLineEdit(placeholderText="snapshot-*.pt, superanimal_*.pt or .onnx", readOnly=True)
        self.models = QComboBox()
        for model in PRETRAINED:
            self.models.addItem(model.title, model)
        self.download_button = button("Download", "Download the weights, then choose bodyparts", self.download)
        self.note = label("", "dim", wrap=True, whole=True)
        self.page_button = button("Model's page", "Open the page with the licence in a browser", self._open_page)
        self.sentence = label("", "dim", wrap=True, whole=True)
        self.boxes: dict[str, QComboBox] = {}
        self._table = QScrollArea(widgetResizable=True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.use_button = QPushButton("Use this model")
        buttons.addButton(self.use_button, QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.rejected.connect(self.reject)
        buttons.accepted.connect(self._use)
        self._lay_out(buttons)
        self.models.currentIndexChanged.connect(lambda _index: self._show_note())
        learning.modelDescribed.connect(self._show_bodyparts)
        notices.raised.connect(self._show_notice)
        projects.closing.connect(self._leave)  # after its work was cancelled
        self._show_note()
        self._check()

    def _lay_out(self, buttons: QDialogButtonBox) -> None:
        rows = QVBoxLayout(self)
        rows.setSpacing(10)
        rows.addWidget(label(INTRO, "dim", wrap=True, whole=True))
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.addRow("A file", _row(self.path, button("Choose…", "A snapshot or an ONNX file", self._ask_file)))
        form.addRow("Or DeepLabCut's", _row(self.models, self.download_button, self.page_button))
        rows.addLayout(form)
        for widget in (self.note, self.bar, self.complaint, self.sentence):
            rows.addWidget(widget)
        rows.addWidget(self._table, 1)
        rows.addWidget(buttons)
        self._table.hide()

    # ---- where the model comes from -----------------------------------------------------------

    def choose_file(self, path: Path) -> None:
        """Ask the engine what a file knows."""
        self._described, self._asked = None, path
        self.path.setText(str(path))
        self.sentence.setText("Reading the model…")
        self.complaint.setText("")
        self._table.hide()
        self._check()
        self._learning.describe_model(path)

    def download(self) -> None:
        """Download the chosen weights; what is there already is not downloaded again."""
        model: PretrainedModel = self.models.currentData()
        if (here := downloaded(model, self._folder)) is not None:
            self.choose_file(here)
            return
        self.run(download_model(model, self._folder, url=self._url(model)))
        self._check()

    def take(self, outcome: Path | AlPoseError | None) -> None:
        """Go on with the file that was downloaded."""
        self._show_note()
        if isinstance(outcome, Path):
            self.choose_file(outcome)
        else:
            self.complaint.setText("Cancelled; nothing was stored." if outcome is None else str(outcome))
        self._check()

    def _ask_file(self) -> None:
        project = self._projects.project
        start = str(project.root) if project is not None else ""
        path, _ = QFileDialog.getOpenFileName(self, "Use a trained model", start, FILES)
        if path:
            self.choose_file(Path(path))

    def _show_note(self) -> None:
        model: PretrainedModel = self.models.currentData()
        is_here = downloaded(model, self._folder) is not None
        self.note.setText(download_note(model, folder=str(self._folder), is_here=is_here))
        self.download_button.setText("Use it" if is_here else "Download")

    def _open_page(self) -> None:
        QDesktopServices.openUrl(QUrl(self.models.currentData().page))

    # ---- which bodyparts are whose ------------------------------------------------------------

    @property
    def mapping(self) -> dict[str, str]:
        """The model's bodypart, or nothing (""), for each of the project's."""
        return {name: box.currentData() for name, box in self.boxes.items()}

    def _show_bodyparts(self, described: Described) -> None:
        if self._asked is None or Path(described.path) != self._asked:
            return
        self._described = described
        form = QWidget()
        rows = QFormLayout(form)
        self.boxes = {}
        for name, theirs in described.suggested.items():
            box = self.boxes[name] = QComboBox()
            box.addItem(NO_GUESS, "")
            for part in described.bodyparts:
                box.addItem(part, part)
            box.setCurrentIndex(max(0, box.findData(theirs)))
            box.currentIndexChanged.connect(lambda _index: self._check())
            rows.addRow(name, box)
        self._table.setWidget(form)
        self._table.setMinimumHeight(min(_TABLE_HEIGHT, form.sizeHint().height() + 8))
        self._table.show()
        self._check()
        self._fit()

    def _fit(self) -> None:
        """Grow to what is shown."""
        layout = self.layout()
        if layout is not None:
            layout.activate()
        self.resize(max(self.width(), self.sizeHint().width()), max(self.height(), self.sizeHint().height()))

    def _show_notice(self, message: str, hint: str, is_error: bool) -> None:
        if is_error and self._asked is not None and self._described is None:
            self.sentence.setText("")
            self.complaint.setText(f"{message} {hint}".strip())
            self._notices.withdraw(message)  # it is said here

    def _check(self) -> None:
        ready = self._described is not None and not self.running
        self.download_button.setEnabled(not self.running)
        if self._described is not None:
            self.complaint.setText(mapping_complaint(self.mapping))
            known = len(self._described.bodyparts)
            self.sentence.setText(mapping_sentence(self._described.network, known, self.mapping))
        self.use_button.setEnabled(ready and not self.complaint.text())
        self.use_button.setDefault(ready)

    # ---- the end ------------------------------------------------------------------------------

    def _use(self) -> None:
        if self._described is not None:
            self.chosen.emit(Path(self._described.path), self.mapping)
            self.accept()

    def _leave(self) -> None:
        """The project is being closed."""
        self.done(0)


def _row(*widgets: QWidget) -> QWidget:
    """Return widgets side by side; the first takes the room."""
    made = QWidget()
    columns = QHBoxLayout(made)
    columns.setContentsMargins(0, 0, 0, 0)
    for i, widget in enumerate(widgets):
        columns.addWidget(widget, 1 if i == 0 else 0)
    return made
