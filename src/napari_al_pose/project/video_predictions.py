"""What a model said about whole videos: one memory-mapped array a video and model version.

``<version>/<video>.npy`` is a float32 array ``(frames, K, 3)`` of x, y (source pixels) and likelihood, of several
animals ``(frames, A K, 3)``, in which they are in any order until `napari_al_pose.engine.tracks` has put them into that
of the individuals; a row of zeros is a frame that was not reached yet, NaN a frame that could not be decoded.
``<version>/<video>.unique`` holds unique bodyparts in the same way, ``(frames, U, 3)``, and ``<version>/<video>.looks``
how each animal looks (see `look_rows`). ``<version>/<video>.json`` beside them says whose they are and which segments
are finished; it is written only once their rows are on disk, so whoever was killed goes on from there.
``<version>/<video>.edits`` holds what a person changed about the tracks, which is applied to the rows as they are read
(`napari_al_pose.domain.track_edits`). Version 0 holds predictions of other programs.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from napari_al_pose.domain import AlPoseError, FrameKey, Prediction
from napari_al_pose.domain.track_edits import TrackEdits
from napari_al_pose.formats.atomic import cannot_write, replacing, write_text
from napari_al_pose.formats.names import is_safe_name
from napari_al_pose.project.track_edits import edits_path, read_edits, write_edits

logger = logging.getLogger(__name__)

CHUNK = 2048
"""Frames read at once by those who go through a whole video."""


class RunHeader(BaseModel):
    """What is known of one array of predictions.

    Parameters
    ----------
    video : str
        Name of the video.
    identity : str
        Of the file that was predicted, or was read; another file starts a new run.
    footage : str
        Digest of the video they are of (see `napari_al_pose.project.identity`): those of another file of that name are
        none of it.
    model_version : int
    source : str
        What made them: "" for a model of ours, else the file they were read from.
    bodyparts : tuple of str
        K of them.
    individuals : tuple of str
        A of them, whose keypoints follow one another in a row, A K of them; none where the model knows one animal.
    unique_bodyparts : tuple of str
        U of them.
    numbers : tuple of int, or None
        Frame number of each row; None where the rows are the frames 0, 1, 2...
    segments : tuple of (int, int)
        First row and the row after the last, of each; together all rows.
    done : tuple of int
        Which segments are finished.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    video: str
    identity: str
    footage: str = ""
    model_version: int
    source: str = ""
    bodyparts: tuple[str, ...]
    individuals: tuple[str, ...] = ()
    unique_bodyparts: tuple[str, ...] = ()
    numbers: tuple[int, ...] | None = None
    segments: tuple[tuple[int, int], ...]
    done: tuple[int, ...] = ()

    @property
    def n_frames(self) -> int:
        """Number of rows."""
        return self.segments[-1][1] if self.segments else 0

    @property
    def n_points(self) -> int:
        """Keypoints of a row."""
        return len(self.bodyparts) * max(1, len(self.individuals))

    @property
    def n_done(self) -> int:
        """Rows of finished segments."""
        return sum(self.segments[i][1] - self.segments[i][0] for i in self.done)


