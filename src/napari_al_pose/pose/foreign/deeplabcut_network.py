"""DeepLabCut 3's networks with scoremaps, rebuilt with timm so that its snapshots fit, name by name."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from napari_al_pose.domain import AlPoseError
from napari_al_pose.pose.foreign.deeplabcut_config import Backbone, Deconvolution, Head, Snapshot

_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)


class InputScaling(nn.Module):
    """Turns RGB from 0 to 255, (N, 3, H, W), into what a snapshot's network expects."""

    mean: Tensor
    std: Tensor

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        self._normalize, self._unit_range = snapshot.normalize, snapshot.unit_range
        self.register_buffer("mean", Tensor(_MEAN).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", Tensor(_STD).reshape(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Scale by ImageNet's mean and deviation, to [0, 1], or not at all."""
        x = images / 255 if self._normalize or self._unit_range else images
        return (x - self.mean) / self.std if self._normalize else x


class DeepLabCutNetwork(nn.Module):
    """Backbone, scoremaps and location refinement; the input is RGB from 0 to 255, (N, 3, H, W).

    Parameters
    ----------
    snapshot : Snapshot
        What its configuration says.

    Raises
    ------
    AlPoseError
        If timm is not installed, or the configuration describes another kind of network.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        head = snapshot.head
        if not isinstance(snapshot.backbone, Backbone) or not isinstance(head, Head):
            raise AlPoseError("Expected the configuration of a network with scoremaps, got another one.")
        self.scaling = InputScaling(snapshot)
        self.backbone = _TimmBackbone(snapshot.backbone)
        maps = {"heatmap_head": _Deconvolutions(head.heatmap_config)}
        if head.locref_config is not None:
            maps["locref_head"] = _Deconvolutions(head.locref_config)
        self.heads = nn.ModuleDict({"bodypart": nn.ModuleDict(maps)})

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return scoremaps as the head computes them, (N, K, h, w), and refinements, (N, 2 K, h, w)."""
        features = self.backbone(self.scaling(images))
        maps: Any = self.heads["bodypart"]
        return maps["heatmap_head"](features), maps["locref_head"](features) if "locref_head" in maps else None


class _TimmBackbone(nn.Module):
    model: Any  # timm's models do more than `nn.Module` says

    def __init__(self, wanted: Backbone) -> None:
        super().__init__()
        try:
            import timm
        except ImportError as error:
            raise AlPoseError(
                "DeepLabCut's networks need the package timm.", 'Run: pip install "napari-al-pose[backbones]"'
            ) from error
        self._branches = wanted.type == "HRNet"
        self._joined = wanted.interpolate_branches
        if self._branches:
            location = "incre" if wanted.increased_channel_count else ""
            self.model = timm.create_model(
                wanted.model_name, features_only=True, feature_location=location, out_indices=(1, 2, 3, 4)
            )
        else:
            self.model = timm.create_model(wanted.model_name, output_stride=wanted.output_stride)
            self.model.fc = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        if not self._branches:
            whole: Tensor = self.model.forward_features(x)
            return whole
        maps = self.model(x)
        if not self._joined:
            return maps[0]
        size = maps[0].shape[-2:]
        coarse = [nn.functional.interpolate(m, size=size, mode="bilinear") for m in maps[1:]]
        return torch.cat([maps[0], *coarse], dim=1)


class _Deconvolutions(nn.Module):
    def __init__(self, wanted: Deconvolution) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        pairs = zip(wanted.channels, wanted.channels[1:], wanted.kernel_size, wanted.strides, strict=False)
        for n_in, n_out, kernel, stride in pairs:
            layers += [nn.ConvTranspose2d(n_in, n_out, kernel, stride=stride), nn.ReLU()]
        self.deconv_layers: nn.Module = nn.Sequential(*layers[:-1]) if layers else nn.Identity()
        self.final_conv: nn.Module = nn.Identity()
        if wanted.final_conv:
            final = wanted.final_conv
            self.final_conv = nn.Conv2d(wanted.channels[-1], final["out_channels"], final["kernel_size"])

    def forward(self, x: Tensor) -> Tensor:
        return self.final_conv(self.deconv_layers(x))
