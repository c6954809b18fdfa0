"""Reads poses off what DeepLabCut's networks give, in pixels of their input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_al_pose.pose.foreign.deeplabcut_config import BinHead, Head, Snapshot


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """Poses of all bodyparts that a network knows, in images of one size.

    Parameters
    ----------
    xy : float32 array, (N, K, 2)
        In pixels of the image, in DeepLabCut's convention.
    likelihood : float32 array, (N, K)
        In [0, 1].
    maps : float32 array, (N, K, h, w)
        Scoremaps in [0, 1]; the centre of a cell lies half a stride from its border.
    """

    xy: NDArray[np.float32]
    likelihood: NDArray[np.float32]
    maps: NDArray[np.float32]


def decode_output(outputs: tuple[Tensor, Tensor | None], snapshot: Snapshot) -> Decoded:
    """Return the poses in a network's outputs.

    Parameters
    ----------
    outputs : tuple of Tensor
        Scoremaps and refinements, or the bins along x and y.
    snapshot : Snapshot
        Of the network.
    """
    first, second = outputs
    if isinstance(snapshot.head, BinHead):
        if second is None:
            raise ValueError("Expected bins along x and y, got bins along x.")
        return _of_bins(first, second, snapshot.head)
    return _of_maps(first, second, snapshot.head, snapshot.stride)


def _of_maps(maps: Tensor, offsets: Tensor | None, head: Head, stride: float) -> Decoded:
    """Return the centre of each map's highest cell, moved by the refinement there."""
    decoding = head.predictor
    maps = maps.sigmoid() if decoding.apply_sigmoid else maps
    n, k, rows, columns = maps.shape
    top = maps.flatten(2)
    best = top.argmax(2) if n else top.new_zeros((0, k), dtype=torch.int64)
    likelihood = top.gather(2, best[:, :, None])[:, :, 0]
    xy = (torch.stack([best % columns, best // columns], dim=-1).float() + 0.5) * stride
    if decoding.location_refinement and offsets is not None:
        at = best[:, :, None, None].expand(-1, -1, 2, 1)
        xy = xy + offsets.reshape(n, k, 2, rows * columns).gather(3, at)[..., 0] * decoding.locref_std
    return Decoded(xy.cpu().numpy(), likelihood.clamp(0, 1).cpu().numpy(), maps.clamp(0, 1).cpu().numpy())


def _of_bins(x: Tensor, y: Tensor, head: BinHead) -> Decoded:
    """Return the likeliest bin along x and y; the likelihood is the lower of both (Li et al. 2021, arXiv:2107.03332).

    A scoremap is the product of both rows of bins, scaled to the likelihood; each cell shows its highest bin.
    """
    decoding = head.predictor
    sharp_x, sharp_y = decoding.sharpness
    rows = [(x * sharp_x), (y * sharp_y)]
    rows = [row.softmax(-1) for row in rows] if decoding.apply_softmax else rows
    tops = [row.max(-1) for row in rows]
    likelihood = torch.minimum(tops[0].values, tops[1].values)
    xy = torch.stack([top.indices for top in tops], dim=-1).float() / decoding.simcc_split_ratio
    shown = [
        _cells(row / top.values[..., None].clamp(min=1e-9), side)
        for row, top, side in zip(rows, tops, head.input_size, strict=True)
    ]
    maps = (shown[1][..., :, None] * shown[0][..., None, :]).clamp(0, 1) * likelihood.clamp(0, 1)[..., None, None]
    return Decoded(xy.cpu().numpy(), likelihood.clamp(0, 1).cpu().numpy(), maps.cpu().numpy())


def _cells(bins: Tensor, side: int) -> Tensor:
    """Return the highest bin of each cell of four pixels, (N, K, side / 4)."""
    return F.adaptive_max_pool1d(bins, side // 4)