class VideoRun:
    """The predictions of one video by one model, complete or on the way. Made by `VideoPredictions`."""

    def __init__(self, path: Path, header: RunHeader, edits: TrackEdits | None = None) -> None:
        self.path = path
        self.header = header
        self._edits = edits or TrackEdits()

    @property
    def edits(self) -> TrackEdits:
        """What a person changed about the tracks."""
        return self._edits

    @property
    def tracks(self) -> tuple[str, ...]:
        """What the tracks of `rows` are called, the individuals first; none where the model knows one animal."""
        return self._edits.names(self.header.individuals)

    @property
    def n_points(self) -> int:
        """Keypoints of a row of all tracks."""
        return len(self.header.bodyparts) * max(1, len(self.tracks))

    def read_edits_anew(self) -> None:
        """Take the changes of the tracks as they are on disk now; AlPoseError if they are damaged."""
        self._edits = read_edits(self.path, len(self.header.individuals))

    def set_edits(self, edits: TrackEdits) -> None:
        """Keep other changes of the tracks, on disk when this returns; AlPoseError if that can't be."""
        write_edits(self.path, edits)
        self._edits = edits

    @property
    def is_complete(self) -> bool:
        """Whether every segment is finished."""
        return len(self.header.done) == len(self.header.segments)

    @property
    def missing(self) -> tuple[int, ...]:
        """Segments that are not finished, in order."""
        done = set(self.header.done)
        return tuple(i for i in range(len(self.header.segments)) if i not in done)

    def row(self, number: int) -> int | None:
        """Return the row of frame ``number``; None if there is none."""
        numbers = self.header.numbers
        if numbers is None:
            return number if 0 <= number < self.header.n_frames else None
        try:
            return numbers.index(number)
        except ValueError:
            return None

    def prediction(self, number: int) -> Prediction | None:
        """Return the pose in frame ``number``, as soon as it is there; None before."""
        row = self.row(number)
        if row is None:
            return None
        values = self.rows(row, row + 1)[0]
        if not values.any():
            return None
        key = FrameKey(self.header.video, number)
        if self.tracks:
            values = values.reshape(len(self.tracks), -1, 3)
        unique = self.unique_rows(row, row + 1)[0] if self.header.unique_bodyparts else None
        return Prediction.of_animals(key, self.header.model_version, values[..., :2], values[..., 2], unique=unique)

    def rows(self, first: int, stop: int) -> NDArray[np.float32]:
        """Return a copy of some rows with the changes of the tracks, ``(stop - first, T K, 3)`` of T tracks.

        Raises
        ------
        AlPoseError
            If the file is gone or damaged.
        """
        values = self.stored_rows(first, stop)
        if not self._edits.done:
            return values
        reached = values.any(axis=(1, 2))
        n_bodyparts = len(self.header.bodyparts)
        poses = self._edits.apply(values.reshape(len(values), -1, n_bodyparts, 3), first)
        poses[~reached] = 0
        return poses.reshape(len(values), -1, 3)

    def stored_rows(self, first: int, stop: int) -> NDArray[np.float32]:
        """Return a copy of some rows as they are on disk, ``(stop - first, A K, 3)``: the mapping is not kept."""
        return _copied(self.path, first, stop)

    def unique_rows(self, first: int, stop: int) -> NDArray[np.float32]:
        """Return a copy of the unique bodyparts in some rows, ``(stop - first, U, 3)``; AlPoseError as `rows`."""
        if not self.header.unique_bodyparts:
            return np.zeros((stop - first, 0, 3), np.float32)
        return _copied(unique_path(self.path), first, stop)

    def all_rows(self, first: int, stop: int) -> NDArray[np.float32]:
        """Return `rows`, followed by the unique bodyparts, ``(stop - first, T K + U, 3)``."""
        return np.concatenate([self.rows(first, stop), self.unique_rows(first, stop)], axis=1)

    def chunks(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield ``(first row, rows)`` through the video, some thousands at a time, as `all_rows` returns them."""
        for first in range(0, self.header.n_frames, CHUNK):
            yield first, self.all_rows(first, min(first + CHUNK, self.header.n_frames))

    def numbers(self, first: int, stop: int) -> NDArray[np.int64]:
        """Return the frame numbers of some rows."""
        if self.header.numbers is None:
            return np.arange(first, stop, dtype=np.int64)
        return np.array(self.header.numbers[first:stop], np.int64)

    def write(self, first: int, values: NDArray[np.floating]) -> None:
        """Put rows in place, where readers see them at once; AlPoseError if the disk is full.

        Keypoints beyond those of the animals are the unique bodyparts', and then come `look_rows`.
        """
        n = self.header.n_points
        n_unique = len(self.header.unique_bodyparts)
        parts = [(self.path, values[:, :n])]
        if n_unique and values.shape[1] > n:
            parts.append((unique_path(self.path), values[:, n : n + n_unique]))
        if values.shape[1] > n + n_unique and self.looks_path.is_file():  # runs of older versions have none
            parts.append((self.looks_path, values[:, n + n_unique :]))
        for path, part in parts:
            try:
                array = open_memmap(path, mode="r+")
                array[first : first + len(values)] = part
            except (OSError, ValueError) as error:
                raise _cannot_write(path, error) from error

    @property
    def looks_path(self) -> Path:
        """Where the colours of the animals are kept, frame by frame."""
        return self.path.with_suffix(".looks")

    def looks(self, first: int, stop: int) -> NDArray[np.float32]:
        """Return the colours of the animals of some frames in the order of `stored_rows`, (n, A, K, 3).

        NaN where they are unknown. They are stored in the order in which the animals were found, with a place each, by
        which they are recognised: a reordering that was interrupted does not mix them up.
        """
        n, k = len(self.header.individuals), len(self.header.bodyparts)
        found = np.full((stop - first, n, k, 3), np.nan, np.float32)
        if not self.looks_path.is_file():
            return found
        stored = _copied(self.looks_path, first, stop).reshape(-1, n, k + 1, 3)
        places = _places(self.stored_rows(first, stop).reshape(-1, n, k, 3)[..., :2])
        same = (places[:, :, None] == stored[:, None, :, k, :2]).all(axis=-1)  # the animal now, as it was found
        frame, now = np.nonzero(same.any(axis=2))
        found[frame, now] = stored[frame, same[frame, now].argmax(axis=1), :k]
        return found

    @property
    def margins_path(self) -> Path:
        """Where it is kept, frame by frame, how clear it was which animal is which."""
        return self.path.with_suffix(".margins")

    def finish(self, segment: int) -> None:
        """Note that a segment is finished, once its rows are on disk."""
        for path in (self.path, *([unique_path(self.path)] if self.header.unique_bodyparts else [])):
            try:
                with path.open("rb+") as file:
                    os.fsync(file.fileno())
            except OSError as error:
                raise cannot_write(path, error) from error
        done = (*self.header.done, segment)
        self.header = self.header.model_copy(update={"done": done})
        write_text(_header_path(self.path), self.header.model_dump_json())


class VideoPredictions:
    """The arrays of all videos and models.

    Parameters
    ----------
    folder : Path
        ``al-pose/predictions``; need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, version: int, video: str, *, footage: str | None = None) -> VideoRun | None:
        """Return what there is of a video by a model.

        Parameters
        ----------
        version : int
            The model's number.
        video : str
            Its name.
        footage : str, optional
            The digest of its file: what was said about another file of that name is left alone then.

        Returns
        -------
        VideoRun or None
            None if there is nothing, or it is damaged.
        """
        if not is_safe_name(video):
            return None
        path = self._path(version, video)
        try:
            header = RunHeader.model_validate_json(_header_path(path).read_bytes())
            shape = open_memmap(path, mode="r").shape
            if header.unique_bodyparts:
                open_memmap(unique_path(path), mode="r")
        except FileNotFoundError:
            return None
        except (OSError, ValueError, ValidationError) as error:
            logger.warning("%s is passed over: %s", path, error)
            return None
        if shape != (header.n_frames, header.n_points, 3):
            logger.warning("%s has the shape %s, which its header does not say; it is passed over", path, shape)
            return None
        if footage is not None and header.footage != footage:
            return None
        return VideoRun(path, header, read_edits(path, len(header.individuals)))

    def videos(self, version: int) -> list[str]:
        """Return the videos of which there is something by a model."""
        folder = self._folder / f"{version:04d}"
        return sorted(path.stem for path in folder.glob("*.json")) if folder.is_dir() else []

    def resume(self, header: RunHeader) -> VideoRun:
        """Return the run ``header`` describes where it stopped, or a new one if it is not that of the same file.

        Raises
        ------
        AlPoseError
            If it cannot be written, or the video's name cannot be a file's.
        """
        if not is_safe_name(header.video):
            raise AlPoseError(f"{header.video!r} cannot be the name of a file.", "Rename the video.")
        found = self.find(header.model_version, header.video)
        if found is not None and found.header.model_copy(update={"done": ()}) == header:
            return found
        path = self._path(header.model_version, header.video)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _header_path(path).unlink(missing_ok=True)
            tracking_path(path).unlink(missing_ok=True)
            edits_path(path).unlink(missing_ok=True)
            arrays = [(path, header.n_points)]
            if header.unique_bodyparts:
                arrays.append((unique_path(path), len(header.unique_bodyparts)))
            if header.individuals and not header.source:
                arrays.append((path.with_suffix(".looks"), len(header.individuals) * (len(header.bodyparts) + 1)))
            for array, n_points in arrays:
                with replacing(array) as temporary:
                    open_memmap(temporary, mode="w+", dtype=np.float32, shape=(header.n_frames, n_points, 3))
                    _reserve(temporary)
        except (OSError, ValueError) as error:
            raise _cannot_write(path, error) from error
        write_text(_header_path(path), header.model_dump_json())
        return VideoRun(path, header)

    def store(self, header: RunHeader, values: NDArray[np.floating]) -> VideoRun:
        """Keep predictions that are there already, whole: of one segment."""
        run = self.resume(header)
        if not run.is_complete:
            run.write(0, values)
            run.finish(0)
        return run

    def _path(self, version: int, video: str) -> Path:
        return self._folder / f"{version:04d}" / f"{video}.npy"


