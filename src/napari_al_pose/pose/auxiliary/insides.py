"""The pose network's last features: what its scoremaps are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from napari_al_pose.domain import AlPoseError
from napari_al_pose.pose.geometry import InputGeometry, resize_frames
from napari_al_pose.pose.model import PoseModel
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.predictor import Predictor
from napari_al_pose.pose.targets import decode

POOLED = 16
"""Side of the features that auxiliary networks see, whatever the frame's."""


@dataclass(frozen=True, slots=True, eq=False)
class Insides:
    """What the network makes of frames of one size, on the cells that lie on the image.

    Parameters
    ----------
    features : Tensor, (n, C, h, w)
        Input of the last layer.
    scoremaps : Tensor, (n, K, h, w)
        In [0, 1].
    cells : Tensor, (n, K, 2)
        Column and row of the predicted places.
    geometry : InputGeometry
        Of the frames.
    """

    features: Tensor
    scoremaps: Tensor
    cells: Tensor
    geometry: InputGeometry

    @property
    def xy(self) -> NDArray[np.float32]:
        """Predicted places, ``(n, K, 2)``, source pixels."""
        return to_source(self.cells, self.geometry)

    def embedding(self) -> NDArray[np.float32]:
        """Return the features averaged over the image, ``(n, C)``."""
        return self.features.mean(dim=(2, 3)).float().cpu().numpy()

    def at_keypoints(self) -> NDArray[np.float32]:
        """Return the features in the cells nearest to the predicted places, ``(n, K, C)``."""
        rows, columns = self.features.shape[2:]
        column = self.cells[..., 0].round().long().clamp(0, columns - 1)
        row = self.cells[..., 1].round().long().clamp(0, rows - 1)
        flat = self.features.flatten(2)
        index = (row * columns + column)[:, None, :].expand(-1, flat.shape[1], -1)
        return flat.gather(2, index).permute(0, 2, 1).float().cpu().numpy()

    def pooled(self) -> Tensor:
        """Return the features averaged down to ``(n, C, 16, 16)``."""
        return F.adaptive_avg_pool2d(self.features, POOLED)


def to_source(cells: Tensor, geometry: InputGeometry) -> NDArray[np.float32]:
    """Map cells ``(..., 2)`` to source pixels."""
    return np.asarray(geometry.grid.to_source(cells.cpu().numpy().astype(np.float64)), np.float32)


class InsideView:
    """Looks inside a model; the model stays as it is.

    Parameters
    ----------
    model : Predictor
        One of ours, whose scoremaps come from a single convolution.

    Raises
    ------
    AlPoseError
        If another program trained it.
    """

    def __init__(self, model: Predictor) -> None:
        if not isinstance(model, PoseModel):
            raise AlPoseError(
                "Another program's network can't be looked into.",
                "Choose a strategy that needs scoremaps only, or learn with the built-in network.",
            )
        self.model = model
        self.network: PoseNetwork = model.network.fused().to(memory_format=torch.channels_last)
        self._seen: Tensor | None = None
        self.network.scoremaps.register_forward_pre_hook(self._note)

    def _note(self, _module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        self._seen = arguments[0]

    @property
    def last(self) -> nn.Conv2d:
        """The last layer."""
        return self.network.scoremaps

    def geometry(self, size: tuple[int, int]) -> InputGeometry:
        """Return how frames of ``size`` (height, width) are shown to the network."""
        return InputGeometry.fit(size, self.model.long_side)

    def look(self, frames: NDArray[np.uint8]) -> Insides:
        """Look at uint8 frames ``(n, H, W, 3)``, few enough to fit into memory at once."""
        geometry = self.geometry((frames.shape[1], frames.shape[2]))
        return self.look_at_images(network_input(frames, geometry, self.network), geometry)

    @torch.inference_mode()
    def look_at_images(self, images: Tensor, geometry: InputGeometry) -> Insides:
        """Look at network input ``(n, 3, h, w)``, pixel values from 0 to 255."""
        rows, columns = geometry.cells
        logits = self.network(images)
        assert self._seen is not None  # the hook has run
        features, self._seen = self._seen[:, :, :rows, :columns], None
        scoremaps = logits[:, :, :rows, :columns].float().sigmoid()
        cells, _ = decode(scoremaps)
        return Insides(features, scoremaps, cells, geometry)


def network_input(frames: NDArray[np.uint8], geometry: InputGeometry, network: PoseNetwork) -> Tensor:
    """Return frames as the network takes them, padded with what becomes zero."""
    device = next(network.parameters()).device
    (height, width), (padded_height, padded_width) = geometry.resized, geometry.padded
    images = resize_frames(frames, geometry).to(device).float()
    return F.pad(images, (0, padded_width - width, 0, padded_height - height), value=network.mean)
