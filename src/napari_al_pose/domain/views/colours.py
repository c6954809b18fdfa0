"""One colour per bodypart, the same on the canvas and in every panel."""

from __future__ import annotations

import colorsys
import enum

_DISTINCT = ("#ff5d5d", "#4fc3f7", "#ffd54f", "#66d986", "#ff8fd8", "#b39dff", "#ff9f45", "#3fe0d0")
"""Bright enough for dark video, told apart by most colour-blind eyes through their lightness."""


_SAFE = ("#56b4e9", "#e69f00", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#ffffff")
"""Okabe & Ito, "Color Universal Design", 2008, with white for their black, which no dark video shows."""

_MUTED = ("#9aa5b1", "#c9b08a", "#8ab0a2", "#b39ab3")


class Palette(enum.StrEnum):
    """The colours of bodyparts, as the user is offered them."""

    DISTINCT = "Distinct"
    SAFE = "Safe for colour-blind eyes"
    RAINBOW = "Rainbow, in labelling order"


def bodypart_colours(n_bodyparts: int, palette: Palette = Palette.DISTINCT) -> tuple[str, ...]:
    """Return ``n_bodyparts`` colours as "#rrggbb", in labelling order.

    Up to eight come from a fixed list; more are evenly spaced hues of alternating lightness, so that neighbours differ.
    """
    if palette is Palette.RAINBOW:
        return tuple(_hue(0.85 * index / max(1, n_bodyparts), 0.62) for index in range(n_bodyparts))
    fixed = _SAFE if palette is Palette.SAFE else _DISTINCT
    if n_bodyparts <= len(fixed):
        return fixed[:n_bodyparts]
    return tuple(_hue(index / n_bodyparts, 0.72 if index % 2 else 0.58) for index in range(n_bodyparts))


def individual_colours(n_individuals: int, n: int, palette: Palette = Palette.DISTINCT) -> tuple[str, ...]:
    """Return ``n`` colours: those of the individuals, then muted ones for tracks and bodyparts that no animal has."""
    return bodypart_colours(n_individuals, palette) + tuple(_MUTED[i % len(_MUTED)] for i in range(n - n_individuals))


def _hue(hue: float, lightness: float) -> str:
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, 0.9)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"