def segments(
    keyframes: Sequence[int] | NDArray[np.int64], n_frames: int, *, length: int, longest: int
) -> tuple[tuple[int, int], ...]:
    """Divide a video into stretches that begin at keyframes, so that each can be decoded without the one before.

    Parameters
    ----------
    keyframes : sequence of int
        Ascending positions.
    n_frames : int
        In the video.
    length : int
        Frames a segment has at least, the last one excepted.
    longest : int
        Frames after which a segment ends even where no keyframe is: what a kill costs at most.

    Returns
    -------
    tuple of (int, int)
        First position and the one after the last.
    """
    cuts = [0]
    for key in (*(int(k) for k in keyframes), n_frames):
        while key - cuts[-1] > longest:
            cuts.append(cuts[-1] + longest)
        if key - cuts[-1] >= length and key < n_frames:
            cuts.append(key)
    return tuple(zip(cuts, [*cuts[1:], n_frames], strict=True)) if n_frames else ()


def _reserve(path: Path) -> None:
    """Claim the file's room on the disk, where the system can: a mapping into a full disk ends the process."""
    if hasattr(os, "posix_fallocate"):
        with path.open("rb+") as file:
            os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)


def tracking_path(path: Path) -> Path:
    """Return where it is noted how far the animals of an array are followed."""
    return path.with_suffix(".tracking")


