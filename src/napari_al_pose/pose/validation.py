"""Predictions of a network in training on labelled frames, made in small parts so that the caller stays responsive."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.pose.animals import Animals
from napari_al_pose.pose.calibration import CalibrationSet, calibration_set
from napari_al_pose.pose.forward import predict_chunk
from napari_al_pose.pose.frames import LabelledFrame
from napari_al_pose.pose.geometry import InputGeometry
from napari_al_pose.pose.matching import matched
from napari_al_pose.pose.metrics import distances
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.window import Window

FRAMES_PER_YIELD = 4
"""Frames predicted between two yields: about as long as one training step."""


@dataclass(frozen=True, slots=True, eq=False)
class ValidationPredictions:
    """Poses predicted on labelled frames, with uncalibrated likelihoods.

    Parameters
    ----------
    frames : tuple of LabelledFrame
    xy : float array, (N, K, 2)
    raw : float array, (N, K)
    """

    frames: tuple[LabelledFrame, ...]
    xy: NDArray[np.float32]
    raw: NDArray[np.float32]

    @property
    def mean_error(self) -> float:
        """Mean error over placed keypoints, source px; NaN without any."""
        return float(np.mean(self._distances)) if len(self._distances) else float("nan")

    @property
    def median_error(self) -> float:
        """Median error over placed keypoints, source px, robust against lost ones; NaN without any."""
        return float(np.median(self._distances)) if len(self._distances) else float("nan")

    def calibration_set(self, reference_px: float) -> CalibrationSet:
        """Return the predictions keypoint by keypoint, for `fit_calibration`."""
        return calibration_set(self.raw, self.xy, *self._labels, reference_px=reference_px)

    @property
    def _distances(self) -> NDArray[np.float64]:
        found = distances(self.xy, *self._labels)
        return found[np.isfinite(found)]

    @property
    def _labels(self) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
        return np.stack([f.xy for f in self.frames]), np.stack([f.states for f in self.frames])


def validate(
    network: PoseNetwork,
    frames: Sequence[LabelledFrame],
    long_side: int,
    window: Window | None = None,
    *,
    animals: Animals | None = None,
) -> Generator[None, None, ValidationPredictions]:
    """Predict ``frames``, at least one, and yield after every few.

    With several animals, each labelled animal counts as a frame of its own, matched with the prediction closest to it.
    A missed animal has no position and likelihood 0.
    """
    network.eval()
    labelled, poses, likelihoods = list[LabelledFrame](), [], []
    for i, frame in enumerate(frames):
        geometry = InputGeometry.fit(frame.size, long_side)
        chunk = predict_chunk(network, frame.image[None], geometry, window, with_scoremaps=False, animals=animals)
        if chunk.animals is None:
            labelled.append(frame)
            poses.append(chunk.xy)
            likelihoods.append(chunk.likelihood)
        else:
            xy, raw, _ = matched(chunk.animals.xy[0], chunk.animals.likelihood[0], frame)
            labelled += frame.animals
            poses.append(xy)
            likelihoods.append(raw)
        if i % FRAMES_PER_YIELD == FRAMES_PER_YIELD - 1 and i + 1 < len(frames):
            yield
    return ValidationPredictions(tuple(labelled), np.concatenate(poses), np.concatenate(likelihoods))
