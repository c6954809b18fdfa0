"""Poses read off real DeepLabCut snapshots here, against those DeepLabCut itself predicted with them.

    python with_deeplabcut_snapshots.py FOLDER...

Each folder is what ``train_deeplabcut_snapshot.py`` left. Prints the largest difference; exits with 1 above 0.001 px.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from napari_al_pose.formats.deeplabcut_snapshots import find_snapshots
from napari_al_pose.pose.foreign.deeplabcut_model import read_snapshot
from napari_al_pose.project import open_project

TOLERANCE_PX = 1e-3


def main(folders: list[str]) -> int:
    worst = 0.0
    for name in folders:
        root = Path(name)
        said = json.loads((root / "predictions.json").read_text())
        with open_project(root, read_only=True) as project:
            bodyparts = project.skeleton.bodyparts
        model = read_snapshot(find_snapshots(root)[0], bodyparts, device="cpu")
        images = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(root.glob("labeled-data/*/*.png"))]
        images.append(images[0][:301, :403])
        differences = []
        for image, pose in zip(images, said["poses"], strict=True):
            # DeepLabCut pads at a random side where the network needs it: no two of its own runs agree there.
            if any(side % unit for side, unit in zip(image.shape, model.pad_to, strict=False)):
                continue
            found, expected = model.predict(image[None]), np.array(pose)
            differences.append(np.abs(found.xy[0] - expected[:, :2]).max())
            differences.append(np.abs(found.likelihood[0] - expected[:, 2]).max())
        print(f"{model.network_name}: {len(images)} images, largest difference {max(differences):.2g} px")
        worst = max(worst, *differences)
    return int(worst > TOLERANCE_PX)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
