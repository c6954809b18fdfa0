"""DeepLabCut's ResNet-50: answers `benchmarks.pose_peers`.

ImageNet's weights cannot be fetched everywhere, so the network starts from random weights. That changes how well it
learns and not how long a step or a frame takes, which are the same for any weights.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import deeplabcut
import numpy as np
import pandas as pd
import torch
from deeplabcut.core.engine import Engine
from deeplabcut.pose_estimation_pytorch.apis.utils import get_pose_inference_runner
from deeplabcut.pose_estimation_pytorch.apis.videos import VideoIterator
from deeplabcut.pose_estimation_pytorch.data import DLCLoader, build_transforms
from deeplabcut.pose_estimation_pytorch.models import PoseModel
from deeplabcut.pose_estimation_pytorch.runners import build_training_runner
from deeplabcut.pose_estimation_pytorch.task import Task
from PIL import Image
from ruamel.yaml import YAML
from serving import serve
from torch.utils.data import DataLoader

NETWORK = "resnet_50"
N_MEASURED = 5
"""How often the error is measured within the time at most: each costs a pass over all frames held out."""


class Training:
    """What DeepLabCut's ``train_network`` sets up, kept at hand: its loader, its runner, its project."""

    def __init__(self, project: Path, *, train: list[int], test: list[int]) -> None:
        self.config = project / "config.yaml"
        deeplabcut.create_training_dataset(
            str(self.config),
            net_type=NETWORK,
            engine=Engine.PYTORCH,
            userfeedback=False,
            trainIndices=[train],
            testIndices=[test],
        )
        self.loader = DLCLoader(config=self.config, shuffle=1)
        self.settings = self.loader.model_cfg
        self.model = PoseModel.build(self.settings["model"], pretrained_backbone=False)
        self.runner = build_training_runner(
            runner_config=self.settings["runner"],
            model_folder=self.loader.model_folder,
            task=Task.BOTTOM_UP,
            model=self.model,
            device="cpu",
            gpus=None,
            snapshot_path=None,
            load_head_weights=True,
            logger=None,
        )
        data = self.loader.create_dataset(
            transform=build_transforms(self.settings["data"]["train"]), mode="train", task=Task.BOTTOM_UP
        )
        self.batches = DataLoader(data, batch_size=self.settings["train_settings"]["batch_size"], shuffle=True)

    def epoch(self) -> None:
        """Train for an epoch as ``train_network`` does."""
        self.runner._epoch(self.batches, mode="train")
        self.runner.scheduler.step()

    def inference(self) -> Any:
        """Return what predicts with the weights as they are, in batches as the project's settings have them."""
        snapshot = self.loader.model_folder / "snapshot-now.pt"
        torch.save({"model": self.model.state_dict()}, snapshot)
        return get_pose_inference_runner(
            self.settings, snapshot, device="cpu", batch_size=self.loader.project_cfg.get("batch_size", 1)
        )


@contextmanager
def training(labels: str, names: list[str]) -> Iterator[tuple[Training, list[Path], np.ndarray]]:
    """Set a training on the images of these names up; give it, the other images and their labels."""
    table = pd.read_csv(labels, header=[0, 1, 2], index_col=0)
    source, images = Path(labels), [Path(name).name for name in table.index]
    chosen = {Path(name).name for name in names}
    train = [i for i, image in enumerate(images) if image in chosen]
    test = [i for i, image in enumerate(images) if image not in chosen]
    with tempfile.TemporaryDirectory() as place:
        project = Path(place)
        folder = project / "labeled-data" / source.parent.name
        folder.mkdir(parents=True)
        for image in images:
            shutil.copy(source.parent / image, folder)
        table.index = pd.MultiIndex.from_tuples([("labeled-data", folder.name, image) for image in images])
        table.to_csv(folder / source.name)
        table.to_hdf(folder / f"{source.stem}.h5", key="df_with_missing", mode="w")
        yaml = YAML()
        config = yaml.load((source.parents[2] / "config.yaml").read_text())
        config["project_path"], config["engine"] = str(project), "pytorch"
        config["TrainingFraction"] = [round(len(train) / len(images), 2)]  # names the folder
        with (project / "config.yaml").open("w") as file:
            yaml.dump(config, file)
        truth = table.to_numpy(float).reshape(len(table), -1, 2)[test]
        yield Training(project, train=train, test=test), [folder / images[i] for i in test], truth


def epoch_seconds(labels: str, names: list[str], epochs: int, threads: int) -> dict[str, Any]:
    """Return how long an epoch takes, the first not counted, and how many its defaults prescribe."""
    torch.set_num_threads(threads)
    took = []
    with training(labels, names) as (run, _, _):
        for _ in range(1 + epochs):
            began = time.perf_counter()
            run.epoch()
            took.append(time.perf_counter() - began)
        settings = run.settings["train_settings"]
        return {
            "seconds_per_epoch": float(np.median(took[1:])),
            "steps_per_epoch": len(run.batches),
            "epochs": settings["epochs"],
            "batch": settings["batch_size"],
        }


def train(labels: str, names: list[str], px: float, limit: float, threads: int) -> dict[str, Any]:
    """Train on the images of these names, at most ``limit`` seconds and an epoch; return the curve on all others."""
    torch.set_num_threads(threads)
    curve: list[tuple[float, int, float]] = []
    spent, measured, n_steps = 0.0, 0.0, 0
    with training(labels, names) as (run, images, truth):
        while spent < limit and not (curve and curve[-1][2] <= px):
            began = time.perf_counter()
            run.epoch()
            spent += time.perf_counter() - began
            n_steps += len(run.batches)
            if spent - measured >= limit / N_MEASURED or spent >= limit:
                measured = spent
                curve.append((spent, n_steps, error(run, images, truth)))
        return {"curve": curve, "batch": run.settings["train_settings"]["batch_size"]}


def error(run: Training, images: list[Path], truth: np.ndarray) -> float:
    """Return the mean distance over all labelled points: no guess is left out for being uncertain."""
    frames = (np.asarray(Image.open(path).convert("RGB")) for path in images)
    guesses = np.stack([found["bodyparts"][0, :, :2] for found in run.inference().inference(frames)])
    return float(np.nanmean(np.linalg.norm(guesses - truth, axis=-1)))


def frames_per_second(labels: str, names: list[str], video: str, frames: int, threads: int) -> dict[str, Any]:
    """Decode and predict as ``analyze_videos`` does, from the beginning of a video."""
    torch.set_num_threads(threads)
    with training(labels, names) as (run, _, _):
        runner = run.inference()
        runner.inference(itertools.islice(VideoIterator(video), runner.batch_size))
        began = time.perf_counter()
        found = runner.inference(itertools.islice(VideoIterator(video), frames))
        rate = len(found) / (time.perf_counter() - began)
        return {"frames_per_second": rate, "frames": len(found), "batch": runner.batch_size}


if __name__ == "__main__":
    serve({"epoch_seconds": epoch_seconds, "train": train, "frames_per_second": frames_per_second})
