"""Labels of other programs taken into a project, new or open."""

from __future__ import annotations

import dataclasses
import math
import shutil
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_al_pose.domain import AlPoseError, FrameRole, KeypointState
from napari_al_pose.engine.messages import Progress
from napari_al_pose.exchange.catalogue import detect_format, find_labels, format_named
from napari_al_pose.exchange.fitting import Changes, changes_for, fit_to_project, in_turn
from napari_al_pose.exchange.media import MediaFinder, copy_image, image_file_name, named, save_image
from napari_al_pose.exchange.new_project import begin_project, finish_project
from napari_al_pose.exchange.project_labels import labels_of
from napari_al_pose.formats.deeplabcut import UNIQUE_INDIVIDUAL, frame_number, image_names
from napari_al_pose.formats.label_set import LabelledVideo, LabelSet, counted
from napari_al_pose.formats.names import video_stem
from napari_al_pose.project import Project, open_project
from napari_al_pose.project.videos import label_folder

Work = Generator[Any, None, Any]
"""Yields `Progress`; closing it early takes back what it began."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of an import.

    Parameters
    ----------
    project : Path
        The project folder.
    format : str
        What the file was read as.
    frames, points : int
        Labelled frames and placed points that came into the project now.
    notices : tuple of str
        What was left out or understood in one of two ways; every sentence is for the user.
    """

    project: Path
    format: str
    frames: int
    points: int
    notices: tuple[str, ...]


def import_labels(source: Path, to: Path | Project, *, format: str = "", scorer: str = "") -> Work:
    """Take labels into a project.

    Labels that are in the project already stay where the file says otherwise; what the file leaves out stays too.

    Parameters
    ----------
    source : Path
        A file of labels, or a folder with one; a DeepLabCut project by its folder or ``config.yaml``.
    to : Path or Project
        A project folder, made if it is not there; or the project a window has open.
    format : str, optional
        Name of a format; found out by default.
    scorer : str, optional
        Of a new project; who labelled as the file says, else the user, by default.

    Yields
    ------
    Progress

    Returns
    -------
    Imported

    Raises
    ------
    AlPoseError
        If the file cannot be read, nothing of it fits, or the project cannot be written.
    """
    yield _progress("Reading labels", 0, 0)
    file = find_labels(Path(source).expanduser().absolute())
    known = format_named(format) if format else detect_format(file)
    labels = _project_labels(file) if file.suffix.lower() in (".yaml", ".yml") else known.read(file)
    if not labels.annotations:
        raise AlPoseError(f"{file} holds no labels by people.", " ".join(labels.notices) or "Choose another file.")
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


def _project_labels(config: Path) -> LabelSet:
    with open_project(config, read_only=True) as project:
        return labels_of(project)


def _into_new(root: Path, file: Path, labels: LabelSet, name: str, scorer: str) -> Work:
    """Make the project beside its place and move it there when it is whole."""
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
    """Rename an individual that has the name under which DeepLabCut keeps bodyparts that belong to none."""
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
    fitted, notices = fit_to_project(labels, project.skeleton)
    media = _Media(project, file, fitted)
    try:
        yield from media.bring()
        # The last step: what is stored cannot be cancelled any more, only undone.
        yield _progress("Storing labels", 0, 0)
        changes, conflicts = changes_for(project.labels, fitted)
        project.labels.exchange.take_in(changes, conflicts, source=str(file), undoable=undoable)
        for number, twice in enumerate(in_turn(fitted.duplicates), 2):
            _, others = changes_for(project.labels, dataclasses.replace(fitted, annotations=twice))
            project.labels.exchange.take_in((), others, source=f"{file} ({number})", undoable=False)
        taken = {key.frame_key for key, _ in changes}
        held_out = {a.key for a in fitted.annotations if a.role is FrameRole.HOLDOUT} & taken
        project.labels.set_roles(dict.fromkeys(held_out, FrameRole.HOLDOUT), provenance="random")
    except BaseException:
        media.take_back()
        raise
    project.export_labels({key.video for key, _ in changes})
    if conflicts:
        told = f"Labels the project had already were kept where the file differs: {counted(len(conflicts), 'label')}."
        notices.append(told + " The window shows both, to decide.")
    said = (*labels.notices, *notices, *media.notices(), *project.notices[before:])
    return Imported(project.root, name, *_counts(changes), tuple(dict.fromkeys(said)))


