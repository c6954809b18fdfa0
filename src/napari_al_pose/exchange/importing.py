"""Imports labels of other programs into a project, new or open."""

from __future__ import annotations

import dataclasses
import shutil
import threading
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_al_pose.domain import UNIQUE_INDIVIDUAL, AlPoseError, FrameRole, KeypointState
from napari_al_pose.domain.file_names import is_config
from napari_al_pose.domain.steps import OnProgress
from napari_al_pose.domain.wording import counted
from napari_al_pose.engine.progress import ProgressReporter
from napari_al_pose.exchange.catalogue import detect_format, find_labels, format_named
from napari_al_pose.exchange.label_matching import Changes, changes_for, in_turn, match_to_project
from napari_al_pose.exchange.media import MediaFinder
from napari_al_pose.exchange.media_import import MediaImport
from napari_al_pose.exchange.new_project import begin_project, finish_project
from napari_al_pose.exchange.project_labels import labels_of
from napari_al_pose.exchange.stepwise import Committed, stepwise
from napari_al_pose.exchange.video_matching import match_videos
from napari_al_pose.formats.label_set import LabelSet
from napari_al_pose.project import Project, open_project

Work = Generator[Any, None, Any]
"""Yields `Progress`; closing it early takes back what it began. After `Committed` it has to be run to its end.

Labels that were all stored when it is closed stay, with their images, as if `Committed` had been told already."""

FEWEST_SHARES = 4
"""Different points from which on we believe that none is in pixels."""


@dataclass(frozen=True, slots=True)
class Imported:
    """The result of an import.

    Parameters
    ----------
    project : Path
        The project folder.
    format : str
        The format that the file was read as.
    frames, points : int
        Labelled frames and placed points that are new in the project.
    notices : tuple of str
        What was left out or guessed, in sentences for the user.
    """

    project: Path
    format: str
    frames: int
    points: int
    notices: tuple[str, ...]


def import_labels(source: Path, to: Path | Project, *, format: str = "", scorer: str = "") -> Work:
    """Import labels into a project.

    Labels that the project already has are kept where the file differs, and so are labels that the file lacks.

    Parameters
    ----------
    source : Path
        A label file, or a folder with one; a DeepLabCut project by its folder or ``config.yaml``.
    to : Path or Project
        A project folder, created if necessary, or the project that a window has open.
    format : str, optional
        Name of a format; detected by default.
    scorer : str, optional
        Of a new project; by default the annotator that the file names, or the user.

    Yields
    ------
    Progress or Committed

    Returns
    -------
    Imported

    Raises
    ------
    AlPoseError
        If the file can't be read, none of it fits, or the project can't be written.
    """
    file = find_labels(Path(source).expanduser().absolute())
    known = format_named(format) if format else detect_format(file)
    is_project = is_config(file)
    labels = yield from stepwise(
        "Reading labels",
        lambda on_progress: _project_labels(file, on_progress) if is_project else known.read(file, on_progress),
    )
    if not labels.annotations:
        raise AlPoseError(f"{file} holds no labels by people.", " ".join(labels.notices) or "Choose another file.")
    _refuse_shares(file, labels)
    if isinstance(to, Project):
        return (yield from _into(to, file, labels, known.name))
    root = Path(to).expanduser().absolute()
    root = root.parent if root.name == "config.yaml" else root
    if (root / "config.yaml").is_file():
        project = open_project(root)
        try:
            if project.read_only:
                raise AlPoseError(f"{root} can't be written. {' '.join(project.notices[:1])}", "Close it elsewhere.")
            return (yield from _into(project, file, labels, known.name))
        finally:
            project.close()
    return (yield from _into_new(root, file, labels, known.name, scorer))


def _refuse_shares(file: Path, labels: LabelSet) -> None:
    """Raise if the points are not in pixels: some programs write shares of the image's size."""
    points = np.concatenate([a.xy for a in labels.annotations])
    points = np.unique(points[np.isfinite(points).all(axis=1)], axis=0)
    if len(points) >= FEWEST_SHARES and points.min() >= 0 and points.max() <= 1:
        raise AlPoseError(
            f"All points of {file} lie between 0 and 1: they look like shares of the image's width and height.",
            "Export the labels in pixels.",
        )


