"""The input of a ranking: pool, model and labels, from a project or from a simulation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition import Extra
from napari_al_pose.domain import Annotation, FrameKey, FrameSource, Skeleton
from napari_al_pose.engine.imported_predictions import ImportedPredictions
from napari_al_pose.engine.labels import known_labels
from napari_al_pose.engine.pool import Pool, PredictFrames, predict_frames
from napari_al_pose.engine.reliability import bodypart_quality, measured_reliability
from napari_al_pose.pose.predictor import Predictor
from napari_al_pose.project import Project

ENSEMBLE = 4
"""How many versions make an ensemble."""


class RankingLabels(Protocol):
    """The labels made so far, and how well models had predicted them before."""

    @property
    def skeleton(self) -> Skeleton:
        """What is labelled."""

    def annotations(self) -> Sequence[Annotation]:
        """Return the labels, of each animal of a frame apart."""

    def reliability(self) -> float:
        """Return how far the model can be trusted, in [0, 1]; see `ScoreContext`."""

    def bodypart_quality(self) -> NDArray[np.float64]:
        """Return how well each bodypart had been predicted in the batches labelled last, ``(K,)``, in [0, 1]."""

    def earlier_poses(self, keys: Sequence[FrameKey]) -> list[NDArray[np.floating]]:
        """Return what the last versions of the model said of frames, ``(N, K, 2)`` each; NaN where one did not look."""


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

    def bodypart_quality(self) -> NDArray[np.float64]:
        """See `RankingLabels`."""
        return bodypart_quality(self.project)

    def earlier_poses(self, keys: Sequence[FrameKey]) -> list[NDArray[np.floating]]:
        """See `RankingLabels`; what the versions said is on disk."""
        k = self.skeleton.n_bodyparts
        looks = []
        for version in self.project.models.versions()[-ENSEMBLE:]:
            said = self.project.predictions.load(version)
            poses = [said[key].xy if key in said else np.full((k, 2), np.nan) for key in keys]
            if poses and all(pose.shape == (k, 2) for pose in poses) and np.isfinite(np.stack(poses)).any():
                looks.append(np.stack(poses))
        return looks


@dataclass(frozen=True, slots=True, eq=False)
class RankingInput:
    """Frames, model and labels: all that a ranking depends on beside the strategy.

    Parameters
    ----------
    pool : Pool
        The frames to rank.
    sources : mapping of str to FrameSource
        Where the frames are, by video.
    labels : RankingLabels
    model : Predictor or None
        None before the first training.
    version : int
        The model's number.
    job : int
        For the progress.
    predict : callable
        Runs the model over frames, here or elsewhere.
    imported : ImportedPredictions or None
        What another program said, where there is no model yet.
    unavailable : mapping of Extra to str
        Arrays that can't be computed for these frames, and why not.
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
