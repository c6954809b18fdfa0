"""Reads one DeepLabCut label file on its own, whatever project it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from napari_al_pose.domain import UNIQUE_INDIVIDUAL, AlPoseError, FrameKey
from napari_al_pose.domain.file_names import frame_number, numbered_images, series
from napari_al_pose.domain.steps import OnProgress, ignore_progress, reporting
from napari_al_pose.domain.wording import counted
from napari_al_pose.formats.annotation_table import annotation_table
from napari_al_pose.formats.capabilities import Capabilities
from napari_al_pose.formats.collecting import AnnotationCollector
from napari_al_pose.formats.deeplabcut_annotations import image_files, is_annotation_file
from napari_al_pose.formats.deeplabcut_tables import RawTable, read_table
from napari_al_pose.formats.image_sets import number_by_name
from napari_al_pose.formats.label_set import LabelledVideo, LabelSet, Picture, annotation_of, skeleton_in

CAPABILITIES = Capabilities("DeepLabCut", unique=True)


def read_collected_data(path: Path, on_progress: OnProgress = ignore_progress) -> LabelSet:
    """Read a ``CollectedData_<scorer>.h5`` or ``.csv``, as a `LabelReader` does.

    A missing point in a row that has others was looked for and not seen; a row without any point was not labelled. A
    file that holds bodyparts of different kinds of animals is refused.
    """
    raw = read_table(path)
    told_of_predictions = _predictions(raw, path)
    table = annotation_table(raw, path)
    columns = [column for column in table.columns if column[0] != UNIQUE_INDIVIDUAL] or list(table.columns)
    individuals = tuple(dict.fromkeys(individual for individual, _ in columns))
    bodyparts = tuple(dict.fromkeys(bodypart for _, bodypart in columns))
    unique = [bodypart for individual, bodypart in table.columns if individual not in individuals]
    skeleton = skeleton_in(path, bodyparts, individuals=individuals, unique_bodyparts=unique)
    collected = AnnotationCollector(path)
    videos: dict[str, dict[int, Picture]] = {}
    keys, unnamed = _frame_keys(table.rows)
    images = {image.name: image for image in image_files(path.parent)}
    points_of_rows = [*zip(table.rows, table.xy, strict=True), *table.repeated]
    for (video, image), points in reporting(points_of_rows, on_progress):
        key = keys[video, image]
        picture = Picture(str(images[image]) if image in images else f"labeled-data/{key.video}/{image}")
        videos.setdefault(key.video, {}).setdefault(key.frame, picture)
        by_column = dict(zip(table.columns, points, strict=True))
        for individual in skeleton.owners:
            names = skeleton.bodyparts_of(individual)
            xy = np.array([by_column.get((individual, bodypart), (np.nan, np.nan)) for bodypart in names])
            placed = np.isfinite(xy).all(axis=1)
            if placed.any():
                collected.add(annotation_of(key, xy, placed=placed, individual=individual))
    if not collected.annotations:
        raise AlPoseError(f"{path} holds no labels.", "Choose a file of labels (CollectedData).")
    notices = [*table.notices, *told_of_predictions, *collected.notices()]
    if unnamed:
        notices.append(
            f"{path}: {counted(len(unnamed), 'image')} without a frame number of their own in their names (such as "
            f"{unnamed[0]}) have numbers made from their names."
        )
    prefix, _, scorer = path.stem.partition("_")
    return LabelSet(
        skeleton,
        tuple(LabelledVideo(name, pictures=pictures) for name, pictures in videos.items()),
        collected.annotations,
        tuple(notices),
        scorer if prefix == "CollectedData" else "",
        collected.duplicates,
    )


def _frame_keys(rows: Sequence[tuple[str, str]]) -> tuple[dict[tuple[str, str], FrameKey], list[str]]:
    """Return the frame of each row, and the images whose names have no number of their own.

    ``img1.png`` and ``img01.png`` are one frame; ``left1.png`` and ``right1.png`` are two.
    """
    by_video: dict[str, list[str]] = {}
    for video, image in rows:
        by_video.setdefault(video, []).append(image)
    keys: dict[tuple[str, str], FrameKey] = {}
    unnamed: list[str] = []
    for video, images in by_video.items():
        numbered, others = numbered_images(images)
        same = {i: n for i in others if (n := frame_number(i)) is not None and series(numbered[n]) == series(i)}
        made = [image for image in others if image not in same]
        unnamed += made
        numbers = {image: number for number, image in number_by_name(numbered, made).items()} | same
        keys |= {(video, image): FrameKey(video, number) for image, number in numbers.items()}
    return keys, unnamed


def _predictions(table: RawTable, path: Path) -> list[str]:
    """Refuse a model's predictions; return a message if a label file may hold some."""
    likelihoods = [i for i, column in enumerate(table.columns) if column[3] == "likelihood"]
    if not likelihoods:
        return []
    if not is_annotation_file(path):
        raise AlPoseError(
            f"{path} holds a model's predictions (it has likelihoods), not labels by people.",
            "Correct them in DeepLabCut and choose the CollectedData it saves. Predictions of a whole video become "
            "guesses here if their file lies beside the video.",
        )
    unsure = int((table.values[:, likelihoods] < 1).sum())
    if not unsure:
        return []
    return [f"{path}: {counted(unsure, 'point')} with a likelihood below 1, as from a model, read as labels by people."]
