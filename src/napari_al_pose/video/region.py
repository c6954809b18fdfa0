"""A rectangle of a video as a source of its own; the rest is never looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import FrameSource
from napari_al_pose.domain.settings import Rectangle
from napari_al_pose.video.damage import is_damaged, notice_of
from napari_al_pose.video.pixels import is_placeholder, placeholder

SMALLEST = 32
"""Shorter sides, in pixels, can't show an animal."""


def narrowed(rectangle: Rectangle, height: int, width: int) -> Rectangle | None:
    """Return what a rectangle leaves of a frame; None if that is all of it, or too little to be intended."""
    x1, x2, y1, y2 = rectangle
    x1, x2, y1, y2 = max(0, x1), min(width, x2), max(0, y1), min(height, y2)
    if (x1, x2, y1, y2) == (0, width, 0, height) or x2 - x1 < SMALLEST or y2 - y1 < SMALLEST:
        return None
    return x1, x2, y1, y2


class Region:
    """A rectangle of another source's frames; a `FrameSource`.

    Parameters
    ----------
    source : FrameSource
        Closed with the region.
    rectangle : (int, int, int, int)
        ``x1, x2, y1, y2`` within its frames.
    """

    def __init__(self, source: FrameSource, rectangle: Rectangle) -> None:
        self.source = source
        self.rectangle = rectangle

    @property
    def name(self) -> str:
        """The video's name in the project."""
        return self.source.name

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """``(n_frames, height, width, 3)``."""
        x1, x2, y1, y2 = self.rectangle
        return len(self.source), y2 - y1, x2 - x1, 3

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """Always ``uint8``."""
        return self.source.dtype

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self.source.fps

    @property
    def keyframes(self) -> NDArray[np.int64]:
        """Positions that decode without any other frame."""
        return self.source.keyframes

    @property
    def notice(self) -> str:
        """What is wrong with the source, for the user."""
        return notice_of(self.source)

    def is_damaged(self, position: int) -> bool:
        """Return whether the source's frame is known not to be whole."""
        return is_damaged(self.source, position)

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        first, *rest = key if isinstance(key, tuple) else (key,)
        found = self.source[first]
        if found.ndim == 3:
            return self.cut(found)[tuple(rest)] if rest else self.cut(found)
        cut = np.stack([self.cut(frame) for frame in found]) if len(found) else np.empty((0, *self.shape[1:]), np.uint8)
        return cut[(slice(None), *rest)]

    def cut(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the rectangle of a whole frame; the placeholder for undecodable frames stays recognisable."""
        x1, x2, y1, y2 = self.rectangle
        if is_placeholder(frame):
            return placeholder(y2 - y1, x2 - x1)
        return np.ascontiguousarray(frame[y1:y2, x1:x2])

    def number(self, position: int) -> int:
        """Return the frame number at ``position``."""
        return self.source.number(position)

    def position(self, number: int) -> int:
        """Return the position of frame ``number``; raise KeyError if the source has no such frame."""
        return self.source.position(number)

    def seconds(self, position: int) -> float:
        """Return when a frame is shown, in seconds after the first one; NaN if unknown."""
        return self.source.seconds(position)

    def close(self) -> None:
        """Close the source."""
        self.source.close()


def origin_of(source: FrameSource) -> NDArray[np.float64]:
    """Return where (0, 0) of a source's frames lies in the video, x and y."""
    return np.array([source.rectangle[0], source.rectangle[2]], float) if isinstance(source, Region) else np.zeros(2)
