"""torchvision's networks as backbones; their weights are downloaded once, by torchvision, and checked by hash."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from torch import Tensor, nn

from napari_al_pose.pose.backbone import HEAVY, LIGHT, BackboneSpec, ImageNetColours, MeanOfLast, Memory, no_weights

if TYPE_CHECKING:
    from torchvision import models

_MOBILE_MAPS = (3, 6, 12, 16)
"""Blocks of MobileNetV3-Large that are the last of strides 4, 8, 16 and 32."""


class ResNetPyramid(nn.Module):
    """The four stages of a torchvision ResNet (He et al. 2016, arXiv:1512.03385)."""

    def __init__(self, network: models.ResNet) -> None:
        super().__init__()
        self.colours = ImageNetColours()
        self.stem = nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool)
        self.stages = nn.ModuleList([network.layer1, network.layer2, network.layer3, network.layer4])
        width = network.fc.in_features // 8
        self.channels = (width, 2 * width, 4 * width, 8 * width)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the maps, finest first."""
        x = self.stem(self.colours(x))
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps

    def early_layers(self) -> list[nn.Module]:
        """Return the layers up to stride 4."""
        return [self.stem, self.stages[0]]


class MobileNetPyramid(nn.Module):
    """MobileNetV3-Large (Howard et al. 2019, arXiv:1905.02244)."""

    channels = (24, 40, 112, 960)

    def __init__(self, network: models.MobileNetV3) -> None:
        super().__init__()
        self.colours = ImageNetColours()
        self.blocks = network.features

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the maps, finest first."""
        x = self.colours(x)
        maps = []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in _MOBILE_MAPS:
                maps.append(x)
        return maps

    def early_layers(self) -> list[nn.Module]:
        """Return the layers up to stride 4."""
        return list(self.blocks[: _MOBILE_MAPS[0] + 1])


def _network(name: str) -> nn.Module:
    # Takes as long as importing torch: only for whoever chose one of these.
    from torchvision import models

    return models.get_model(name, weights=None)


def _pretrained(name: str, weights_name: str) -> nn.Module:
    from torchvision import models

    network, weights = _network(name), models.get_weight(weights_name)
    try:
        state = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (OSError, RuntimeError) as error:
        raise no_weights(str(weights), str(error)) from error
    network.load_state_dict(state)
    return network


def _entry(
    name: str, weights_name: str, pyramid: Callable[[nn.Module], nn.Module], memory: Memory = HEAVY
) -> BackboneSpec:
    def pretrained() -> nn.Module:
        return pyramid(_pretrained(name, weights_name))

    return BackboneSpec(
        name, lambda: pyramid(_network(name)), pretrained, lambda: MeanOfLast(pretrained()), memory=memory
    )


BACKBONES = (
    _entry(
        "mobilenet_v3_large",
        "MobileNet_V3_Large_Weights.IMAGENET1K_V2",
        MobileNetPyramid,
        LIGHT,
    ),
    _entry("resnet18", "ResNet18_Weights.IMAGENET1K_V1", ResNetPyramid),
    _entry("resnet50", "ResNet50_Weights.IMAGENET1K_V2", ResNetPyramid),
)
