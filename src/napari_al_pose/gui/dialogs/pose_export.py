"""The dialog *Export*: labels for other programs, and a model's poses in whole videos."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from qtpy.QtCore import Qt, QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_al_pose.domain.pose_export import FORMATS, SMOOTHINGS, ExportOptions
from napari_al_pose.domain.views.formatting import short_paths
from napari_al_pose.domain.views.pose_export import export_status, model_choices, video_state
from napari_al_pose.gui.dialogs.files import ask_for_videos
from napari_al_pose.gui.remembered import remember, remembered
from napari_al_pose.gui.state.learning import Learning
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.gui.widgets import button, label, line, thin_bar
from napari_al_pose.project.predicted_videos import PredictedState

_NAME = Qt.ItemDataRole.UserRole
_BESIDE = "Beside each video"


class ExportDialog(QDialog):
    """Asks what to export, shows how it goes, and can be closed meanwhile.

    Parameters
    ----------
    projects : ProjectSession
    learning : Learning
    parent : QWidget, optional
    """

    labelsWanted = Signal()
    """The labels are to be written as DeepLabCut has them."""
    otherFormatsWanted = Signal()
    """The user is to be asked for another program's format of labels."""

    def __init__(
        self,
        projects: ProjectSession,
        learning: Learning,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._projects, self._learning = projects, learning
        self._versions = tuple(done.number for done in learning.rounds)
        self._shares: Mapping[tuple[int, str], tuple[int, int]] = {}
        self.setWindowTitle("Export")
        self.setMinimumWidth(460)
        self.labels_button = button("Write labels", "", self._want_labels, part="main")
        self.other_formats_button = button(
            "Other formats…", "SLEAP, Lightning Pose, COCO, MPII, LSP", self._want_other_formats
        )
        self._make_fields()
        self._lay_out()
        learning.exportChanged.connect(self.refresh)
        learning.trainingChanged.connect(self.refresh)
        learning.modelChanged.connect(self._add_models)
        self._list_models()
        self.refresh()

    @property
    def options(self) -> ExportOptions:
        """What was chosen."""
        return ExportOptions(
            version=self.model.currentData() or 0,
            formats=tuple(name for name, box in self.formats.items() if box.isChecked()),
            smoothing=self.smoothing.currentData(),
            labelled_video=self.labelled_video.isChecked(),
            cutoff=round(self.cutoff.value(), 2),
            trail=self.trail.value(),
            folder="" if self.folder.currentIndex() == 0 else self.folder.currentText(),
        )

    @property
    def chosen_videos(self) -> list[str]:
        """The videos with a tick: names in the project, or paths."""
        items = (self.videos.item(i) for i in range(self.videos.count()))
        return [item.data(_NAME) for item in items if item.checkState() == Qt.CheckState.Checked]

    def add_files(self, paths: list[Path]) -> None:
        """Add video files that are not in the project."""
        for path in paths:
            self._add_video(path.name, str(path))
        self.refresh()

    @property
    def knows_state(self) -> bool:
        """Whether the dialog was told what is predicted of each video."""
        return bool(self._shares)

    def show_state(self, state: PredictedState) -> None:
        """Offer the models, and show how much of each video is predicted."""
        self._versions, self._shares = state.versions, state.shares
        self._list_models()

    def refresh(self) -> None:
        """Show what can be done, and how the export goes."""
        export, training = self._learning.export, self._learning.training
        for widget in self._choices:
            widget.setEnabled(not export.busy)
        has_model = self.model.count() > 0
        self.predict_button.setVisible(not export.busy)
        self.predict_button.setEnabled(has_model and bool(self.chosen_videos) and self._writes_something())
        self.stop_button.setVisible(export.busy)
        self.open_button.setVisible(bool(export.folder))
        self.open_button.setToolTip(export.folder)
        self.bar.setVisible(export.busy)
        if not export.busy:
            result = export.sentence or _why_not(has_model=has_model, has_videos=self.videos.count() > 0)
            self.status.setText(short_paths(result))
            self.status.setToolTip(result)
            self._grow()
            return
        shown = export_status(
            stage=export.stage,
            done=export.done,
            total=export.total,
            seconds_left=export.seconds_left,
            waits_for=training.kind,
        )
        self.status.setText(shown.text)
        self.bar.setRange(0, 0 if shown.share < 0 else 1000)
        self.bar.setValue(round(shown.share * 1000))
        self._grow()

    def start(self) -> None:
        """Begin with what was chosen, and remember it."""
        options = self.options
        for key, value in _as_text(options).items():
            remember(f"export/{key}", value)
        self._learning.export_videos(self.chosen_videos, options)

    # ---- inside -------------------------------------------------------------------------------

    def _grow(self) -> None:
        """Give wrapped texts their height: a layout alone asks for that of one line, and squeezes the rest."""
        rows = self.layout()
        if rows is not None:
            rows.activate()
            self.resize(self.width(), max(self.height(), rows.heightForWidth(self.width())))

    def _make_fields(self) -> None:
        before = _remembered_options()
        project = self._projects.project
        self.videos = QListWidget()
        self.videos.setToolTip("Every frame of these videos is predicted")
        for video in project.videos if project is not None else ():
            if video.has_video:
                self._add_video(video.name, video.name)
        self.videos.itemChanged.connect(lambda _item: self.refresh())
        self.model = QComboBox()
        self.model.currentIndexChanged.connect(lambda _index: self._tell_states())
        self.formats = {name: QCheckBox(title) for name, title in FORMATS.items()}
        for name, box in self.formats.items():
            box.setChecked(name in before.formats)
            box.toggled.connect(lambda _checked: self.refresh())
        self.smoothing = QComboBox()
        for name, title in SMOOTHINGS.items():
            self.smoothing.addItem(title, name)
        self.smoothing.setCurrentIndex(self.smoothing.findData(before.smoothing))
        self.smoothing.setToolTip(
            "Smoothed poses go beside the raw ones: to columns of their own in the plain table, "
            "to files of their own, marked _filtered, in the other formats"
        )
        self.labelled_video = QCheckBox("A copy of each video with the poses drawn in (.mp4)")
        self.labelled_video.setChecked(before.labelled_video)
        self.labelled_video.toggled.connect(lambda _checked: self.refresh())
        self.cutoff = QDoubleSpinBox(minimum=0, maximum=1, singleStep=0.05, decimals=2, value=before.cutoff)
        self.cutoff.setToolTip("Keypoints below this are not drawn, and the Kalman smoother skips them")
        self.trail = QSpinBox(minimum=0, maximum=1000, value=before.trail, suffix=" frames")
        self.folder = QComboBox()
        self.folder.addItems([_BESIDE, "Choose a folder…"])
        self.folder.setToolTip("DeepLabCut looks for predictions beside the video")
        self.folder.activated.connect(self._ask_folder)
        self.bar = thin_bar(6)
        self.status = label("", "dim", wrap=True)
        self.predict_button = button(
            "Predict and write", "Runs in the background while you label", self.start, part="main"
        )
        self.stop_button = button(
            "Stop",
            "Finished predictions are kept; the next export continues from there",
            self._learning.cancel_export,
        )

        self.open_button = button("Open folder", "", self._open_folder)

    def _lay_out(self) -> None:
        self.videos.setFixedHeight(min(140, 26 * max(self.videos.count(), 2) + 8))
        add = button("Other files…", "Predict videos that are not in the project", self._ask_files)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.addRow("Videos", self.videos)
        form.addRow("", _in_a_row(add))
        form.addRow("Model", self.model)
        for i, box in enumerate(self.formats.values()):
            form.addRow("Write" if i == 0 else "", box)
        form.addRow("", self.labelled_video)
        form.addRow("Smoothing", self.smoothing)
        form.addRow("Likelihood from", _in_a_row(self.cutoff, label("Trails", ""), self.trail))
        form.addRow("Into", self.folder)
        self._choices: tuple[QWidget, ...] = (
            self.videos,
            add,
            self.model,
            *self.formats.values(),
            self.labelled_video,
            self.smoothing,
            self.cutoff,
            self.trail,
            self.folder,
        )
        rows = QVBoxLayout(self)
        rows.setSpacing(8)
        rows.setSizeConstraint(QVBoxLayout.SizeConstraint.SetMinimumSize)  # it grows with what is said
        rows.addWidget(label("Labels", "title"))
        rows.addWidget(
            label(
                "Complete frames as CollectedData .h5 and .csv with their images, in labeled-data. "
                "DeepLabCut and napari-deeplabcut read them as their own.",
                "dim",
                wrap=True,
            )
        )
        labels = QHBoxLayout()
        labels.addWidget(self.labels_button, 1)
        labels.addWidget(self.other_formats_button)
        rows.addLayout(labels)
        rows.addWidget(line())
        rows.addWidget(label("Poses in whole videos", "title"))
        rows.addLayout(form)
        rows.addWidget(self.bar)
        rows.addWidget(self.status)
        rows.addWidget(self.predict_button)
        rows.addWidget(self.stop_button)
        rows.addWidget(self.open_button)
        close = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        close.rejected.connect(self.reject)
        rows.addWidget(close)

    def _add_video(self, title: str, name: str) -> None:
        item = QListWidgetItem(title)
        item.setData(_NAME, name)
        item.setToolTip(name)
        item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
        item.setCheckState(Qt.CheckState.Checked)
        self.videos.addItem(item)

    def _add_models(self) -> None:
        self._versions = tuple({*self._versions, *(done.number for done in self._learning.rounds)})
        self._list_models()

    def _list_models(self) -> None:
        chosen = self.model.currentData()
        self.model.clear()
        for version, title in model_choices(self._versions, self._learning.rounds):
            self.model.addItem(title, version)
        self.model.setCurrentIndex(max(0, self.model.findData(chosen)) if self.model.count() else -1)
        self._tell_states()
        self.refresh()

    def _tell_states(self) -> None:
        version = self.model.currentData() or 0
        for i in range(self.videos.count()):
            item = self.videos.item(i)
            name = item.data(_NAME)
            state = video_state(*self._shares.get((version, name), (0, 0)))
            item.setText(f"{Path(name).name}   ({state})" if state else Path(name).name)

    def _writes_something(self) -> bool:
        return self.labelled_video.isChecked() or any(box.isChecked() for box in self.formats.values())

    def _ask_files(self) -> None:
        self.add_files(ask_for_videos(self))

    def _ask_folder(self, index: int) -> None:
        if index != self.folder.count() - 1:
            return
        folder = QFileDialog.getExistingDirectory(self, "Write to")
        if folder and self.folder.findText(folder) < 0:
            self.folder.insertItem(1, folder)
        self.folder.setCurrentIndex(max(0, self.folder.findText(folder)) if folder else 0)

    def _open_folder(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(self._learning.export.folder))

    def _want_labels(self) -> None:
        self.accept()
        self.labelsWanted.emit()

    def _want_other_formats(self) -> None:
        self.accept()
        self.otherFormatsWanted.emit()


def _why_not(*, has_model: bool, has_videos: bool) -> str:
    if not has_videos:
        return "None of the project's video files can be found."
    if not has_model:
        return "There is no model yet: label some frames and press Train."
    return "Runs while you label. If you stop it, the next export continues from there."


def _as_text(options: ExportOptions) -> dict[str, str]:
    return {
        "formats": " ".join(options.formats),
        "smoothing": options.smoothing,
        "labelled_video": "yes" if options.labelled_video else "no",
        "cutoff": str(options.cutoff),
        "trail": str(options.trail),
    }


def _remembered_options() -> ExportOptions:
    """Return what was chosen the last time, the defaults where that can't be read."""
    usual = ExportOptions()
    stored = {key: remembered(f"export/{key}", value) for key, value in _as_text(usual).items()}
    try:
        return ExportOptions(
            formats=tuple(name for name in stored["formats"].split() if name in FORMATS),
            smoothing=stored["smoothing"] if stored["smoothing"] in SMOOTHINGS else "",
            labelled_video=stored["labelled_video"] == "yes",
            cutoff=min(1.0, max(0.0, float(stored["cutoff"]))),
            trail=min(1000, max(0, int(stored["trail"]))),
        )
    except ValueError:
        return usual


def _in_a_row(*widgets: QWidget) -> QWidget:
    made = QWidget()
    row = QHBoxLayout(made)
    row.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        row.addWidget(widget)
    row.addStretch(1)
    return made
