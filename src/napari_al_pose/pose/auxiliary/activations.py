"""The activations before the pose network's last layer, from which it makes its scoremaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from napari_al_pose.domain import AlPoseError
from napari_al_pose.pose.geometry import InputGeometry, Windows, network_input
from napari_al_pose.pose.model import PoseModel
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.predictor import Predictor
from napari_al_pose.pose.targets import decode
from napari_al_pose.pose.window import pictures

POOLED = 16
"""Side of the features that auxiliary networks see, whatever the size of the frame."""


@dataclass(frozen=True, slots=True, eq=False)
class Activations:
    """Activations for frames of one size, on the cells that lie on the image.

    Parameters
    ----------
    features : Tensor, (n, C, h, w)
        Input of the last layer.
    scoremaps : Tensor, (n, K, h, w)
        In [0, 1].
    cells : Tensor, (n, K, 2)
        Column and row of the predicted places.
    geometry : InputGeometry or Windows
        Of what the network looked at.
    """

    features: Tensor
    scoremaps: Tensor
    cells: Tensor
    geometry: InputGeometry | Windows

    @property
    def xy(self) -> NDArray[np.float32]:
        """Predicted positions, ``(n, K, 2)``, source pixels."""
        return to_source(self.cells, self.geometry)

    def embedding(self) -> NDArray[np.float32]:
        """Return the features averaged over the image, ``(n, C)``."""
        return self.features.mean(dim=(2, 3)).float().cpu().numpy()

    def at_keypoints(self) -> NDArray[np.float32]:
        """Return the features in the cells nearest to the predicted positions, ``(n, K, C)``."""
        rows, columns = self.features.shape[2:]
        column = self.cells[..., 0].round().long().clamp(0, columns - 1)
        row = self.cells[..., 1].round().long().clamp(0, rows - 1)
        flat = self.features.flatten(2)
        index = (row * columns + column)[:, None, :].expand(-1, flat.shape[1], -1)
        return flat.gather(2, index).permute(0, 2, 1).float().cpu().numpy()

    def pooled(self) -> Tensor:
        """Return the features averaged down to ``(n, C, 16, 16)``."""
        return F.adaptive_avg_pool2d(self.features, POOLED)


def to_source(cells: Tensor, geometry: InputGeometry | Windows) -> NDArray[np.float32]:
    """Map cells ``(n, ..., 2)`` of n frames to source pixels."""
    return np.asarray(geometry.to_source(cells.cpu().numpy().astype(np.float64)), np.float32)


class ActivationProbe:
    """Reads a model's activations without changing the model.

    Parameters
    ----------
    model : Predictor
        One of ours, in which a single convolution makes the scoremaps.

    Raises
    ------
    AlPoseError
        If another program trained it.
    """

    def __init__(self, model: Predictor) -> None:
        if not isinstance(model, PoseModel):
            raise AlPoseError(
                "The activations of another program's network can't be read.",
                "Choose a strategy that only needs scoremaps, or train the built-in network.",
            )
        self.model = model
        self.network: PoseNetwork = model.network.fused().to(memory_format=torch.channels_last)
        self._seen: list[Tensor] = []
        self.network.scoremaps.register_forward_pre_hook(self._note)

    def _note(self, _module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        self._seen[:] = [arguments[0]]

    @property
    def last(self) -> nn.Conv2d:
        """The last layer."""
        return self.network.scoremaps

    def pictures(self, frames: NDArray[np.uint8]) -> tuple[Tensor, InputGeometry | Windows]:
        """Return what the network looks at in uint8 frames ``(n, H, W, 3)``; see `window.pictures`."""
        geometry = InputGeometry.fit((frames.shape[1], frames.shape[2]), self.model.long_side)
        return pictures(self.network, frames, geometry, self.model.window)

    def look(self, frames: NDArray[np.uint8]) -> Activations:
        """Return the activations for uint8 frames ``(n, H, W, 3)``, few enough to fit into memory at once."""
        return self.look_at_images(*self.input(frames))

    def input(self, frames: NDArray[np.uint8]) -> tuple[Tensor, InputGeometry | Windows]:
        """Return the network's input for frames."""
        images, seen = self.pictures(frames)
        return network_input(images.to(next(self.network.parameters()).device), seen, self.network.mean), seen

    @torch.inference_mode()
    def look_at_images(self, images: Tensor, geometry: InputGeometry | Windows) -> Activations:
        """Return the activations for network input ``(n, 3, h, w)``, pixel values from 0 to 255."""
        rows, columns = geometry.cells
        logits = self.network(images)
        features = self._seen.pop()[:, :, :rows, :columns]
        scoremaps = logits[:, :, :rows, :columns].float().sigmoid()
        cells, _ = decode(scoremaps)
        return Activations(features, scoremaps, cells, geometry)
