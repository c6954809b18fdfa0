"""COCO keypoints (as Horse-10 and AP-10K come), read and written.

The format: https://cocodataset.org/#format-data. A keypoint is x, y and a visibility: 2 is visible, 1 is occluded with
a place, 0 has no place. COCO has no identities; ``"individual"`` in an annotation is ours and passed over by others.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_al_pose.domain import SINGLE_INDIVIDUAL, AlPoseError, Annotation, FrameKey, KeypointState, Skeleton
from napari_al_pose.formats.coco_extras import ANIMAL, not_kept
from napari_al_pose.formats.image_sets import check_count, finite, number_images, whole
from napari_al_pose.formats.json_file import field, read_json, write_json
from napari_al_pose.formats.label_set import Holds, LabelSet, annotation_of, counted, numbered_individuals, skeleton_in

HOLDS = Holds("COCO")
FILE = "annotations.json"


def is_coco(document: Any) -> bool:
    """Return whether a JSON document looks like COCO's."""
    return isinstance(document, dict) and {"images", "annotations", "categories"} <= set(document)


def read_coco(path: Path) -> LabelSet:
    """Read a JSON file of COCO keypoints.

    Raises
    ------
    AlPoseError
        If it is none; the message names the file and the entry.
    """
    document = read_json(path, "COCO keypoints")
    if not is_coco(document):
        raise AlPoseError(
            f"{path} has no 'images', 'annotations' and 'categories'.", "Choose a JSON file of COCO keypoints."
        )
    images, categories, annotations = (
        field(document, n, list, str(path)) for n in ("images", "categories", "annotations")
    )
    check_count(len(images), path)
    skeleton = _skeleton(categories, path)
    files, sizes = _images(images, path)
    keys, videos, notices = number_images(list(files.values()), path.stem, sizes)
    reader = _Annotations(path, skeleton, {identity: keys[file] for identity, file in files.items()})
    reader.read(annotations)
    told = (*notices, *reader.notices(), *not_kept(document, path))
    return LabelSet(reader.skeleton(), videos, tuple(reader.made()), told)


def write_coco(labels: LabelSet, path: Path) -> None:
    """Write labels that `fit`; each labelled frame has a picture with a size.

    Raises
    ------
    AlPoseError
        If the file cannot be written.
    """
    frames = labels.frames()
    single = labels.skeleton.individuals == (SINGLE_INDIVIDUAL,)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, (key, of_frame) in enumerate(frames.items(), 1):
        picture = labels.video(key.video).pictures[key.frame]
        assert picture.size is not None
        images.append({"id": image_id, "file_name": picture.path, "width": picture.size[0], "height": picture.size[1]})
        for annotation in of_frame:
            entry = {"id": len(annotations) + 1, "image_id": image_id, "category_id": 1, **_keypoints(annotation)}
            annotations.append(entry if single else entry | {"individual": annotation.individual})
    category = {
        "id": 1,
        "name": ANIMAL,
        "supercategory": ANIMAL,
        "keypoints": list(labels.skeleton.bodyparts),
        "skeleton": [[a + 1, b + 1] for a, b in labels.skeleton.link_indices()],
    }
    write_json(path, {"info": {}, "images": images, "annotations": annotations, "categories": [category]})


def _keypoints(annotation: Annotation) -> dict[str, Any]:
    placed = annotation.states == KeypointState.PLACED
    keypoints: list[float] = []
    for (x, y), there in zip(annotation.xy.tolist(), placed.tolist(), strict=True):
        keypoints += [x, y, 2] if there else [0, 0, 0]
    low, high = annotation.xy[placed].min(0), annotation.xy[placed].max(0)
    width, height = (high - low).tolist()
    return {
        "keypoints": keypoints,
        "num_keypoints": int(placed.sum()),
        "bbox": [*low.tolist(), width, height],
        "area": width * height,
        "iscrowd": 0,
    }


