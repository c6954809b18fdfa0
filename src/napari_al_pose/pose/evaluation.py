"""Measures how good a model gets from a few labelled frames, on all the others."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError, Reliability
from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.pose.animal_metrics import animal_report, unique_report
from napari_al_pose.pose.animals import AnimalPoses
from napari_al_pose.pose.calibration import reliability_of
from napari_al_pose.pose.frames import LabelledFrame
from napari_al_pose.pose.matching import matched
from napari_al_pose.pose.metrics import ErrorReport, error_report
from napari_al_pose.pose.model import PoseModel
from napari_al_pose.pose.training import train
from napari_al_pose.pose.training_task import TrainTick


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of `evaluate`.

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
    reliability : Reliability or None
        Of the likelihoods on the same frames.
    unique : ErrorReport, optional
        Errors of the unique bodyparts on the same frames, if there are any; the other errors are the animals'.
    """

    errors: ErrorReport
    n_train: int
    n_test: int
    train_seconds: float
    steps: int
    seed: int
    reliability: Reliability | None
    unique: ErrorReport | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the fields that ``evaluate --json`` prints, with null for what is not a number."""
        errors = self.errors
        return {
            "mean_error_px": _finite(errors.mean),
            "median_error_px": _finite(errors.median),
            "p95_error_px": _finite(errors.p95),
            "rmse_px": _finite(errors.rmse),
            "pck": errors.pck,
            "reference_px": _finite(errors.reference_px),
            "normalised": {name: _finite(value) for name, value in errors.normalised.items()},
            "oks_map": _finite(errors.oks_map),
            **(_of_several(errors) if math.isfinite(errors.missed) else {}),
            "calibration_error": None if self.reliability is None else self.reliability.expected_error,
            "reliability": [] if self.reliability is None else [list(row) for row in self.reliability.bins],
            "n_train": self.n_train,
            "n_test": self.n_test,
            "n_keypoints": errors.n_keypoints,
            "train_seconds": round(self.train_seconds, 2),
            "steps": self.steps,
            "seed": self.seed,
            "per_bodypart": {name: _finite(value) for name, value in errors.per_bodypart.items()},
            "per_video": {name: _finite(value) for name, value in errors.per_video.items()},
            **({} if self.unique is None else {"unique": _unique_json(self.unique)}),
        }


def _of_several(errors: ErrorReport) -> dict[str, float]:
    return {"oks_mar": errors.oks_mar, "missed": errors.missed, "extra": errors.extra}


def _unique_json(errors: ErrorReport) -> dict[str, Any]:
    """Return the errors of unique bodyparts; they have no length to relate errors to."""
    return {
        "mean_error_px": _finite(errors.mean),
        "median_error_px": _finite(errors.median),
        "p95_error_px": _finite(errors.p95),
        "rmse_px": _finite(errors.rmse),
        "n_keypoints": errors.n_keypoints,
        "per_bodypart": {name: _finite(value) for name, value in errors.per_bodypart.items()},
    }


def evaluate(
    frames: Sequence[LabelledFrame],
    bodyparts: Sequence[str],
    settings: TrainSettings,
    *,
    train_frames: int,
    seed: int = 0,
    between: tuple[int, int] | None = None,
    threads: int | None = None,
    animals: int = 1,
    unique_bodyparts: Sequence[str] = (),
) -> Generator[TrainTick, None, Evaluation]:
    """Train on ``train_frames`` of ``frames``, drawn at random, and measure on the rest.

    The test frames take no part in the training, not even to decide when it ends. Yields the training's ticks. The
    distance of the two keypoints ``between`` is the reference length; by default it is the diagonal of the bounding
    box. A frame shows at most ``animals``, and the ``unique_bodyparts`` beside them.

    Raises
    ------
    AlPoseError
        If no frame would be left to train on, or none with an animal to test on, or if the training fails.
    """
    if not 1 <= train_frames < len(frames):
        raise AlPoseError(
            f"Expected 1 to {len(frames) - 1} frames to train on, got {train_frames}.",
            f"The project has {len(frames)} labelled frames; some must be left to measure on.",
        )
    order = np.random.default_rng(seed).permutation(len(frames))
    chosen = [frames[i] for i in order[:train_frames]]
    rest = [frames[i] for i in order[train_frames:]]
    if not any(frame.animals for frame in rest):
        raise AlPoseError(
            f"None of the {len(rest)} test frames shows a labelled animal, so there is nothing to measure on.",
            "Label more frames, or draw others with another seed.",
        )
    began, steps = time.perf_counter(), 0
    seeded = settings.model_copy(update={"seed": seed})
    training = train(
        chosen, bodyparts, seeded, threads=threads, animals=animals, unique_bodyparts=tuple(unique_bodyparts)
    )
    while True:
        try:
            tick = next(training)
        except StopIteration as end:
            model: PoseModel = end.value
            break
        steps = tick.step
        yield tick
    seconds = time.perf_counter() - began
    unique = None
    if model.animals is None:
        errors, reliability = examine(model, rest, between=between)
    else:
        found = _animal_poses(model, rest)
        errors, reliability = animal_report(found, rest, model.bodyparts, between=between)
        unique = unique_report(found, rest, model.unique_bodyparts)
    return Evaluation(
        errors=errors,
        n_train=len(chosen),
        n_test=len(rest),
        train_seconds=seconds,
        steps=steps,
        seed=seed,
        reliability=reliability,
        unique=unique,
    )


def examine(
    model: PoseModel, frames: Sequence[LabelledFrame], *, between: tuple[int, int] | None = None
) -> tuple[ErrorReport, Reliability | None]:
    """Return a model's errors on labelled frames, at least one, and the reliability of its likelihoods there."""
    if model.animals is not None:
        return animal_report(_animal_poses(model, frames), frames, model.bodyparts, between=between)
    predicted, likelihood, annotated, states = predict_labelled(model, frames)
    errors = error_report(
        predicted,
        annotated,
        states,
        model.bodyparts,
        likelihood=likelihood,
        videos=[frame.video for frame in frames],
        between=between,
    )
    return errors, reliability_of(likelihood, predicted, annotated, states)


