"""Putting labels into the files of one video: the part that needs files and nothing of the label store."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import FrameSource, Skeleton
from napari_al_pose.formats.deeplabcut import (
    AnnotationTable,
    is_annotation_file,
    read_annotations,
    write_annotations,
)
from napari_al_pose.project.backups import LabelBackups
from napari_al_pose.project.extracted_images import ExtractedImages
from napari_al_pose.project.label_log import Keypoint, KeypointKey
from napari_al_pose.project.merge import SAME_PX, keypoints_of
from napari_al_pose.project.videos import ProjectVideo

Points = NDArray[np.float64]

_REMEMBERED = 8
"""Videos whose tables are kept, so that the next writing need not read them."""


@dataclass(frozen=True, slots=True)
class WritingJob:
    """What is to be put into the files of one video.

    Parameters
    ----------
    folder : Path
        ``labeled-data/<video>``; its name is the video's.
    video : ProjectVideo or None
        None if neither video nor images are there.
    scorer : str
    skeleton : Skeleton
    unique_bodyparts : tuple of str
    offset : (float, float)
        What to add to coordinates in the files to have those of the source, in pixels.
    files : str
        The files as they are expected, see `files_state`; "" to take them as they are.
    frames : mapping of int to (individuals, bodyparts, 2) array
        Complete frames, in pixels of the extracted image, NaN where not visible; those the files have so are left.
    cleared : collection of int
        Frames whose rows go.
    with_images : collection of int
        Further frames whose images are to be there.
    ours : bool
        Whether this program wrote the files that are there.
    """

    folder: Path
    video: ProjectVideo | None
    scorer: str
    skeleton: Skeleton
    unique_bodyparts: tuple[str, ...]
    offset: tuple[float, float]
    files: str
    frames: Mapping[int, Points]
    cleared: Collection[int]
    with_images: Collection[int]
    ours: bool


@dataclass(frozen=True, slots=True)
class Written:
    """What came of a `WritingJob`.

    Parameters
    ----------
    frames : frozenset of int
        The frames whose rows were written or went.
    keypoints : mapping of KeypointKey to Keypoint
        What the files say of these frames now, in source pixels.
    files : str
        The files as they are now; "" if they are to be read again because there is something to tell of them.
    notices : tuple of str
        What the user should know.
    """

    frames: frozenset[int]
    keypoints: Mapping[KeypointKey, Keypoint]
    files: str
    notices: tuple[str, ...]


class Writer(Protocol):
    """Whoever puts labels into files: `LabelFiles` here, or a process beside this one."""

    def write(self, job: WritingJob) -> Written | None:
        """Do ``job``; see `LabelFiles.write`."""


class LabelFiles:
    """Writes files of labels, and remembers what it has written.

    Parameters
    ----------
    source : FrameSource, optional
        Where images come from; the video is opened if one is missing and this is not given.
    """

    def __init__(self, source: FrameSource | None = None) -> None:
        self._source = source
        self._tables: dict[Path, tuple[str, AnnotationTable]] = {}

    def write(self, job: WritingJob) -> Written | None:
        """Put labels into the files of a video and extract the images of its frames.

        Returns
        -------
        Written or None
            None, and nothing is written, if the files are not as the job expects them.

        Raises
        ------
        AlPoseError
            If a file cannot be read or written.
        """
        if job.files and job.files != files_state(job.folder, job.scorer):
            return None
        table = self._read(job)
        present = table.frames(job.folder.name)
        changed = _differing(job, table, present)
        rows = [image for _, image in table.rows]
        with closing(ExtractedImages(job.folder, job.video, self._source, rows)) as images:
            numbers = sorted({*job.frames, *job.with_images})
            names = {n: images.extract(n, present[n][0] if n in present else None) for n in numbers}
        cleared = {number for number in job.cleared if number in present}
        own = job.folder / f"CollectedData_{job.scorer}.h5"
        told = bool(table.notices)
        if changed or cleared or (table.path is not None and not own.is_file()):
            keep_version(job.folder, job.scorer, ours=job.ours)
            table = write_annotations(
                job.folder,
                scorer=job.scorer,
                bodyparts=job.skeleton.bodyparts,
                individuals=job.skeleton.individuals,
                frames={names[number]: points for number, points in changed.items()},
                remove=[present[number][0] for number in cleared],
                unique_bodyparts=job.unique_bodyparts,
                present=table,
            )
        files = "" if told else files_state(job.folder, job.scorer)
        self._remember(job, files, table)
        keypoints = keypoints_of(table, job.folder.name, job.skeleton, job.offset, changed)
        return Written(frozenset({*changed, *cleared}), keypoints, files, tuple(images.notices()))

    def _read(self, job: WritingJob) -> AnnotationTable:
        state, table = self._tables.get(job.folder, ("", AnnotationTable()))
        if state and state == _identity(job):
            return table
        return read_annotations(job.folder, scorer=job.scorer, individuals=job.skeleton.individuals)

    def _remember(self, job: WritingJob, files: str, table: AnnotationTable) -> None:
        self._tables.pop(job.folder, None)
        if files:
            self._tables[job.folder] = (_identity(job), table)
        while len(self._tables) > _REMEMBERED:
            self._tables.pop(next(iter(self._tables)))


def files_state(folder: Path, scorer: str) -> str:
    """Return the files of labels with size and time: they change when another program writes one.

    Those of other scorers count only where there is none of ``scorer``.
    """
    own = [f"CollectedData_{scorer}{suffix}" for suffix in (".csv", ".h5")]
    # Not by way of the folder's list, where there is one: it may hold tens of thousands of images.
    names = [name for name in own if (folder / name).is_file()]
    if not names and folder.is_dir():
        names = sorted(name for name in os.listdir(folder) if is_annotation_file(name))
    stats = [(folder / name).stat() for name in names]
    return json.dumps([[name, s.st_size, s.st_mtime_ns] for name, s in zip(names, stats, strict=True)])


def keep_version(folder: Path, scorer: str, *, ours: bool, for_good: bool = False) -> None:
    """Put the files that are about to be replaced aside; see `LabelBackups.keep`."""
    files = [folder / f"CollectedData_{scorer}{suffix}" for suffix in (".h5", ".csv")]
    backups_of(folder).keep([path for path in files if path.is_file()], ours=ours, for_good=for_good)


def backups_of(folder: Path) -> LabelBackups:
    """Return the earlier versions of the files in ``labeled-data/<video>``."""
    return LabelBackups(folder.parents[1] / "al-pose" / "backups" / folder.name)


def _identity(job: WritingJob) -> str:
    """What a remembered table depends on: what the files mean, and that they are the very same ones."""
    nodes = [
        (job.folder / f"CollectedData_{job.scorer}{suffix}").stat().st_ino
        for suffix in (".csv", ".h5")
        if (job.folder / f"CollectedData_{job.scorer}{suffix}").is_file()
    ]
    return json.dumps([files_state(job.folder, job.scorer), nodes, job.skeleton.individuals])


def _differing(job: WritingJob, table: AnnotationTable, present: Mapping[int, tuple[str, Points]]) -> dict[int, Points]:
    """Return those of the frames that the file does not have, or has otherwise."""
    columns = [(i, b) for i in job.skeleton.individuals for b in job.skeleton.bodyparts]
    if any(column not in table.columns for column in columns):
        return dict(job.frames)
    order: Sequence[int] = [table.columns.index(column) for column in columns]
    return {
        number: points
        for number, points in job.frames.items()
        if number not in present or not _same_points(points.reshape(-1, 2), present[number][1][order])
    }


def _same_points(a: Points, b: Points) -> bool:
    return bool(((np.abs(a - b) <= SAME_PX) | (np.isnan(a) & np.isnan(b))).all())
