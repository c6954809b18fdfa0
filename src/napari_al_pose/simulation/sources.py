"""Opens data sets: projects, label files, published data sets, and the synthetic sample."""

from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from napari_al_pose.domain import (
    SINGLE_INDIVIDUAL,
    AlPoseError,
    Annotation,
    FrameKey,
    FrameSource,
    KeypointState,
    Skeleton,
)
from napari_al_pose.domain.file_names import is_sleap
from napari_al_pose.domain.wording import counted
from napari_al_pose.engine.labels import by_frame
from napari_al_pose.engine.sources import read_batches
from napari_al_pose.formats import lsp, mpii
from napari_al_pose.formats.coco import is_coco, read_coco
from napari_al_pose.formats.horse10 import Split, read_horse10
from napari_al_pose.formats.image_sets import WrittenPaths
from napari_al_pose.formats.json_file import read_json
from napari_al_pose.formats.label_set import LabelSet, without_unique
from napari_al_pose.project import open_project
from napari_al_pose.simulation.dataset import RawDataset, Reference
from napari_al_pose.simulation.drawn import open_long_form, open_synthetic

log = logging.getLogger(__name__)

SYNTHETIC = re.compile(r"synthetic(?::(\d+))?")
LONG_FORM = re.compile(r"longform(?::(\d+))?")
_UPRIGHT = 25.0
"""Largest rotation of pictures of people, degrees."""

_RESIDENCY_BASE = (388, 356, 376)

_MARGIN = 0.25
"""Margin around a person's keypoints in its crop, in box sides."""

Pixels = Callable[[FrameKey], NDArray[np.uint8]]


def open_source_of_labels(what: str, *, rotation_degrees: float) -> RawDataset:
    """Open a data set.

    Parameters
    ----------
    what : str
        A project folder or its ``config.yaml``; a file of labels (``.slp``; ``.json`` of COCO or MPII; ``joints.mat``
        of LSP) with its images beside it; ``synthetic``, ``longform``, or one of them and a seed: ``synthetic:<seed>``.
        Frames have all their animals; only from pictures of MPII and LSP each person is cropped.
    rotation_degrees : float
        Largest random rotation of views; people are never rotated by more than 25 degrees.

    Raises
    ------
    AlPoseError
        If there is no such data set, or it can't be read.
    """
    synthetic = SYNTHETIC.fullmatch(what)
    if synthetic:
        return open_synthetic(int(synthetic[1] or 0), rotation_degrees)
    long_form = LONG_FORM.fullmatch(what)
    if long_form:
        return open_long_form(int(long_form[1] or 0), rotation_degrees)
    path = Path(what).expanduser()
    if is_sleap(path):
        from napari_al_pose.formats.sleap import read_sleap

        return _of_labels(read_sleap(path), path, rotation_degrees)
    if path.suffix.lower() == ".mat":
        return _people(lsp.read_lsp(path), path, Reference(("left shoulder", "right hip"), per_frame=True, cap=np.inf))
    if path.suffix.lower() == ".json":
        document = read_json(path, "labels in COCO's or MPII's form")
        if mpii.is_mpii(document):
            head = Reference(("upper neck", "head top"), per_frame=True, cap=np.inf)
            return _people(mpii.read_mpii(path), path, head)
        if is_coco(document):
            return _of_labels(read_coco(path), path, rotation_degrees)
        raise AlPoseError(f"{path} is neither COCO keypoints nor MPII.", "Give a file of labels, or a project.")
    return _project(path, rotation_degrees)


def open_horse10(folder: Path) -> RawDataset:
    """Open Horse-10 for the residency's design, for each official split.

    One horse is labelled from the start, nine are there to choose from, and twenty to test on. Errors are relative to
    the median distance from eye to nose.

    Raises
    ------
    AlPoseError
        If the folder holds no Horse-10.
    """
    data = read_horse10(folder)
    raw = _of_labels(data.labels, folder / "horse10", _UPRIGHT)
    return dataclasses.replace(
        raw,
        name="horse10",
        reference=Reference(("Nose", "Eye"), cap=np.inf),
        splits=tuple(residency_split(raw.keys, split, number) for number, split in enumerate(data.splits)),
    )


