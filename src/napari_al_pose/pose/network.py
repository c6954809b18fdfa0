"""The pose network: a pretrained backbone, a small feature pyramid, and one scoremap for each bodypart."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from napari_al_pose.pose.backbones import get_backbone

HEAD_CHANNELS = 64

SPOT_SHARE = 0.2
"""Standard deviation of the spotlight relative to the view's side; it fades where the animal ends."""

MARK_SHARE = 0.035
"""Standard deviation of a mark over the view's side: about a limb's width."""

_SHADE, _MARK = (1.0, 0.0, -1.0), (-1.0, 1.0, 0.0)
"""Initial tints of the dark area and of marks, in standard deviations of the colours; most videos don't show them."""

_INITIAL_LOGIT = -5.0
"""An untrained map says "not here" nearly everywhere, and is right nearly everywhere."""

M = TypeVar("M", bound=nn.Module)


class PoseNetwork(nn.Module):
    """Backbone, top-down pathway (Lin et al. 2017, arXiv:1612.03144) and scoremap logits at stride 4.

    Parameters
    ----------
    backbone : str
        Name in the registry.
    n_bodyparts : int
    pretrained : bool
        Whether to read the backbone's ImageNet weights; not needed if a checkpoint follows.
    several : bool
        Whether frames show several animals. Adds a scoremap of their centres, a spotlight on the animal whose pose is
        wanted, and marks on animals that were found before.
    n_unique : int
        Number of unique bodyparts, beside several animals; their scoremaps come after those of the animals' bodyparts.
    """

    def __init__(
        self, backbone: str, n_bodyparts: int, *, pretrained: bool, several: bool = False, n_unique: int = 0
    ) -> None:
        super().__init__()
        self.n_bodyparts, self.n_unique = n_bodyparts, n_unique
        entry = get_backbone(backbone)
        self.backbone = entry.pretrained_pyramid() if pretrained else entry.pyramid()
        self.mean, self.std = entry.mean, entry.std
        self.memory = entry.memory
        channels: tuple[int, ...] = self.backbone.channels  # type: ignore[assignment]  # nn.Module attributes are untyped
        self.laterals = nn.ModuleList(_conv_norm(c, HEAD_CHANNELS, 1) for c in channels)
        self.smooth = _conv_norm(HEAD_CHANNELS, HEAD_CHANNELS, 3)
        self.scoremaps = nn.Conv2d(HEAD_CHANNELS, n_bodyparts + n_unique + several, 1)
        if n_unique:
            self.register_buffer("places", torch.tensor([[0.5, 0.5, 1.0, 1.0]]).repeat(n_unique, 1))
        self.shade = nn.Parameter(torch.tensor(_SHADE)) if several else None
        self.mark = nn.Parameter(torch.tensor(_MARK)) if several else None
        nn.init.normal_(self.scoremaps.weight, std=0.01)
        nn.init.constant_(self.scoremaps.get_parameter("bias"), _INITIAL_LOGIT)

    def forward(self, images: Tensor, spots: Tensor | None = None, marks: Tensor | None = None) -> Tensor:
        """Return scoremap logits, (N, K, H / 4, W / 4), of pixel values (N, 3, H, W) from 0 to 255.

        ``spots``, (N, 2), are the positions, x and y in pixels, of the animals whose pose is wanted; NaN for none. The
        surroundings are tinted, more with the distance. ``marks``, (N, P, 2), are keypoints of other animals, NaN for
        none; they have a tint of their own (both only in a network for several animals).
        """
        return self.heads(self.pyramid(images, spots, marks))

    def pyramid(self, images: Tensor, spots: Tensor | None = None, marks: Tensor | None = None) -> list[Tensor]:
        """Return the backbone's maps of pixel values (N, 3, H, W) from 0 to 255, finest first."""
        x = (images - self.mean) / self.std
        if spots is not None and self.shade is not None:
            x = x + self.shade.float()[:, None, None] * _shadow(spots, *images.shape[-2:])[:, None]
        if marks is not None and self.mark is not None:
            x = x + self.mark.float()[:, None, None] * _blots(marks, *images.shape[-2:])[:, None]
        x = x.to(next(self.parameters()).dtype)
        return self.backbone(x.contiguous(memory_format=torch.channels_last))

    def usual(self) -> Tensor:
        """Return where unique bodyparts usually are, as `unique_bodyparts.usual_places` says it."""
        return self.get_buffer("places").float()

    def unique_maps(self, images: Tensor) -> Tensor:
        """Return the scoremaps of unique bodyparts, (N, U, H / 4, W / 4), in [0, 1]; nothing is in the spotlight."""
        nowhere = images.new_full((len(images), 2), torch.nan)
        last = self.n_bodyparts + self.n_unique
        return self(images, nowhere)[:, self.n_bodyparts : last].float().sigmoid()

    def heads(self, maps: list[Tensor]) -> Tensor:
        """Return scoremap logits of the backbone's maps."""
        y = self.laterals[-1](maps[-1])
        for level in reversed(range(len(maps) - 1)):
            coarser = F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)
            y = self.laterals[level](maps[level]) + coarser
        return self.scoremaps(F.relu(self.smooth(F.relu(y))).to(self.scoremaps.weight.dtype))

    def train(self, mode: bool = True) -> PoseNetwork:
        """Set the mode; the backbone keeps ImageNet's BatchNorm statistics, which a few labels would only blur."""
        super().train(mode)
        for module in self.backbone.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def freeze_early_layers(self) -> None:
        """Freeze edges and textures; this also saves the costliest part of the backward pass."""
        for layer in self.backbone.early_layers():  # type: ignore[operator]  # nn.Module attributes are untyped
            for parameter in layer.parameters():
                parameter.requires_grad_(False)

    def parameter_groups(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """Return the trainable parameters of the backbone and of the heads."""
        backbone = [p for p in self.backbone.parameters() if p.requires_grad]
        known = {id(p) for p in self.backbone.parameters()}
        return backbone, [p for p in self.parameters() if id(p) not in known]

    def fused(self) -> PoseNetwork:
        """Return a copy for prediction only, with every BatchNorm folded into its convolution."""
        return fold_batch_norms(copy.deepcopy(self))

    def half_precision(self) -> PoseNetwork:
        """Return the network, changed in place for prediction only: bfloat16 except for the last layer.

        In the last layer, steps of 1/128 in the logits would show in positions between cells.
        """
        self.to(torch.bfloat16)
        self.scoremaps.float()
        return self


def _shadow(spots: Tensor, height: int, width: int) -> Tensor:
    """Return how dark it is around spots (N, 2), (N, height, width): 0 at the spot, 1 far away or without a spot."""
    across = torch.arange(width, device=spots.device) - spots[:, 0, None]
    down = torch.arange(height, device=spots.device) - spots[:, 1, None]
    scale = -1 / (2 * (SPOT_SHARE * width) ** 2)
    light = torch.exp(scale * down**2)[:, :, None] * torch.exp(scale * across**2)[:, None]
    return 1 - torch.nan_to_num(light)


def _blots(marks: Tensor, height: int, width: int) -> Tensor:
    """Return how strong the tint of marks (N, P, 2) is, (N, height, width): 1 on them, 0 away from all."""
    if not marks.shape[1]:
        return marks.new_zeros(len(marks), height, width)
    across = torch.arange(width, device=marks.device) - marks[..., 0, None]
    down = torch.arange(height, device=marks.device) - marks[..., 1, None]
    scale = -1 / (2 * (MARK_SHARE * width) ** 2)
    blots = torch.exp(scale * down**2)[..., :, None] * torch.exp(scale * across**2)[..., None, :]
    return torch.nan_to_num(blots).amax(dim=1)


def fold_batch_norms(network: M) -> M:
    """Return ``network``, changed in place for prediction only: every BatchNorm is folded into its convolution."""
    network.eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, nn.Sequential):
            _fuse_pairs(module)
    return network


def _conv_norm(in_channels: int, out_channels: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(out_channels)
    )


def _fuse_pairs(sequence: nn.Sequential) -> None:
    for i in range(len(sequence) - 1):
        conv, norm = sequence[i], sequence[i + 1]
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            sequence[i] = fuse_conv_bn_eval(conv, norm)
            sequence[i + 1] = nn.Identity()
