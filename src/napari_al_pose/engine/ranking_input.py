"""The input of a ranking: pool, model and labels, from a project or from a simulation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition import Extra
from napari_al_pose.acquisition.reliability import (
    agreement,
    agreement_by_bodypart,
    animal_size,
    update,
    worst_error,
)
from napari_al_pose.domain import Annotation, FrameKey, FrameSource, Prediction, Skeleton
from napari_al_pose.engine.imported_predictions import ImportedPredictions
from napari_al_pose.engine.judged_guesses import guesses_before, paired
from napari_al_pose.engine.labels import by_frame, known_labels
from napari_al_pose.engine.pool import Pool, PredictFrames, predict_frames
from napari_al_pose.pose.predictor import Predictor
from napari_al_pose.project import Project

ENSEMBLE = 4
"""Number of versions in an ensemble."""


class RankingLabels(Protocol):
    """The labels made so far, and how well models predicted them beforehand."""

    @property
    def skeleton(self) -> Skeleton:
        """The labelled frames."""

    def annotations(self) -> Sequence[Annotation]:
        """Return the labels, each animal of a frame separately."""

    def reliability(self) -> float:
        """Return how far the model can be trusted, in [0, 1]; see `ScoreContext`."""

    def errors_before(self, keys: Sequence[FrameKey]) -> NDArray[np.float64]:
        """Return the errors of labelled frames, ``(M,)``; see `Extra.ERRORS_LABELLED`."""

    def bodypart_quality(self) -> NDArray[np.float64]:
        """Return how well each bodypart was predicted in the batches labelled last, ``(K,)``, in [0, 1]."""

    def earlier_poses(self, keys: Sequence[FrameKey]) -> list[NDArray[np.floating]]:
        """Return the last versions' predictions for frames, ``(N, K, 2)`` each; NaN if a version has none."""


@dataclass(frozen=True, slots=True)
class ProjectLabels:
    """The labels of a project.

    Parameters
    ----------
    project : Project
    """

    project: Project

    @property
    def skeleton(self) -> Skeleton:
        """See `RankingLabels`."""
        return self.project.skeleton

    def annotations(self) -> list[Annotation]:
        """See `RankingLabels`."""
        return known_labels(self.project)

    def reliability(self) -> float:
        """See `RankingLabels`."""
        return measured_reliability(self.project)

    def errors_before(self, keys: Sequence[FrameKey]) -> NDArray[np.float64]:
        """See `RankingLabels`; the versions' predictions are on disk."""
        return errors_before(self.project, keys)

    def bodypart_quality(self) -> NDArray[np.float64]:
        """See `RankingLabels`."""
        return bodypart_quality(self.project)

    def earlier_poses(self, keys: Sequence[FrameKey]) -> list[NDArray[np.floating]]:
        """See `RankingLabels`; the versions' predictions are on disk."""
        k = self.skeleton.n_bodyparts
        looks = []
        for version in self.project.models.versions()[-ENSEMBLE:]:
            stored = self.project.predictions.load(version)
            poses = [stored[key].xy if key in stored else np.full((k, 2), np.nan) for key in keys]
            if poses and all(pose.shape == (k, 2) for pose in poses) and np.isfinite(np.stack(poses)).any():
                looks.append(np.stack(poses))
        return looks


@dataclass(frozen=True, slots=True, eq=False)
class RankingInput:
    """Frames, model and labels: everything but the strategy that a ranking depends on.

    Parameters
    ----------
    pool : Pool
        The frames to rank.
    sources : mapping of str to FrameSource
        By video, to read the frames from.
    labels : RankingLabels
    model : Predictor or None
        None before the first training.
    version : int
        The model's number.
    job : int
        For progress messages.
    predict : callable
        Runs the model on frames, here or elsewhere.
    imported : ImportedPredictions or None
        Another program's predictions, if there is no model yet.
    unavailable : mapping of Extra to str
        Arrays that can't be computed for these frames, with the reason.
    """

    pool: Pool
    sources: Mapping[str, FrameSource]
    labels: RankingLabels
    model: Predictor | None
    version: int
    job: int = 0
    predict: PredictFrames = predict_frames
    imported: ImportedPredictions | None = None
    unavailable: Mapping[Extra, str] = field(default_factory=dict)


def measured_reliability(project: Project) -> float:
    """Return the reliability after the batches labelled so far, in [0, 1]; 0 before the second round."""
    reliability = 0.0
    for predicted, annotated in _batches(project):
        reliability = update(reliability, agreement(predicted, annotated))
    return reliability


def errors_before(project: Project, keys: Sequence[FrameKey]) -> NDArray[np.float64]:
    """Return the largest error in each labelled frame, ``(M,)``; see `Extra.ERRORS_LABELLED`."""
    labels = by_frame(a for a in known_labels(project) if a.is_complete)
    size = animal_size(np.stack([a.xy for animals in labels.values() for a in animals])) if labels else float("nan")
    found: dict[FrameKey, float] = {}
    for key, guess in guesses_before(project, labels.keys()).items():
        pairs = [(pose, animal.xy) for pose, _, animal in paired(guess, labels[key])]
        if pairs:
            predicted, annotated = (np.stack(side) for side in zip(*pairs, strict=True))
            found[key] = worst_error(predicted, annotated, size)
    return np.array([found.get(key, np.nan) for key in keys], np.float64)


def bodypart_quality(project: Project) -> NDArray[np.float64]:
    """Return the reliability of each bodypart, ``(K,)``."""
    quality = np.zeros(project.skeleton.n_bodyparts)
    for predicted, annotated in _batches(project):
        measured = agreement_by_bodypart(predicted, annotated)
        known = np.isfinite(measured)
        quality[known] = 0.5 * quality[known] + 0.5 * measured[known]
    return quality


def _batches(project: Project) -> Iterator[tuple[NDArray[np.floating], NDArray[np.floating]]]:
    """Yield, for each labelled batch, the previous model's predictions and the annotations, ``(n, K, 2)`` each.

    A labelled frame that version v has predictions for was labelled after v was trained. If v + 1 has none, it was
    labelled before v + 1 predicted the pool, and so belongs to the batch between the two.
    """
    labels = by_frame(a for a in known_labels(project) if a.is_complete)
    outputs = [project.predictions.load(version) for version in project.models.versions()]
    for i, output in enumerate(outputs):
        later: dict[FrameKey, Prediction] = outputs[i + 1] if i + 1 < len(outputs) else {}
        batch = [key for key in labels if key in output and key not in later]
        pairs = [(pose, animal.xy) for key in batch for pose, _, animal in paired(output[key], labels[key])]
        if pairs:
            predicted, annotated = (np.stack(side) for side in zip(*pairs, strict=True))
            yield predicted, annotated