def residency_split(
    keys: Sequence[FrameKey], split: Split, number: int
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return the base horse, the nine to choose from, and the test horses of official split ``number`` (from 0).

    The base is the training horse with as many frames as the residency's (388, 356 and 376), otherwise the first by
    name.
    """
    count = {video: sum(key.video == video for key in keys) for video in {key.video for key in keys}}
    training = sorted({key.video for key in split.train})
    base = next((v for v in training if count[v] == _RESIDENCY_BASE[number]), training[0])
    across = sorted({key.video for key in split.across} - set(training))
    return (base,), tuple(video for video in training if video != base), tuple(across)


def _project(path: Path, rotation_degrees: float) -> RawDataset:
    """Open a DeepLabCut project: its complete labelled frames, from videos or extracted images."""
    with open_project(path, read_only=True) as project:
        videos = {video.name: video for video in project.videos}
        sources: dict[str, FrameSource] = {}
        frames: dict[FrameKey, list[Annotation]] = {}
        for key, animals in by_frame(project.labels.annotations()).items():
            if key.video in videos and all(animal.is_complete for animal in animals):
                if key.video not in sources:
                    sources[key.video] = videos[key.video].open(cache_bytes=16 * 2**20)
                frames[key] = animals
        skeleton, root = project.skeleton, project.root
    if skeleton.unique_bodyparts:
        log.warning("%s: %s left out: a simulation plays the animals", root.name, _named(skeleton.unique_bodyparts))
        skeleton = dataclasses.replace(skeleton, unique_bodyparts=())
    keys = tuple(frames)

    def read(rows: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        for row in rows:
            yield next(iter(read_batches([keys[row]], sources))).frames[0]

    return RawDataset(
        name=_slug(root.name),
        skeleton=skeleton,
        keys=keys,
        **_points(frames, skeleton),
        sizes=np.array([sources[key.video].shape[1:3] for key in keys], np.int64).reshape(-1, 2),
        read=read,
        rotation_degrees=rotation_degrees,
        fps=min((source.fps for name, source in sources.items() if videos[name].has_video), default=0.0),
    )


def _of_labels(labels: LabelSet, path: Path, rotation_degrees: float) -> RawDataset:
    """Use the labelled frames, with all animals in each."""
    _tell(labels)
    labels = without_unique(labels)
    frames, skeleton = labels.frames(), labels.skeleton
    if all(len(animals) == 1 for animals in frames.values()):
        skeleton = dataclasses.replace(skeleton, individuals=(SINGLE_INDIVIDUAL,))
        frames = {key: [dataclasses.replace(a, individual=SINGLE_INDIVIDUAL) for a in of] for key, of in frames.items()}
    pixels, keys = _pixels_of(labels, path), tuple(frames)
    return RawDataset(
        name=_slug(path.stem),
        skeleton=skeleton,
        keys=keys,
        **_points(frames, skeleton),
        sizes=np.array([pixels(key).shape[:2] for key in keys], np.int64).reshape(-1, 2),
        read=lambda rows: (pixels(keys[row]) for row in rows),
        rotation_degrees=rotation_degrees,
    )


def _tell(labels: LabelSet) -> None:
    """Report what was left out or guessed when a file was read."""
    for notice in labels.notices:
        log.warning("%s", notice)
    unique = labels.skeleton.unique_bodyparts
    if unique:
        log.warning("%s left out: a simulation plays the animals", _named(unique))


def _named(unique: Sequence[str]) -> str:
    return counted(len(unique), "unique bodypart is", "unique bodyparts are")


def _points(frames: Mapping[FrameKey, Sequence[Annotation]], skeleton: Skeleton) -> dict[str, Any]:
    """Return ``xy`` and ``states`` of frames, as in `RawDataset`."""
    n, k, order = len(frames), skeleton.n_bodyparts, skeleton.individuals.index
    xy = np.full((n, len(skeleton.individuals), k, 2), np.nan)
    states = np.zeros(xy.shape[:3], np.int8)
    for row, animals in enumerate(frames.values()):
        for animal in animals:
            xy[row, order(animal.individual)] = animal.xy
            states[row, order(animal.individual)] = animal.states
    return {"xy": xy.reshape(n, -1, 2), "states": states.reshape(n, -1)}


def _people(labels: LabelSet, path: Path, reference: Reference) -> RawDataset:
    """Use people as AL4Pose does: each cropped from its picture, errors relative to the head or the torso."""
    return _cut_out(labels, path, reference, _UPRIGHT)


def _cut_out(labels: LabelSet, path: Path, reference: Reference, rotation_degrees: float) -> RawDataset:
    _tell(labels)
    pixels = _pixels_of(labels, path)
    most = len(labels.skeleton.individuals)
    keys, annotations, boxes = [], [], []
    for key, several in labels.frames().items():
        for i, annotation in enumerate(several):
            if (annotation.states == KeypointState.PLACED).sum() >= 2:
                # Each has its own number; all people of a picture stay in one video, and so in one fold.
                keys.append(FrameKey(key.video, key.frame * most + i))
                annotations.append(annotation)
                boxes.append(_box(annotation))
    corners = np.array([box[:2] for box in boxes], np.float64).reshape(-1, 1, 2)
    k = labels.skeleton.n_bodyparts

    def read(rows: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        for row in rows:
            x, y, side = boxes[row]
            whole = Image.fromarray(pixels(annotations[row].key))
            yield np.asarray(whole.crop((x, y, x + side, y + side)))

    return RawDataset(
        name=_slug(path.stem),
        skeleton=dataclasses.replace(labels.skeleton, individuals=(SINGLE_INDIVIDUAL,)),
        keys=tuple(keys),
        xy=np.array([a.xy for a in annotations], np.float64).reshape(-1, k, 2) - corners,
        states=np.array([a.states for a in annotations], np.int8).reshape(-1, k),
        sizes=np.array([(side, side) for _, _, side in boxes], np.int64).reshape(-1, 2),
        read=read,
        reference=reference,
        rotation_degrees=rotation_degrees,
    )


def _box(annotation: Annotation) -> tuple[int, int, int]:
    """Return left, top and side of the square around a person."""
    placed = annotation.xy[annotation.states == KeypointState.PLACED]
    low, high = placed.min(axis=0), placed.max(axis=0)
    side = max(16, round(float((high - low).max()) * (1 + 2 * _MARGIN)))
    x, y = ((low + high) / 2 - side / 2).round().astype(int).tolist()
    return x, y, side


def _pixels_of(labels: LabelSet, path: Path) -> Pixels:
    """Return a function that reads a frame's image, wherever the label file says it is."""
    from napari_al_pose.video import open_source

    folders = [path.parent, path.parent / "images"]
    pictures = WrittenPaths((picture.path for video in labels.videos for picture in video.pictures.values()), folders)
    videos = WrittenPaths((video.path for video in labels.videos if video.path), folders)
    opened: dict[str, FrameSource] = {}

    def pixels(key: FrameKey) -> NDArray[np.uint8]:
        video = labels.video(key.video)
        if key.frame in video.pictures:
            found = pictures.find(video.pictures[key.frame].path)
            if found is not None:
                return _read_image(found)
        if video.pixels is not None:
            image = video.pixels(key.frame)
            return np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image
        if key.video not in opened:
            found = videos.find(video.path) if video.path else None
            if found is None:
                raise AlPoseError(
                    f"{path}: the image of frame {key.frame} of {key.video!r} can't be found.",
                    f"Put images and videos beside the file, in {path.parent}.",
                )
            opened[key.video] = open_source(found, name=key.video)
        source = opened[key.video]
        return source[source.position(key.frame)]

    return pixels


def _read_image(path: Path) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, UnidentifiedImageError) as error:
        raise AlPoseError(f"{path} can't be read as an image.", "Replace it by a whole copy.") from error


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-") or "data"
