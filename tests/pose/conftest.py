"""Tiny made-up frames: a red and a blue disc on noise."""

from __future__ import annotations

import numpy as np
import pytest
from pose_tools import BODYPARTS, finish

from napari_al_pose.domain import KeypointState
from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.pose import LabelledFrame, PoseModel, TrainTick, train


def make_frame(rng: np.random.Generator, *, height: int = 64, width: int = 96) -> LabelledFrame:
    xy = rng.uniform([10.0, 10.0], [width - 11.0, height - 11.0], (2, 2))
    image = rng.integers(80, 110, (height, width, 3)).astype(np.uint8)
    rows, columns = np.mgrid[:height, :width]
    for (x, y), colour in zip(xy, ([250, 30, 30], [30, 30, 250]), strict=True):
        image[np.hypot(columns - x, rows - y) < 6] = colour
    return LabelledFrame(image, xy, np.full(2, KeypointState.PLACED, np.int8))


@pytest.fixture(scope="session")
def disc_frames() -> list[LabelledFrame]:
    rng = np.random.default_rng(0)
    return [make_frame(rng) for _ in range(12)]


@pytest.fixture(scope="session")
def learnt(disc_frames) -> tuple[list[TrainTick], PoseModel]:
    """The ticks and the model of a training on the first eight of them."""
    settings = TrainSettings(device="cpu", steps=60, batch_size=4, long_side=96)
    return finish(train(disc_frames[:8], BODYPARTS, settings, holdout=disc_frames[8:], threads=1))
