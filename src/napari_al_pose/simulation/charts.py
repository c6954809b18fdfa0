"""Line charts and interval charts as pictures, with Pillow: no display, no further dependency, any cluster node.

Drawn at twice the size and reduced, which smooths the lines.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_SCALE = 2
_INK, _PALE, _PAPER = (34, 34, 34), (222, 222, 222), (255, 255, 255)
# Okabe and Ito's colours, told apart by nearly everybody.
_COLOURS = (
    (0, 0, 0),
    (213, 94, 0),
    (0, 114, 178),
    (0, 158, 115),
    (204, 121, 167),
    (230, 159, 0),
    (86, 180, 233),
    (120, 94, 240),
    (150, 150, 60),
    (130, 130, 130),
)


_MOST_TICKS = 9


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A line with a band: ``low`` and ``high`` may be the values themselves."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its interval, and a word on it."""

    name: str
    value: float
    low: float
    high: float
    note: str = ""


def curve_chart(curves: Sequence[Curve], *, title: str, x_label: str, y_label: str) -> Image.Image:
    """Draw curves over a logarithmic x axis (linear if it begins at 0), with their bands and a legend."""
    width, height = 760, 440
    canvas = _Canvas(width, height, left=74, right=208, top=38, bottom=54)
    xs = sorted({float(x) for curve in curves for x in curve.x})
    along = math.log2 if xs[0] > 0 else float
    values = np.array([value for c in curves for value in (*c.low, *c.high, *c.y)], np.float64)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    room = 0.05 * (high - low or 1.0)
    canvas.limits((along(xs[0]), along(xs[-1])), (max(0.0, low - room), high + room))
    for tick in _ticks(*canvas.y_limits):
        canvas.line([(canvas.x_limits[0], tick), (canvas.x_limits[1], tick)], _PALE, 1)
        canvas.text_left(tick, f"{tick:.3g}")
    for x in _x_ticks(xs):
        canvas.text_below(along(x), f"{x:g}")
    for i, curve in enumerate(curves):
        band = [(along(x), y) for x, y in zip(curve.x, curve.high, strict=True)]
        band += [(along(x), y) for x, y in zip(curve.x, curve.low, strict=True)][::-1]
        canvas.area(band, (*_colour(i), 36))
    for i, curve in enumerate(curves):
        points = [(along(x), y) for x, y in zip(curve.x, curve.y, strict=True)]
        canvas.line(points, _colour(i), 2)
        for point in points:
            canvas.dot(point, _colour(i))
        canvas.legend(i, curve.name, _colour(i))
    canvas.frame(title, x_label, y_label)
    return canvas.picture()


def _x_ticks(xs: Sequence[float]) -> list[float]:
    """Return what is written below the x axis: the values themselves, or powers of two between too many of them."""
    if len(xs) <= _MOST_TICKS or xs[0] <= 0:
        return list(xs)
    first, last = math.ceil(math.log2(xs[0])), math.floor(math.log2(xs[-1]))
    return [2.0**power for power in range(first, last + 1)]


def interval_chart(intervals: Sequence[Interval], *, title: str, x_label: str) -> Image.Image:
    """Draw intervals below each other, with a line at 0."""
    height = 92 + 24 * len(intervals)
    canvas = _Canvas(760, height, left=190, right=130, top=38, bottom=54)
    values = np.array([[i.low, i.high, 0.0] for i in intervals], np.float64)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    room = 0.06 * (high - low or 1.0)
    canvas.limits((low - room, high + room), (len(intervals) - 0.5, -0.5))
    for tick in _ticks(*canvas.x_limits):
        canvas.line([(tick, -0.5), (tick, len(intervals) - 0.5)], _INK if abs(tick) < 1e-12 else _PALE, 1)
        canvas.text_below(tick, f"{tick:.3g}")
    for row, interval in enumerate(intervals):
        colour = _COLOURS[2] if interval.high < 0 else _COLOURS[1] if interval.low > 0 else (110, 110, 110)
        canvas.line([(interval.low, row), (interval.high, row)], colour, 3)
        canvas.dot((interval.value, row), colour)
        canvas.text_left(row, interval.name)
        canvas.text_right(row, interval.note)
    canvas.frame(title, x_label, "")
    return canvas.picture()


