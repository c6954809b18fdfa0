"""sleap-nn's single-instance U-Net, from scratch as it starts by default: answers `benchmarks.pose_peers`.

Its own generator makes the configuration; what differs is what its sample ``config_single_instance_unet_medium_rf``
says otherwise, which is the lighter network.
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

    watch: HeldOutWatch

    def _setup_loggers_callbacks(self, **arguments: Any) -> tuple[Any, list[Any]]:
        loggers, callbacks = super()._setup_loggers_callbacks(**arguments)
        return loggers, [*callbacks, self.watch]


def configure(labels: Path, folder: Path) -> DictConfig:
    """Return its own configuration for one animal in a frame."""
    config = ConfigGenerator.from_slp(str(labels)).pipeline("single_instance").build()
    place = {"trainer_config": {"ckpt_dir": str(folder), "run_name": "run"}}
    return OmegaConf.merge(config, SAMPLE, QUIET, place)


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


if __name__ == "__main__":
    serve({"train": train})
