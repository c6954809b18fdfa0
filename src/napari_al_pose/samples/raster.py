"""Draws with signed distance fields, so every edge is smooth without supersampling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.floating]
"""Drawing is float32 throughout, for speed."""


@dataclass(frozen=True, slots=True, eq=False)
class PixelWindow:
    """The part of a picture that a shape touches.

    Parameters
    ----------
    rows, columns : slice
    x, y : float32 array, (h, w)
        Source coordinates of its pixels.
    """

    rows: slice
    columns: slice
    x: Floats
    y: Floats

    def __bool__(self) -> bool:
        return self.x.size > 0


def window(shape: tuple[int, ...], points: NDArray[np.floating], *, margin: float) -> PixelWindow:
    """Return the window that holds ``points`` ((n, 2), x then y) and ``margin`` px around them."""
    low = np.floor(points.min(axis=0) - margin).astype(int)
    high = np.ceil(points.max(axis=0) + margin).astype(int) + 1
    left, top = (int(v) for v in np.maximum(low, 0))
    right, bottom = max(left, min(int(high[0]), shape[1])), max(top, min(int(high[1]), shape[0]))
    y, x = np.mgrid[top:bottom, left:right].astype(np.float32)
    return PixelWindow(slice(top, bottom), slice(left, right), x, y)


def coverage(distance: Floats, softness: float = 1.0) -> Floats:
    """Return how much of each pixel lies inside a shape; the edge is ``softness`` px wide."""
    return np.clip(0.5 - distance / softness, 0, 1)


def blend(canvas: Floats, where: PixelWindow, colour: Floats, alpha: Floats) -> None:
    """Blend ``colour`` ((3,) or (h, w, 3)) into the window of ``canvas`` (H, W, 3) in place."""
    part = canvas[where.rows, where.columns]
    part += (colour - part) * alpha[..., None]


def darken(canvas: Floats, where: PixelWindow, shade: Floats) -> None:
    """Remove the share ``shade`` (h, w) of the light, in place."""
    canvas[where.rows, where.columns] *= (1 - shade)[..., None]


def chain_distance(
    where: PixelWindow, nodes: NDArray[np.floating], radii: NDArray[np.floating]
) -> tuple[Floats, Floats]:
    """Return the signed distance to a chain of discs, and the index of the nearest disc, each (h, w)."""
    points = nodes.astype(np.float32)
    squared = (where.x[..., None] - points[:, 0]) ** 2
    squared += (where.y[..., None] - points[:, 1]) ** 2
    distance = np.sqrt(squared, out=squared)
    distance -= radii.astype(np.float32)
    nearest = distance.argmin(axis=-1)
    return np.take_along_axis(distance, nearest[..., None], axis=-1)[..., 0], nearest


def capsule_distance(
    where: PixelWindow, start: NDArray[np.floating], end: NDArray[np.floating], radii: tuple[float, float]
) -> Floats:
    """Return the signed distance to a line whose half-width goes from ``radii[0]`` to ``radii[1]``."""
    dx, dy = (float(v) for v in end - start)
    px, py = where.x - np.float32(start[0]), where.y - np.float32(start[1])
    share = np.clip((px * dx + py * dy) / max(dx * dx + dy * dy, 1e-6), 0, 1)
    distance = np.hypot(px - share * np.float32(dx), py - share * np.float32(dy))
    return distance - (radii[0] + share * np.float32(radii[1] - radii[0]))


def ellipse_distance(
    where: PixelWindow, centre: NDArray[np.floating], axis: NDArray[np.floating], radii: tuple[float, float]
) -> Floats:
    """Return the (nearly) signed distance to an ellipse; ``radii`` are along the unit vector ``axis`` and across it."""
    px, py = where.x - np.float32(centre[0]), where.y - np.float32(centre[1])
    ax, ay = np.float32(axis[0]), np.float32(axis[1])
    level = np.hypot((px * ax + py * ay) / radii[0], (py * ax - px * ay) / radii[1])
    return ((level - 1) * min(radii)).astype(np.float32)


def rounded_box_distance(
    x: Floats, y: Floats, centre: tuple[float, float], half: tuple[float, float], radius: float, angle: float = 0.0
) -> Floats:
    """Return the signed distance to a box with round corners, turned by ``angle`` radians."""
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    px, py = x - np.float32(centre[0]), y - np.float32(centre[1])
    qx = np.abs(px * cos + py * sin) - (half[0] - radius)
    qy = np.abs(py * cos - px * sin) - (half[1] - radius)
    outside = np.hypot(np.maximum(qx, 0), np.maximum(qy, 0))
    return (outside + np.minimum(np.maximum(qx, qy), 0) - radius).astype(np.float32)


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], cell: tuple[float, float]) -> Floats:
    """Return noise of standard deviation 1 whose blobs are about ``cell`` (rows, columns) px large."""
    small = (max(2, round(shape[0] / cell[0]) + 1), max(2, round(shape[1] / cell[1]) + 1))
    grid = rng.standard_normal(small).astype(np.float32)
    noise = np.asarray(Image.fromarray(grid).resize((shape[1], shape[0]), Image.Resampling.BICUBIC))
    return (noise / noise.std()).astype(np.float32)