def _project_labels(config: Path, on_progress: OnProgress) -> LabelSet:
    with open_project(config, read_only=True, on_progress=on_progress) as project:
        return labels_of(project)


def _into_new(root: Path, file: Path, labels: LabelSet, name: str, scorer: str) -> Work:
    """Make the project beside its destination and move it there when it is whole."""
    labels = _without_reserved_names(labels)
    building = begin_project(root, labels, scorer=scorer)
    try:
        with open_project(building, read_only=False) as project:
            done = yield from _into(project, file, labels, name, undoable=False)
        finish_project(building, root)
        notices = tuple(notice.replace(str(building), str(root)) for notice in done.notices)
        return Imported(root, done.format, done.frames, done.points, notices)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _without_reserved_names(labels: LabelSet) -> LabelSet:
    """Rename an individual whose name DeepLabCut reserves for bodyparts that belong to no individual."""
    if UNIQUE_INDIVIDUAL not in labels.skeleton.individuals:
        return labels
    new = {name: f"{name} animal" if name == UNIQUE_INDIVIDUAL else name for name in labels.skeleton.individuals}
    return dataclasses.replace(
        labels,
        skeleton=dataclasses.replace(labels.skeleton, individuals=tuple(new.values())),
        annotations=tuple(dataclasses.replace(a, individual=new[a.individual]) for a in labels.annotations),
        duplicates=tuple(dataclasses.replace(a, individual=new[a.individual]) for a in labels.duplicates),
        notices=(*labels.notices, f"The individual {UNIQUE_INDIVIDUAL!r} is called {new[UNIQUE_INDIVIDUAL]!r} here."),
    )


def _into(project: Project, file: Path, labels: LabelSet, name: str, *, undoable: bool = True) -> Work:
    before = len(project.notices)
    labels, said_of_videos = yield from match_videos(project, labels, MediaFinder(file, labels))
    fitted, notices = match_to_project(labels, project.skeleton)
    notices = [*said_of_videos, *notices]
    media = MediaImport(project, file, fitted)
    stored = threading.Event()

    def store(on_progress: OnProgress) -> None:
        project.labels.exchange.take_in(
            changes, conflicts, source=str(file), undoable=undoable, on_progress=on_progress
        )
        stored.set()

    try:
        yield from media.bring()
        yield from media.extract({a.key for a in fitted.annotations if a.is_complete})
        changes, conflicts = changes_for(project.labels, fitted)
        yield from stepwise("Storing labels", store)
        if undoable:
            yield Committed()
        for number, twice in enumerate(in_turn(fitted.duplicates), 2):
            _, others = changes_for(project.labels, dataclasses.replace(fitted, annotations=twice))
            project.labels.exchange.take_in((), others, source=f"{file} ({number})", undoable=False)
        taken = {key.frame_key for key, _ in changes}
        held_out = {a.key for a in fitted.annotations if a.role is FrameRole.HOLDOUT} & taken
        project.labels.roles.set_many(dict.fromkeys(held_out, FrameRole.HOLDOUT), provenance="random")
    except BaseException:
        # An end that came after the last label was stored came too late: labels keep their images, and can be undone.
        if not stored.is_set():
            media.take_back()
        raise
    yield from _write_files(project, changes)
    if conflicts:
        notice = f"Labels the project had already were kept where the file differs: {counted(len(conflicts), 'label')}."
        notices.append(notice + " The window shows both, for you to decide.")
    all_notices = (*labels.notices, *notices, *media.notices(), *project.notices[before:])
    return Imported(project.root, name, *_counts(changes), tuple(dict.fromkeys(all_notices)))


def _write_files(project: Project, changes: Changes) -> Work:
    """Write the files of the videos that have new labels."""
    frames = Counter(key.video for key in {key.frame_key for key, _ in changes})
    reporter = ProgressReporter(0, "Writing CollectedData", frames.total())
    done = 0
    for video, count in frames.items():
        yield from reporter.report(done)
        project.export_labels({video})
        done += count


def _counts(changes: Changes) -> tuple[int, int]:
    placed = sum(point.state is KeypointState.PLACED for _, point in changes)
    return len({key.frame_key for key, _ in changes}), placed
