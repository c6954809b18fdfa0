"""What the registry records of a backbone, and parts that backbones share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.backbones import DEFAULT_BACKBONE

MEAN, STD = 127.0, 128.0
"""Normalisation of the pose network's input, whatever the backbone expects; see `ImageNetColours`."""

_IMAGENET_MEAN = (123.675, 116.28, 103.53)
_IMAGENET_STD = (58.395, 57.12, 57.375)


class FeaturePyramid(Protocol):
    """A module that maps (N, 3, H, W) to maps at strides 4, 8, 16 and 32, finest first; H and W are multiples of 32."""

    channels: tuple[int, ...]

    def early_layers(self) -> Sequence[nn.Module]:
        """Return the layers that stay frozen; none for networks without pretrained weights."""
        ...


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes a network needs for each pixel of its input, measured and rounded up.

    Parameters
    ----------
    predicting, training : int
    """

    predicting: int
    training: int


LIGHT, HEAVY = Memory(300, 900), Memory(800, 3000)


@dataclass(frozen=True, slots=True)
class BackboneSpec:
    """One entry of the registry.

    Parameters
    ----------
    name : str
        Its name in settings and checkpoints.
    pyramid : callable
        Returns a `FeaturePyramid` with random weights, for checkpoints to fill.
    pretrained_pyramid : callable
        Returns one with pretrained weights.
    embedder : callable
        Returns a pretrained module that computes (N, d) features of images.
    mean, std : float
        The network expects ``(value - mean) / std`` of pixel values 0 to 255.
    memory : Memory
        What a pose network with this backbone needs.
    """

    name: str
    pyramid: Callable[[], nn.Module]
    pretrained_pyramid: Callable[[], nn.Module]
    embedder: Callable[[], nn.Module]
    mean: float = MEAN
    std: float = STD
    memory: Memory = HEAVY


class ImageNetColours(nn.Module):
    """Converts ``(value - MEAN) / STD`` to ImageNet's normalisation, with a mean and deviation for each channel."""

    scale: Tensor
    shift: Tensor

    def __init__(self) -> None:
        super().__init__()
        mean, std = _row(_IMAGENET_MEAN), _row(_IMAGENET_STD)
        self.register_buffer("scale", STD / std, persistent=False)
        self.register_buffer("shift", (MEAN - mean) / std, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale + self.shift


class MeanOfLast(nn.Module):
    """Uses the global average of a pyramid's last map as features of the image."""

    def __init__(self, pyramid: nn.Module) -> None:
        super().__init__()
        self.pyramid = pyramid

    def forward(self, x: Tensor) -> Tensor:
        return self.pyramid(x)[-1].mean(dim=(2, 3))


class WeightsMissingError(AlPoseError):
    """The pretrained weights of a backbone are not stored and can't be downloaded."""


def no_weights(name: str, reason: str) -> WeightsMissingError:
    """Return the error for weights that can't be downloaded."""
    return WeightsMissingError(
        f"The pretrained weights of {name} could not be downloaded ({reason}).",
        f"Connect to the internet once and train again, or choose the network {DEFAULT_BACKBONE} in the settings.",
    )


def _row(values: Sequence[float]) -> Tensor:
    return Tensor(values).reshape(1, -1, 1, 1)
