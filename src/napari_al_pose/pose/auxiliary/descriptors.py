"""Descriptors of frames by other networks: AlexNet's fc6 and DINOv2's class token.

torchvision and timm download the weights once, verify and keep them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from napari_al_pose.domain import AlPoseError
from napari_al_pose.pose.backbones_timm import dinov2_token
from napari_al_pose.pose.device import resolve_device

if TYPE_CHECKING:
    from torchvision.models import AlexNet

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_SHORT_SIDE = 224
_MULTIPLE = 14
"""The networks see images with sides in multiples of this, for DINOv2's patches; 224 is one."""


class AlexNetFc6(nn.Module):
    """AlexNet up to the ReLU after ``fc6``, torchvision's ``classifier.2``: 4,096 units."""

    def __init__(self, network: AlexNet) -> None:
        super().__init__()
        self.maps = nn.Sequential(network.features, network.avgpool, nn.Flatten())
        self.fc6 = network.classifier[:3]

    def forward(self, images: Tensor) -> Tensor:
        """Return ``(n, 4096)`` of normalised images of any size."""
        return self.fc6(self.maps(images))


def _alexnet() -> nn.Module:
    from torchvision.models import AlexNet_Weights, alexnet

    try:
        state = AlexNet_Weights.IMAGENET1K_V1.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (OSError, RuntimeError) as error:
        raise AlPoseError(
            f"The weights of AlexNet (233 MB) could not be downloaded ({error}).",
            "Connect to the internet once and try again.",
        ) from error
    network = alexnet(weights=None)
    network.load_state_dict(state)
    return AlexNetFc6(network)


MAKERS: dict[str, Callable[[], nn.Module]] = {"alexnet": _alexnet, "dinov2": dinov2_token}


class Descriptor:
    """Turns frames into vectors.

    Parameters
    ----------
    network : nn.Module
        With its weights.
    device : str
        "auto", "cpu", "cuda" or "mps".
    """

    def __init__(self, network: nn.Module, device: str) -> None:
        self._device = resolve_device(device)
        self._network = network.eval().requires_grad_(False).to(self._device)

    @torch.inference_mode()
    def extract(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return ``(n, d)`` for uint8 frames ``(n, H, W, 3)``, the shorter side resized to 224, nothing cut off."""
        images = torch.from_numpy(np.require(frames, requirements=["C", "W"])).permute(0, 3, 1, 2)
        scale = _SHORT_SIDE / min(images.shape[2:])
        size = [max(1, round(side * scale / _MULTIPLE)) * _MULTIPLE for side in images.shape[2:]]
        images = F.interpolate(images.to(self._device).float(), size, mode="bilinear", antialias=True) / 255
        mean, std = (torch.tensor(v, device=images.device)[:, None, None] for v in (_MEAN, _STD))
        return self._network((images - mean) / std).float().cpu().numpy()


def descriptor_for(name: str, device: str) -> Descriptor:
    """Return the network "alexnet" or "dinov2"; download its weights if need be, which may take minutes.

    Raises
    ------
    AlPoseError
        If the weights are not available.
    """
    return Descriptor(MAKERS[name](), device)
