"""One colour per bodypart, the same on the canvas and in every panel."""

from __future__ import annotations

import colorsys

_DISTINCT = ("#ff5d5d", "#4fc3f7", "#ffd54f", "#66d986", "#ff8fd8", "#b39dff", "#ff9f45", "#3fe0d0")
"""Bright enough for dark video, told apart by most colour-blind eyes through their lightness."""


def bodypart_colours(n_bodyparts: int) -> tuple[str, ...]:
    """Return ``n_bodyparts`` colours as "#rrggbb", in labelling order.

    Up to eight come from a fixed list; more are evenly spaced hues of alternating lightness, so that neighbours differ.
    """
    if n_bodyparts <= len(_DISTINCT):
        return _DISTINCT[:n_bodyparts]
    return tuple(_hue(index / n_bodyparts, 0.72 if index % 2 else 0.58) for index in range(n_bodyparts))


def _hue(hue: float, lightness: float) -> str:
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, 0.9)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"
