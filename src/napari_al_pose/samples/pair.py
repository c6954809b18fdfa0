"""The sample with two mice: videos in which they look alike, meet and cross, with the truth beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pooch
from numpy.typing import NDArray

from napari_al_pose.samples.arena import home_cage, open_field
from napari_al_pose.samples.footage import Scene
from napari_al_pose.samples.synthetic import BLACK, WHITE, make_drawn, read_truth

PAIR_NAME = "alpose-pair-synthetic-2024-01-01"
INDIVIDUALS = ("mouse1", "mouse2")
PAIR_SCENES = (
    Scene("two-black-mice", home_cage, BLACK, size=0.8),
    Scene("two-white-mice", open_field, WHITE, size=0.75, flicker=0.1),
)
_VERSION = "pair-1"
"""Increase this when the drawing changes, so that nobody gets an old picture from the cache."""


def pair_home() -> Path:
    """Return the folder in the user's cache where the application keeps its sample of two."""
    return Path(pooch.os_cache("napari-al-pose")) / _VERSION


def make_pair(
    folder: Path, *, seed: int = 0, n_frames: int = 600, progress: Callable[[int, int], None] | None = None
) -> Path:
    """Make the sample project with two mice in ``folder / PAIR_NAME``; all else is as in `make_sample`."""
    return make_drawn(
        Path(folder) / PAIR_NAME,
        PAIR_SCENES,
        seed=seed,
        n_frames=n_frames,
        individuals=INDIVIDUALS,
        progress=progress,
    )


def pair_truth(folder: Path) -> dict[str, NDArray[np.float64]]:
    """Return the true position of every bodypart of both mice.

    Parameters
    ----------
    folder : Path
        The project folder, or its ``config.yaml``.

    Returns
    -------
    dict
        For each video float64 (N, 2, K, 2), source pixels with NaN for bodyparts that can't be seen; mice and bodyparts
        are in the order of ``config.yaml``.

    Raises
    ------
    AlPoseError
        If the folder has no truth, or a damaged one.
    """
    return {name: xy for name, xy in read_truth(Path(folder)).items() if name not in ("seed", "n_frames")}
