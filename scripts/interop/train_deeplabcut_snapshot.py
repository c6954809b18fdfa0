"""Run inside DeepLabCut's own environment: train a tiny real snapshot on openfield and say what it predicts.

    python train_deeplabcut_snapshot.py OPENFIELD_PROJECT OUTPUT resnet_50

Writes a DeepLabCut project with the snapshot to OUTPUT, and ``predictions.json``: per image the poses (x, y, score).
ImageNet's weights are not fetched: the point is that both programs say the same, not that it is any good.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import deeplabcut
import numpy as np
import pandas as pd
import torch
from deeplabcut.core.engine import Engine
from deeplabcut.pose_estimation_pytorch.apis.utils import get_pose_inference_runner
from deeplabcut.pose_estimation_pytorch.models import PoseModel
from PIL import Image
from ruamel.yaml import YAML

N_FRAMES = 12
EPOCHS = 3


def main(source: Path, output: Path, network: str) -> None:
    config = small_project(source, output)
    deeplabcut.create_training_dataset(str(config), net_type=network, engine=Engine.PYTORCH, userfeedback=False)
    folder = next(output.glob("dlc-models-pytorch/iteration-*/*/train"))
    model_config = YAML(typ="safe").load((folder / "pytorch_config.yaml").read_text())
    start = output / "untrained.pt"
    torch.save({"model": untrained(model_config["model"], output).state_dict()}, start)
    deeplabcut.train_network(
        str(config), epochs=EPOCHS, save_epochs=EPOCHS, batch_size=2, device="cpu", snapshot_path=str(start)
    )
    start.unlink()
    snapshot = max(folder.glob("snapshot-*.pt"))
    runner = get_pose_inference_runner(folder / "pytorch_config.yaml", snapshot, device="cpu")
    images = sorted(output.glob("labeled-data/*/*.png"))
    frames = [np.asarray(Image.open(path).convert("RGB")) for path in images]
    # Odd sizes too: what the network makes of a border is where two programs differ most.
    frames.append(np.ascontiguousarray(frames[0][:301, :403]))
    poses = [result["bodyparts"][0].tolist() for result in runner.inference(frames)]
    document = {"snapshot": snapshot.name, "images": [path.name for path in images], "poses": poses}
    (output / "predictions.json").write_text(json.dumps(document))


def untrained(config: dict, output: Path) -> PoseModel:
    """Return a network with random weights whose batch norms have seen images: without that its maps explode."""
    torch.manual_seed(0)
    model = PoseModel.build(config).eval()
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.train()
        norm.momentum = None
    images = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(output.glob("labeled-data/*/*.png"))[:4]]
    with torch.no_grad():
        model(torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255)
    return model


def small_project(source: Path, output: Path) -> Path:
    """Copy a project with few of its frames; return its config.yaml."""
    output.mkdir(parents=True)
    yaml = YAML()
    config = yaml.load((source / "config.yaml").read_text())
    config["project_path"] = str(output)
    config["engine"] = "pytorch"
    with (output / "config.yaml").open("w") as file:
        yaml.dump(config, file)
    labels = next(source.glob("labeled-data/*/CollectedData_*.csv"))
    table = pd.read_csv(labels, header=[0, 1, 2], index_col=0).iloc[:N_FRAMES]
    folder = output / "labeled-data" / labels.parent.name
    folder.mkdir(parents=True)
    for name in table.index:
        shutil.copy(labels.parent / Path(name).name, folder)
    table.index = pd.MultiIndex.from_tuples([("labeled-data", folder.name, Path(name).name) for name in table.index])
    table.to_csv(folder / labels.name)
    table.to_hdf(folder / labels.with_suffix(".h5").name, key="df_with_missing", mode="w")
    return output / "config.yaml"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]).resolve(), sys.argv[3])
