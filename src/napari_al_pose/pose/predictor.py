"""The interface of every model, whichever program trained it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.pose.animals import Animals
from napari_al_pose.pose.model import PoseBatch, PoseModel


class Predictor(Protocol):
    """A trained model, ours or another program's."""

    bodyparts: tuple[str, ...]
    animals: Animals | None
    """How many animals it tells apart; None where it knows one."""
    is_slow: bool
    """Whether a frame takes so long that only what a strategy needs is computed, not what would improve it."""
    file_name: str
    """The name of its file, by which `load_predictor` recognises it."""

    @property
    def network_name(self) -> str:
        """Name of the network, which becomes part of scorers."""
        ...

    @property
    def notice(self) -> str:
        """What predictions do to save memory, in a few words; empty if memory suffices."""
        ...

    def input_size_for(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and width to which frames may be scaled before `predict`."""
        ...

    def predict(
        self, frames: NDArray[np.uint8], *, source: tuple[int, int] | None = None, with_scoremaps: bool = True
    ) -> PoseBatch:
        """Predict the pose in each frame, (N, H, W, 3) RGB; see `PoseModel.predict`."""
        ...

    def save(self, path: Path) -> None:
        """Write the model to a file of that name, in a folder that is moved into place when it is whole."""
        ...


def load_predictor(path: Path, device: str = "auto") -> Predictor:
    """Read a model of the project, whichever program trained it; the file name tells.

    Raises
    ------
    AlPoseError
        If the file is missing, damaged or not a model, if a package it needs is missing, or the device is not
        available.
    """
    # Modules for other programs' models are imported only where one is used.
    if path.name == PoseModel.file_name:
        return PoseModel.load(path, device)
    from napari_al_pose.pose.foreign.deeplabcut_model import DeepLabCutModel
    from napari_al_pose.pose.foreign.onnx_model import OnnxModel, load_onnx

    return load_onnx(path) if path.name == OnnxModel.file_name else DeepLabCutModel.load(path, device)
