"""Conversion between source pixels, network pixels and scoremap cells.

All three put pixel centres at integers, so resizing by ``s`` moves ``x`` to ``(x + 0.5) s - 0.5``. The centre of
scoremap cell ``j`` lies at network pixel ``4 j + 1.5``, in the middle of the four pixels that the cell covers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_al_pose.domain import ScoremapGrid

SCOREMAP_STRIDE = 4
CELL_CENTRE = (SCOREMAP_STRIDE - 1) / 2
PAD_MULTIPLE = 32
"""The coarsest stride of the network; its input sides are multiples of this."""


def padded(size: int) -> int:
    """Return ``size`` rounded up to a side that the network accepts."""
    return -(-size // PAD_MULTIPLE) * PAD_MULTIPLE


@dataclass(frozen=True, slots=True)
class InputGeometry:
    """How the network sees frames of one size.

    Parameters
    ----------
    source : (int, int)
        Height and width of the frames.
    resized : (int, int)
        Height and width after resizing, before padding at the right and the bottom.
    """

    source: tuple[int, int]
    resized: tuple[int, int]

    @classmethod
    def fit(cls, source: tuple[int, int], long_side: int) -> InputGeometry:
        """Return the geometry for frames of ``source`` (height, width), resized so that the longer side is
        ``long_side``."""
        height, width = source
        scale = long_side / max(height, width)
        return cls(source, (max(1, round(height * scale)), max(1, round(width * scale))))

    @property
    def padded(self) -> tuple[int, int]:
        """Height and width of the network's input."""
        return padded(self.resized[0]), padded(self.resized[1])

    @property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of the scoremaps that lie on the image, not on the padding."""
        return -(-self.resized[0] // SCOREMAP_STRIDE), -(-self.resized[1] // SCOREMAP_STRIDE)

    @property
    def scale_xy(self) -> NDArray[np.float64]:
        """Network pixels per source pixel, in x and in y."""
        return np.array([self.resized[1] / self.source[1], self.resized[0] / self.source[0]])

    @property
    def grid(self) -> ScoremapGrid:
        """Where the scoremap cells lie in the source image."""
        scale_x, scale_y = self.scale_xy
        centre = CELL_CENTRE + 0.5
        return ScoremapGrid(
            stride_x=float(SCOREMAP_STRIDE / scale_x),
            stride_y=float(SCOREMAP_STRIDE / scale_y),
            offset_x=float(centre / scale_x - 0.5),
            offset_y=float(centre / scale_y - 0.5),
        )

    def to_network(self, xy: NDArray[np.floating]) -> NDArray[np.float64]:
        """Map ``(..., 2)`` source pixels to network pixels."""
        return (np.asarray(xy, np.float64) + 0.5) * self.scale_xy - 0.5

    def to_source(self, cells: NDArray[np.floating]) -> NDArray[np.floating]:
        """Map ``(n, ..., 2)`` scoremap cells of frames to source pixels."""
        return self.grid.to_source(cells)

    def grids(self, n: int) -> tuple[ScoremapGrid, ...]:
        """Return where the cells of each of ``n`` frames lie; it is the same for all."""
        return (self.grid,) * n


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """How the network sees frames of one size through a window in each.

    Parameters
    ----------
    whole : InputGeometry
        The frames at the scale of the windows.
    corners : int64 array, (N, 2)
        Column and row of each window's first pixel, network pixels.
    side : int
        Their side, network pixels, a multiple of 32; smaller frames give smaller windows.
    """

    whole: InputGeometry
    corners: NDArray[np.int64]
    side: int

    @classmethod
    def around(cls, uv: NDArray[np.floating], whole: InputGeometry, side: int) -> Windows:
        """Return windows centred on ``uv``, (N, 2), network pixels, moved to lie inside the frame."""
        last = np.maximum(np.array(whole.resized[::-1]) - side, 0)
        corners = np.clip(np.round(uv - (side - 1) / 2), 0, last).astype(np.int64)
        return cls(whole, corners, side)

    @property
    def padded(self) -> tuple[int, int]:
        """Height and width of the network's input."""
        height, width = self.whole.padded
        return min(self.side, height), min(self.side, width)

    @property
    def resized(self) -> tuple[int, int]:
        """Height and width of the windows, before padding."""
        height, width = self.whole.resized
        return min(self.side, height), min(self.side, width)

    @property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of the scoremaps that lie on the windows."""
        return -(-self.resized[0] // SCOREMAP_STRIDE), -(-self.resized[1] // SCOREMAP_STRIDE)

    @property
    def scale_xy(self) -> NDArray[np.float64]:
        """Network pixels per source pixel, in x and in y."""
        return self.whole.scale_xy

    def to_network(self, xy: NDArray[np.floating]) -> NDArray[np.float64]:
        """Map ``(N, K, 2)`` source pixels to pixels of the windows."""
        return self.whole.to_network(xy) - self.corners[:, None]

    def to_source(self, cells: NDArray[np.floating]) -> NDArray[np.floating]:
        """Map ``(N, ..., 2)`` scoremap cells of the windows to source pixels."""
        shift = (self.corners / self.scale_xy).reshape(-1, *(1,) * (cells.ndim - 2), 2)
        return self.whole.grid.to_source(cells) + shift

    def grids(self, n: int) -> tuple[ScoremapGrid, ...]:
        """Return where the cells of each of the ``n`` windows lie."""
        assert n == len(self.corners)
        grid = self.whole.grid
        return tuple(
            replace(grid, offset_x=grid.offset_x + float(x), offset_y=grid.offset_y + float(y))
            for x, y in self.corners / self.scale_xy
        )

    def cut(self, images: Tensor) -> Tensor:
        """Return the windows ``(N, 3, h, w)`` of resized frames ``(N, 3, H, W)``."""
        height, width = self.resized
        corners = zip(images, self.corners.tolist(), strict=True)
        return torch.stack([image[:, y : y + height, x : x + width] for image, (x, y) in corners])


def resize_frames(frames: NDArray[np.uint8], geometry: InputGeometry) -> Tensor:
    """Resize frames with antialiasing; training and prediction both use this.

    Parameters
    ----------
    frames : uint8 array, (N, H, W, 3)
        RGB, at the source size or resized already.
    geometry : InputGeometry
        Of the frames of this video.

    Returns
    -------
    uint8 Tensor, (N, 3, h, w)
        In channels-last memory.
    """
    # Readers return read-only frames from their cache; torch wants writable memory.
    frames = np.require(frames, requirements=["C", "W"])
    images = torch.from_numpy(frames).permute(0, 3, 1, 2)
    if tuple(images.shape[-2:]) == geometry.resized:
        return images
    return F.interpolate(images, geometry.resized, mode="bilinear", antialias=True)


def network_input(images: Tensor, geometry: InputGeometry | Windows, fill: float) -> Tensor:
    """Return resized images, or windows, as float, padded on the right and at the bottom.

    ``fill`` is the network's mean. It becomes zero, like the network's own padding.
    """
    (height, width), (padded_height, padded_width) = images.shape[-2:], geometry.padded
    return F.pad(images.float(), (0, padded_width - width, 0, padded_height - height), value=fill)


def cut_window(image: Tensor, corner: NDArray[np.int64], side: int, fill: float) -> Tensor:
    """Return a square of an image (3, h, w) as float, filled with ``fill`` outside the image."""
    height, width = image.shape[-2:]
    left, top = (int(c) for c in corner)
    x, y, right, bottom = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
    window = torch.full((3, side, side), fill)
    if right > x and bottom > y:
        window[:, y - top : bottom - top, x - left : right - left] = image[:, y:bottom, x:right]
    return window
