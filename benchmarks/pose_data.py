"""Labelled frames of DeepLabCut's example projects, as the pose benchmarks draw them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from napari_al_pose.domain import KeypointState
from napari_al_pose.pose import LabelledFrame

logger = logging.getLogger(__name__)

OPENFIELD = Path("openfield-Pranav-2018-10-30/labeled-data/m4s1/CollectedData_Pranav.csv")
REACHING = Path("Reaching-Mackenzie-2018-08-30/labeled-data/reachingvideo1/CollectedData_Mackenzie.csv")


@dataclass(frozen=True, slots=True)
class LabelledData:
    """All labelled frames of one project."""

    name: str
    frames: Sequence[LabelledFrame]
    bodyparts: Sequence[str]
    names: Sequence[str]

    def split_names(self, n: int, seed: int) -> list[str]:
        """Return the images that `split` gives to learn from, as paths within the project."""
        return [self.names[i] for i in np.random.default_rng(seed).permutation(len(self.frames))[:n]]

    def split(self, n: int, seed: int) -> tuple[list[LabelledFrame], list[LabelledFrame]]:
        """Return ``n`` frames to learn from and all others; more frames of one seed hold the fewer."""
        order = np.random.default_rng(seed).permutation(len(self.frames))
        return [self.frames[i] for i in order[:n]], [self.frames[i] for i in order[n:]]


def openfield(data: Path) -> LabelledData:
    """Return openfield: one mouse from above, 116 frames of 640 x 480, four bodyparts."""
    return _read("openfield", data / OPENFIELD)


def reaching(data: Path) -> LabelledData:
    """Return Reaching: a mouse's hand from the side, 55 frames of 832 x 747, five bodyparts, many missing."""
    return _read("Reaching", data / REACHING)


def _read(name: str, table: Path) -> LabelledData:
    labels = pd.read_csv(table, header=[0, 1, 2], index_col=0)
    xy = labels.to_numpy(float).reshape(len(labels), -1, 2)
    states = np.where(np.isnan(xy[..., 0]), KeypointState.NOT_VISIBLE, KeypointState.PLACED).astype(np.int8)
    frames, names = [], []
    for path, points, state in zip(labels.index, xy, states, strict=True):
        try:
            image = np.array(Image.open(table.parents[2] / path).convert("RGB"))
        except OSError as error:
            logger.warning("%s is left out: %s", path, error)
            continue
        frames.append(LabelledFrame(image, points, state))
        names.append(str(path))
    return LabelledData(name, frames, [str(part) for part in labels.columns.get_level_values(1)[::2]], names)
