"""Poses read off snapshots of DeepLabCut's top-down networks here, against those DeepLabCut itself predicted with them.

    python with_top_down_snapshots.py OPENFIELD_PROJECT FOLDER...

Each folder is what ``write_top_down_snapshots.py`` left. Prints the largest differences; exits with 1 above 0.001 px,
or the tolerance of scores.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from napari_al_pose.pose.foreign.deeplabcut_model import describe_snapshot, read_snapshot

TOLERANCE_PX = 1e-3
TOLERANCE_SCORE = {"RTMCCHead": 5e-2, "HeatmapHead": 1e-3}
"""RTMPose multiplies its output by 849 before the softmax, and the last bits of both programs with it: seen were 0.005
with two threads and 0.014 with one."""


def main(source: str, folders: list[str]) -> int:
    worst = 0.0
    images = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(Path(source).glob("labeled-data/*/*.png"))]
    for name in folders:
        said = json.loads((Path(name) / "predictions.json").read_text())
        path = Path(name) / said["file"]
        network, bodyparts = describe_snapshot(path)
        model = read_snapshot(path, bodyparts, device="cpu")
        ours = sorted(f"{key} {tuple(value.shape)}" for key, value in model.network.state_dict().items())
        if ours != sorted(said["layers"]):
            print(f"{network}: {len(set(ours) ^ set(said['layers']))} layers differ")
            worst = np.inf
        found = model.search.look(np.stack(images[: len(said["boxes"])]), np.array(said["boxes"]))
        expected = np.array(said["poses"])
        px = float(np.abs(found.xy - expected[..., :2]).max())
        score = float(np.abs(found.likelihood - expected[..., 2]).max())
        print(f"{network}: {len(expected)} boxes, {len(bodyparts)} bodyparts, differences {px:.2g} px and {score:.2g}")
        worst = max(worst, px, score / TOLERANCE_SCORE[said["head"]] * TOLERANCE_PX)
    return int(worst > TOLERANCE_PX)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
