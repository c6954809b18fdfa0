"""Places far from the animal that a network in training takes for one of its bodyparts.

Views of labelled frames mostly show the animal, so that a corner of the cage that happens to look like an ear is
hardly ever learnt from; it looks so in every frame of a camera that stands still. Asked for, such places can be shown.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import KeypointState
from napari_al_pose.pose.asking import AT_ONCE
from napari_al_pose.pose.forward import predict_chunk
from napari_al_pose.pose.frames import LabelledFrame
from napari_al_pose.pose.geometry import InputGeometry
from napari_al_pose.pose.network import PoseNetwork

HEIGHT = 0.1
"""Least height of a scoremap that counts: far from the animal it should be 0."""

Rival = tuple[LabelledFrame, NDArray[np.float64]]


def find_rivals(
    network: PoseNetwork, frames: Sequence[LabelledFrame], long_side: int, reach: float
) -> Generator[None, None, list[Rival]]:
    """Find the highest point of all scoremaps of each frame that is farther from the animal than ``reach``.

    Parameters
    ----------
    network : PoseNetwork
        In training; it is in evaluation mode afterwards.
    frames : sequence of LabelledFrame
        Those without a placed keypoint are passed over: nobody knows where their animal is.
    long_side : int
        The network's scale.
    reach : float
        Network pixels from the middle of the placed keypoints, along either side of the frame.

    Yields
    ------
    None
        Now and then on the way.

    Returns
    -------
    list of (LabelledFrame, float64 array (2,))
        Where a scoremap is at least `HEIGHT`; source pixels.
    """
    network.eval()
    found: list[Rival] = []
    for i, frame in enumerate(frames):
        placed = frame.xy[frame.states == KeypointState.PLACED]
        if len(placed):
            geometry = InputGeometry.fit(frame.size, long_side)
            chunk = predict_chunk(network, frame.image[None], geometry, None, with_scoremaps=True)
            assert chunk.scoremaps is not None  # they were asked for
            labelled = frame.states != KeypointState.UNSEEN
            middle = geometry.to_network(np.stack([placed.min(axis=0), placed.max(axis=0)])).mean(axis=0)
            place = _highest(chunk.scoremaps[0][labelled].max(axis=0), geometry, middle, reach)
            if place is not None:
                found.append((frame, place))
        if i % AT_ONCE == AT_ONCE - 1:
            yield
    return found


def _highest(
    scoremap: NDArray[np.float32], geometry: InputGeometry, middle: NDArray[np.float64], reach: float
) -> NDArray[np.float64] | None:
    rows, columns = np.indices(scoremap.shape)
    xy = geometry.to_source(np.stack([columns, rows], axis=-1).reshape(-1, 2).astype(np.float64))
    away = np.abs(geometry.to_network(xy) - middle).max(axis=-1) > reach
    heights = np.where(away, scoremap.ravel(), 0.0)
    best = int(heights.argmax())
    return xy[best] if heights[best] >= HEIGHT else None
