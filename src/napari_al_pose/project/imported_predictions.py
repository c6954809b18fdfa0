"""Predictions of other programs: round 0 of a project without a model of its own.

They are read once into `VideoPredictions` as version 0, with the file they came from.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError
from napari_al_pose.formats.deeplabcut import PredictionTable, read_predictions
from napari_al_pose.formats.names import plain
from napari_al_pose.formats.sleap_predictions import read_sleap_predictions
from napari_al_pose.project.known_videos import videos_in
from napari_al_pose.project.project import Project
from napari_al_pose.project.video_predictions import RunHeader, VideoRun
from napari_al_pose.project.videos import ProjectVideo

logger = logging.getLogger(__name__)

OUTSIDE = 0
"""Their version number."""
_MOST_FRAMES = 50_000_000
_CSV_HEADER = 3
_ENDS = re.compile(r"DLC|[\W_](?!\d)")
"""What may follow the name of a video. If digits follow, as in ``cam_1_2.csv``, the name belongs to another video."""


def outside_run(project: Project, video: ProjectVideo) -> tuple[VideoRun | None, str]:
    """Return another program's predictions for a video, and what is wrong with its files if none can be used.

    Predictions that were read before come first, then the newest file beside the video.
    """
    found = project.video_predictions.find(OUTSIDE, video.name, footage=video.footage)
    if found is not None and found.header.bodyparts == project.skeleton.bodyparts:
        source = Path(found.header.source)
        if not source.is_file() or found.header.identity == _identity(source):
            return found, ""
    problem = ""
    for path in files_beside(video, [other.name for other in project.videos]):
        try:
            return take_in(project, video, path), ""
        except AlPoseError as error:
            logger.warning("%s", error)
            problem = problem or str(error)
    return None, problem


def files_beside(video: ProjectVideo, names: Collection[str] = ()) -> list[Path]:
    """Return files of predictions beside a video, newest first: ``<video>DLC*.h5``, ``.slp``, a Lightning Pose CSV.

    ``names`` are those of other videos. A file belongs to the video with the longest name that it starts with: files of
    ``animal_12`` don't belong to ``animal_1``.
    """
    where = video.path or video.images
    if where is None:
        return []
    folder, name = (where.parent, where.stem) if video.path else (where, where.name)
    name, others = plain(name), {*map(plain, names), *(plain(path.stem) for path in videos_in(folder))}
    found = [
        path
        for path in folder.iterdir()
        if named_after(path.name, {name, *others}) == name
        and path.is_file()
        and _may_hold_predictions(path, plain(path.name)[len(name) :])
    ]
    return sorted(found, key=lambda path: path.stat().st_mtime_ns, reverse=True)


def named_after(file: str, names: Collection[str]) -> str | None:
    """Return the video that a file is named after: the longest name that it starts with, and that ends there.

    A name ends where a mark of DeepLabCut or a separator follows, but not where a number continues.

    Examples
    --------
    >>> named_after("animal_12.predictions.slp", ["animal_1", "animal_12"])
    'animal_12'
    >>> named_after("animal_12.predictions.slp", ["animal_1"])

    >>> named_after("animal_1DLC_resnet50.h5", ["animal_1"])
    'animal_1'
    """
    file = plain(file)
    fitting = [name for name in names if file.startswith(name) and _ENDS.match(file[len(name) :])]
    return max(fitting, key=len, default=None)


def video_of(project: Project, path: Path) -> ProjectVideo:
    """Return the video that a predictions file is named after; if none fits, the project's only video.

    Raises
    ------
    AlPoseError
        If there are several videos and none has its name.
    """
    named = named_after(path.name, [video.name for video in project.videos])
    if named is not None:
        return project.video(named)
    if len(project.videos) == 1:
        return project.videos[0]
    names = ", ".join(video.name for video in project.videos) or "none"
    raise AlPoseError(
        f"{path.name} is named after no video of the project ({names}).", "Begin its name with that of the video."
    )


def take_in(project: Project, video: ProjectVideo, path: Path) -> VideoRun:
    """Read a predictions file and store it as another program's predictions for ``video``.

    Raises
    ------
    AlPoseError
        If it can't be read, has several animals, or has none of the project's bodyparts.
    """
    table = read_sleap_predictions(path, video.name) if path.suffix == ".slp" else read_predictions(path)
    bodyparts = project.skeleton.bodyparts
    if not set(table.bodyparts) & set(bodyparts):
        raise AlPoseError(
            f"{path} knows other bodyparts ({', '.join(table.bodyparts)}) than the project.",
            "Choose predictions of this project's bodyparts.",
        )
    if not len(table.frames) or table.frames.min() < 0 or table.frames.max() >= _MOST_FRAMES:
        raise AlPoseError(f"{path} has no frames, or frame numbers that cannot be.", "Choose another file.")
    values = _rows(table, bodyparts)
    header = RunHeader(
        video=video.name,
        identity=_identity(path),
        footage=video.footage,
        model_version=OUTSIDE,
        source=str(path.absolute()),
        bodyparts=bodyparts,
        segments=((0, len(values)),),
    )
    logger.info("%s is what %s said about %s", path, table.scorer, video.name)
    return project.video_predictions.store(header, values)


def _rows(table: PredictionTable, bodyparts: Sequence[str]) -> NDArray[np.float32]:
    """Return ``(frames, K, 3)`` in the project's order; frames missing from the table stay zero."""
    values = np.zeros((int(table.frames.max()) + 1, len(bodyparts), 3), np.float32)
    values[table.frames, :, :2] = np.nan
    for k, name in enumerate(bodyparts):
        if name in table.bodyparts:
            column = table.bodyparts.index(name)
            values[table.frames, k, :2] = table.xy[:, column]
            values[table.frames, k, 2] = np.clip(np.nan_to_num(table.likelihood[:, column]), 0, 1)
    return values


def _may_hold_predictions(path: Path, rest: str) -> bool:
    """Whether a file named after a video, with ``rest`` behind its name, looks like predictions of it."""
    if path.suffix == ".h5":
        # The smoothed and the unassembled ones say less than the file they were made from.
        return rest.startswith("DLC") and not path.stem.endswith(("_filtered", "_full", "_meta"))
    if path.suffix == ".slp":
        return "predictions" in rest or rest == ".slp"
    if path.suffix != ".csv" or rest.startswith("DLC") or "_filtered" in rest:
        return False
    try:
        with path.open(encoding="utf-8") as file:
            header = [next(file, "") for _ in range(_CSV_HEADER)]
    except (OSError, UnicodeDecodeError):
        return False
    return header[2].startswith("coords") and "likelihood" in header[2]


def _identity(path: Path) -> str:
    status = path.stat()
    return hashlib.sha256(f"{path.absolute()} {status.st_size} {status.st_mtime_ns}".encode()).hexdigest()
