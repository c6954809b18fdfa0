"""sleap-nn's U-Nets, from scratch as they start by default: answers `benchmarks.pose_peers` and `benchmarks.animals`.

Its own generator makes the configuration. For one animal what differs is what its sample
``config_single_instance_unet_medium_rf`` says otherwise, which is the lighter network.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import sleap_io
import torch
from omegaconf import DictConfig, OmegaConf
from serving import serve
from sleap_nn.config_generator import ConfigGenerator
from sleap_nn.inference.run import predict
from sleap_nn.training.model_trainer import ModelTrainer

N_MEASURED = 20
"""How often the error is measured within the time at most: each costs a pass over all frames held out."""

SAMPLE = {
    "model_config": {"backbone_config": {"unet": {"filters": 16, "filters_rate": 2.0}}},
    "trainer_config": {"early_stopping": {"patience": 10, "min_delta": 1e-8}},
}
# None of these costs it anything: pictures for the eye, files and bars.
QUIET = {
    "trainer_config": {
        "trainer_accelerator": "cpu",
        "trainer_devices": 1,
        "visualize_preds_during_training": False,
        "enable_progress_bar": False,
        "save_ckpt": False,
    }
}


PIPELINES = {"top_down": ("centroid", "centered_instance"), "bottom_up": ("bottomup",)}
"""The networks of each of its ways with several animals; they are trained one after the other."""


class Ending(lightning.Callback):
    """Ends training when its time is up, and keeps the network as it is then."""

    def __init__(self, folder: Path, *, limit: float) -> None:
        self.folder, self.limit = folder, limit
        self.began, self.seconds, self.n_steps = 0.0, 0.0, 0

    def on_train_start(self, *_: Any) -> None:
        self.began = time.perf_counter()

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        self.n_steps += 1
        self.seconds = time.perf_counter() - self.began
        trainer.should_stop = self.seconds >= self.limit

    def on_train_end(self, trainer: Any, *_: Any) -> None:
        trainer.save_checkpoint(self.folder / "best.ckpt", weights_only=True)


class HeldOutWatch(lightning.Callback):
    """Measures the error on held-out frames now and then, and ends training when it is low or time is up.

    The clock stands still meanwhile: `curve` has seconds of training, steps and the mean error in pixels.
    """

    def __init__(self, held_out: sleap_io.Labels, folder: Path, *, px: float, limit: float) -> None:
        self.held_out, self.folder, self.px, self.limit = held_out, folder, px, limit
        self.curve: list[tuple[float, int, float]] = []
        self.spent, self.since, self.n_steps = 0.0, 0.0, 0

    def on_train_start(self, *_: Any) -> None:
        self.since = time.perf_counter()

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        self.n_steps += 1
        seconds = self.spent + time.perf_counter() - self.since
        measured = self.curve[-1][0] if self.curve else 0.0
        if seconds - measured >= self.limit / N_MEASURED or seconds >= self.limit:
            self.measure(trainer, seconds)
            trainer.should_stop = seconds >= self.limit or self.curve[-1][2] <= self.px
            self.since = time.perf_counter()

    def on_train_end(self, trainer: Any, *_: Any) -> None:
        if not self.curve or self.curve[-1][1] < self.n_steps:  # it has stopped of its own accord
            self.measure(trainer, self.spent + time.perf_counter() - self.since)

    def measure(self, trainer: Any, seconds: float) -> None:
        """Note the error after so many seconds of training."""
        self.spent = seconds
        self.curve.append((seconds, self.n_steps, self.error(trainer)))

    def error(self, trainer: Any) -> float:
        """Return the mean distance over all labelled points; where there is no guess the corner is taken for one."""
        trainer.save_checkpoint(self.folder / "best.ckpt", weights_only=True)
        found = predict(self.held_out, model_paths=[str(self.folder)], device="cpu", peak_threshold=0.0)
        guesses = {frame.frame_idx: frame.instances[0].numpy() for frame in found if len(frame.instances)}
        distances = []
        for frame in self.held_out:
            labels = frame.instances[0].numpy()
            guess = guesses.get(frame.frame_idx, np.zeros_like(labels))
            distances.append(np.linalg.norm(np.nan_to_num(guess) - labels, axis=-1))
        return float(np.nanmean(distances))


class WatchedTrainer(ModelTrainer):
    """Its trainer, which takes no callbacks from outside, with one more."""

    watch: HeldOutWatch | Ending

    def _setup_loggers_callbacks(self, **arguments: Any) -> tuple[Any, list[Any]]:
        loggers, callbacks = super()._setup_loggers_callbacks(**arguments)
        return loggers, [*callbacks, self.watch]


def configure(labels: Path, folder: Path) -> DictConfig:
    """Return its own configuration for one animal in a frame."""
    config = ConfigGenerator.from_slp(str(labels)).pipeline("single_instance").build()
    return OmegaConf.merge(config, SAMPLE, QUIET, _place(folder, "run"))


def _place(folder: Path, run: str) -> dict[str, Any]:
    return {"trainer_config": {"ckpt_dir": str(folder), "run_name": run}}


def train(labels: str, names: list[str], px: float, limit: float, threads: int) -> dict[str, Any]:
    """Train on the images of these names, at most ``limit`` seconds; return the curve on all others."""
    torch.set_num_threads(threads)
    everything = sleap_io.load_dlc(labels)
    chosen, rest = [], []
    for frame in everything:
        image = Path(frame.video.filename[frame.frame_idx])
        (chosen if image.name in {Path(name).name for name in names} else rest).append(frame)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        learn = sleap_io.Labels(chosen)
        learn.save(folder / "learn.slp")
        config = configure(folder / "learn.slp", folder)
        trainer = WatchedTrainer.get_model_trainer_from_config(config, train_labels=[learn])
        trainer.watch = watch = HeldOutWatch(sleap_io.Labels(rest), folder / "run", px=px, limit=limit)
        trainer.train()
    return {"curve": watch.curve, "batch": config.trainer_config.train_data_loader.batch_size}


def animals(
    labels: str, learn: list[int], test: list[int], way: str, most: int, limit: float, threads: int
) -> dict[str, Any]:
    """Train one of `PIPELINES` on some frames of a video, at most ``limit`` seconds; return the poses in others.

    ``labels`` is an ``.slp`` file; frames are numbers. Poses are ``[score, [[x, y], ...]]``, NaN where there is none.
    """
    torch.set_num_threads(threads)
    by_number = {frame.frame_idx: frame for frame in sleap_io.load_slp(labels)}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        chosen = sleap_io.Labels([by_number[number] for number in learn])
        chosen.save(folder / "learn.slp")
        endings, batches = [], []
        for kind in PIPELINES[way]:
            config = ConfigGenerator.from_slp(str(folder / "learn.slp")).auto().pipeline(kind).build()
            config = OmegaConf.merge(config, QUIET, _place(folder, kind))
            trainer = WatchedTrainer.get_model_trainer_from_config(config, train_labels=[chosen])
            trainer.watch = ending = Ending(folder / kind, limit=limit / len(PIPELINES[way]))
            trainer.train()
            endings.append(ending)
            batches.append(config.trainer_config.train_data_loader.batch_size)
        paths = [str(ending.folder) for ending in endings]
        rest = sleap_io.Labels([by_number[number] for number in test])
        began = time.perf_counter()
        found = predict(rest, model_paths=paths, device="cpu", max_instances=most)
        seconds = time.perf_counter() - began
        poses = {
            frame.frame_idx: [[float(one.score), one.numpy().tolist()] for one in frame.instances] for frame in found
        }
    return {
        "poses": [poses.get(number, []) for number in test],
        "seconds": [ending.seconds for ending in endings],
        "steps": [ending.n_steps for ending in endings],
        "batch": batches,
        "frames_per_second": len(test) / seconds,
    }


if __name__ == "__main__":
    serve({"train": train, "animals": animals})
