"""RTMPose as DeepLabCut 3 names its layers, so that its snapshots fit (Jiang et al. 2023, arXiv:2303.07399).

The backbone is CSPNeXt of five stages. The head turns its map into one token for each bodypart, lets the tokens attend
to each other, and reads off each how likely every half pixel along x and along y is.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_al_pose.domain import AlPoseError
from napari_al_pose.pose.foreign.deeplabcut_config import BinHead, CrossStageBackbone, GatedAttention, Snapshot
from napari_al_pose.pose.foreign.deeplabcut_network import InputScaling

_STAGES = ((64, 128, 3), (128, 256, 6), (256, 512, 6), (512, 1024, 3))
"""Channels in, channels out and blocks of each stage after the stem, before they are widened and deepened."""

_POOLS = (5, 9, 13)
_KERNEL = 5


class RtmPoseNetwork(nn.Module):
    """Backbone and head; the input is RGB from 0 to 255, (N, 3, H, W), of the head's size.

    Parameters
    ----------
    snapshot : Snapshot
        What its configuration says.

    Raises
    ------
    AlPoseError
        If it describes another kind of network.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        if not isinstance(snapshot.backbone, CrossStageBackbone) or not isinstance(snapshot.head, BinHead):
            raise AlPoseError("Expected the configuration of an RTMPose network, got another one.")
        self.scaling = InputScaling(snapshot)
        self.backbone = _CspNextBackbone(snapshot.backbone)
        self.heads = nn.ModuleDict({"bodypart": _Head(snapshot.head)})

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the bins along x, (N, K, X), and along y, (N, K, Y)."""
        bins: tuple[Tensor, Tensor] = self.heads["bodypart"](self.backbone(self.scaling(images)))
        return bins


def _activation(name: str) -> nn.Module:
    return nn.SiLU(inplace=True) if name == "SiLU" else nn.ReLU(inplace=True)


class _Conv(nn.Module):
    """Convolution, batch norm, activation."""

    def __init__(self, n_in: int, n_out: int, kernel: int, *, act: str, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(n_out)
        self.activate = _activation(act)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.activate(self.norm(self.conv(x)))
        return result


class _Separable(nn.Module):
    def __init__(self, n: int, *, act: str) -> None:
        super().__init__()
        self.depthwise_conv = _Conv(n, n, _KERNEL, act=act, groups=n)
        self.pointwise_conv = _Conv(n, n, 1, act=act)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.pointwise_conv(self.depthwise_conv(x))
        return result


class _Block(nn.Module):
    def __init__(self, n: int, *, act: str, residual: bool) -> None:
        super().__init__()
        self.conv1 = _Conv(n, n, 3, act=act)
        self.conv2 = _Separable(n, act=act)
        self._residual = residual

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv2(self.conv1(x))
        return out + x if self._residual else out


class _Attention(nn.Module):
    """A gain for each channel, from its mean over the image."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.fc = nn.Conv2d(n, n, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * F.hardsigmoid(self.fc(F.adaptive_avg_pool2d(x, 1)))


class _CrossStage(nn.Module):
    """Half of the channels pass through blocks, half pass by."""

    def __init__(self, n: int, n_blocks: int, wanted: CrossStageBackbone, *, residual: bool) -> None:
        super().__init__()
        act, middle = wanted.activation_fn, int(n * wanted.expand_ratio)
        self.main_conv = _Conv(n, middle, 1, act=act)
        self.short_conv = _Conv(n, middle, 1, act=act)
        self.final_conv = _Conv(2 * middle, n, 1, act=act)
        self.blocks = nn.Sequential(*(_Block(middle, act=act, residual=residual) for _ in range(n_blocks)))
        self.attention: nn.Module = _Attention(2 * middle) if wanted.channel_attention else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        both = torch.cat([self.blocks(self.main_conv(x)), self.short_conv(x)], dim=1)
        result: Tensor = self.final_conv(self.attention(both))
        return result


