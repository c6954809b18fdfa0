"""Reads the parts of a COCO document: categories with their keypoints, images, annotations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from napari_al_pose.domain import AlPoseError, Annotation, FrameKey, KeypointState, Skeleton
from napari_al_pose.domain.steps import OnProgress, ignore_progress, reporting
from napari_al_pose.domain.wording import counted
from napari_al_pose.formats.collecting import AnnotationCollector, merge_bodyparts, merge_links
from napari_al_pose.formats.image_sets import finite, whole
from napari_al_pose.formats.json_file import field
from napari_al_pose.formats.label_set import numbered_individuals, skeleton_in

_AGAIN = "Correct it, or export the labels again."
_STATES = {-1: KeypointState.UNSEEN, 0: KeypointState.NOT_VISIBLE, 1: KeypointState.PLACED, 2: KeypointState.PLACED}
"""By visibility. DeepLabCut and MMPose use -1 for keypoints that a data set does not have."""


@dataclass(frozen=True, slots=True)
class KeypointOrders:
    """The keypoints of a document.

    Parameters
    ----------
    bodyparts : tuple of str
        Of all categories that are read.
    links : tuple of (str, str)
    by_category : mapping of str to tuple of str
        By category id, the keypoint names in the order in which its annotations list them; only categories that are
        read.
    left_out : mapping of str to tuple of str
        The same for categories that share no bodypart with the one that has most annotations.
    notices : tuple of str
    """

    bodyparts: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    by_category: Mapping[str, tuple[str, ...]]
    left_out: Mapping[str, tuple[str, ...]]
    notices: tuple[str, ...]

    def of(self, category: str) -> tuple[str, ...] | None:
        """Return the names of a category; for an unknown one if all categories agree; None if it is left out."""
        known = {**self.by_category, **self.left_out}
        if category not in known and len(set(known.values())) == 1:
            return next(iter(known.values()))
        return self.by_category.get(category)


def keypoint_orders(categories: Sequence[Any], annotations: Sequence[Any], path: Path) -> KeypointOrders:
    """Return the keypoints of categories; ignore categories without any (cars, cups).

    Raises
    ------
    AlPoseError
        If no category has keypoints, one lists a keypoint twice, or two with the same id differ.
    """
    names: dict[str, tuple[str, ...]] = {}
    links: dict[str, list[tuple[str, str]]] = {}
    notices: list[str] = []
    for category in categories:
        listed = category.get("keypoints") if isinstance(category, dict) else None
        if not isinstance(listed, list) or not listed:
            continue
        where, identity = f"{path}, category {category.get('name')!r}", str(category.get("id"))
        keypoints = tuple(str(name) for name in listed)
        if len(set(keypoints)) < len(keypoints):
            repeated = Counter(keypoints).most_common(1)[0][0]
            raise AlPoseError(f"{where} lists the keypoint {repeated!r} twice.", "Give each keypoint its own name.")
        if names.setdefault(identity, keypoints) != keypoints:
            raise AlPoseError(f"{where}: its id {identity} is also another category's.", "Give each its own id.")
        links.setdefault(identity, []).extend(_links(category.get("skeleton"), keypoints, where, notices))
    if not names:
        raise AlPoseError(f"{path} has no category with keypoints.", "Choose a file of COCO keypoints, not of boxes.")
    used = Counter(str(e.get("category_id")) for e in annotations if isinstance(e, dict) and e.get("keypoints"))
    orders = Counter(dict.fromkeys(names.values(), 0))
    for identity, keypoints in names.items():
        orders[keypoints] += used[identity]
    counts = {keypoints: n for keypoints, n in orders.items() if n} or dict(orders)
    bodyparts, covered = merge_bodyparts(counts)
    if len({frozenset(keypoints) for keypoints in covered}) > 1:
        notices.append(
            f"{path} has categories with different keypoints. They are read as one animal with {len(bodyparts)} "
            "bodyparts; what a category lacks counts as not labelled yet."
        )
    return KeypointOrders(
        bodyparts,
        merge_links(link for identity, found in links.items() if names[identity] in covered for link in found),
        {identity: keypoints for identity, keypoints in names.items() if keypoints in covered},
        {identity: keypoints for identity, keypoints in names.items() if keypoints not in covered},
        tuple(notices),
    )


def _links(pairs: Any, names: Sequence[str], where: str, notices: list[str]) -> list[tuple[str, str]]:
    """Return the lines of a category. Indices count from 1; many tools count from 0, which shows if there is a 0."""
    if not isinstance(pairs, list) or not pairs:
        return []
    ends: list[Any] = [end for pair in pairs if isinstance(pair, list) and len(pair) == 2 for end in pair]
    if ends and all(isinstance(end, str) for end in ends):
        drawn = zip(ends[::2], ends[1::2], strict=True)
        made = [(a, b) for a, b in drawn if a in names and b in names and a != b]
        if len(made) < len(pairs):
            notices.append(f"{where}: {counted(len(pairs) - len(made), 'line')} between unknown keypoints left out.")
        return made
    indices = [int(end) for end in ends if _is_whole(end)]
    first = 0 if 0 in indices else 1
    if len(indices) < 2 * len(pairs) or not all(first <= i < first + len(names) for i in indices):
        notices.append(
            f"{where}: its skeleton was left out, as its indices are not those of its {len(names)} keypoints. "
            "Draw the lines again if you want them."
        )
        return []
    if first == 0:
        notices.append(f"{where}: its skeleton counts keypoints from 0, not from 1 as COCO does, and was read so.")
    between = zip(indices[::2], indices[1::2], strict=True)
    return [(names[a - first], names[b - first]) for a, b in between if a != b]


def _is_whole(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value // 1


def read_images(
    images: Sequence[Any], path: Path
) -> tuple[dict[int | str, str], dict[str, tuple[int, int]], list[str]]:
    """Return file names by image id, their sizes if known, and notices.

    Raises
    ------
    AlPoseError
        If an entry is malformed, or two images share an id.
    """
    names = [field(image, "file_name", str, f"{path}, image {place}") for place, image in enumerate(images)]
    repeated = {name for name, count in Counter(names).items() if count > 1}
    files: dict[int | str, str] = {}
    sizes: dict[str, tuple[int, int]] = {}
    for place, (image, name) in enumerate(zip(images, names, strict=True)):
        where = f"{path}, image {place}"
        identity = field(image, "id", (int, str), where)
        # COCO Annotator keeps the folder apart, in "path".
        longer = image.get("path")
        file = longer if name in repeated and isinstance(longer, str) and longer else _local(name)
        if files.setdefault(identity, file) != file:
            raise AlPoseError(f"{where}: its id {identity!r} is also the id of {files[identity]!r}.", _AGAIN)
        size = whole(image.get("width") or 0, where), whole(image.get("height") or 0, where)
        if min(size) > 0:
            sizes.setdefault(file, size)
    twice = len(files) - len(set(files.values()))
    notices = [f"{path}: {counted(twice, 'image')} listed more than once; their annotations are put together."]
    return files, sizes, notices if twice else []


def _local(name: str) -> str:
    """Return the file that Label Studio's address of a local file stands for; return other names unchanged."""
    _, served, file = name.partition("/data/local-files/?d=")
    return unquote(file) if served else name


