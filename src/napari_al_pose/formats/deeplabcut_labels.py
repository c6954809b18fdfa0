"""One DeepLabCut file of labels, read on its own, whatever project it comes from."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_al_pose.domain import AlPoseError, Annotation, FrameKey
from napari_al_pose.formats.deeplabcut_annotations import image_files, read_annotation_points
from napari_al_pose.formats.deeplabcut_config import UNIQUE_INDIVIDUAL
from napari_al_pose.formats.deeplabcut_tables import frame_number
from napari_al_pose.formats.label_set import (
    Holds,
    LabelledVideo,
    LabelSet,
    Picture,
    annotation_of,
    counted,
    skeleton_in,
)

HOLDS = Holds("DeepLabCut")


def read_collected_data(path: Path) -> LabelSet:
    """Read a ``CollectedData_<scorer>.h5`` or ``.csv``.

    A missing point in a row that has others was looked for and not seen; a row without any was not labelled.

    Raises
    ------
    AlPoseError
        If it is no table of coordinates, or holds bodyparts of different kinds of animals; the message names the file.
    """
    table = read_annotation_points(path)
    unique = [bodypart for individual, bodypart in table.columns if individual == UNIQUE_INDIVIDUAL]
    columns = [column for column in table.columns if column[0] != UNIQUE_INDIVIDUAL] or list(table.columns)
    individuals = tuple(dict.fromkeys(individual for individual, _ in columns))
    bodyparts = tuple(dict.fromkeys(bodypart for _, bodypart in columns))
    skeleton = skeleton_in(path, bodyparts, individuals=individuals)
    annotations: dict[tuple[FrameKey, str], Annotation] = {}
    videos: dict[str, dict[int, Picture]] = {}
    unnamed = 0
    images = {image.name: image for image in image_files(path.parent)}
    for (video, image), points in zip(table.rows, table.xy, strict=True):
        number, name = frame_number(image), video or path.resolve().parent.name
        if number is None:
            unnamed += 1
            continue
        picture = Picture(str(images[image]) if image in images else f"labeled-data/{name}/{image}")
        videos.setdefault(name, {}).setdefault(number, picture)
        by_column = dict(zip(table.columns, points, strict=True))
        for individual in individuals:
            xy = np.array([by_column.get((individual, bodypart), (np.nan, np.nan)) for bodypart in bodyparts])
            placed = np.isfinite(xy).all(axis=1)
            if placed.any():
                key = FrameKey(name, number)
                annotations.setdefault((key, individual), annotation_of(key, xy, placed=placed, individual=individual))
    if not annotations:
        raise AlPoseError(f"{path} holds no labels.", "Choose a file of labels (CollectedData).")
    notices = [*table.notices]
    if len(columns) < len(table.columns):
        of_unique = table.xy[:, [individual == UNIQUE_INDIVIDUAL for individual, _ in table.columns]]
        points = counted(int(np.isfinite(of_unique).all(axis=-1).sum()), "point")
        notices.append(f"{path}: {points} of {', '.join(unique)}, which belong to no individual, left out.")
    if unnamed:
        notices.append(f"{path}: {counted(unnamed, 'row')} without a frame number left out.")
    prefix, _, scorer = path.stem.partition("_")
    return LabelSet(
        skeleton,
        tuple(LabelledVideo(name, pictures=pictures) for name, pictures in videos.items()),
        tuple(annotations.values()),
        tuple(notices),
        scorer if prefix == "CollectedData" else "",
    )
