"""What every model offers, whoever trained it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.pose.model import PoseBatch, PoseModel


class Predictor(Protocol):
    """A trained model, ours or another program's."""

    bodyparts: tuple[str, ...]
    file_name: str
    """What its file is called; `load_predictor` goes by it."""

    @property
    def network_name(self) -> str:
        """Name of the network, for scorers."""
        ...

    @property
    def notice(self) -> str:
        """What little memory makes of predictions, in a few words; empty if nothing."""
        ...

    def input_size_for(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width to which frames may be scaled before `predict`."""
        ...

    def predict(
        self, frames: NDArray[np.uint8], *, source: tuple[int, int] | None = None, with_scoremaps: bool = True
    ) -> PoseBatch:
        """Predict the pose in each frame, (N, H, W, 3) RGB; see `PoseModel.predict`."""
        ...

    def save(self, path: Path) -> None:
        """Write the model to a file of that name, in a folder that is put in place when it is whole."""
        ...


def load_predictor(path: Path, device: str = "auto") -> Predictor:
    """Read a model of the project, whoever trained it; the file's name says.

    Raises
    ------
    AlPoseError
        If the file is missing, damaged or not a model, what it needs is not installed, or the device can't be used.
    """
    # What other programs' models need is imported only for those who have one.
    if path.name == PoseModel.file_name:
        return PoseModel.load(path, device)
    from napari_al_pose.pose.foreign.deeplabcut_model import DeepLabCutModel
    from napari_al_pose.pose.foreign.onnx_model import OnnxModel

    return OnnxModel.load(path) if path.name == OnnxModel.file_name else DeepLabCutModel.load(path, device)
