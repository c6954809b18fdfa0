"""timm's networks as backbones; their weights are downloaded once, by timm."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from torch import Tensor, nn
from torch.nn import functional as F

from napari_al_pose.domain import AlPoseError
from napari_al_pose.pose.backbone import BackboneSpec, ImageNetColours, MeanOfLast, no_weights

_WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
_PATIENCE_SECONDS = 5.0

_DINO = "vit_small_patch14_dinov2.lvd142m"
_DINO_TOKEN = 14
_DINO_BLOCKS = (2, 5, 8, 11)


class TimmPyramid(nn.Module):
    """A convolutional network of timm that returns the maps of its four coarsest strides.

    Parameters
    ----------
    network : nn.Module
        Made with ``features_only``.
    early : tuple of str
        Names of the layers up to stride 4.
    """

    def __init__(self, network: Any, early: tuple[str, ...]) -> None:
        super().__init__()
        self.colours = ImageNetColours()
        self.network = network
        self.channels = tuple(network.feature_info.channels())
        self._early = early

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the maps, finest first."""
        return self.network(self.colours(x))

    def early_layers(self) -> list[nn.Module]:
        """Return the layers up to stride 4."""
        return [getattr(self.network, name) for name in self._early]


class DinoPyramid(nn.Module):
    """A vision transformer with one stride, turned into a pyramid by scaling (Li et al. 2022, arXiv:2203.16527).

    The image is scaled by 14/16, so that tokens lie at stride 16 of the pose network's image.
    """

    channels = (384, 384, 384, 384)

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.colours = ImageNetColours()
        self.network = network

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the maps, finest first."""
        height, width = (side // 16 * _DINO_TOKEN for side in x.shape[-2:])
        x = F.interpolate(self.colours(x), (height, width), mode="bilinear", align_corners=False, antialias=True)
        fine, middle, coarse, last = self.network(x)
        return [
            F.interpolate(fine, scale_factor=4, mode="bilinear", align_corners=False),
            F.interpolate(middle, scale_factor=2, mode="bilinear", align_corners=False),
            coarse,
            F.avg_pool2d(last, 2),
        ]

    def early_layers(self) -> list[nn.Module]:
        """Return the tokens and the first half of the blocks."""
        model = self.network.model
        return [model.patch_embed, *model.blocks[: len(model.blocks) // 2]]


def _create(name: str, *, pretrained: bool, **options: Any) -> Any:
    try:
        import timm
    except ImportError as error:
        raise AlPoseError(
            f"The backbone {name} needs the package timm.",
            'Run: pip install "napari-al-pose[backbones]", or choose the network efficientnet_lite0 in the settings.',
        ) from error
    try:
        if pretrained:
            published: Any = timm.get_pretrained_cfg(name)
            _reach_weights(published.hf_hub_id)
        return timm.create_model(name, pretrained=pretrained, **{"features_only": True, **options})
    # Offline, the downloader ends in an OSError or, in some of its versions, in a RuntimeError.
    except (OSError, RuntimeError) as error:
        raise no_weights(name, str(error).splitlines()[0]) from error


def dinov2_token() -> nn.Module:
    """Return DINOv2 ViT-S/14 with its weights: ``(N, 384)`` class tokens of images whose sides are multiples of 14.

    Raises
    ------
    AlPoseError
        If timm or the weights are not available.
    """
    options = {"features_only": False, "num_classes": 0, "dynamic_img_size": True}
    return _create(_DINO, pretrained=True, **options)


def _reach_weights(repository: str) -> None:
    """Fail at once if the weights are neither stored nor within reach: the downloader itself would try for a minute.

    Raises
    ------
    OSError
        If the host can't be reached.
    """
    from huggingface_hub import constants, try_to_load_from_cache

    here = any(isinstance(try_to_load_from_cache(repository, file), str) for file in _WEIGHT_FILES)
    host = urlsplit(constants.ENDPOINT).hostname
    if not here and host and not getproxies():
        socket.create_connection((host, 443), timeout=_PATIENCE_SECONDS).close()


def _entry(name: str, build: Callable[..., nn.Module]) -> BackboneSpec:
    return BackboneSpec(
        name,
        lambda: build(pretrained=False),
        lambda: build(pretrained=True),
        lambda: MeanOfLast(build(pretrained=True)),
    )


def _resnet(model: str) -> Callable[..., nn.Module]:
    def build(*, pretrained: bool) -> nn.Module:
        network = _create(model, pretrained=pretrained, out_indices=(1, 2, 3, 4))
        return TimmPyramid(network, ("conv1", "bn1", "layer1"))

    return build


def _hrnet(model: str) -> Callable[..., nn.Module]:
    def build(*, pretrained: bool) -> nn.Module:
        # Without a location, the maps are the branches themselves, not the wide layers of the classifier.
        network = _create(model, pretrained=pretrained, feature_location="", out_indices=(1, 2, 3, 4))
        return TimmPyramid(network, ("conv1", "bn1", "conv2", "bn2", "layer1"))

    return build


def _dino(*, pretrained: bool) -> nn.Module:
    return DinoPyramid(_create(_DINO, pretrained=pretrained, dynamic_img_size=True, out_indices=_DINO_BLOCKS))


BACKBONES = (
    _entry("timm_resnet18", _resnet("resnet18.a1_in1k")),
    _entry("timm_resnet50", _resnet("resnet50.a1_in1k")),
    _entry("hrnet_w18", _hrnet("hrnet_w18.ms_aug_in1k")),
    _entry("hrnet_w32", _hrnet("hrnet_w32.ms_in1k")),
    _entry("dinov2_vits14", _dino),
)
