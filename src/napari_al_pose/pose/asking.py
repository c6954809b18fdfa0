"""What a network in training says about frames, asked without keeping whoever waits for the training waiting."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.pose.animals import Animals
from napari_al_pose.pose.calibration import Answers, answers
from napari_al_pose.pose.forward import predict_chunk
from napari_al_pose.pose.frames import LabelledFrame
from napari_al_pose.pose.geometry import InputGeometry
from napari_al_pose.pose.matching import matched
from napari_al_pose.pose.metrics import distances
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.window import Window

AT_ONCE = 4
"""Frames between two ticks: whoever waits for the generator waits no longer than for a step."""


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """Poses of labelled frames and how sure the network is of them, uncalibrated.

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
        """Median error over placed keypoints, source px, which one that is lost does not change; NaN without any."""
        return float(np.median(self._distances)) if len(self._distances) else float("nan")

    def answers(self, reference_px: float) -> Answers:
        """Return it keypoint by keypoint, as calibration wants it."""
        return answers(self.raw, self.xy, *self._labels, reference_px=reference_px)

    @property
    def _distances(self) -> NDArray[np.float64]:
        found = distances(self.xy, *self._labels)
        return found[np.isfinite(found)]

    @property
    def _labels(self) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
        return np.stack([f.xy for f in self.frames]), np.stack([f.states for f in self.frames])


def ask(
    network: PoseNetwork,
    frames: Sequence[LabelledFrame],
    long_side: int,
    window: Window | None = None,
    *,
    animals: Animals | None = None,
) -> Generator[None, None, Said]:
    """Return what ``network`` says about ``frames``, at least one; yields now and then on the way.

    Of several animals each labelled one is a frame of its own, beside what was taken for it; an animal that was missed
    has no position and no height.
    """
    network.eval()
    asked, poses, likelihoods = list[LabelledFrame](), [], []
    for i, frame in enumerate(frames):
        geometry = InputGeometry.fit(frame.size, long_side)
        chunk = predict_chunk(network, frame.image[None], geometry, window, with_scoremaps=False, animals=animals)
        if chunk.animals is None:
            asked.append(frame)
            poses.append(chunk.xy)
            likelihoods.append(chunk.likelihood)
        else:
            xy, raw, _ = matched(chunk.animals.xy[0], chunk.animals.likelihood[0], frame)
            asked += frame.animals
            poses.append(xy)
            likelihoods.append(raw)
        if i % AT_ONCE == AT_ONCE - 1 and i + 1 < len(frames):
            yield
    return Said(tuple(asked), np.concatenate(poses), np.concatenate(likelihoods))