def _skeleton(categories: list[Any], path: Path) -> Skeleton:
    """Return the keypoints all categories share; categories without any (cars, cups) don't matter."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for category in categories:
        names = category.get("keypoints") if isinstance(category, dict) else None
        if isinstance(names, list) and names:
            found.setdefault(tuple(str(name) for name in names), category)
    if not found:
        raise AlPoseError(f"{path} has no category with keypoints.", "Choose a file of COCO keypoints, not of boxes.")
    if len(found) > 1:
        listed = "; ".join(f"{c.get('name')!r} with {len(names)}" for names, c in list(found.items())[:3])
        raise AlPoseError(f"{path} has categories with different keypoints: {listed}.", "Keep one of them in the file.")
    ((names, category),) = found.items()
    pairs = category.get("skeleton")
    links = []
    for pair in pairs if isinstance(pairs, list) else []:
        if isinstance(pair, list) and len(pair) == 2 and all(isinstance(i, int) and 1 <= i <= len(names) for i in pair):
            links.append((names[pair[0] - 1], names[pair[1] - 1]))
    return skeleton_in(path, names, links)


def _images(images: list[Any], path: Path) -> tuple[dict[int, str], dict[str, tuple[int, int]]]:
    files: dict[int, str] = {}
    sizes: dict[str, tuple[int, int]] = {}
    for place, image in enumerate(images):
        where = f"{path}, image {place}"
        identity = field(image, "id", (int, str), where)
        file = field(image, "file_name", str, where)
        if identity in files or file in sizes:
            raise AlPoseError(f"{where}: {file!r} or its id comes twice.", "Correct it, or export the labels again.")
        files[identity] = file
        sizes[file] = (whole(image.get("width", 0), where), whole(image.get("height", 0), where))
    return files, {file: size for file, size in sizes.items() if min(size) > 0}


class _Annotations:
    """Turns entries of the file into annotations, and counts what is passed over."""

    def __init__(self, path: Path, skeleton: Skeleton, keys: dict[int, FrameKey]) -> None:
        self._path = path
        self._skeleton = skeleton
        self._keys = keys
        self._found: dict[FrameKey, list[tuple[str, np.ndarray, np.ndarray]]] = {}
        self._counts = dict.fromkeys(("boxes", "crowds", "occluded", "absent"), 0)

    def read(self, entries: list[Any]) -> None:
        """Read all entries."""
        for place, entry in enumerate(entries):
            where = f"{self._path}, annotation {place}"
            key = self._keys.get(field(entry, "image_id", (int, str), where))
            if key is None:
                raise AlPoseError(f"{where}: there is no image {entry['image_id']!r}.", "Export the labels again.")
            if entry.get("iscrowd") == 1:
                self._counts["crowds"] += 1
            elif not entry.get("keypoints"):
                self._counts["boxes"] += 1
            else:
                self._add(key, entry, where)

    def skeleton(self) -> Skeleton:
        """Return the skeleton with the individuals of the file."""
        names = dict.fromkeys(name for found in self._found.values() for name, _, _ in found)
        if "" in names or not names:
            names = dict.fromkeys(numbered_individuals(max((len(found) for found in self._found.values()), default=1)))
        return skeleton_in(self._path, self._skeleton.bodyparts, self._skeleton.links, tuple(names))

    def made(self) -> list[Annotation]:
        """Return the annotations."""
        individuals = self.skeleton().individuals
        made = []
        for key, found in self._found.items():
            named = all(name in individuals and name for name, _, _ in found)
            for number, (name, xy, placed) in enumerate(found):
                made.append(annotation_of(key, xy, placed=placed, individual=name if named else individuals[number]))
        return made

    def notices(self) -> list[str]:
        """Return what the user should know."""
        told = []
        counts = self._counts
        if counts["boxes"]:
            told.append(f"{self._path}: {counted(counts['boxes'], 'annotation')} without keypoints passed over.")
        if counts["crowds"]:
            told.append(f"{self._path}: {counted(counts['crowds'], 'crowd')} passed over.")
        if counts["occluded"]:
            told.append(f"{self._path}: {counted(counts['occluded'], 'occluded point')} with a place taken as placed.")
        if counts["absent"]:
            told.append(
                f"{self._path}: {counted(counts['absent'], 'point')} without a place (visibility 0) taken as not "
                "visible; COCO does not tell that from not labelled."
            )
        return told

    def _add(self, key: FrameKey, entry: Any, where: str) -> None:
        values = field(entry, "keypoints", list, where)
        if len(values) != 3 * self._skeleton.n_bodyparts:
            raise AlPoseError(
                f"{where}: expected {3 * self._skeleton.n_bodyparts} numbers in 'keypoints', got {len(values)}.",
                "Correct it, or export the labels again.",
            )
        table = np.array([finite(value, where) for value in values]).reshape(-1, 3)
        if not np.isin(table[:, 2], (0, 1, 2)).all():
            raise AlPoseError(f"{where}: expected visibilities 0, 1 or 2.", "Correct it, or export the labels again.")
        placed = table[:, 2] > 0
        if not placed.any():
            self._counts["boxes"] += 1
            return
        self._counts["occluded"] += int((table[:, 2] == 1).sum())
        self._counts["absent"] += int((~placed).sum())
        name = entry.get("individual")
        of_frame = self._found.setdefault(key, [])
        if isinstance(name, str) and name and name in (other for other, _, _ in of_frame):
            raise AlPoseError(f"{where}: the individual {name!r} comes twice in an image.", "Correct the file.")
        of_frame.append((name if isinstance(name, str) else "", table[:, :2], placed))
