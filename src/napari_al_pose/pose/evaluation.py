"""How good a model gets from a few labelled frames, measured on all the others."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.pose.frames import LabelledFrame
from napari_al_pose.pose.metrics import ErrorReport, error_report
from napari_al_pose.pose.training import TrainTick, train


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What `evaluate` found.

    Parameters
    ----------
    errors : ErrorReport
        On the frames that were not trained on.
    n_train, n_test : int
    train_seconds : float
        Wall clock of the training alone.
    steps : int
        Optimiser steps made.
    seed : int
        Of the draw.
    """

    errors: ErrorReport
    n_train: int
    n_test: int
    train_seconds: float
    steps: int
    seed: int

    def to_json(self) -> dict[str, Any]:
        """Return the fields that ``evaluate --json`` prints; null for what is not a number."""
        errors = self.errors
        return {
            "mean_error_px": _finite(errors.mean),
            "median_error_px": _finite(errors.median),
            "p95_error_px": _finite(errors.p95),
            "rmse_px": _finite(errors.rmse),
            "pck": errors.pck,
            "reference_px": _finite(errors.reference_px),
            "n_train": self.n_train,
            "n_test": self.n_test,
            "n_keypoints": errors.n_keypoints,
            "train_seconds": round(self.train_seconds, 2),
            "steps": self.steps,
            "seed": self.seed,
            "per_bodypart": {name: _finite(value) for name, value in errors.per_bodypart.items()},
        }


def evaluate(
    frames: Sequence[LabelledFrame],
    bodyparts: Sequence[str],
    settings: TrainSettings,
    *,
    train_frames: int,
    seed: int = 0,
    threads: int | None = None,
) -> Generator[TrainTick, None, Evaluation]:
    """Train on ``train_frames`` of ``frames``, drawn at random, and measure on the rest.

    The frames measured on take no part in the training, not even to choose when it ends. Yields the training's ticks.

    Raises
    ------
    AlPoseError
        If that would leave nothing to train or to measure on, or the training fails.
    """
    if not 1 <= train_frames < len(frames):
        raise AlPoseError(
            f"Expected 1 to {len(frames) - 1} frames to train on, got {train_frames}.",
            f"The project has {len(frames)} labelled frames; some must be left to measure on.",
        )
    order = np.random.default_rng(seed).permutation(len(frames))
    chosen = [frames[i] for i in order[:train_frames]]
    rest = [frames[i] for i in order[train_frames:]]
    began, steps = time.perf_counter(), 0
    training = train(chosen, bodyparts, settings.model_copy(update={"seed": seed}), threads=threads)
    while True:
        try:
            tick = next(training)
        except StopIteration as end:
            model = end.value
            break
        steps = tick.step
        yield tick
    seconds = time.perf_counter() - began
    predicted = np.concatenate([model.predict(frame.image[None], with_scoremaps=False).xy for frame in rest])
    annotated, states = np.stack([f.xy for f in rest]), np.stack([f.states for f in rest])
    return Evaluation(
        errors=error_report(predicted, annotated, states, bodyparts),
        n_train=len(chosen),
        n_test=len(rest),
        train_seconds=seconds,
        steps=steps,
        seed=seed,
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
