"""The report's pictures: line charts and intervals by matplotlib, without a display, and sheets of frames by Pillow."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from napari_al_pose.domain import AlPoseError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK, _PALE, _GREY = "#222222", "#dedede", "#6e6e6e"
# Okabe and Ito's colours, which nearly everybody can tell apart.
_COLOURS = (
    "#000000",
    "#d55e00",
    "#0072b2",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#785ef0",
    "#96963c",
    "#828282",
)
_DPI = 110
_MOST_TICKS = 9


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A line with a band; ``low`` and ``high`` may equal the values."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its interval, and a label."""

    name: str
    value: float
    low: float
    high: float
    note: str = ""


def require_report_libraries() -> None:
    """Check that a report can be written, before anything is computed for it.

    Raises
    ------
    AlPoseError
        If matplotlib or jinja2 is not installed.
    """
    try:
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise AlPoseError(
            f"The report of a simulation needs {error.name}, which is not installed.",
            'Install it: pip install "napari-al-pose[simulate]".',
        ) from error


def curve_chart(curves: Sequence[Curve], *, title: str, x_label: str, y_label: str) -> Image.Image:
    """Draw curves over a logarithmic x axis (linear if it starts at 0), with their bands and a legend."""
    figure, axes = _axes(7.0, 4.0, title=title, x_label=x_label)
    xs = sorted({float(x) for curve in curves for x in curve.x})
    if xs[0] > 0:
        axes.set_xscale("log", base=2)
    for i, curve in enumerate(curves):
        colour = _COLOURS[i % len(_COLOURS)]
        axes.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.14, linewidth=0)
        axes.plot(curve.x, curve.y, color=colour, marker="o", markersize=4, linewidth=1.6, label=curve.name)
    axes.set_ylabel(y_label)
    axes.set_ylim(bottom=max(0.0, axes.get_ylim()[0]))
    axes.set_xticks(_x_ticks(xs))
    axes.minorticks_off()
    axes.xaxis.set_major_formatter(lambda value, _place: f"{value:g}")
    axes.grid(axis="y", color=_PALE)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False)
    return _picture(figure)


def _x_ticks(xs: Sequence[float]) -> list[float]:
    """Return the tick labels of the x axis: the values themselves, or powers of two if there are too many."""
    if len(xs) <= _MOST_TICKS or xs[0] <= 0:
        return list(xs)
    first, last = math.ceil(math.log2(xs[0])), math.floor(math.log2(xs[-1]))
    return [2.0**power for power in range(first, last + 1)]


def interval_chart(intervals: Sequence[Interval], *, title: str, x_label: str) -> Image.Image:
    """Draw intervals below each other, with a line at 0."""
    figure, axes = _axes(7.0, 0.9 + 0.24 * len(intervals), title=title, x_label=x_label)
    axes.axvline(0.0, color=_INK, linewidth=0.8)
    for row, interval in enumerate(intervals):
        colour = _COLOURS[2] if interval.high < 0 else _COLOURS[1] if interval.low > 0 else _GREY
        axes.plot([interval.low, interval.high], [row, row], color=colour, linewidth=2.4)
        axes.plot([interval.value], [row], color=colour, marker="o", markersize=5)
        axes.annotate(
            interval.note, (1.01, row), xycoords=("axes fraction", "data"), va="center", color=_INK, fontsize=9
        )
    axes.set_yticks(range(len(intervals)), [interval.name for interval in intervals])
    axes.set_ylim(len(intervals) - 0.5, -0.5)
    axes.grid(axis="x", color=_PALE)
    return _picture(figure)


def _axes(width: float, height: float, *, title: str, x_label: str) -> tuple[Figure, Axes]:
    """Return a figure of a size in inches, unknown to any window or display, and its axes."""
    require_report_libraries()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlabel(x_label)
    axes.set_axisbelow(True)
    return figure, axes


def _picture(figure: Figure) -> Image.Image:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", bbox_inches="tight")
    stream.seek(0)
    return Image.open(stream).convert("RGB")


def contact_sheet(rows: Sequence[tuple[str, Sequence[NDArray[np.uint8]]]], *, side: int = 132) -> Image.Image:
    """Arrange small pictures in rows with a caption for each."""
    caption, gap = 20, 4
    most = max((len(images) for _, images in rows), default=1)
    thumbnails = [[_thumbnail(image, side) for image in images] for _, images in rows]
    heights = [max((t.height for t in row), default=0) + caption + gap for row in thumbnails]
    sheet = Image.new("RGB", (max(1, most) * (side + gap) + gap, sum(heights) + gap), "white")
    draw = ImageDraw.Draw(sheet)
    top = gap
    for (text, _), row, height in zip(rows, thumbnails, heights, strict=True):
        draw.text((gap, top), text, fill=_INK, font=ImageFont.load_default(13))
        for column, picture in enumerate(row):
            sheet.paste(picture, (gap + column * (side + gap), top + caption))
        top += height
    return sheet


def _thumbnail(image: NDArray[np.uint8], side: int) -> Image.Image:
    picture = Image.fromarray(np.asarray(image))
    picture.thumbnail((side, side))
    return picture
