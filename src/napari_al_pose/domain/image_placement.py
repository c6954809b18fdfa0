"""Where an extracted image lies in the frame of its video."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Size = tuple[int, int]
"""Width and height in pixels."""

_SAME_ASPECT = 0.02


@dataclass(frozen=True, slots=True)
class Place:
    """The position of an image in a frame.

    Parameters
    ----------
    x, y : float
        Where the image's first pixel lies in the frame.
    scale : float
        Frame pixels per image pixel.
    """

    x: float = 0.0
    y: float = 0.0
    scale: float = 1.0

    def to_frame(self, xy: NDArray[np.floating]) -> NDArray[np.float64]:
        """Convert points ``(..., 2)`` of the image to pixels of the frame; both have pixel centres at integers."""
        return np.asarray((xy + 0.5) * self.scale - 0.5 + np.array([self.x, self.y]), np.float64)

    def to_image(self, xy: NDArray[np.floating]) -> NDArray[np.float64]:
        """Convert points ``(..., 2)`` of the frame to pixels of the image."""
        return np.asarray((xy - np.array([self.x, self.y]) + 0.5) / self.scale - 0.5, np.float64)


WHOLE = Place()
"""The position of an image that shows the whole frame."""


def place_of(image: Size, *, frame: Size | None, crop: tuple[int, int, int, int] | None) -> tuple[Place, str]:
    """Infer from an image's size which part of its frame it shows.

    Parameters
    ----------
    image : (width, height)
        Of the image.
    frame : (width, height) or None
        Of the video's frames; None if unknown.
    crop : (x1, x2, y1, y2) or None
        The rectangle in ``config.yaml`` for the video, whether or not its images were cropped.

    Returns
    -------
    Place
    str
        "whole", "crop", or "other": an image of a size that the video's frames and the crop do not have. It is scaled
        into the frame as `scale_into` says.
    """
    if image == frame:
        return WHOLE, "whole"
    fits = crop is not None and (frame is None or (crop[1] <= frame[0] and crop[3] <= frame[1]))
    if crop is not None and fits and image == (crop[1] - crop[0], crop[3] - crop[2]):
        return Place(float(crop[0]), float(crop[2])), "crop"
    if frame is None:
        return WHOLE, "whole"
    return Place(scale=scale_into(image, frame)), "other"


def scale_into(image: Size, frame: Size) -> float:
    """Return by how much an image is scaled to be shown in a frame of another size.

    One of the frame's shape fills it; another one is made smaller where it would not fit, and left as it is where it
    does: it may be a cut.
    """
    across, down = frame[0] / image[0], frame[1] / image[1]
    if abs(across / down - 1) <= _SAME_ASPECT:
        return min(across, down)
    return min(across, down, 1.0)
