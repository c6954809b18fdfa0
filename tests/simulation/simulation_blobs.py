"""A data set small enough to play in a test."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from napari_al_pose.domain import FrameKey, Skeleton
from napari_al_pose.simulation.dataset import RawDataset

COLOURS = {"red": (250, 40, 40), "green": (40, 250, 40), "blue": (40, 40, 250)}


def make_blobs(*, videos: int, frames: int, bodyparts: int = 2) -> RawDataset:
    """Make videos of a red and a green dot, and perhaps a blue one, on noise, labelled where they are."""
    names = tuple(COLOURS)[:bodyparts]
    rng = np.random.default_rng(0)
    keys = tuple(FrameKey(f"v{v}", 10 * i) for v in range(videos) for i in range(frames))
    xy = rng.uniform(24, 104, (len(keys), bodyparts, 2))
    images = rng.integers(0, 40, (len(keys), 128, 128, 3), dtype=np.uint8)
    for image, points in zip(images, xy, strict=True):
        for (x, y), colour in zip(points.round().astype(int), COLOURS.values(), strict=False):
            image[y - 4 : y + 5, x - 4 : x + 5] = colour
    return RawDataset(
        name="blobs",
        skeleton=Skeleton(names, (("red", "green"),)),
        keys=keys,
        xy=xy,
        states=np.ones((len(keys), bodyparts), np.int8),
        sizes=np.full((len(keys), 2), 128, np.int64),
        read=lambda rows: (images[row] for row in rows),
    )


def write_coco_blobs(folder: Path, raw: RawDataset) -> Path:
    """Write a data set as images and a COCO file beside them; return the file."""
    images, annotations = [], []
    for i, (key, image) in enumerate(zip(raw.keys, raw.read(range(len(raw.keys))), strict=True)):
        name = f"{key.video}/img{key.frame:04d}.png"
        (folder / key.video).mkdir(exist_ok=True)
        Image.fromarray(image).save(folder / name)
        images.append({"id": i, "file_name": name, "height": image.shape[0], "width": image.shape[1]})
        points = [value for x, y in raw.xy[i].tolist() for value in (x, y, 2)]
        annotations.append({"id": i, "image_id": i, "category_id": 1, "keypoints": points, "bbox": [0, 0, 128, 128]})
    category = {"id": 1, "name": "dots", "keypoints": list(raw.skeleton.bodyparts), "skeleton": [[1, 2]]}
    path = folder / "labels.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": [category]}))
    return path
