"""Run inside DeepLabCut's own environment: write snapshots of its top-down networks and what it predicts with them.

    python write_top_down_snapshots.py OPENFIELD_PROJECT OUTPUT NETWORK

NETWORK is ``superanimal_topviewmouse_hrnet_w32``, ``superanimal_bird_resnet_50``,
``superanimal_quadruped_rtmpose_s`` or one that a project can train top-down, as ``top_down_hrnet_w32``. The weights are
random, with batch norms that have seen images: the point is that both programs say the same. Writes to OUTPUT the
snapshot (SuperAnimal's as a single file, others beside ``pytorch_config.yaml``) and ``predictions.json``: of each image
the box that was looked at and the pose (x, y, score).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from deeplabcut.pose_estimation_pytorch.apis.utils import get_inference_runners
from deeplabcut.pose_estimation_pytorch.config.make_pose_config import make_pytorch_pose_config
from deeplabcut.pose_estimation_pytorch.config.pose import PoseConfig
from deeplabcut.pose_estimation_pytorch.models import PoseModel
from PIL import Image

N_IMAGES = 6
BODYPARTS = ["snout", "leftear", "rightear", "tailbase"]


def main(source: Path, output: Path, network: str) -> None:
    output.mkdir(parents=True)
    images = [
        np.asarray(Image.open(path).convert("RGB")) for path in sorted(source.glob("labeled-data/*/*.png"))[:N_IMAGES]
    ]
    config, file = superanimal(network, output) if network.startswith("superanimal") else project(network, output)
    torch.manual_seed(0)
    model = untrained(config["model"], images)
    torch.save({"model": model.state_dict(), "metadata": {"epoch": 1}}, file)
    runner, _ = get_inference_runners(config, snapshot_path=file, device="cpu", max_individuals=1)
    boxes = [list(map(float, box)) for box in boxes_for(images)]
    given = [(image, {"bboxes": np.array([box])}) for image, box in zip(images, boxes, strict=True)]
    poses = [result["bodyparts"][0].tolist() for result in runner.inference(given)]
    head = config["model"]["heads"]["bodypart"]["type"]
    document = {"file": file.name, "head": head, "boxes": boxes, "poses": poses, "layers": layers(model)}
    (output / "predictions.json").write_text(json.dumps(document))


def superanimal(network: str, output: Path) -> tuple[dict, Path]:
    """Return the configuration that DeepLabCut makes for a SuperAnimal network, and the file's name."""
    animal, name = network.rsplit("_", 2)[0], "_".join(network.rsplit("_", 2)[1:])
    config = PoseConfig.build_for_superanimal_inference(
        super_animal=animal,
        model_name=name,
        detector_name="fasterrcnn_mobilenet_v3_large_fpn",
        max_individuals=1,
        device="cpu",
    )
    return config, output / f"{network}.pt"


def project(network: str, output: Path) -> tuple[dict, Path]:
    """Return the configuration that DeepLabCut writes for a project's own top-down network, and the file's name."""
    described = {
        "Task": "mouse",
        "scorer": "someone",
        "project_path": str(output),
        "multianimalproject": False,
        "identity": False,
        "bodyparts": BODYPARTS,
        "uniquebodyparts": [],
        "individuals": ["single"],
    }
    config = make_pytorch_pose_config(
        described, output / "pytorch_config.yaml", net_type=network.removeprefix("top_down_"), top_down=True, save=True
    )
    return config, output / "snapshot-001.pt"


def untrained(config: dict, images: list[np.ndarray]) -> PoseModel:
    """Return a network with random weights whose batch norms have seen images: without that its maps explode."""
    model = PoseModel.build(config).eval()
    norms = [module for module in model.modules() if isinstance(module, torch.nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.train()
        norm.momentum = None
    seen = torch.from_numpy(np.stack([image[:256, :256] for image in images])).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        model(seen)
    return model.eval()


def boxes_for(images: list[np.ndarray]) -> list[tuple[float, float, float, float]]:
    """Return a box for each image: the whole frame, narrow ones, some that reach beyond the frame."""
    height, width = images[0].shape[:2]
    boxes = [
        (0, 0, width, height),
        (100.3, 80.7, 90.2, 210.9),
        (-40, 200, 150, 60),
        (width - 90, height - 70, 120, 130),
        (31, 17, 256, 256),
        (200, 100, 37, 41),
    ]
    return boxes[: len(images)]


def layers(model: PoseModel) -> list[str]:
    return [f"{name} {tuple(value.shape)}" for name, value in sorted(model.state_dict().items())]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]).resolve(), sys.argv[3])
