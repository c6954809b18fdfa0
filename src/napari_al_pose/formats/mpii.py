"""MPII Human Pose in JSON, one entry for each person, in the form of the common training code; read and written.

MPII's coordinates are MATLAB's, whose first pixel is 1; here they count from 0. ``scale`` is the person's height over
200 pixels and ``center`` the middle of the person (http://human-pose.mpi-inf.mpg.de).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_al_pose.domain import AlPoseError, Annotation, KeypointState, Skeleton
from napari_al_pose.domain.steps import OnProgress, ignore_progress, reporting
from napari_al_pose.domain.wording import counted
from napari_al_pose.formats.capabilities import Capabilities
from napari_al_pose.formats.image_sets import check_count, finite, number_images
from napari_al_pose.formats.json_file import field, read_json, write_json
from napari_al_pose.formats.label_set import LabelSet, annotation_of, numbered_individuals

BODYPARTS = (
    "right ankle",
    "right knee",
    "right hip",
    "left hip",
    "left knee",
    "left ankle",
    "pelvis",
    "thorax",
    "upper neck",
    "head top",
    "right wrist",
    "right elbow",
    "right shoulder",
    "left shoulder",
    "left elbow",
    "left wrist",
)
LINKS = tuple(
    (BODYPARTS[a], BODYPARTS[b])
    for a, b in (
        (0, 1), (1, 2), (2, 6), (6, 3), (3, 4), (4, 5), (6, 7), (7, 8),
        (8, 9), (7, 12), (12, 11), (11, 10), (7, 13), (13, 14), (14, 15),
    )
)  # fmt: skip
CAPABILITIES = Capabilities("MPII", individuals="numbered", links=LINKS, bodyparts=BODYPARTS)
FILE = "mpii.json"


def is_mpii(document: Any) -> bool:
    """Return whether a JSON document looks like MPII's."""
    return (
        isinstance(document, list)
        and bool(document)
        and isinstance(document[0], dict)
        and {"image", "joints", "joints_vis"} <= set(document[0])
    )


def read_mpii(path: Path, on_progress: OnProgress = ignore_progress) -> LabelSet:
    """Read a JSON file of MPII, as a `LabelReader` does."""
    document = read_json(path, "MPII Human Pose")
    if not is_mpii(document):
        if isinstance(document, list) and document and isinstance(document[0], dict) and "score" in document[0]:
            raise AlPoseError(
                f"{path} holds results of a model (entries with 'score'), not labels by people.",
                "Choose the file of annotations that the model was tested on.",
            )
        raise AlPoseError(
            f"{path} is not a list of entries with 'image', 'joints' and 'joints_vis'.",
            "Choose MPII's annotations in JSON; its original .mat file is not read.",
        )
    check_count(len(document), path)
    people: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    hidden = twice = 0
    for place, entry in enumerate(reporting(document, on_progress)):
        xy, placed = _person(entry, f"{path}, entry {place}")
        of_image = people.setdefault(field(entry, "image", str, f"{path}, entry {place}"), [])
        if any(np.array_equal(xy, other) and np.array_equal(placed, seen) for other, seen in of_image):
            twice += 1
        elif placed.any():
            of_image.append((xy, placed))
            hidden += int((~placed).sum())
    keys, videos, notices = number_images(list(people), path.stem)
    individuals = numbered_individuals(max(len(found) for found in people.values()))
    annotations = tuple(
        annotation_of(keys[file], xy, placed=placed, individual=individual)
        for file, found in people.items()
        for individual, (xy, placed) in zip(individuals, found, strict=False)
    )
    if hidden:
        notices = (*notices, f"{path}: {counted(hidden, 'joint')} without a place taken as not visible.")
    if twice:
        notices = (
            *notices,
            f"{path}: {counted(twice, 'repeated entry', 'repeated entries')} counted once.",
        )
    return LabelSet(Skeleton(BODYPARTS, LINKS, individuals), videos, annotations, notices)


def write_mpii(labels: LabelSet, path: Path) -> None:
    """Write labels that `fit_to_format` returned; each labelled frame has a picture.

    Raises
    ------
    AlPoseError
        If the file can't be written.
    """
    entries = [
        {"image": labels.video(key.video).pictures[key.frame].path, **_entry(annotation)}
        for key, of_frame in labels.frames().items()
        for annotation in of_frame
    ]
    write_json(path, entries)


def _person(entry: Any, where: str) -> tuple[np.ndarray, np.ndarray]:
    joints, visible = (field(entry, name, list, where) for name in ("joints", "joints_vis"))
    if len(joints) != len(BODYPARTS) or len(visible) != len(BODYPARTS):
        raise AlPoseError(
            f"{where}: expected {len(BODYPARTS)} joints, got {len(joints)} and {len(visible)} visibilities.",
            "Choose a file of MPII's own joints.",
        )
    if not all(isinstance(joint, list) and len(joint) == 2 for joint in joints):
        raise AlPoseError(f"{where}: expected joints of two numbers.", "Correct it, or export the labels again.")
    xy = np.array([[finite(value, where) for value in joint] for joint in joints]) - 1.0
    return xy, np.array([finite(value, where) > 0 for value in visible])


def _entry(annotation: Annotation) -> dict[str, Any]:
    placed = annotation.states == KeypointState.PLACED
    joints = np.where(placed[:, None], annotation.xy + 1.0, -1.0)
    low, high = joints[placed].min(0), joints[placed].max(0)
    return {
        "joints": joints.tolist(),
        "joints_vis": placed.astype(int).tolist(),
        "center": ((low + high) / 2).tolist(),
        "scale": float(max((high - low).max(), 1.0) / 200),
    }
