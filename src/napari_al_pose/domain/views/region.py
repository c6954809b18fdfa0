"""What the dialog for a video's rectangle says."""

from __future__ import annotations

from napari_al_pose.domain.settings import Rectangle


def dragged(start: tuple[float, float], end: tuple[float, float], height: int, width: int) -> Rectangle:
    """Return the rectangle between two places (x, y) in pixels of the frame, whichever way it was dragged."""
    xs, ys = (
        sorted(min(max(round(place[axis]), 0), size) for place in (start, end))
        for axis, size in ((0, width), (1, height))
    )
    return xs[0], xs[1], ys[0], ys[1]


def region_sentence(rectangle: Rectangle, height: int, width: int, *, smallest: int) -> str:
    """Say what would be used; a complaint begins with "Too small"."""
    x1, x2, y1, y2 = rectangle
    if rectangle == (0, width, 0, height):
        return "The whole frame is used."
    if x2 - x1 < smallest or y2 - y1 < smallest:
        return f"Too small: at least {smallest} × {smallest} px."
    share = 100 * (x2 - x1) * (y2 - y1) / (height * width)
    return f"{x2 - x1} × {y2 - y1} of {width} × {height} px are used, {share:.0f} % of the frame."
