"""Hard negatives: places far from the animal that a network in training mistakes for one of its bodyparts.

Training crops mostly show the animal. A corner of the cage that looks like an ear is hardly ever among them, although a
fixed camera shows it in every frame. So the training looks for such places and learns from them too (hard negative
mining, Sung and Poggio 1998, doi:10.1109/34.655648).
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import KeypointState
from napari_al_pose.pose.forward import predict_chunk
from napari_al_pose.pose.frames import LabelledFrame
from napari_al_pose.pose.geometry import InputGeometry
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.validation import FRAMES_PER_YIELD

HEIGHT = 0.1
"""Lowest scoremap value that counts as a mistake; far from the animal it should be 0."""

HardNegative = tuple[LabelledFrame, NDArray[np.float64]]


def find_hard_negatives(
    network: PoseNetwork, frames: Sequence[LabelledFrame], long_side: int, reach: float
) -> Generator[None, None, list[HardNegative]]:
    """Find, in each frame, the highest scoremap value farther from the animal than ``reach``.

    Parameters
    ----------
    network : PoseNetwork
        Set to evaluation mode.
    frames : sequence of LabelledFrame
        Frames without a placed keypoint are skipped: it is unknown where their animal is.
    long_side : int
        The network's scale.
    reach : float
        Network pixels from the middle of the placed keypoints, along either side of the frame.

    Yields
    ------
    None
        After every few frames.

    Returns
    -------
    list of (LabelledFrame, float64 array (2,))
        Frames and places, source pixels, where a scoremap is at least `HEIGHT`.
    """
    network.eval()
    found: list[HardNegative] = []
    for i, frame in enumerate(frames):
        placed = frame.xy[frame.states == KeypointState.PLACED]
        if len(placed):
            geometry = InputGeometry.fit(frame.size, long_side)
            maps = predict_chunk(network, frame.image[None], geometry, None, with_scoremaps=True).scoremaps
            labelled = frame.states != KeypointState.UNSEEN
            middle = geometry.to_network(np.stack([placed.min(axis=0), placed.max(axis=0)])).mean(axis=0)
            place = None if maps is None else _highest(maps[0][labelled].max(axis=0), geometry, middle, reach)
            if place is not None:
                found.append((frame, place))
        if i % FRAMES_PER_YIELD == FRAMES_PER_YIELD - 1:
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