def _animal_poses(model: PoseModel, frames: Sequence[LabelledFrame]) -> list[AnimalPoses]:
    return [model.predict(frame.image[None], with_scoremaps=False).every_animal() for frame in frames]


LabelledPredictions = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float64], NDArray[np.int8]]
"""Predicted positions (N, K, 2), likelihoods (N, K), annotated positions (N, K, 2) and states (N, K)."""


def predict_labelled(model: PoseModel, frames: Sequence[LabelledFrame]) -> LabelledPredictions:
    """Return predicted positions and likelihoods beside the annotated positions and states, one row a frame.

    With several animals each labelled animal is a row of its own; missed animals are left out.
    """
    if model.animals is not None:
        return _predict_animals(model, frames)
    batches = [model.predict(frame.image[None], with_scoremaps=False) for frame in frames]
    return (
        np.concatenate([batch.xy for batch in batches]),
        np.concatenate([batch.likelihood for batch in batches]),
        np.stack([frame.xy for frame in frames]),
        np.stack([frame.states for frame in frames]),
    )


def _predict_animals(model: PoseModel, frames: Sequence[LabelledFrame]) -> LabelledPredictions:
    poses, sure = [], []
    for frame in frames:
        found = model.predict(frame.image[None], with_scoremaps=False).every_animal()
        xy, likelihood, _ = matched(found.xy[0], found.likelihood[0], frame)
        poses.append(xy)
        sure.append(likelihood)
    animals = [animal for frame in frames for animal in frame.animals]
    predicted, likelihoods = np.concatenate(poses), np.concatenate(sure)
    is_found = np.isfinite(predicted[..., 0]).any(axis=1)
    annotated, states = np.stack([one.xy for one in animals]), np.stack([one.states for one in animals])
    return predicted[is_found], likelihoods[is_found], annotated[is_found], states[is_found]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
