"""Compares an image with a frame."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_LONG_SIDE = 160
"""Both are reduced to this many pixels, which removes coding noise but not an animal."""
_BLOCK = 8
OTHER_PICTURE = 12.0
"""Largest difference of the most different block, in grey levels: re-encoding changes a few, a moved animal dozens."""
_NOTICEABLE = 4.0
_CLEARLY_BETTER = 4.0


def difference(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Return the largest local difference of two pictures, in grey levels.

    Parameters
    ----------
    a, b : uint8 array, (height, width, 3)
        RGB.

    Returns
    -------
    float
        Mean absolute difference of the most different block of 8 x 8 pixels, after reducing both to 160 pixels;
        infinite if their sizes differ.
    """
    return difference_of_reduced(reduced(a), reduced(b)) if a.shape == b.shape else float("inf")


def is_other_picture(
    image: NDArray[np.uint8], frame: NDArray[np.uint8], neighbours: Iterable[NDArray[np.uint8]] = ()
) -> bool:
    """Return whether an image shows something other than a frame.

    Parameters
    ----------
    image, frame : uint8 array, (height, width, 3)
        RGB.
    neighbours : iterable of array
        Frames around it. If one is much more like the image than ``frame`` is, there is a shift, however little the
        animal moved.
    """
    apart = difference(image, frame)
    if apart > OTHER_PICTURE:
        return True
    if apart <= _NOTICEABLE:
        return False
    return any(difference(image, other) < apart / _CLEARLY_BETTER for other in neighbours)


def reduced(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return a picture in the form that `difference_of_reduced` compares: ``(h, w)`` grey levels, at most 160
    pixels."""
    height, width = picture.shape[:2]
    factor = max(1.0, max(height, width) / _LONG_SIDE)
    size = max(1, round(width / factor)), max(1, round(height / factor))
    grey = Image.fromarray(np.ascontiguousarray(picture)).convert("L")
    return np.asarray(grey.resize(size, Image.Resampling.BOX), np.float32)


def difference_of_reduced(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Return the `difference` of two pictures that were `reduced`; infinite if their sizes differ."""
    if a.shape != b.shape:
        return float("inf")
    apart = np.abs(a - b)
    rows, columns = (np.arange(0, side, _BLOCK) for side in apart.shape)
    sums = np.add.reduceat(np.add.reduceat(apart, rows, axis=0), columns, axis=1)
    sizes = np.outer(np.diff([*rows, apart.shape[0]]), np.diff([*columns, apart.shape[1]]))
    whole = sizes >= sizes.max() / 4  # slivers at the edges are unreliable
    return float((sums / sizes)[whole].max())