class _Media:
    """Brings videos and images into a project, and takes them back if the rest fails."""

    def __init__(self, project: Project, file: Path, labels: LabelSet) -> None:
        self._project = project
        self._labels = labels
        self._find = MediaFinder(file, labels)
        self._made: list[Path] = []
        self._unreadable: list[str] = []
        self._without_video: list[tuple[str, str]] = []
        self._without_image = 0

    def bring(self) -> Work:
        """Link the videos and copy the images."""
        present = {video.name for video in self._project.videos if video.has_video}
        for video in self._labels.videos:
            found = video.name in present or self._bring_video(video)
            yield from self._bring_images(video, has_video=found)
        present = {video.name for video in self._project.videos}
        self._project.add_image_folders(
            name for name in sorted({p.parent.name for p in self._made}) if name not in present
        )

    def take_back(self) -> None:
        """Remove the images that were copied; a linked video harms nobody."""
        for path in self._made:
            path.unlink(missing_ok=True)
        for folder in {path.parent for path in self._made}:
            if not any(folder.iterdir()):
                folder.rmdir()

    def notices(self) -> list[str]:
        """Return what the user should know."""
        told = []
        told += self._find.notices
        if self._without_video:
            several = len(self._without_video) > 1
            kept_as = [name for path, name in self._without_video if video_stem(path) != name]
            told.append(
                f"The video{'s' if several else ''} {named([path for path, _ in self._without_video])} of these labels "
                f"could not be found. The labels are kept; copy the video{'s' if several else ''} into "
                f"{self._project.root / 'videos'}" + (f" under the name {named(kept_as)}." if kept_as else ".")
            )
        if self._without_image:
            told.append(f"{self._without_image:,} images of these labels could not be found. Their labels are kept.")
        if self._unreadable:
            told.append(f"Images that cannot be read were left out: {named(self._unreadable)}.")
        return told

    def _bring_video(self, video: LabelledVideo) -> bool:
        path = self._find.video(video)
        if path is None:
            if video.path:
                self._without_video.append((video.path, video.name))
            return False
        try:
            self._project.add_videos([path], name=video.name)
        except AlPoseError as error:
            self._unreadable.append(f"{path} ({error.message})")
            return False
        return True

    def _bring_images(self, video: LabelledVideo, *, has_video: bool) -> Work:
        folder = label_folder(self._project.root, video.name)
        there = {frame_number(image) for image in image_names(folder)}
        labelled = {a.key.frame for a in self._labels.annotations if a.key.video == video.name}
        numbers = sorted((set(video.pictures) if video.pixels is None else labelled) - there)
        for done, number in enumerate(numbers):
            yield _progress(f"Copying images of {video.name}", done, len(numbers))
            target = folder / image_file_name(video.pictures.get(number), number)
            if video.pixels is not None:
                save_image(video.pixels(number), target)
            elif (path := self._find.picture(video.pictures[number])) is None:
                self._without_image += not has_video
                continue
            elif not copy_image(path, target):
                self._unreadable.append(str(path))
                continue
            self._made.append(target)


def _counts(changes: Changes) -> tuple[int, int]:
    placed = sum(point.state is KeypointState.PLACED for _, point in changes)
    return len({key.frame_key for key, _ in changes}), placed


def _progress(stage: str, done: int, total: int) -> Progress:
    return Progress(0, stage, done, total, math.nan)