def contact_sheet(rows: Sequence[tuple[str, Sequence[NDArray[np.uint8]]]], *, side: int = 132) -> Image.Image:
    """Put small pictures in rows with a caption each."""
    caption, gap = 20, 4
    most = max((len(images) for _, images in rows), default=1)
    thumbnails = [[_thumbnail(image, side) for image in images] for _, images in rows]
    heights = [max((t.height for t in row), default=0) + caption + gap for row in thumbnails]
    sheet = Image.new("RGB", (max(1, most) * (side + gap) + gap, sum(heights) + gap), _PAPER)
    draw = ImageDraw.Draw(sheet)
    top = gap
    for (text, _), row, height in zip(rows, thumbnails, heights, strict=True):
        draw.text((gap, top), text, fill=_INK, font=_font(13))
        for column, picture in enumerate(row):
            sheet.paste(picture, (gap + column * (side + gap), top + caption))
        top += height
    return sheet


class _Canvas:
    """A plot area in data coordinates."""

    def __init__(self, width: int, height: int, *, left: int, right: int, top: int, bottom: int) -> None:
        self._size = (width, height)
        self._image = Image.new("RGB", (width * _SCALE, height * _SCALE), _PAPER)
        self._draw = ImageDraw.Draw(self._image, "RGBA")
        self._box = (left, top, width - right, height - bottom)
        self.x_limits = self.y_limits = (0.0, 1.0)

    def limits(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        self.x_limits, self.y_limits = x, y

    def line(self, points: Sequence[tuple[float, float]], colour: tuple[int, ...], width: int) -> None:
        self._draw.line([self._at(p) for p in points], fill=colour, width=width * _SCALE, joint="curve")

    def area(self, points: Sequence[tuple[float, float]], colour: tuple[int, ...]) -> None:
        self._draw.polygon([self._at(p) for p in points], fill=colour)

    def dot(self, point: tuple[float, float], colour: tuple[int, ...]) -> None:
        x, y = self._at(point)
        radius = 3.5 * _SCALE
        self._draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)

    def legend(self, row: int, text: str, colour: tuple[int, ...]) -> None:
        x, y = (self._box[2] + 14) * _SCALE, (self._box[1] + 10 + 20 * row) * _SCALE
        self._draw.line([(x, y), (x + 22 * _SCALE, y)], fill=colour, width=3 * _SCALE)
        self._write((x + 28 * _SCALE, y), text, "lm")

    def text_below(self, x: float, text: str) -> None:
        self._write((self._at((x, 0.0))[0], (self._box[3] + 6) * _SCALE), text, "mt")

    def text_left(self, y: float, text: str) -> None:
        self._write(((self._box[0] - 8) * _SCALE, self._at((0.0, y))[1]), text, "rm")

    def text_right(self, y: float, text: str) -> None:
        self._write(((self._box[2] + 8) * _SCALE, self._at((0.0, y))[1]), text, "lm")

    def frame(self, title: str, x_label: str, y_label: str) -> None:
        left, top, right, bottom = (side * _SCALE for side in self._box)
        self._draw.rectangle((left, top, right, bottom), outline=_INK, width=_SCALE)
        self._write((left, 8 * _SCALE), title, "lt", size=15)
        self._write(((left + right) / 2, (self._size[1] - 10) * _SCALE), x_label, "mb")
        if y_label:
            label = Image.new("RGB", (bottom - top, 18 * _SCALE), _PAPER)
            ImageDraw.Draw(label).text(
                (label.width / 2, label.height / 2), y_label, fill=_INK, font=_font(12 * _SCALE), anchor="mm"
            )
            self._image.paste(label.rotate(90, expand=True), (4 * _SCALE, top))

    def picture(self) -> Image.Image:
        return self._image.resize(self._size, Image.Resampling.LANCZOS)

    def _at(self, point: tuple[float, float]) -> tuple[float, float]:
        left, top, right, bottom = self._box
        (x0, x1), (y0, y1) = self.x_limits, self.y_limits
        across = (point[0] - x0) / ((x1 - x0) or 1.0)
        up = (point[1] - y0) / ((y1 - y0) or 1.0)
        return (left + across * (right - left)) * _SCALE, (bottom - up * (bottom - top)) * _SCALE

    def _write(self, at: tuple[float, float], text: str, anchor: str, *, size: int = 12) -> None:
        self._draw.text(at, text, fill=_INK, font=_font(size * _SCALE), anchor=anchor)


def _ticks(low: float, high: float) -> list[float]:
    """Return round numbers between two limits, some five of them."""
    low, high = min(low, high), max(low, high)
    rough = (high - low) / 5 or 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)
    first = math.ceil(low / step)
    return [round(step * (first + i), 12) for i in range(int((high - first * step) / step + 1e-9) + 1)]


def _colour(i: int) -> tuple[int, int, int]:
    return _COLOURS[i % len(_COLOURS)]


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _thumbnail(image: NDArray[np.uint8], side: int) -> Image.Image:
    picture = Image.fromarray(np.asarray(image))
    picture.thumbnail((side, side))
    return picture