def part_path(path: Path) -> Path:
    """Return where rows whose animals were followed are kept until they are in an array."""
    return path.with_suffix(".part")


def look_rows(xy: NDArray[np.floating], looks: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the colours of animals at their keypoints, (N, A, K, 3), and a place of each, as rows (N, A (K + 1), 3).

    ``xy`` are their poses, (N, A, K, 2).
    """
    places = np.concatenate([_places(xy), np.zeros((*xy.shape[:2], 1))], axis=-1)
    rows = np.concatenate([looks, places[:, :, None]], axis=2)
    return rows.reshape(len(rows), -1, 3).astype(np.float32)


def _places(xy: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the first keypoint of each pose that has a position, (N, A, 2); NaN for a pose without any."""
    first = np.isfinite(xy[..., 0]).argmax(axis=-1)
    return np.take_along_axis(xy, first[..., None, None], axis=-2)[..., 0, :].astype(np.float32)


def unique_path(path: Path) -> Path:
    """Return where the unique bodyparts of an array are."""
    return path.with_suffix(".unique")


def _copied(path: Path, first: int, stop: int) -> NDArray[np.float32]:
    try:
        values = open_memmap(path, mode="r")
    except (OSError, ValueError) as error:
        raise AlPoseError(f"{path} could not be read: {error}.", "Predict the video again.") from error
    return np.array(values[first:stop])


def _header_path(path: Path) -> Path:
    return path.with_suffix(".json")


def _cannot_write(path: Path, error: Exception) -> AlPoseError:
    return cannot_write(path, error if isinstance(error, OSError) else OSError(str(error)))
