"""The sample's arenas: floor, walls, a shelter that hides the mouse, and the light."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from napari_al_pose.samples.raster import Floats, coverage, rounded_box_distance, smooth_noise

WIDTH, HEIGHT = 640, 480


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangular floor with round corners (a `motion.Floor`)."""

    centre: complex = 320 + 240j
    half: tuple[float, float] = (276, 200)
    radius: float = 34

    def inside(self, point: complex, *, margin: float) -> complex:
        """Return ``point``, moved to the nearest place at least ``margin`` px from the walls."""
        off = point - self.centre
        x = max(-self.half[0] + margin, min(self.half[0] - margin, off.real))
        y = max(-self.half[1] + margin, min(self.half[1] - margin, off.imag))
        return self.centre + complex(x, y)

    def draw(self, rng: np.random.Generator, *, margin: float) -> complex:
        """Draw a place at least ``margin`` px from the walls."""
        x, y = (rng.uniform(-half + margin, half - margin) for half in self.half)
        return self.centre + complex(x, y)

    def distance(self, x: Floats, y: Floats) -> Floats:
        """Return the signed distance to the wall, negative on the floor."""
        return rounded_box_distance(x, y, (self.centre.real, self.centre.imag), self.half, self.radius)


@dataclass(frozen=True, slots=True)
class Disc:
    """A round floor (a `motion.Floor`)."""

    centre: complex = 322 + 241j
    radius: float = 214

    def inside(self, point: complex, *, margin: float) -> complex:
        """Return ``point``, moved to the nearest place at least ``margin`` px from the wall."""
        off = point - self.centre
        return self.centre + off * min(1.0, (self.radius - margin) / max(abs(off), 1e-6))

    def draw(self, rng: np.random.Generator, *, margin: float) -> complex:
        """Draw a place at least ``margin`` px from the wall."""
        reach = (self.radius - margin) * math.sqrt(rng.uniform())
        angle = rng.uniform(0, 2 * math.pi)
        return self.centre + complex(reach * math.cos(angle), reach * math.sin(angle))

    def distance(self, x: Floats, y: Floats) -> Floats:
        """Return the signed distance to the wall, negative on the floor."""
        return (np.hypot(x - self.centre.real, y - self.centre.imag) - self.radius).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Arena:
    """What does not move.

    Parameters
    ----------
    region : Box or Disc
    floor : float32 array, (H, W, 3)
        The empty arena without light, sRGB 0 to 255; the mouse is painted on it.
    light : float32 array, (H, W, 3)
        What of the painted floor is seen: the lamp's light, less where the shelter's shadow falls, none under it.
    shelter : float32 array, (H, W, 3)
        The shelter in its light, to be added; 0 elsewhere.
    cover : float32 array, (H, W)
        How much of each pixel the shelter covers.
    haunts : tuple of complex
        Where the mouse likes to be: in and around the shelter.
    """

    region: Box | Disc
    floor: Floats
    light: Floats
    shelter: Floats
    cover: Floats
    haunts: tuple[complex, ...]

    def hides(self, xy: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Return whether the points ``(..., 2)`` lie under the shelter or outside the picture."""
        column, row = (np.rint(np.nan_to_num(xy[..., axis], nan=-1)).astype(np.intp) for axis in (0, 1))
        outside = (column < 0) | (column >= WIDTH) | (row < 0) | (row >= HEIGHT)
        return outside | (self.cover[row.clip(0, HEIGHT - 1), column.clip(0, WIDTH - 1)] > 0.5)


def home_cage(rng: np.random.Generator) -> Arena:
    """A cage with wood chips, cotton and a wooden platform, in warm light."""
    x, y = _grid()
    region = Box()
    wall = region.distance(x, y)
    floor = _walls(_wood_chips(rng), wall, face=(158, 156, 148), rim=(196, 194, 186), bench=(66, 62, 58))
    _cotton(floor, rng, centre=(470, 360))
    angle = 0.32
    shape = rounded_box_distance(x, y, (196, 170), (56, 40), 5, angle)
    along = (x - 196) * math.cos(angle) + (y - 170) * math.sin(angle)
    across = (y - 170) * math.cos(angle) - (x - 196) * math.sin(angle)
    grain = np.sin(0.5 * across + 2.2 * smooth_noise(rng, x.shape, (9, 70)) + 0.02 * along)
    wood = (
        np.array((176, 134, 88), np.float32) * (1 + 0.08 * grain + 0.05 * smooth_noise(rng, x.shape, (2, 9)))[..., None]
    )
    wood *= (0.8 + 0.2 * np.clip(-shape / 4, 0, 1))[..., None]
    for nail_along, nail_across in ((-47, -31), (47, -31), (-47, 31), (47, 31)):
        nail = np.hypot(along - nail_along, across - nail_across).astype(np.float32) - 2.2
        wood += (np.array((92, 90, 90), np.float32) - wood) * coverage(nail)[..., None]
    light = _light(x, y, towards=(-0.5, -0.6), fall=0.3, tint=(1.03, 1.0, 0.93))
    shadow = rounded_box_distance(x - 13, y - 15, (196, 170), (56, 40), 5, angle)
    return _arena(region, floor, light, wood, coverage(shape), shadow, haunts=(196 + 170j, 280 + 200j, 130 + 140j))


def open_field(rng: np.random.Generator) -> Arena:
    """A round, dark, empty field with a red igloo, in cold light."""
    x, y = _grid()
    region = Disc()
    wall = region.distance(x, y)
    mottled = 1 + 0.05 * smooth_noise(rng, x.shape, (90, 110)) + 0.03 * smooth_noise(rng, x.shape, (2, 2))
    floor = np.array((74, 80, 88), np.float32) * mottled[..., None]
    _scratches(floor, rng)
    _droppings(floor, rng, region)
    floor = _walls(floor, wall, face=(48, 52, 58), rim=(92, 98, 104), bench=(150, 152, 150))
    igloo, cover = _igloo(rng, x, y, centre=(452, 152))
    light = _light(x, y, towards=(0.7, -0.3), fall=0.42, tint=(0.94, 1.0, 1.07))
    shadow = np.hypot(x - 465, y - 167).astype(np.float32) - 46
    return _arena(region, floor, light, igloo, cover, shadow, haunts=(452 + 152j, 250 + 330j))


def _arena(
    region: Box | Disc,
    floor: Floats,
    light: Floats,
    shelter: Floats,
    cover: Floats,
    shadow: Floats,
    *,
    haunts: tuple[complex, ...],
) -> Arena:
    """Light the scene; ``shadow`` is the signed distance to the shelter's shadow."""
    shaded = light * ((1 - 0.45 * coverage(shadow, 16)) * (1 - cover))[..., None]
    return Arena(region, floor, shaded, shelter * light * cover[..., None], cover, haunts)


def _igloo(rng: np.random.Generator, x: Floats, y: Floats, *, centre: tuple[float, float]) -> tuple[Floats, Floats]:
    """Return a red plastic igloo with a brim, ribs and a doorway, and how much of each pixel it covers."""
    px, py = x - centre[0], y - centre[1]
    reach = np.hypot(px, py).astype(np.float32)
    angle = np.arctan2(py, px)
    doorway = rounded_box_distance(px, py, (-33, 33), (20, 12), 6, 3 * math.pi / 4)
    outline = np.maximum(reach - 49, -doorway)
    steep = np.clip(reach / 46, 0, 1) ** 2
    facing = 0.86 - 0.36 * steep * np.cos(angle - 0.8) + 0.1 * np.cos(7 * angle) * np.clip((reach - 14) / 12, 0, 1)
    facing = np.where(reach > 42, 1.02 - 0.05 * np.abs(reach - 45.5), facing) - 0.4 * coverage(np.abs(reach - 42) - 0.8)
    facing -= 0.25 * coverage(np.abs(reach - 13) - 0.7)
    red = np.array((166, 36, 40), np.float32) * (facing * (1 + 0.03 * smooth_noise(rng, x.shape, (3, 3))))[..., None]
    gloss = 80 * np.exp(-(((px + 19) / 9) ** 2 + ((py + 17) / 5) ** 2)) + 30 * np.exp(
        -((px + 4) ** 2 + (py + 5) ** 2) / 20
    )
    return (red + gloss[..., None]).astype(np.float32), coverage(outline)


def _grid() -> tuple[Floats, Floats]:
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    return x, y


def _walls(
    floor: Floats, wall: Floats, *, face: tuple[int, ...], rim: tuple[int, ...], bench: tuple[int, ...]
) -> Floats:
    """Put the walls around the floor, seen from above: corner shade, face, rim, and the bench outside."""
    floor = floor * (1 - 0.4 * np.exp(np.minimum(wall, 0) / 13))[..., None]
    for edge, colour in ((0, face), (26, rim), (33, bench)):
        tone = np.array(colour, np.float32)
        shaded = tone * (0.62 + 0.38 * np.clip((wall - edge) / 26, 0, 1))[..., None] if edge == 0 else tone
        floor = floor + (shaded - floor) * (1 - coverage(wall - edge))[..., None]
    return floor.astype(np.float32)


def _light(x: Floats, y: Floats, *, towards: tuple[float, float], fall: float, tint: tuple[float, ...]) -> Floats:
    """Return a lamp's light: brighter towards one side, darker in the corners."""
    px, py = (x - WIDTH / 2) / (WIDTH / 2), (y - HEIGHT / 2) / (WIDTH / 2)
    level = 1.06 + 0.12 * (px * towards[0] + py * towards[1]) - fall * 0.5 * (px * px + py * py)
    return (level[..., None] * np.array(tint, np.float32)).astype(np.float32)


def _wood_chips(rng: np.random.Generator) -> Floats:
    """Scatter chips of wood over each other, drawn at twice the size and reduced."""
    scale = 2
    image = Image.new("RGB", (scale * WIDTH, scale * HEIGHT), (150, 124, 88))
    draw = ImageDraw.Draw(image)
    n_chips = 15_000
    places = rng.uniform((0, 0), (scale * WIDTH, scale * HEIGHT), (n_chips, 2))
    angles = rng.uniform(0, np.pi, n_chips)
    lengths, widths = rng.uniform(5, 13, n_chips), rng.uniform(2, 4.5, n_chips)
    tones = np.clip(rng.normal(1, 0.13, n_chips), 0.6, 1.3)
    for place, angle, length, width, tone in zip(places, angles, lengths, widths, tones, strict=True):
        along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
        corners = [
            place + along * a * length + across * b * width for a, b in ((-1, -0.7), (1, -1), (0.9, 1), (-1, 0.8))
        ]
        draw.polygon([tuple(corner + 2) for corner in corners], fill=(104, 82, 56))
        draw.polygon([tuple(corner) for corner in corners], fill=tuple(int(c * tone) for c in (198, 170, 128)))
    small = np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.BOX), np.float32)
    return small * (1 + 0.05 * smooth_noise(rng, (HEIGHT, WIDTH), (60, 80)))[..., None]


