"""Random views of a labelled frame: rotated, mirrored, scaled, shifted, relit, blurred, noisy or partly covered.

Images and keypoints go through torchvision's v2 kernels together. It is imported where it is used: that takes as long
as importing torch, and an engine that does not train does without.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

FILL = 127.0
"""Grey beyond the frame's edge, close to the network's zero padding."""

SCALES = (0.75, 1.3)
BACKGROUND_SHARE = 0.1
"""Share of crops taken anywhere in the frame, mostly without the animal."""

SHIFT, WHOLE_SHIFT = 0.3, 0.1
"""Largest distance of the animal from the crop's centre, in crop sides; for a whole frame, in its own sides."""

COVERED_SHARE = 0.1
COVER_SIDES = (0.1, 0.25)
"""Share of views partly covered by a grey rectangle, like cables, bedding or hands, and its sides relative to the
view."""


@dataclass(frozen=True, slots=True)
class Views:
    """How to draw views of frames.

    Parameters
    ----------
    crop : (int, int)
        Height and width of a view, network pixels.
    rotation_degrees : float
        Largest rotation, either way.
    mirror : tuple of int, optional
        The keypoint that each becomes in a mirror image. Half of the views should be mirrored; without it none are.
    """

    crop: tuple[int, int]
    rotation_degrees: float
    mirror: tuple[int, ...] | None = None

    def draw(
        self,
        image: Tensor,
        uv: NDArray[np.float64],
        rng: np.random.Generator,
        *,
        anywhere: bool = False,
        around: NDArray[np.float64] | None = None,
        mirrored: bool = False,
    ) -> tuple[Tensor, NDArray[np.float64]]:
        """Return one random view.

        Parameters
        ----------
        image : uint8 Tensor, (3, h, w)
            A frame at the network's scale.
        uv : float64 array, (K, 2)
            Its keypoints in the image's pixels, NaN where there is none.
        rng : Generator
            Source of randomness.
        anywhere : bool
            Whether the view may miss the animal.
        around : float64 array (2,), optional
            Place that the view shows instead of the animal, in the image's pixels.
        mirrored : bool
            Whether to show a mirror image; see `draw_mirrored`.

        Returns
        -------
        view : float32 Tensor, (3, crop height, crop width)
            Pixel values from 0 to 255.
        uv : float64 array, (K, 2)
            The keypoints in the view's pixels; outside the view if it misses them.
        """
        angle = float(rng.uniform(-self.rotation_degrees, self.rotation_degrees))
        scale = math.exp(rng.uniform(math.log(SCALES[0]), math.log(SCALES[1])))
        centre = self._centre(image, uv if around is None else around[None], rng, anywhere=anywhere)
        view, moved = cut(image, uv, centre=centre, angle=angle, scale=scale, size=self.crop)
        if mirrored and self.mirror is not None:
            view, moved = flip(view, moved, self.mirror)
        return cover(disturb(view, rng), rng), moved

    def draw_mirrored(self, rng: np.random.Generator) -> bool:
        """Return whether the next view is a mirror image."""
        return self.mirror is not None and bool(rng.random() < 0.5)

    def in_view(self, values: Tensor, *, mirrored: bool) -> Tensor:
        """Return what is known of each keypoint, (K, ...), in the order that a view has them in."""
        return values[list(self.mirror)] if mirrored and self.mirror is not None else values

    def _centre(
        self, image: Tensor, uv: NDArray[np.float64], rng: np.random.Generator, *, anywhere: bool
    ) -> NDArray[np.float64]:
        if anywhere or not np.isfinite(uv[:, 0]).any() or rng.random() < BACKGROUND_SHARE:
            return rng.uniform([0.0, 0.0], image.shape[:-3:-1])
        return self.near_animal(image, uv, rng)

    def near_animal(
        self, image: Tensor, uv: NDArray[np.float64], rng: np.random.Generator, *, within: float = 1.0
    ) -> NDArray[np.float64]:
        """Return a random centre, (2,), of a view that shows the animal at ``uv``.

        ``within`` is the share of the largest shift.
        """
        sides, whole = np.array([self.crop[1], self.crop[0]]), np.array(image.shape[:-3:-1])
        middle = np.where(sides >= whole, (whole - 1) / 2, middle_of(uv))
        shift = np.where(sides >= whole, WHOLE_SHIFT * whole, SHIFT * sides)
        return np.asarray(middle + rng.uniform(-within, within, 2) * shift, np.float64)


