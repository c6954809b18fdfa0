"""Writes the labels of a project for other programs."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Generator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError, FrameKey, FrameSource, KeypointState
from napari_al_pose.domain.wording import counted, first_few
from napari_al_pose.engine.messages import Progress
from napari_al_pose.exchange.catalogue import LabelFormat, Write
from napari_al_pose.exchange.filling import FILE_NAME, Filled, fill
from napari_al_pose.exchange.image_files import copy_image, image_file_name, image_size, is_turned, save_image
from napari_al_pose.exchange.label_matching import changes_for
from napari_al_pose.exchange.new_project import begin_project, finish_project
from napari_al_pose.exchange.project_labels import labels_of, without_frames
from napari_al_pose.formats.atomic import cannot_write
from napari_al_pose.formats.capabilities import fit_to_format
from napari_al_pose.formats.label_set import LabelSet, Picture
from napari_al_pose.project import Project, open_project
from napari_al_pose.project.staging import staging_folder

Work = Generator[Any, None, Any]


@dataclass(frozen=True, slots=True)
class Exported:
    """The result of an export.

    Parameters
    ----------
    path : Path
        The label file.
    format : str
    frames, points : int
        Labelled frames and placed points in it.
    notices : tuple of str
        What the format can't hold, and what else was left out.
    """

    path: Path
    format: str
    frames: int
    points: int
    notices: tuple[str, ...]


def check_output(to: LabelFormat, output: Path) -> str:
    """Return why labels can't be written to ``output``, or an empty string. Existing files are never overwritten."""
    if not to.file:
        if output.suffix.lower() != Path(to.patterns[0]).suffix:
            return f"Expected the name of a file that ends in {Path(to.patterns[0]).suffix}, got {output.name}."
        return f"{output} exists already." if output.exists() else ""
    if output.is_dir():
        return f"{output} exists already and is not empty." if any(output.iterdir()) else ""
    return f"{output} exists already and is not a folder." if output.exists() else ""


def export_labels(project: Project, to: LabelFormat, output: Path, *, filling: bool = False) -> Work:
    """Write the labels of an open project.

    Parameters
    ----------
    project : Project
        Only read.
    to : LabelFormat
        The format to write.
    output : Path
        A file or, for formats with images, a folder; it must not exist yet.
    filling : bool
        Whether to fill frames that were begun with the newest model's guesses, where it believes all that they lack.
        A table beside the labels lists the guesses.

    Yields
    ------
    Progress

    Returns
    -------
    Exported

    Raises
    ------
    AlPoseError
        If the output exists, the format can hold none of the labels, or it can't be written. Then nothing is left
        behind.
    """
    output = Path(output).expanduser().absolute()
    if complaint := check_output(to, output):
        raise AlPoseError(complaint, "Choose another name.")
    yield _progress("Reading labels", 0, 0)
    found = labels_of(project)
    filled = fill(project, found) if filling else Filled(found, (), 0)
    labels, lost = fit_to_format(filled.labels, to.capabilities)
    notices = [*labels.notices, *lost, *filled.sentences()]
    if to.write is None:
        yield from _write_project(project, labels, output, notices, filled)
    elif not to.file:
        _make_folder(output.parent)
        to.write(labels, output)
        filled.write(output.with_name(f"{output.name}.{FILE_NAME}"))
        notices += _missing_videos(labels)
    else:
        labels = yield from _write_folder(
            project, filled, labels, to=to, write=to.write, output=output, notices=notices
        )
    points = sum(int((a.states == KeypointState.PLACED).sum()) for a in labels.annotations)
    return Exported(output / to.file, to.name, len({a.key for a in labels.annotations}), points, tuple(notices))


