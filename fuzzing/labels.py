"""Labels of COCO, MPII, Leeds Sports Pose and SLEAP."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np

from fuzzing._mutations import check_labels, check_message, mutate_bytes, mutate_document
from napari_al_pose.domain import AlPoseError
from napari_al_pose.exchange.catalogue import format_named

FORMATS = ("coco", "mpii", "lsp", "sleap")
NAMES = ["nose", "tail", "ear"]


def run(rng: random.Random, folder: Path) -> str:
    """Write labels, change the file, read it."""
    name = rng.choice(FORMATS)
    path = folder / {"coco": "c.json", "mpii": "m.json", "lsp": "joints.mat", "sleap": "l.slp"}[name]
    document = _document(rng, name)
    known = format_named(name)
    how = rng.choice(("not at all", "bytes", "document"))
    if document is None:
        _write_other(rng, name, path)
        how = "bytes" if how == "document" else how
    else:
        changed = mutate_document(rng, document) if how == "document" else document
        path.write_text(json.dumps(changed), encoding="utf-8")
    whole = known.read(path) if how != "document" else None
    if how == "bytes":
        path.write_bytes(mutate_bytes(rng, path.read_bytes()))
    try:
        labels = known.read(path)
    except AlPoseError as error:
        check_message(error, path, is_whole=how == "not at all")
        return f"{name}: message"
    check_labels(labels)
    if how == "not at all" and whole is not None:
        assert len(labels.annotations) == len(whole.annotations) > 0
    return f"{name}: labels"


def _document(rng: random.Random, name: str) -> Any:
    n = rng.randint(1, 5)
    files = [f"{rng.choice(('cam', 'day1/cam', 'images'))}/{rng.choice(('img', 'a', ''))}{i:03d}.png" for i in range(n)]
    if name == "mpii":
        return [
            {
                "image": rng.choice(files),
                "joints": [[rng.uniform(1, 90), rng.uniform(1, 90)] for _ in range(16)],
                "joints_vis": [rng.choice((0, 1, 1)) for _ in range(15)] + [1],
                "center": [1, 1],
                "scale": 1.0,
            }
            for _ in range(rng.randint(1, 6))
        ]
    if name != "coco":
        return None
    orders = [NAMES, rng.sample(NAMES, len(NAMES))]
    return {
        "images": [{"id": i, "file_name": file, "width": 96, "height": 64} for i, file in enumerate(files)],
        "categories": [
            {"id": i, "name": f"kind {i}", "keypoints": order, "skeleton": [[1, 2], [2, 3]]}
            for i, order in enumerate(orders)
        ],
        "annotations": [
            {
                "id": i,
                "image_id": rng.randrange(n),
                "category_id": rng.randrange(2),
                "keypoints": [v for _ in NAMES for v in (rng.randint(1, 90), rng.randint(1, 60), rng.choice((1, 2)))],
                "bbox": [0, 0, 9, 9],
                "iscrowd": 0,
            }
            for i in range(rng.randint(1, 6))
        ],
    }


def _write_other(rng: random.Random, name: str, path: Path) -> None:
    values = np.random.default_rng(rng.randrange(2**32))
    if name == "lsp":
        from scipy.io import savemat

        joints = values.uniform(1, 90, (3, 14, rng.randint(1, 4)))
        joints[2] = values.integers(0, 2, joints.shape[1:])
        savemat(path, {"joints": joints}, do_compression=rng.random() < 0.5)
        return
    import sleap_io as sio

    skeletons = [sio.Skeleton(list(order)) for order in (NAMES, reversed(NAMES))]
    names = ["/x/m1/v.mp4", "/x/m2/v.mp4", "C:/lab/w.mp4"]
    videos = [
        sio.Video(filename=n, backend_metadata={"type": "MediaVideo", "filename": n}, open_backend=False) for n in names
    ]
    frames = [
        sio.LabeledFrame(
            video=rng.choice(videos),
            frame_idx=rng.randrange(5),
            instances=[sio.Instance.from_numpy(values.uniform(0, 90, (3, 2)), skeleton=rng.choice(skeletons))],
        )
        for _ in range(rng.randint(1, 6))
    ]
    labels = sio.Labels(labeled_frames=frames, videos=videos, skeletons=skeletons)
    sio.save_slp(labels, str(path), embed=False, verbose=False)
