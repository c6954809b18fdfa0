"""COCO keypoints, the form of Horse-10 and AP-10K, read and written.

The format: https://cocodataset.org/#format-data. A keypoint is x, y and a visibility: 2 is visible, 1 is occluded with
a position, 0 has no position. COCO has no identities; ``"individual"`` in an annotation is ours, and other programs
ignore it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_al_pose.domain import SINGLE_INDIVIDUAL, AlPoseError, Annotation, KeypointState
from napari_al_pose.domain.steps import OnProgress, ignore_progress
from napari_al_pose.formats.capabilities import Capabilities
from napari_al_pose.formats.coco_extras import ANIMAL, not_kept
from napari_al_pose.formats.coco_reading import CocoAnnotations, keypoint_orders, read_images
from napari_al_pose.formats.image_sets import check_count, number_images
from napari_al_pose.formats.json_file import field, read_json, write_json
from napari_al_pose.formats.label_set import LabelSet

CAPABILITIES = Capabilities("COCO")
FILE = "annotations.json"


def is_coco(document: Any) -> bool:
    """Return whether a JSON document looks like COCO's."""
    return isinstance(document, dict) and {"images", "annotations", "categories"} <= set(document)


def read_coco(path: Path, on_progress: OnProgress = ignore_progress) -> LabelSet:
    """Read a JSON file of COCO keypoints, as a `LabelReader` does."""
    document = read_json(path, "COCO keypoints")
    if not is_coco(document):
        raise AlPoseError(
            f"{path} has no 'images', 'annotations' and 'categories'.", "Choose a JSON file of COCO keypoints."
        )
    images, categories, annotations = (
        field(document, n, list, str(path)) for n in ("images", "categories", "annotations")
    )
    check_count(len(images), path)
    orders = keypoint_orders(categories, annotations, path)
    files, sizes, told_of_images = read_images(images, path)
    keys, videos, notices = number_images(list(dict.fromkeys(files.values())), path.stem, sizes)
    reader = CocoAnnotations(path, orders, {identity: keys[file] for identity, file in files.items()})
    reader.read(annotations, on_progress)
    of_rest = not_kept(document, path, left_out=orders.left_out)
    notices = (*told_of_images, *notices, *orders.notices, *reader.notices(), *of_rest)
    return LabelSet(reader.skeleton(), videos, reader.annotations, notices, duplicates=reader.duplicates)


def write_coco(labels: LabelSet, path: Path) -> None:
    """Write labels that `fit_to_format` returned; each labelled frame has a picture with a size.

    Raises
    ------
    AlPoseError
        If the file can't be written.
    """
    frames = labels.frames()
    single = labels.skeleton.individuals == (SINGLE_INDIVIDUAL,)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, (key, of_frame) in enumerate(frames.items(), 1):
        picture = labels.video(key.video).pictures[key.frame]
        if picture.size is None:
            raise ValueError(f"the size of {picture.path} is needed")
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
