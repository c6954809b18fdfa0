"""What the registry knows of a backbone, and the parts that all backbones share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.backbones import DEFAULT_BACKBONE

MEAN, STD = 127.0, 128.0
"""Normalisation of the pose network's input, whatever its backbone wants: see `ImageNetColours`."""

_IMAGENET_MEAN = (123.675, 116.28, 103.53)
_IMAGENET_STD = (58.395, 57.12, 57.375)


class FeaturePyramid(Protocol):
    """A module giving maps at strides 4, 8, 16 and 32, finest first, of (N, 3, H, W); H and W multiples of 32."""

    channels: tuple[int, ...]

    def early_layers(self) -> Sequence[nn.Module]:
        """Return what stays frozen; empty for networks without pretrained weights."""
        ...


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes a network takes for each pixel of its input, measured with some to spare.

    Parameters
    ----------
    predicting, training : int
    """

    predicting: int
    training: int


LIGHT, HEAVY = Memory(300, 900), Memory(800, 3000)


@dataclass(frozen=True, slots=True)
class Backbone:
    """One entry of the registry.

    Parameters
    ----------
    name : str
        What the settings and checkpoints call it.
    pyramid : callable
        Returns a module that is a `FeaturePyramid`. Weights are random: checkpoints bring their own.
    pretrained_pyramid : callable
        The same with pretrained weights.
    embedder : callable
        Returns a pretrained module giving (N, d) features of images.
    mean, std : float
        The network wants ``(value - mean) / std`` of pixel values 0 to 255.
    memory : Memory
        What a pose network on it takes.
    """

    name: str
    pyramid: Callable[[], nn.Module]
    pretrained_pyramid: Callable[[], nn.Module]
    embedder: Callable[[], nn.Module]
    mean: float = MEAN
    std: float = STD
    memory: Memory = HEAVY


class ImageNetColours(nn.Module):
    """Turns ``(value - MEAN) / STD`` into ImageNet's own normalisation, each channel with its mean and deviation."""

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
    """Global averages of a pyramid's last map, as features of the image."""

    def __init__(self, pyramid: nn.Module) -> None:
        super().__init__()
        self.pyramid = pyramid

    def forward(self, x: Tensor) -> Tensor:
        return self.pyramid(x)[-1].mean(dim=(2, 3))


class WeightsMissingError(AlPoseError):
    """A backbone's pretrained weights are not here and can't be fetched."""


def no_weights(name: str, reason: str) -> WeightsMissingError:
    """Return the error for weights that can't be downloaded."""
    return WeightsMissingError(
        f"The pretrained weights of {name} could not be downloaded ({reason}).",
        f"Go online once and learn again, or choose the backbone {DEFAULT_BACKBONE} in the settings.",
    )


def _row(values: Sequence[float]) -> Tensor:
    return Tensor(values).reshape(1, -1, 1, 1)
