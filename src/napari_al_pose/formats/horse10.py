"""Horse-10: labelled images of 30 horses with three official splits, as published or in MMPose's form.

The makers' folder is a DeepLabCut project (``labeled-data/<horse>/``) and ``TrainTestInfo_shuffle1.csv`` to ``3``:
their columns name the training images, test images of the same horses and test images of others. MMPose's folder has
``annotations/horse10-train-split1.json`` and so on instead. Mathis et al. 2021, "Pretraining boosts out-of-domain
robustness for pose estimation", http://www.mackenziemathislab.org/horse10
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from napari_al_pose.domain import AlPoseError, Annotation, FrameKey
from napari_al_pose.formats.coco import read_coco
from napari_al_pose.formats.deeplabcut_labels import read_collected_data
from napari_al_pose.formats.deeplabcut_tables import frame_number, row_location
from napari_al_pose.formats.label_set import LabelledVideo, LabelSet

N_SPLITS = 3

_COLUMNS = {"trainIndices": "train", "testIndices_withinDomain": "within", "testIndices_acrossDomain": "across"}


@dataclass(frozen=True, slots=True)
class Split:
    """One of the official splits.

    Parameters
    ----------
    train : tuple of FrameKey
        Images of ten horses to train on.
    within : tuple of FrameKey
        Test images of the same horses.
    across : tuple of FrameKey
        Test images of horses never trained on.
    """

    train: tuple[FrameKey, ...]
    within: tuple[FrameKey, ...]
    across: tuple[FrameKey, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Horse10:
    """The data set.

    Parameters
    ----------
    labels : LabelSet
        A video is one recording of one horse; its name is the horse's.
    splits : tuple of Split
        The official ones in their order; empty if the folder has none.
    """

    labels: LabelSet
    splits: tuple[Split, ...]


def read_horse10(folder: Path) -> Horse10:
    """Read Horse-10 from a folder, in either form; a single COCO file with a part of it is enough.

    Raises
    ------
    AlPoseError
        If the folder holds neither form, or a split names an image that is not labelled.
    """
    folder = Path(folder)
    coco = sorted(folder.glob("annotations/horse10-*-split*.json")) or sorted(folder.glob("*horse10*.json"))
    if coco:
        return _from_coco(folder, coco)
    tables = sorted(folder.glob("labeled-data/*/CollectedData_*.h5")) or sorted(
        folder.glob("training-datasets/iteration-0/UnaugmentedDataSet_*/CollectedData_*.h5")
    )
    if not tables:
        raise AlPoseError(
            f"{folder} is not the Horse-10 data set: it has no labels in labeled-data/<horse>/ and no "
            "annotations/horse10-*.json.",
            "Choose the folder that was unpacked.",
        )
    labels = _joined(read_collected_data(table) for table in tables)
    return Horse10(labels, tuple(_split(folder / f"TrainTestInfo_shuffle{i}.csv", labels) for i in _numbers(folder)))


def _numbers(folder: Path) -> list[int]:
    return [i for i in range(1, N_SPLITS + 1) if (folder / f"TrainTestInfo_shuffle{i}.csv").is_file()]


def _split(path: Path, labels: LabelSet) -> Split:
    known = {annotation.key for annotation in labels.annotations}
    parts: dict[str, list[FrameKey]] = {name: [] for name in _COLUMNS.values()}
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise AlPoseError(f"{path} could not be read: {error}.", "Unpack the data set again.") from error
    for line, row in enumerate(rows, 2):
        for column, name in _COLUMNS.items():
            written = row.get(column)
            if not written:
                continue
            video, image = row_location(written)
            number = frame_number(image)
            key = FrameKey(video, -1 if number is None else number)
            if key not in known:
                raise AlPoseError(f"{path}, line {line}: {written!r} is not labelled.", "Unpack the data set again.")
            parts[name].append(key)
    return Split(*(tuple(parts[name]) for name in ("train", "within", "across")))


def _from_coco(folder: Path, files: list[Path]) -> Horse10:
    read = {path.stem: read_coco(path) for path in files}
    splits = []
    for i in range(1, N_SPLITS + 1):
        train, test = (_keys(read.get(f"horse10-{part}-split{i}")) for part in ("train", "test"))
        if train or test:
            horses = {key.video for key in train}
            within = tuple(key for key in test if key.video in horses)
            splits.append(Split(train, within, tuple(key for key in test if key.video not in horses)))
    return Horse10(_joined(read.values()), tuple(splits))


def _keys(labels: LabelSet | None) -> tuple[FrameKey, ...]:
    return () if labels is None else tuple(labels.frames())


def _joined(parts: Iterable[LabelSet]) -> LabelSet:
    """Combine label sets of one skeleton; what several of them have counts once."""
    parts = list(parts)
    skeleton = parts[0].skeleton
    annotations: dict[tuple[FrameKey, str], Annotation] = {}
    videos: dict[str, LabelledVideo] = {}
    for part in parts:
        if part.skeleton.bodyparts != skeleton.bodyparts:
            raise AlPoseError("The files of Horse-10 list different bodyparts.", "Unpack the data set again.")
        for video in part.videos:
            before = videos.get(video.name, LabelledVideo(video.name))
            videos[video.name] = LabelledVideo(video.name, pictures={**before.pictures, **video.pictures})
        for annotation in part.annotations:
            annotations.setdefault((annotation.key, annotation.individual), annotation)
    notices = tuple(dict.fromkeys(notice for part in parts for notice in part.notices))
    return LabelSet(skeleton, tuple(videos.values()), tuple(annotations.values()), notices, parts[0].scorer)
