"""Painting the mouse: fur, ears, eyes, paws, tail and shadow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.samples.anatomy import SPINE_AT, Anatomy
from napari_al_pose.samples.motion import BODY_LENGTH
from napari_al_pose.samples.raster import (
    Floats,
    PixelWindow,
    blend,
    capsule_distance,
    chain_distance,
    coverage,
    darken,
    ellipse_distance,
    smooth_noise,
    window,
)

Colour = tuple[int, int, int]

_LIGHT = np.array([-0.42, -0.5, 0.76], np.float32)
_FUR_SHAPE = (192, 384)
_SHADOW_REACH = 34


@dataclass(frozen=True, slots=True)
class Coat:
    """What a mouse looks like; colours are sRGB.

    Parameters
    ----------
    back, flank : Colour
        Fur along the spine and towards the belly.
    ear, ear_inside, skin, tail, eye : Colour
    contrast : float
        How much the hairs differ in brightness, relative.
    sheen : float
        Brightness of the gloss on the fur.
    """

    back: Colour
    flank: Colour
    ear: Colour
    ear_inside: Colour
    skin: Colour
    tail: Colour
    eye: Colour
    contrast: float = 0.16
    sheen: float = 30.0


class MousePainter:
    """Paints one mouse, frame after frame, with fur that stays on its skin.

    Parameters
    ----------
    anatomy : Anatomy
    coat : Coat
    rng : numpy.random.Generator
        Draws the fur.
    size : float, optional
        The size that ``anatomy`` was built with.
    """

    def __init__(self, anatomy: Anatomy, coat: Coat, rng: np.random.Generator, *, size: float = 1.0) -> None:
        self._anatomy = anatomy
        self._coat = coat
        self._size = size
        hairs = smooth_noise(rng, _FUR_SHAPE, (1.6, 11)) + 0.8 * smooth_noise(rng, _FUR_SHAPE, (2.5, 5))
        patches = smooth_noise(rng, _FUR_SHAPE, (30, 40))
        self._fur = (hairs / hairs.std() + 0.35 * patches).astype(np.float32)

    def paint(self, canvas: Floats, frame: int) -> None:
        """Paint the mouse of ``frame`` on ``canvas`` (float32 (H, W, 3), 0 to 255) in place."""
        anatomy, points = self._anatomy, self._anatomy.spine[frame]
        body = window(canvas.shape, points, margin=26 * self._size + _SHADOW_REACH)
        if not body:
            return
        distance, nearest = chain_distance(body, points, anatomy.radius[frame])
        for haunch in anatomy.haunches[frame]:
            thigh = np.hypot(body.x - haunch[0], body.y - haunch[1]).astype(np.float32) - 14.5 * self._size
            distance = _smooth_union(distance, thigh)
        self._paint_shadow(canvas, body, distance, anatomy.height[frame])
        self._paint_tail(canvas, frame)
        for limb in (2, 3, 0, 1):
            self._paint_limb(canvas, frame, limb)
        self._paint_fur(canvas, body, frame, distance, nearest)
        self._paint_whiskers(canvas, frame)
        self._paint_head(canvas, frame)

    def _paint_shadow(self, canvas: Floats, body: PixelWindow, distance: Floats, height: float) -> None:
        """Lay down the cast shadow, shifted away from the light, and the dark contact with the floor."""
        shift = round(6 + 9 * height)
        cast = np.full_like(distance, 1e3)
        cast[shift:, shift:] = distance[:-shift, :-shift]
        darken(canvas, body, 0.42 * coverage(cast - 2, 16 + 10 * height))
        darken(canvas, body, 0.38 * np.exp(-np.maximum(distance, 0) / 3.5) * coverage(distance - 14, 12))

    def _paint_fur(self, canvas: Floats, body: PixelWindow, frame: int, distance: Floats, nearest: Floats) -> None:
        anatomy, size = self._anatomy, self._size
        index = nearest.astype(np.intp)
        centre = anatomy.spine[frame].astype(np.float32)[index]
        forward = anatomy.tangent[frame].astype(np.float32)[index]
        radius = anatomy.radius[frame].astype(np.float32)
        dx, dy = body.x - centre[..., 0], body.y - centre[..., 1]
        along = dx * forward[..., 0] + dy * forward[..., 1]
        across = dy * forward[..., 0] - dx * forward[..., 1]

        hair = self._hair(SPINE_AT.astype(np.float32)[index] * BODY_LENGTH + along / size, across / size)
        slope = np.gradient(radius, SPINE_AT * BODY_LENGTH * size).astype(np.float32)[index]
        out = np.clip(across / (radius[index] + slope * along).clip(1), -1, 1)
        up = np.sqrt(1 - out * out)
        lean = -0.5 * slope * up
        normal_x = -out * forward[..., 1] + lean * forward[..., 0]
        normal_y = out * forward[..., 0] + lean * forward[..., 1]
        lit = np.clip(normal_x * _LIGHT[0] + normal_y * _LIGHT[1] + up * _LIGHT[2], 0, 1)
        for haunch in anatomy.haunches[frame]:
            hx, hy = (body.x - haunch[0]) / (15 * size), (body.y - haunch[1]) / (15 * size)
            dome = np.clip(1 - hx * hx - hy * hy, 0, 1)
            lit = lit + 0.3 * dome * (hx * _LIGHT[0] + hy * _LIGHT[1])

        coat = self._coat
        side = np.clip((np.abs(out) - 0.35) / 0.65, 0, 1)[..., None] ** 2
        colour = np.array(coat.back, np.float32) * (1 - side) + np.array(coat.flank, np.float32) * side
        shade = (0.42 + 0.68 * lit) * (1 + coat.contrast * hair)
        shade *= 1 - 0.3 * coverage(-distance - 3, 6)
        colour = colour * shade[..., None] + (coat.sheen * lit**7 * (0.7 + 0.3 * hair))[..., None]
        blend(canvas, body, colour, coverage(distance + 0.9 * hair - 0.3, 1.8))

    def _hair(self, along: Floats, across: Floats) -> Floats:
        """Look the fur up in the mouse's own coordinates (px of an unbent mouse), two texels a pixel."""
        column = np.clip((2 * along + 60).astype(np.intp), 0, _FUR_SHAPE[1] - 1)
        row = np.clip((2 * across + _FUR_SHAPE[0] / 2).astype(np.intp), 0, _FUR_SHAPE[0] - 1)
        return self._fur[row, column]

    def _paint_tail(self, canvas: Floats, frame: int) -> None:
        nodes = self._anatomy.tail[frame]
        at = np.linspace(0, len(nodes) - 1, 3 * len(nodes))
        points = np.stack([np.interp(at, np.arange(len(nodes)), nodes[:, axis]) for axis in (0, 1)], axis=-1)
        radii = self._size * np.interp(at / at[-1], (0, 0.12, 1), (4.4, 3.0, 1.0))
        tail = window(canvas.shape, points, margin=14)
        if not tail:
            return
        distance, nearest = chain_distance(tail, points, radii)
        cast = np.full_like(distance, 1e3)
        cast[3:, 3:] = distance[:-3, :-3]
        darken(canvas, tail, 0.34 * coverage(cast, 5))
        rings = 1 + 0.07 * np.sin(1.9 * nearest).astype(np.float32)
        rim = 0.62 + 0.38 * np.clip(-distance / radii[nearest.astype(np.intp)].astype(np.float32), 0, 1)
        colour = np.array(self._coat.tail, np.float32) * (rings * rim)[..., None]
        blend(canvas, tail, colour, coverage(distance))

    def _paint_limb(self, canvas: Floats, frame: int, limb: int) -> None:
        """Paint the leg, the paw and its toes; most of the leg disappears under the body."""
        size, skin = self._size, np.array(self._coat.skin, np.float32)
        heel, toe = self._anatomy.ankles[frame, limb], self._anatomy.paws[frame, limb]
        place = window(canvas.shape, np.stack([heel, toe]), margin=12)
        if not place:
            return
        reach = (toe - heel) / max(float(np.linalg.norm(toe - heel)), 1e-6)
        width = 3.0 if limb < 2 else 3.6
        foot = capsule_distance(place, heel, toe, (width * size, (width - 0.7) * size))
        darken(canvas, place, 0.35 * coverage(foot - 2, 6))
        for spread in (-0.6, -0.2, 0.2, 0.6):
            ray = np.array([reach[0] - spread * reach[1], reach[1] + spread * reach[0]])
            foot = np.minimum(foot, capsule_distance(place, toe, toe + 4.2 * size * ray, (1.2 * size, 0.7 * size)))
        blend(canvas, place, skin * (0.72 + 0.28 * coverage(foot + 1.5, 3))[..., None], coverage(foot))

    def _paint_head(self, canvas: Floats, frame: int) -> None:
        """Paint ears, eyes and nose."""
        anatomy, coat, size = self._anatomy, self._coat, self._size
        for ear, axis in zip(anatomy.ears[frame], anatomy.ear_axes[frame], strict=True):
            place = window(canvas.shape, ear[None], margin=14 * size)
            if place:
                self._paint_ear(canvas, place, ear, axis)
        for eye in anatomy.eyes[frame]:
            place = window(canvas.shape, eye[None], margin=6)
            if place:
                ball = np.hypot(place.x - eye[0], place.y - eye[1]).astype(np.float32) - 2.3 * size
                darken(canvas, place, 0.3 * coverage(ball - 1, 3))
                blend(canvas, place, np.array(coat.eye, np.float32), coverage(ball))
                glint = np.hypot(place.x - eye[0] + 0.8, place.y - eye[1] + 0.9).astype(np.float32) - 0.5
                blend(canvas, place, np.array((235, 235, 235), np.float32), 0.8 * coverage(glint))
        nose = anatomy.spine[frame, -1] + 2.2 * size * anatomy.tangent[frame, -1]
        place = window(canvas.shape, nose[None], margin=6)
        if place:
            tip = ellipse_distance(place, nose, anatomy.tangent[frame, -1], (1.7 * size, 2.3 * size))
            blend(canvas, place, 0.85 * np.array(coat.skin, np.float32), coverage(tip, 1.6))

    def _paint_ear(
        self, canvas: Floats, place: PixelWindow, ear: NDArray[np.floating], axis: NDArray[np.floating]
    ) -> None:
        coat, size = self._coat, self._size
        rim = ellipse_distance(place, ear, axis, (8.6 * size, 7.2 * size))
        cast = ellipse_distance(place, ear + 2.5, axis, (8.6 * size, 7.2 * size))
        darken(canvas, place, 0.4 * coverage(cast, 5))
        depth = np.clip(-rim / (6.5 * size), 0, 1)
        shell = np.array(coat.ear, np.float32) * (1.1 - 0.3 * depth)[..., None]
        blend(canvas, place, shell, coverage(rim))
        hollow = ellipse_distance(place, ear + 0.8 * size * axis, axis, (5.8 * size, 4.6 * size))
        shade = 0.72 + 0.28 * np.clip(
            ((place.x - ear[0]) * axis[0] + (place.y - ear[1]) * axis[1]) / (6 * size), -1, 1
        ).astype(np.float32)
        blend(canvas, place, np.array(coat.ear_inside, np.float32) * shade[..., None], coverage(hollow, 3.5))

    def _paint_whiskers(self, canvas: Floats, frame: int) -> None:
        tangent = self._anatomy.tangent[frame, -1]
        right = np.array([-tangent[1], tangent[0]])
        base = self._anatomy.spine[frame, -1] - 4 * self._size * tangent
        twitch = 0.15 * np.sin(2 * np.pi * 7 * self._anatomy.number[frame] / 30)
        place = window(canvas.shape, base[None], margin=24 * self._size)
        if not place:
            return
        shaded = np.full_like(place.x, 1e3)
        for side in (-1, 1):
            for spread in (0.35, 0.8, 1.25):
                angle = spread + twitch
                ray = np.cos(angle) * tangent + side * np.sin(angle) * right
                start = base + side * 3 * self._size * right
                shaded = np.minimum(shaded, capsule_distance(place, start, start + 17 * self._size * ray, (0.35, 0.1)))
        blend(canvas, place, np.array(self._coat.flank, np.float32) * 0.5 + 90, 0.42 * coverage(shaded))


def _smooth_union(a: Floats, b: Floats, width: float = 5.0) -> Floats:
    """Join two shapes with a rounded seam ``width`` px wide (Quilez' polynomial smooth minimum)."""
    h = np.maximum(width - np.abs(a - b), 0) / width
    return np.minimum(a, b) - h * h * (width / 4)
