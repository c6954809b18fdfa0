"""The backbone part of the Stacked Hourglass (Newell et al. 2016, arXiv:1603.06937).

Each stack hands its features to the next. The scoremaps between the stacks and their loss belong to a head that this
project does not have. Group normalisation replaces batch normalisation: labels are few, batches small, and there are no
ImageNet statistics to keep.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from napari_al_pose.pose.backbone import BackboneSpec, MeanOfLast

_WIDTH = 256
_GROUPS = 32
_DEPTH = 3
"""Halvings inside an hourglass: from stride 4 to stride 32, whose maps the heads need."""


class _Residual(nn.Module):
    """Normalise first: 1x1, 3x3, 1x1 convolutions around a shortcut."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        middle = out_channels // 2
        self.layers = nn.Sequential(
            *_norm_conv(in_channels, middle, 1), *_norm_conv(middle, middle, 3), *_norm_conv(middle, out_channels, 1)
        )
        same = in_channels == out_channels
        self.shortcut = nn.Identity() if same else nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x) + self.shortcut(x)


class Hourglass(nn.Module):
    """Goes down to a coarse map and up again, adding what each scale saw; returns the upward maps, finest first."""

    def __init__(self) -> None:
        super().__init__()
        self.skips = nn.ModuleList(_Residual(_WIDTH, _WIDTH) for _ in range(_DEPTH))
        self.downs = nn.ModuleList(_Residual(_WIDTH, _WIDTH) for _ in range(_DEPTH))
        self.ups = nn.ModuleList(_Residual(_WIDTH, _WIDTH) for _ in range(_DEPTH))
        self.bottom = _Residual(_WIDTH, _WIDTH)

    def forward(self, x: Tensor) -> list[Tensor]:
        skips = []
        for skip, down in zip(self.skips, self.downs, strict=True):
            skips.append(skip(x))
            x = down(F.max_pool2d(x, 2))
        maps = [self.bottom(x)]
        for skipped, up in zip(reversed(skips), self.ups, strict=True):
            maps.insert(0, skipped + F.interpolate(up(maps[0]), scale_factor=2, mode="nearest"))
        return maps


class HourglassPyramid(nn.Module):
    """Stem and stacks; returns the maps of the last stack's upward path."""

    channels = (_WIDTH,) * (_DEPTH + 1)

    def __init__(self, n_stacks: int = 2) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 64, 7, stride=2, padding=3),
            nn.GroupNorm(_GROUPS, 64),
            nn.ReLU(),
            _Residual(64, 128),
            nn.MaxPool2d(2),
            _Residual(128, 128),
            _Residual(128, _WIDTH),
        )
        self.stacks = nn.ModuleList(Hourglass() for _ in range(n_stacks))
        self.merges = nn.ModuleList(_Residual(_WIDTH, _WIDTH) for _ in range(n_stacks - 1))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the maps, finest first."""
        x = self.stem(x)
        maps = self.stacks[0](x)
        for merge, stack in zip(self.merges, self.stacks[1:], strict=True):
            x = x + merge(maps[0])
            maps = stack(x)
        return maps

    def early_layers(self) -> list[nn.Module]:
        """Return nothing: all layers have to learn."""
        return []


def _norm_conv(in_channels: int, out_channels: int, kernel: int) -> list[nn.Module]:
    return [
        nn.GroupNorm(_GROUPS, in_channels),
        nn.ReLU(),
        nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2),
    ]


BACKBONE = BackboneSpec("hourglass", HourglassPyramid, HourglassPyramid, lambda: MeanOfLast(HourglassPyramid()))
