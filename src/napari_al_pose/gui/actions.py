"""What the header's buttons do: ask, then tell the session; what takes time runs beside the window."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QDialog, QWidget

from napari_al_pose.domain import AlPoseError, FrameSource, KeypointState
from napari_al_pose.domain.file_names import is_foreign, project_root
from napari_al_pose.domain.settings import Rectangle
from napari_al_pose.domain.skeleton_edit import SkeletonEdit
from napari_al_pose.gui.background import Background
from napari_al_pose.gui.dialogs.files import ask_for_predictions, ask_for_project, ask_for_videos
from napari_al_pose.gui.dialogs.leaving import Leaving
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.key_choices import KeyChoices
from napari_al_pose.gui.state.label_repair import LabelRepair
from napari_al_pose.gui.state.learning import Learning
from napari_al_pose.gui.state.notices import Notices
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.project import Project
from napari_al_pose.project.predicted_videos import PredictedState, predicted_state
from napari_al_pose.project.region import region_of
from napari_al_pose.project.to_open import LabelsToImport, NothingToOpen, ProjectToOpen, ToOpen, VideosToAdd

if TYPE_CHECKING:  # dialogs are imported when they are opened: the window is there half a second sooner
    from napari_al_pose.exchange import Imported
    from napari_al_pose.gui.dialogs.conflicts import ConflictDialog
    from napari_al_pose.gui.dialogs.pose_export import ExportDialog
    from napari_al_pose.gui.dialogs.skeleton import LabelCounts

logger = logging.getLogger(__name__)


class WindowActions(QObject):
    """The header's and the start page's actions.

    Parameters
    ----------
    window : QWidget
        Parent of the dialogs.
    projects : ProjectSession
    frame : CurrentFrame
    learning : Learning
    repair : LabelRepair
    keys : KeyChoices
    notices : Notices
    """

    progressed = Signal(str)
    """A line about what is under way, empty when it has ended."""

    def __init__(
        self,
        window: QWidget,
        *,
        projects: ProjectSession,
        frame: CurrentFrame,
        learning: Learning,
        repair: LabelRepair,
        keys: KeyChoices,
        notices: Notices,
    ) -> None:
        super().__init__(window)
        self._notices, self._keys = notices, keys
        self._frame, self._projects = frame, projects
        self._repair, self._learning = repair, learning
        self._window = window
        self.leaving = Leaving(projects, learning, parent=window)
        self._background = Background("al-pose-actions", self)
        self._exporting: ExportDialog | None = None
        self._was_exporting = False
        learning.exportChanged.connect(self._on_export)
        self._asking: ConflictDialog | None = None
        repair.conflictsChanged.connect(self.conflicts)

    def close(self) -> None:
        """Let the work in hand end on its own; nothing of it is shown any more."""
        self._background.close(wait=False)

    def open_dialog(self) -> None:
        """Ask for a project and open it."""
        path = ask_for_project(self._window)
        if path is not None:
            self.open_any(path)

    def open_any(self, path: Path) -> None:
        """Open the project at ``path``; another program's file of labels is imported."""
        if is_foreign(path):
            self.import_labels(path)
        else:
            self.open_path(path)

    def open_path(self, path: Path) -> None:
        """Open the project at ``path``; ask first if a training of another one is running."""
        project, root = self._projects.project, project_root(path)
        if project is not None and project.root.resolve() == root.resolve():
            self._projects.open_project(path)
            return
        self.leaving.ask(lambda: self._projects.open_project(path), what="Open another project")

    def close_project(self) -> None:
        """Close the project; ask first if a training is running."""
        self.leaving.ask(self._projects.close_project, what="Close the project")

    def new(self) -> None:
        """Ask for a new project's details and make it."""
        self.leaving.ask(self._ask_new, what="Make a new project")

    def take(self, found: ToOpen) -> None:
        """Open a project or another program's labels, take videos, or say why there is nothing to open."""
        match found:
            case ProjectToOpen(path):
                self.open_path(path)
            case LabelsToImport(path):
                self.import_labels(path)
            case VideosToAdd(paths):
                self.take_videos(paths)
            case NothingToOpen(message, hint):
                self._notices.raised.emit(message, hint, True)

    def take_videos(self, paths: Sequence[Path]) -> None:
        """Add videos to the open project; without one, make a project of them."""
        if self._projects.project is not None:
            self._projects.add_videos(list(paths))
        else:
            self._ask_new(paths)

    def _ask_new(self, videos: Sequence[Path] = ()) -> None:
        from napari_al_pose.gui.dialogs.new_project import NewProjectDialog

        dialog = NewProjectDialog(self._window)
        if videos:
            dialog.videos.look_in(list(videos))
        dialog.accepted.connect(lambda: self._projects.new_project(**dialog.details))
        self._open(dialog)

    def sample(self) -> None:
        """Make the sample project if it isn't there yet, and open it."""
        self.leaving.ask(self._make_sample, what="Open the sample project")

    def _make_sample(self) -> None:
        self.progressed.emit("Making the sample project: about a minute, once.")
        self._background.run(_sample_project, self._open_sample, self.tell)

    def add_videos(self) -> None:
        """Ask for video files and add them to the project."""
        paths = ask_for_videos(self._window)
        if paths:
            self._projects.add_videos(paths)

    def add_predictions(self) -> None:
        """Ask for what other programs predicted in the project's videos."""
        self._learning.add_predictions(ask_for_predictions(self._window))

    def settings(self) -> None:
        """Show the settings."""
        from napari_al_pose.gui.dialogs.settings import SettingsDialog

        dialog = SettingsDialog(self._projects.settings, self._window)
        dialog.chosen.connect(self._projects.set_settings)
        self._open(dialog)

    def region(self) -> None:
        """Ask which rectangle of the video in front of the user is looked at."""
        source, position, current = self._frame.source, self._frame.position, self._frame.key
        if source is not None and current is not None:
            self._background.run(
                lambda: source[position], lambda frame: self._ask_region(current.video, source, frame), self.tell
            )

    def _ask_region(self, name: str, source: FrameSource, frame: NDArray[np.uint8]) -> None:
        from napari_al_pose.gui.dialogs.region import RegionDialog

        project = self._projects.project
        if project is None:
            return
        rectangle = region_of(project, project.video(name), source)

        def keep(chosen: Rectangle, everywhere: bool) -> None:
            names = [video.name for video in project.videos] if everywhere else [name]
            settings = self._projects.settings
            regions = {**settings.regions, **dict.fromkeys(names, chosen)}
            self._projects.set_settings(settings.model_copy(update={"regions": regions}))

        dialog = RegionDialog(name, frame, rectangle, self._window)
        dialog.chosen.connect(keep)
        self._open(dialog)

    def import_labels(self, source: Path | None = None) -> None:
        """Ask for labels of another program and where they go; a new project is opened."""
        from napari_al_pose.gui.dialogs.exchange import ImportDialog

        dialog = ImportDialog(self._projects, self._keys, source=source, parent=self._window)
        dialog.ended.connect(self._imported)
        self._open(dialog)

    def export_labels(self) -> None:
        """Ask for a format and a place for the labels."""
        from napari_al_pose.exchange.form_rules import summary
        from napari_al_pose.gui.dialogs.exchange import ExportLabelsDialog

        if self._projects.project is not None:
            dialog = ExportLabelsDialog(self._projects, self._window)
            dialog.ended.connect(
                lambda done: self._notices.tell_written(summary(done), done.path, "\n".join(done.notices))
            )
            self._open(dialog)

    def _imported(self, done: Imported) -> None:
        from napari_al_pose.exchange.form_rules import summary

        if not done.notices:  # else the dialog says it
            self._done(summary(done))
        self.open_path(done.project)

    def edit_bodyparts(self) -> None:
        """Ask how the bodyparts and the skeleton shall be; counting the labels comes first."""
        project = self._projects.project
        if project is not None:
            self._background.run(lambda: _label_counts(project), self._ask_bodyparts, self.tell)

    def export(self) -> None:
        """Ask what to export; what is predicted already is told as soon as it is known."""
        from napari_al_pose.gui.dialogs.pose_export import ExportDialog

        project = self._projects.project
        if project is None:
            return
        self._exporting = dialog = ExportDialog(self._projects, self._learning, self._window)
        dialog.labelsWanted.connect(self._export_labels)
        dialog.otherFormatsWanted.connect(self.export_labels)
        dialog.finished.connect(self._exported)
        self._open(dialog)
        self._background.run(lambda: predicted_state(project), self._show_predicted, self.tell)

    def _show_predicted(self, state: PredictedState) -> None:
        if self._exporting is not None:
            self._exporting.show_state(state)

    def _on_export(self) -> None:
        """Say what came of an export in one place: its dialog, or the dock where that has been closed."""
        export, project = self._learning.export, self._projects.project
        ended, self._was_exporting = self._was_exporting and not export.busy, export.busy
        if not ended or project is None:
            return
        if self._exporting is not None:
            self._background.run(lambda: predicted_state(project), self._show_predicted, self.tell)
        elif export.sentence:
            self._notices.raised.emit(export.sentence, "", export.failed)

    def _exported(self) -> None:
        self._exporting = None

    def adopt_model(self) -> None:
        """Ask for a model that another program trained and which of its bodyparts to use, then rank with it."""
        from napari_al_pose.gui.dialogs.trained_model import TrainedModelDialog

        if self._projects.project is not None:
            dialog = TrainedModelDialog(self._projects, self._learning, notices=self._notices, parent=self._window)
            dialog.chosen.connect(self._learning.adopt_model)
            self._open(dialog)

    def history(self) -> None:
        """Show the history of the current frame."""
        from napari_al_pose.gui.dialogs.history import HistoryDialog

        project, key = self._projects.project, self._frame.key
        if project is not None and key is not None:
            self._open(HistoryDialog(project, key, repair=self._repair, keys=self._keys, parent=self._window))

    def conflicts(self) -> None:
        """Ask about labels that another program changed too, beside the window, so that the canvas can be used."""
        from napari_al_pose.gui.dialogs.conflicts import ConflictDialog

        project = self._projects.project
        if project is not None and self._repair.conflicts and self._asking is None:
            self._asking = dialog = ConflictDialog(
                project, self._repair, projects=self._projects, keys=self._keys, parent=self._window
            )
            dialog.finished.connect(self._asked)
            dialog.show()

    def _asked(self) -> None:
        if self._asking is not None:
            self._asking.deleteLater()
            self._asking = None

    def _export_labels(self) -> None:
        project = self._projects.project
        if project is None:
            return
        folder = project.root / "labeled-data"
        self.progressed.emit("Writing labels…")
        self._background.run(project.export_labels, lambda _none: self._tell_written(folder), self.tell)

    def _open(self, dialog: QDialog) -> None:
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _ask_bodyparts(self, counts: LabelCounts) -> None:
        from napari_al_pose.gui.dialogs.skeleton import SkeletonDialog

        project = self._projects.project
        if project is not None:
            dialog = SkeletonDialog(project.skeleton, counts, self._window)
            dialog.agreed.connect(self.edit_skeleton)
            self._open(dialog)

    def edit_skeleton(self, edit: SkeletonEdit) -> None:
        """Change bodyparts and lines; ask first if that would end a training."""
        project = self._projects.project
        if project is not None and edit.changes_network(project.skeleton):
            self.leaving.ask(lambda: self._projects.edit_skeleton(edit), what="Change the bodyparts")
        else:
            self._projects.edit_skeleton(edit)

    def add_individual(self, name: str) -> None:
        """Add an animal; ask first if that would end a training."""
        self.leaving.ask(lambda: self._projects.add_individual(name), what=f"Add {name}")

    def _open_sample(self, config: Path) -> None:
        self.progressed.emit("")
        self._projects.open_project(config)

    def _done(self, message: str, hint: str = "") -> None:
        self.progressed.emit("")
        self._notices.raised.emit(message, hint, False)

    def _tell_written(self, folder: Path) -> None:
        self.progressed.emit("")
        self._notices.tell_written(f"Labels written to {folder}.", folder)

    def tell(self, error: AlPoseError) -> None:
        """Say what went wrong with what was under way."""
        self.progressed.emit("")
        self._notices.raised.emit(error.message, error.hint, True)


def _label_counts(project: Project) -> LabelCounts:
    from napari_al_pose.gui.dialogs.skeleton import LabelCounts

    labels = dict.fromkeys(project.skeleton.bodyparts, 0)
    annotations = project.labels.annotations()
    for annotation in annotations:
        for name, state in zip(labels, annotation.states, strict=True):
            labels[name] += int(state != KeypointState.UNSEEN)
    n_frames = len({annotation.key for annotation in annotations})
    return LabelCounts(labels, project.labels.unknown_bodyparts(), n_frames, len(project.rounds.all()))


def _sample_project() -> Path:
    from napari_al_pose.samples import make_sample, sample_home  # draws and encodes videos: only when asked for

    return make_sample(sample_home())