def middle_of(uv: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the middle of the box around the points (K, 2) that are there, (2,)."""
    placed = uv[np.isfinite(uv[:, 0])]
    return np.asarray((placed.min(axis=0) + placed.max(axis=0)) / 2, np.float64)


def cut(
    image: Tensor,
    uv: NDArray[np.float64],
    *,
    centre: NDArray[np.float64],
    angle: float,
    scale: float,
    size: tuple[int, int],
) -> tuple[Tensor, NDArray[np.float64]]:
    """Cut a view of ``size`` (height, width) around ``centre`` (x, y), rotated clockwise by ``angle`` degrees.

    Rotate only the visible part of the frame. torchvision's affine kernel puts the pixel centres of keypoints at ``+
    0.5``, unlike its flips and unlike the rest of this package.
    """
    from torchvision import tv_tensors
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.v2 import functional as VF

    half = math.ceil(math.hypot(*size) / 2 / scale) + 1
    left, top = round(float(centre[0])) - half, round(float(centre[1])) - half
    side = 2 * half
    whole = (int(image.shape[-2]), int(image.shape[-1]))
    points = tv_tensors.KeyPoints(torch.from_numpy(uv), canvas_size=whole)
    patch = VF.crop(image, top, left, side, side)
    points = VF.crop(points, top, left, side, side)
    outside = VF.crop(torch.ones(1, *whole, dtype=torch.uint8), top, left, side, side) == 0
    patch = torch.where(outside, torch.tensor(round(FILL), dtype=torch.uint8), patch)
    placement = {"angle": angle, "translate": [0.0, 0.0], "scale": scale, "shear": [0.0, 0.0]}
    patch = VF.affine(patch, **placement, interpolation=InterpolationMode.BILINEAR, fill=[FILL])
    points = tv_tensors.wrap(points + 0.5, like=points)
    points = tv_tensors.wrap(VF.affine(points, **placement) - 0.5, like=points)
    y, x = (side - size[0]) // 2, (side - size[1]) // 2
    points = VF.crop(points, y, x, *size)
    return VF.crop(patch, y, x, *size).float(), points.numpy()


def flip(view: Tensor, uv: NDArray[np.float64], mirror: tuple[int, ...]) -> tuple[Tensor, NDArray[np.float64]]:
    """Return the mirrored view; left keypoints become right ones."""
    from torchvision.transforms.v2 import functional as VF

    moved = uv[list(mirror)]
    moved[:, 0] = view.shape[-1] - 1 - moved[:, 0]
    return VF.horizontal_flip(view), moved


def cover(view: Tensor, rng: np.random.Generator) -> Tensor:
    """Return the view, sometimes partly covered by a grey rectangle."""
    from torchvision.transforms.v2 import functional as VF

    if rng.random() >= COVERED_SHARE:
        return view
    rows, columns = view.shape[-2:]
    height, width = (round(side * rng.uniform(*COVER_SIDES)) for side in (rows, columns))
    top, left = rng.integers(rows - height), rng.integers(columns - width)
    return VF.erase(view, int(top), int(left), height, width, torch.tensor(float(rng.uniform(0, 255))))


def disturb(view: Tensor, rng: np.random.Generator) -> Tensor:
    """Return the view with changed light and, sometimes, blur or noise; float, 0 to 255."""
    from torchvision.transforms.v2 import functional as VF

    unit = view / 255
    unit = VF.adjust_contrast(unit.clamp(0, 1), float(rng.uniform(0.7, 1.3)))
    unit = VF.adjust_brightness(unit, float(rng.uniform(0.7, 1.3)))
    if rng.random() < 0.3:
        unit = VF.adjust_gamma(unit, math.exp(rng.uniform(-0.5, 0.5)))
    chance = rng.random()
    if chance < 0.15:
        unit = VF.gaussian_blur(unit, [5, 5], [float(rng.uniform(0.4, 1.2))] * 2)
    elif chance < 0.3:
        noise = rng.standard_normal((1, *unit.shape[1:]), dtype=np.float32)
        unit = unit + torch.from_numpy(noise) * float(rng.uniform(0.01, 0.05))
    return unit.clamp(0, 1) * 255
