"""The vision transformer of DINOv2 ViT-S/14 (Oquab et al., TMLR 2024), as much of it as its class token needs.

Names of the layers are those of the published weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_WIDTH, _DEPTH, _HEADS, _PATCH, _TRAINED_SIDE = 384, 12, 6, 14, 37


class _Scale(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class _Attention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        n, tokens, width = x.shape
        qkv = self.qkv(x).reshape(n, tokens, 3, _HEADS, width // _HEADS).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(*qkv)
        return self.proj(mixed.transpose(1, 2).reshape(n, tokens, width))


class _Mlp(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = _Attention(width)
        self.ls1 = _Scale(width)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = _Mlp(width)
        self.ls2 = _Scale(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.ls1(self.attn(self.norm1(x)))
        return x + self.ls2(self.mlp(self.norm2(x)))


class _PatchEmbed(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, _PATCH, stride=_PATCH)

    def forward(self, images: Tensor) -> Tensor:
        return self.proj(images)


class DinoV2Small(nn.Module):
    """ViT-S/14; `forward` gives the class token, ``(n, 384)``."""

    multiple = _PATCH

    def __init__(self) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, _WIDTH))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + _TRAINED_SIDE**2, _WIDTH))
        self.patch_embed = _PatchEmbed(_WIDTH)
        self.blocks = nn.ModuleList(_Block(_WIDTH) for _ in range(_DEPTH))
        self.norm = nn.LayerNorm(_WIDTH, eps=1e-6)

    def load(self, weights: dict[str, Tensor]) -> None:
        """Take the published weights; the token that masked patches in training is not needed."""
        self.load_state_dict({name: value for name, value in weights.items() if name != "mask_token"})

    def forward(self, images: Tensor) -> Tensor:
        """Return the class token of normalised images whose sides are multiples of 14."""
        patches = self.patch_embed(images)
        rows, columns = patches.shape[2:]
        tokens = torch.cat([self.cls_token.expand(len(images), -1, -1), patches.flatten(2).transpose(1, 2)], dim=1)
        tokens = tokens + self._positions(rows, columns)
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)[:, 0]

    def _positions(self, rows: int, columns: int) -> Tensor:
        """Return the places' embedding, ``(1, 1 + rows * columns, 384)``, stretched from the 37 x 37 of training."""
        grid = self.pos_embed[:, 1:].reshape(1, _TRAINED_SIDE, _TRAINED_SIDE, _WIDTH).permute(0, 3, 1, 2)
        grid = F.interpolate(grid, (rows, columns), mode="bicubic", antialias=False)
        return torch.cat([self.pos_embed[:, :1], grid.flatten(2).transpose(1, 2)], dim=1)
