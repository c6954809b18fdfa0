"""Writes labels into the files of one video; this part needs the files and nothing of the label store."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import FrameSource, KeypointState, Skeleton
from napari_al_pose.domain.file_names import numbered_images
from napari_al_pose.domain.image_placement import WHOLE, Place
from napari_al_pose.formats.deeplabcut import AnnotationTable, image_names, with_lines, write_annotations
from napari_al_pose.project.extracted_images import ExtractedImages
from napari_al_pose.project.label_folder import LabelFolder, Signature, signature, state_of
from napari_al_pose.project.label_log import Keypoint, KeypointKey
from napari_al_pose.project.merge import SAME_PX, keypoints_of

Points = NDArray[np.float64]

REMEMBERED = 8
"""Number of videos whose tables are kept, so that the next writing need not read them."""


@dataclass(frozen=True, slots=True)
class WritingJob:
    """What to write into the files of one video.

    Parameters
    ----------
    folder : LabelFolder
    files : str
        The expected state of the files, see `LabelFolder.state`; "" to accept any.
    frames : mapping of int to (n, 2) array
        The skeleton's keypoints in complete frames, in pixels of what is shown, NaN for not visible; frames that the
        files already have are left.
    cleared : frozenset of int
        Frames whose rows are removed.
    erased : frozenset of (int, str, str)
        Points of other frames to remove: frame, individual, bodypart.
    with_images : frozenset of int
        Further frames whose images must exist.
    ours : bool
        Whether this program wrote the present files.
    """

    folder: LabelFolder
    files: str
    frames: Mapping[int, Points]
    cleared: frozenset[int]
    erased: frozenset[tuple[int, str, str]]
    with_images: frozenset[int]
    ours: bool


@dataclass(frozen=True, slots=True, eq=False)
class KeypointTable:
    """Keypoints of one video as columns, so that a file of twenty thousand frames goes through a pipe in one piece.

    Parameters
    ----------
    frames : int64 array, (n,)
    columns : int64 array, (n,)
        Which of the skeleton's keypoints each is.
    states : int8 array, (n,)
        `KeypointState` values.
    xy : float64 array, (n, 2)
        Source pixels; NaN unless the state is ``PLACED``.
    """

    frames: NDArray[np.int64]
    columns: NDArray[np.int64]
    states: NDArray[np.int8]
    xy: Points

    @classmethod
    def of(cls, keypoints: Mapping[KeypointKey, Keypoint], skeleton: Skeleton) -> Self:
        """Return keypoints of the skeleton as columns, in the same order."""
        order = {names: i for i, names in enumerate(skeleton.keypoints)}
        columns = [order[key.individual, key.bodypart] for key in keypoints]
        xy = [(point.x, point.y) for point in keypoints.values()]
        return cls(
            np.array([key.frame for key in keypoints], np.int64),
            np.array(columns, np.int64),
            np.array([point.state for point in keypoints.values()], np.int8),
            np.array(xy, np.float64).reshape(-1, 2),
        )

    def items(self, video: str, skeleton: Skeleton) -> Iterator[tuple[KeypointKey, Keypoint]]:
        """Yield the keypoints by name."""
        rows = zip(self.frames.tolist(), self.columns.tolist(), self.states.tolist(), self.xy.tolist(), strict=True)
        names = skeleton.keypoints
        for frame, column, state, (x, y) in rows:
            key = KeypointKey(video, frame, *names[column])
            placed = state == KeypointState.PLACED
            yield key, Keypoint(KeypointState(state), x if placed else None, y if placed else None)


@dataclass(frozen=True, slots=True)
class Written:
    """The result of a `WritingJob`.

    Parameters
    ----------
    frames : frozenset of int
        The frames whose rows were written or removed.
    keypoints : KeypointTable
        The files' content for these frames now, in source pixels.
    files : str
        The state of the files now; "" if they should be read again because there is something to report.
    notices : tuple of str
        Messages for the user.
    """

    frames: frozenset[int]
    keypoints: KeypointTable
    files: str
    notices: tuple[str, ...]


class Writer(Protocol):
    """Something that writes label files: `LabelFiles` here, or a separate process."""

    def prepare(self, folder: LabelFolder) -> None:
        """Prepare for jobs in a folder."""

    def write(self, job: WritingJob) -> Written | None:
        """Do ``job``; see `LabelFiles.write`."""


class LabelFiles:
    """Writes label files, and remembers what it has read and written.

    Parameters
    ----------
    source : FrameSource, optional
        Provides images; by default the video is opened if an image is missing.
    """

    def __init__(self, source: FrameSource | None = None) -> None:
        self._source = source
        self._tables: dict[Path, tuple[str, AnnotationTable]] = {}

    def prepare(self, folder: LabelFolder) -> None:
        """Do in advance what the first job would wait for; raise AlPoseError if the files can't be read."""
        files = folder.state()
        table = with_lines(self._read(folder), scorer=folder.scorer)
        self._remember(folder, "" if table.notices else files, table)

    def write(self, job: WritingJob) -> Written | None:
        """Write labels into the files of a video and extract the images of its frames.

        Returns
        -------
        Written or None
            None if the files are not in the expected state, or another program wrote them meanwhile: its file stays.

        Raises
        ------
        AlPoseError
            If a file can't be read or written.
        """
        folder = job.folder
        watch = _FileWatch(folder)
        before = folder.state()
        if job.files and job.files != before:
            return None
        table = self._read(folder)
        images_there = image_names(folder.path)
        concerned = {*job.frames, *job.cleared, *job.with_images, *(frame for frame, _, _ in job.erased)}
        present = table.frames(folder.name, images_there, concerned)
        shown = numbered_images(images_there, concerned)[0]
        wanted = {
            number: _in_image(points, folder.place(present[number][0] if number in present else shown.get(number, "")))
            for number, points in job.frames.items()
        }
        changed = _differing(job, wanted, table, present) | _erased(job, wanted, table, present)
        rows = [image for _, image in table.rows]
        extracted = ExtractedImages(folder.path, folder.video, self._source, rows, present=shown, images=images_there)
        with closing(extracted) as images:
            numbers = sorted({*job.frames, *job.with_images})
            names = {n: images.extract(n, present[n][0] if n in present else None) for n in numbers}
            names |= {n: present[n][0] for n in changed if n not in names}
        cleared = {number for number in job.cleared if number in present}
        told = bool(table.notices)
        if changed or cleared or (table.path is not None and not folder.files[0].is_file()):
            # What was left out or merged in reading is gone from the files afterwards.
            folder.keep_version(ours=job.ours, for_good=told and not job.ours)
            try:
                table = write_annotations(
                    folder.path,
                    scorer=folder.scorer,
                    bodyparts=folder.skeleton.bodyparts,
                    individuals=folder.skeleton.individuals,
                    frames={names[number]: points for number, points in changed.items()},
                    remove=[present[number][0] for number in cleared],
                    unique_bodyparts=folder.skeleton.unique_bodyparts,
                    present=table,
                    guard=watch.look,
                )
            except _FilesChangedError:
                return None
        files = "" if told else watch.state or before
        self._remember(folder, files, table)
        keypoints = keypoints_of(table, folder.name, folder.skeleton, folder.place, changed, images=images_there)
        return Written(
            frozenset({*changed, *cleared}),
            KeypointTable.of(keypoints, folder.skeleton),
            files,
            tuple(images.notices()),
        )

    def _read(self, folder: LabelFolder) -> AnnotationTable:
        identity, table = self._tables.get(folder.path, ("", AnnotationTable()))
        return table if identity and identity == _identity(folder) else folder.read()

    def _remember(self, folder: LabelFolder, files: str, table: AnnotationTable) -> None:
        self._tables.pop(folder.path, None)
        if files and files == folder.state():
            self._tables[folder.path] = (_identity(folder), table)
        while len(self._tables) > REMEMBERED:
            self._tables.pop(next(iter(self._tables)))


