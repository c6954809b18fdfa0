"""What the window reads of a project off the GUI thread: everything at once when it opens, then pose by pose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from qtpy.QtCore import QObject, Signal

from napari_al_pose.domain import AlPoseError, FrameKey, Prediction
from napari_al_pose.domain.queue import Queue
from napari_al_pose.domain.views import LabelTally
from napari_al_pose.formats.deeplabcut_snapshots import find_snapshots
from napari_al_pose.gui.background import Background
from napari_al_pose.project import Project, open_project
from napari_al_pose.project.stored_poses import stored_pose


@dataclass(frozen=True, slots=True, eq=False)
class LoadedProject:
    """An open project with what the window shows first.

    Parameters
    ----------
    project : Project
    tally : LabelTally
    queue : Queue
        As it was saved; before its first row.
    queue_fits : bool
        Whether that queue came from the newest model and the strategy in the settings.
    predictions : mapping of FrameKey to Prediction
        Of the newest model, for the frames of the pool.
    snapshot : Path or None
        A network DeepLabCut trained in a project that has no model of ours yet.
    """

    project: Project
    tally: LabelTally
    queue: Queue
    queue_fits: bool
    predictions: Mapping[FrameKey, Prediction]
    snapshot: Path | None = None


def load_project(path: Path) -> LoadedProject:
    """Open the project at ``path``, mark its first hold-out frames and read what the window shows.

    Raises
    ------
    AlPoseError
        If it cannot be opened.
    """
    # Writing takes h5py. First imported while the interpreter ends, it would end the process with a fault.
    import h5py  # noqa: F401

    project = open_project(path)
    try:
        if not project.read_only:
            mark_holdout(project)
        saved = project.queue.load()
        version = project.models.latest()
        fits = saved.model_version == version and saved.strategy == project.settings.strategy
        return LoadedProject(
            project,
            LabelTally(project.labels.annotations()),
            Queue(tuple(saved.suggestions)),
            queue_fits=fits and bool(saved.suggestions),
            predictions=project.predictions.load(version) if version else {},
            snapshot=None if version else next(iter(find_snapshots(project.root)), None),
        )
    except BaseException:
        project.close()
        raise


def mark_holdout(project: Project) -> LabelTally | None:
    """Mark the first hold-out frames if it is time to; return the new tally if any were marked."""
    marked = project.ensure_holdout(project.settings.holdout_share, project.settings.train.seed)
    return LabelTally(project.labels.annotations()) if marked else None


def first_frame(loaded: LoadedProject) -> FrameKey | None:
    """Return the frame to begin with: the first of the queue that is not complete, else the first labelled one."""
    for suggestion in loaded.queue.suggestions:
        if suggestion.key not in loaded.tally.complete:
            return suggestion.key
    return min(loaded.tally.labelled, default=None)


class StoredGuesses(QObject):
    """Answers the newest wish; one look-up is under way at a time.

    Parameters
    ----------
    parent : QObject
    """

    found = Signal(object)
    """The `Prediction` that was wished for."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._background = Background("al-pose-guesses", self)
        self._wish: tuple[Project, int, FrameKey] | None = None
        self._busy = False

    def want(self, project: Project, version: int, key: FrameKey) -> None:
        """Look up what model ``version`` said about a frame; 0 asks for what another program said."""
        self._wish = (project, version, key)
        self._next()

    def close(self) -> None:
        """Look nothing up any more."""
        self._wish = None
        self._background.close(wait=False)

    def _next(self) -> None:
        if self._busy or self._wish is None:
            return
        (project, version, key), self._wish = self._wish, None
        self._busy = True
        self._background.run(lambda: stored_pose(project, version, key), self._deliver, self._give_up)

    def _deliver(self, prediction: Prediction | None) -> None:
        self._busy = False
        if prediction is not None:
            self.found.emit(prediction)
        self._next()

    def _give_up(self, _error: AlPoseError) -> None:
        # A file that was just replaced: the next frame is looked up anew.
        self._busy = False
        self._next()