class CocoAnnotations:
    """Turns entries of the file into annotations, and counts what is left out.

    Parameters
    ----------
    path : Path
        The file.
    orders : KeypointOrders
    keys : mapping of image id to FrameKey
    """

    def __init__(self, path: Path, orders: KeypointOrders, keys: Mapping[int | str, FrameKey]) -> None:
        self._path = path
        self._orders = orders
        self._keys = keys
        self._found: dict[FrameKey, list[tuple[str, np.ndarray, np.ndarray]]] = {}
        self._counts: Counter[str] = Counter()
        self._collected: AnnotationCollector | None = None

    def read(self, entries: Sequence[Any], on_progress: OnProgress = ignore_progress) -> None:
        """Read all entries.

        Raises
        ------
        AlPoseError
            If one is malformed, or none is of an image in the file.
        """
        for place, entry in enumerate(reporting(entries, on_progress)):
            where = f"{self._path}, annotation {place}"
            key = self._keys.get(field(entry, "image_id", (int, str), where))
            names = self._orders.of(str(entry.get("category_id")))
            if key is None:
                self._counts["strays"] += 1
            elif entry.get("iscrowd") == 1:
                self._counts["crowds"] += 1
            elif not entry.get("keypoints"):
                self._counts["boxes"] += 1
            elif names is None:
                self._counts["other kinds"] += 1
            else:
                self._add(key, entry, names, where)
        if entries and self._counts["strays"] == len(entries):
            raise AlPoseError(
                f"{self._path}: no annotation is of an image that the file lists; the first has the image id "
                f"{entries[0]['image_id']!r}.",
                "Export the labels again.",
            )

    def skeleton(self) -> Skeleton:
        """Return the skeleton with the individuals of the file."""
        names = dict.fromkeys(name for found in self._found.values() for name, _, _ in found)
        if "" in names or not names:
            names = dict.fromkeys(numbered_individuals(max((len(found) for found in self._found.values()), default=1)))
        return skeleton_in(self._path, self._orders.bodyparts, self._orders.links, tuple(names))

    @property
    def annotations(self) -> tuple[Annotation, ...]:
        """The annotations, one for each animal in an image."""
        return self._collect().annotations

    @property
    def duplicates(self) -> tuple[Annotation, ...]:
        """Further, different annotations of an animal in an image."""
        return self._collect().duplicates

    def notices(self) -> list[str]:
        """Return messages for the user."""
        counts = self._counts
        sentences = {
            "strays": f"{counted(counts['strays'], 'annotation')} left out, of images that the file does not list. If "
            "images were taken out of it by mistake, export the labels again.",
            "boxes": f"{counted(counts['boxes'], 'annotation')} without keypoints skipped.",
            "crowds": f"{counted(counts['crowds'], 'crowd')} skipped.",
            "other kinds": f"{counted(counts['other kinds'], 'annotation')} of categories with other keypoints, or of "
            "none in the file, left out. Export each kind of animal on its own.",
            "twice": f"{counted(counts['twice'], 'annotation')} counted once, as they repeat another.",
            "occluded": f"{counted(counts['occluded'], 'occluded point')} with a place taken as placed.",
            "absent": f"{counted(counts['absent'], 'point')} without a place (visibility 0) taken as not visible; COCO "
            "does not tell that from not labelled.",
            "hidden": f"the places of {counted(counts['hidden'], 'point')} with visibility 0 were left out.",
            "unseen": f"{counted(counts['unseen'], 'point')} with visibility -1 taken as not labelled.",
            "empty": f"{counted(counts['empty'], 'point')} said to be visible but without a place (null), taken as not "
            "labelled.",
            "scores": f"{counted(counts['scores'], 'annotation')} with a score, as from a model. If they are "
            "predictions, they are not labels by people.",
        }
        notices = [f"{self._path}: {sentence}" for name, sentence in sentences.items() if counts[name]]
        return [*notices, *self._collect().notices()]

    def _collect(self) -> AnnotationCollector:
        if self._collected is None:
            self._collected = AnnotationCollector(self._path)
            individuals = self.skeleton().individuals
            for key, found in self._found.items():
                for number, (name, xy, states) in enumerate(found):
                    who = name if name and name in individuals else individuals[number]
                    self._collected.add(Annotation(key, xy, states, who))
        return self._collected

    def _add(self, key: FrameKey, entry: Any, names: Sequence[str], where: str) -> None:
        values = field(entry, "keypoints", list, where)
        if len(values) != 3 * len(names):
            raise AlPoseError(f"{where}: expected {3 * len(names)} numbers in 'keypoints', got {len(values)}.", _AGAIN)
        marks = [finite(mark, where) for mark in values[2::3]]
        if not set(marks) <= set(_STATES):
            raise AlPoseError(f"{where}: expected visibilities 0, 1 or 2.", _AGAIN)
        found = np.array([int(_STATES[int(mark)]) for mark in marks], np.int8)
        empty = np.array([None in values[i : i + 2] for i in range(0, len(values), 3)])
        empty &= found == KeypointState.PLACED
        found[empty] = KeypointState.UNSEEN
        placed = found == KeypointState.PLACED
        if not placed.any():
            self._counts["boxes"] += 1
            return
        order = [self._orders.bodyparts.index(name) for name in names]
        xy = np.full((len(self._orders.bodyparts), 2), np.nan)
        for i in np.flatnonzero(placed).tolist():
            xy[order[i]] = [finite(value, where) for value in values[3 * i : 3 * i + 2]]
        states = np.full(len(xy), KeypointState.UNSEEN, np.int8)
        states[order] = found
        name = entry.get("individual")
        animal = name if isinstance(name, str) else ""
        of_image = self._found.setdefault(key, [])
        if any(
            animal == other and np.array_equal(xy, theirs, equal_nan=True) and np.array_equal(states, of_theirs)
            for other, theirs, of_theirs in of_image
        ):
            self._counts["twice"] += 1
            return
        of_image.append((animal, xy, states))
        self._counts["empty"] += int(empty.sum())
        self._counts["occluded"] += marks.count(1) - int((empty & (np.array(marks) == 1)).sum())
        self._counts["absent"] += marks.count(0)
        self._counts["unseen"] += marks.count(-1)
        self._counts["hidden"] += sum(
            mark <= 0 and any(isinstance(v, (int, float)) and v > 0 for v in values[3 * i : 3 * i + 2])
            for i, mark in enumerate(marks)
        )
        self._counts["scores"] += isinstance(entry.get("score"), (int, float))