def _cotton(floor: Floats, rng: np.random.Generator, *, centre: tuple[float, float]) -> None:
    """Put a flake of nesting cotton on the floor."""
    x, y = _grid()
    ragged = 9 * smooth_noise(rng, x.shape, (11, 13)) + 4 * smooth_noise(rng, x.shape, (5, 5))
    shape = np.hypot((x - centre[0]) / 1.3, y - centre[1]).astype(np.float32) - 24 + ragged
    fluff = 214 + 12 * smooth_noise(rng, x.shape, (6, 9)) + 9 * smooth_noise(rng, x.shape, (2, 3))
    floor *= (1 - 0.35 * coverage(shape - 4, 12))[..., None]
    floor += (fluff[..., None] * np.array((1, 0.985, 0.95), np.float32) - floor) * coverage(shape, 8)[..., None]


def _scratches(floor: Floats, rng: np.random.Generator) -> None:
    """Scratch and smear a smooth floor."""
    image = Image.new("L", (2 * WIDTH, 2 * HEIGHT), 0)
    draw = ImageDraw.Draw(image)
    for _ in range(170):
        x, y, angle, length = (
            rng.uniform(0, 2 * WIDTH),
            rng.uniform(0, 2 * HEIGHT),
            rng.uniform(0, 3.14),
            rng.uniform(8, 110),
        )
        end = (x + length * math.cos(angle), y + length * math.sin(angle))
        draw.line([(x, y), end], fill=int(rng.uniform(30, 110)), width=1)
    lines = np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.BOX), np.float32)
    smears = np.clip(smooth_noise(rng, (HEIGHT, WIDTH), (28, 60)) - 1.1, 0, 1)
    floor += (0.22 * lines + 11 * smears)[..., None]


def _droppings(floor: Floats, rng: np.random.Generator, region: Disc) -> None:
    """Leave droppings and a few wet spots."""
    x, y = _grid()
    for _ in range(16):
        place, angle = region.draw(rng, margin=10), rng.uniform(0, 3.14)
        pellet = rounded_box_distance(x, y, (place.real, place.imag), (3.4, 1.6), 1.6, angle)
        floor += (np.array((34, 28, 24), np.float32) - floor) * coverage(pellet)[..., None]
    for _ in range(4):
        place, reach = region.draw(rng, margin=30), rng.uniform(8, 18)
        edge = 3 * smooth_noise(rng, x.shape, (9, 9))
        wet = np.hypot(x - place.real, y - place.imag).astype(np.float32) - reach + edge
        floor *= (1 - 0.2 * coverage(wet, 3))[..., None]
