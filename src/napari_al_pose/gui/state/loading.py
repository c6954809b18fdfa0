"""What the window reads of a project when it opens, off the GUI thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from napari_al_pose.domain import FrameKey, Prediction
from napari_al_pose.domain.labelling import LabelTally
from napari_al_pose.domain.queue import Queue
from napari_al_pose.formats.deeplabcut_snapshots import find_snapshots
from napari_al_pose.project import Project, open_project


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
            LabelTally(project.labels.annotations(unique=True)),
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
    return LabelTally(project.labels.annotations(unique=True)) if marked else None


def first_frame(loaded: LoadedProject) -> FrameKey | None:
    """Return the frame to begin with: the first of the queue that needs labels, else the first labelled one."""
    done = loaded.tally.done(loaded.project.settings.ask)
    for suggestion in loaded.queue.suggestions:
        if suggestion.key not in done:
            return suggestion.key
    return min(loaded.tally.labelled, default=None)