def _write_folder(
    project: Project,
    filled: Filled,
    labels: LabelSet,
    *,
    to: LabelFormat,
    write: Write,
    output: Path,
    notices: list[str],
) -> Work:
    """Write a folder with images and the label file beside its destination, and move it there."""
    _make_folder(output.parent)
    try:
        building = staging_folder(output.parent, "export")
    except OSError as error:
        raise cannot_write(output, error) from error
    try:
        with closing(_Images(project, labels, to, building)) as images:
            labels = yield from images.write()
        notices += images.notices()
        if not labels.annotations:
            raise AlPoseError(
                f"No labelled frame has an image. {' '.join(notices)}", "Copy the videos into the project."
            )
        write(labels, building / to.file)
        filled.write(building / FILE_NAME)
        try:
            if output.exists():
                output.rmdir()
            os.replace(building, output)
        except OSError as error:
            raise cannot_write(output, error) from error
        return labels
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _write_project(project: Project, labels: LabelSet, output: Path, notices: list[str], filled: Filled) -> Work:
    """Write a new DeepLabCut project: videos linked, images copied, CollectedData as in any project."""
    building = begin_project(output, labels, scorer=project.scorer)
    try:
        names = {a.key.video for a in labels.annotations}
        with (
            open_project(building, read_only=False) as made,
            closing(_Images(project, labels, None, building)) as images,
        ):
            for video in labels.videos:
                if video.name in names and Path(video.path).is_file():
                    made.add_videos([Path(video.path)], name=video.name)
            yield from images.write()
            made.add_image_folders(sorted(names - {video.name for video in made.videos if video.has_video}))
            changes, _ = changes_for(made.labels, labels)
            made.labels.exchange.take_in(changes, source=str(project.root), undoable=False)
            made.export_labels()
            notices += images.notices()
        filled.write(building / FILE_NAME)
        finish_project(building, output)
    finally:
        shutil.rmtree(building, ignore_errors=True)


class _Images:
    """Writes the images of labelled frames: copies of existing ones, otherwise frames of the video."""

    def __init__(self, project: Project, labels: LabelSet, to: LabelFormat | None, folder: Path) -> None:
        self._project = project
        self._labels = labels
        self._to = to
        self._folder = folder
        self._open = ExitStack()
        self._sources: dict[str, FrameSource | None] = {}
        self._missing: list[FrameKey] = []

    def close(self) -> None:
        """Close the videos."""
        self._open.close()

    def write(self) -> Work:
        """Write all images; return the labels with paths relative to the folder, without frames that lack an image."""
        pictures: dict[str, dict[int, Picture]] = {video.name: {} for video in self._labels.videos}
        keys = list(self._labels.frames())
        for number, key in enumerate(keys, 1):
            yield _progress("Writing images", number - 1, len(keys))
            name = self._name(key, number - len(self._missing))
            size = self._write(key, self._folder / name)
            if size is None:
                self._missing.append(key)
            pictures[key.video][key.frame] = Picture(name, size)
        labels = self._labels
        if self._to is not None and self._to.needs_images:
            labels = without_frames(labels, set(self._missing))
        videos = tuple(dataclasses.replace(v, pictures=pictures[v.name]) for v in labels.videos)
        return dataclasses.replace(labels, videos=videos)

    def notices(self) -> list[str]:
        """Return messages for the user."""
        if not self._missing:
            return []
        frames = counted(len(self._missing), "frame")
        if self._to is not None and self._to.needs_images:
            return [f"{frames} left out: neither image nor video is there."]
        return [f"{frames} written without images: neither image nor video is there."]

    def _name(self, key: FrameKey, number: int) -> str:
        if self._to is not None and not self._to.capabilities.frames:
            return f"{self._to.images}/im{number:04d}.jpg"
        folder = (self._to.images if self._to is not None else "labeled-data/{video}").format(video=key.video)
        return f"{folder}/{image_file_name(self._labels.video(key.video).pictures.get(key.frame), key.frame)}"

    def _write(self, key: FrameKey, target: Path) -> tuple[int, int] | None:
        picture = self._labels.video(key.video).pictures.get(key.frame)
        if picture is not None:
            path = Path(picture.path)
            same_kind = path.suffix.lower() == target.suffix.lower()
            # Other programs may or may not apply a rotation in EXIF, so they get the pixels as the project shows them.
            if path.is_file() and same_kind and not is_turned(path) and copy_image(path, target):
                return image_size(target)
        pixels = self._pixels(key)
        if pixels is None:
            return None
        save_image(pixels, target)
        return pixels.shape[1], pixels.shape[0]

    def _pixels(self, key: FrameKey) -> NDArray[np.uint8] | None:
        if key.video not in self._sources:
            self._sources[key.video] = self._source(key.video)
        source = self._sources[key.video]
        try:
            return None if source is None else source[source.position(key.frame)]
        except KeyError:
            return None

    def _source(self, name: str) -> FrameSource | None:
        try:
            return self._open.enter_context(closing(self._project.video(name).open()))
        except AlPoseError:
            return None


def _missing_videos(labels: LabelSet) -> list[str]:
    used = {a.key.video for a in labels.annotations}
    missing = [v.name for v in labels.videos if v.name in used and not v.pictures and not Path(v.path).is_file()]
    return [f"Not found, so they are named in the file unchecked: {first_few(missing)}."] if missing else []


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error


def _progress(stage: str, done: int, total: int) -> Progress:
    return Progress(0, stage, done, total, -1.0)
