"""Feature vectors of frames, for spreading labels over what the videos show."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from napari_al_pose.pose.backbones import get_backbone
from napari_al_pose.pose.device import resolve_device
from napari_al_pose.pose.geometry import InputGeometry, resize_frames
from napari_al_pose.pose.network import fold_batch_norms

LONG_SIDE = 192
_AT_ONCE = 16


class FeatureExtractor:
    """Computes features with a network trained on ImageNet. The network never changes, so features can be stored.

    Parameters
    ----------
    device : str
        "auto", "cpu", "cuda" or "mps".
    backbone : str

    Raises
    ------
    AlPoseError
        If the weights or the device are not available.
    """

    def __init__(self, device: str = "auto", *, backbone: str = "efficientnet_lite0") -> None:
        self._device = resolve_device(device)
        self._backbone = get_backbone(backbone)
        self._network = fold_batch_norms(self._backbone.embedder()).to(self._device)
        self._network = self._network.to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def extract(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return global averages of the last feature map, without normalisation.

        Parameters
        ----------
        frames : uint8 array, (N, H, W, 3)
            RGB.

        Returns
        -------
        float32 array, (N, d)
        """
        geometry = InputGeometry.fit((frames.shape[1], frames.shape[2]), LONG_SIDE)
        parts = []
        for start in range(0, max(len(frames), 1), _AT_ONCE):
            images = resize_frames(frames[start : start + _AT_ONCE], geometry).to(self._device).float()
            parts.append(self._network((images - self._backbone.mean) / self._backbone.std).float().cpu().numpy())
        return np.concatenate(parts)