class _PyramidPooling(nn.Module):
    def __init__(self, n: int, *, act: str) -> None:
        super().__init__()
        self.conv1 = _Conv(n, n // 2, 1, act=act)
        self.conv2 = _Conv(n // 2 * (len(_POOLS) + 1), n, 1, act=act)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        pooled = [F.max_pool2d(x, size, stride=1, padding=size // 2) for size in _POOLS]
        result: Tensor = self.conv2(torch.cat([x, *pooled], dim=1))
        return result


class _CspNextBackbone(nn.Module):
    def __init__(self, wanted: CrossStageBackbone) -> None:
        super().__init__()
        act, widen = wanted.activation_fn, wanted.widen_factor
        first = int(_STAGES[0][0] * widen // 2)
        self.stem = nn.Sequential(
            _Conv(3, first, 3, act=act, stride=2),
            _Conv(first, first, 3, act=act),
            _Conv(first, int(_STAGES[0][0] * widen), 3, act=act),
        )
        for i, (n_in, n_out, blocks) in enumerate(_STAGES, start=1):
            last, n = i == len(_STAGES), int(n_out * widen)
            parts: list[nn.Module] = [_Conv(int(n_in * widen), n, 3, act=act, stride=2)]
            if last:
                parts.append(_PyramidPooling(n, act=act))
            n_blocks = max(round(blocks * wanted.deepen_factor), 1)
            parts.append(_CrossStage(n, n_blocks, wanted, residual=not last))
            self.add_module(f"stage{i}", nn.Sequential(*parts))

    def forward(self, x: Tensor) -> Tensor:
        for part in self.children():
            x = part(x)
        return x


class _ScaleNorm(nn.Module):
    """Vectors of the same length, times a gain (Nguyen & Salazar 2019, arXiv:1910.05895)."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.ones(1))
        self._scale = n**-0.5

    def forward(self, x: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True) * self._scale
        return x / length.clamp(min=1e-5) * self.g


class _Scale(nn.Module):
    def __init__(self, n: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(n))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


class _GatedAttentionUnit(nn.Module):
    """Gated attention between tokens (Hua et al. 2022, arXiv:2202.10447)."""

    def __init__(self, wanted: GatedAttention) -> None:
        super().__init__()
        n, self._s = wanted.hidden_dims, wanted.s
        self._e = int(n * wanted.expansion_factor)
        self.ln = _ScaleNorm(n)
        self.uv = nn.Linear(n, 2 * self._e + self._s, bias=False)
        self.gamma = nn.Parameter(torch.ones(2, self._s))
        self.beta = nn.Parameter(torch.zeros(2, self._s))
        self.o = nn.Linear(self._e, n, bias=False)
        self.res_scale = _Scale(n)
        self._act = _activation(wanted.act_fn)

    def forward(self, x: Tensor) -> Tensor:
        u, v, base = self._act(self.uv(self.ln(x))).split([self._e, self._e, self._s], dim=2)
        query, key = (base[:, :, None] * self.gamma + self.beta).unbind(dim=2)
        weights = F.relu(torch.bmm(query, key.transpose(1, 2)) / math.sqrt(self._s)).square()
        result: Tensor = self.res_scale(x) + self.o(u * torch.bmm(weights, v))
        return result


class _Head(nn.Module):
    def __init__(self, wanted: BinHead) -> None:
        super().__init__()
        hidden, kernel = wanted.gau_cfg.hidden_dims, wanted.final_layer_kernel_size
        cells = wanted.in_featuremap_size[0] * wanted.in_featuremap_size[1]
        n_x, n_y = (int(side * wanted.simcc_split_ratio) for side in wanted.input_size)
        self.final_layer = nn.Conv2d(wanted.in_channels, wanted.out_channels, kernel, padding=kernel // 2)
        self.mlp = nn.Sequential(_ScaleNorm(cells), nn.Linear(cells, hidden, bias=False))
        self.gau = _GatedAttentionUnit(wanted.gau_cfg)
        self.cls_x = nn.Linear(hidden, n_x, bias=False)
        self.cls_y = nn.Linear(hidden, n_y, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        tokens: Any = self.gau(self.mlp(self.final_layer(x).flatten(2)))
        return self.cls_x(tokens), self.cls_y(tokens)