class _FilesChangedError(Exception):
    """Another program wrote a file of labels since it was read."""


class _FileWatch:
    """Lets only those files be replaced that are as they were, and knows what they were replaced with.

    So what another program writes right after us is never mistaken for our own.
    """

    def __init__(self, folder: LabelFolder) -> None:
        self._left = {path: signature(path) for path in folder.files}
        self._written: dict[str, Signature] = {}

    @property
    def state(self) -> str:
        """The state, as `LabelFolder.state` says it, in which we left the files; "" if we wrote none."""
        return state_of(self._written) if self._written else ""

    def look(self, path: Path, replacement: Path) -> None:
        """Raise _FilesChangedError if a file that is still to be replaced has changed."""
        if any(signature(each) != before for each, before in self._left.items()):
            raise _FilesChangedError
        del self._left[path]
        self._written[path.name] = signature(replacement)


def _identity(folder: LabelFolder) -> str:
    """Return what a remembered table depends on: the meaning of the files, and that they are the very same ones."""
    nodes = [path.stat().st_ino for path in folder.files if path.is_file()]
    return json.dumps([folder.state(), nodes, folder.skeleton.individuals])


def _in_image(points: Points, place: Place) -> Points:
    return points if place == WHOLE else place.to_image(points)


def _differing(
    job: WritingJob, wanted: Mapping[int, Points], table: AnnotationTable, present: Mapping[int, tuple[str, Points]]
) -> dict[int, Points]:
    """Return those frames that are missing from the file or differ there."""
    columns = job.folder.skeleton.keypoints
    if any(column not in table.columns for column in columns):
        return dict(wanted)
    order: Sequence[int] = [table.columns.index(column) for column in columns]
    return {
        number: points
        for number, points in wanted.items()
        if number not in present or not _same_points(points, present[number][1][order])
    }


def _erased(
    job: WritingJob, wanted: Mapping[int, Points], table: AnnotationTable, present: Mapping[int, tuple[str, Points]]
) -> dict[int, Points]:
    """Return the rows of frames that are no longer complete, without the points that were cleared."""
    columns = job.folder.skeleton.keypoints
    there = {column: table.columns.index(column) for column in columns if column in table.columns}
    found: dict[int, Points] = {}
    for number, individual, bodypart in job.erased:
        column = (individual, bodypart)
        if number in wanted or number not in present or column not in there:
            continue
        row = present[number][1]
        if np.isnan(row[there[column]]).all():
            continue
        if number not in found:
            found[number] = np.array([row[there[c]] if c in there else (np.nan, np.nan) for c in columns])
        found[number][columns.index(column)] = np.nan
    return found


def _same_points(a: Points, b: Points) -> bool:
    return bool(((np.abs(a - b) <= SAME_PX) | (np.isnan(a) & np.isnan(b))).all())
