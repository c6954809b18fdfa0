"""Bringing frames to one size, and the picture shown where there is none."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_DARK, _STRIPE = 24, 56
_STRIPE_PERIOD, _STRIPE_WIDTH = 32, 6


def fit(frame: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Pad an RGB frame with black, or cut it, at the bottom and the right; pixels keep their coordinates."""
    if frame.shape[:2] == (height, width):
        return frame
    fitted = np.zeros((height, width, 3), np.uint8)
    part = frame[:height, :width]
    fitted[: part.shape[0], : part.shape[1]] = part
    return fitted


def is_placeholder(frame: NDArray[np.uint8]) -> bool:
    """Whether ``frame`` ``(H, W, 3)`` stands in for one that can't be decoded, so that nothing is learnt from it."""
    middle = frame.shape[0] // 2
    expected = _known_placeholder(*frame.shape[:2])
    # A row is enough to tell a real frame apart, and ever so much quicker.
    return bool((frame[middle] == expected[middle]).all() and (frame == expected).all())


@lru_cache(maxsize=8)
def _known_placeholder(height: int, width: int) -> NDArray[np.uint8]:
    return placeholder(height, width)


def placeholder(height: int, width: int) -> NDArray[np.uint8]:
    """Return the frame shown for one that can't be decoded: dark, with diagonal stripes and a cross."""
    rows, columns = np.ogrid[:height, :width]
    striped = (rows + columns) % _STRIPE_PERIOD < _STRIPE_WIDTH
    # The distance to the two diagonals, in units that make both reach the corners.
    down = rows / max(height - 1, 1)
    across = columns / max(width - 1, 1)
    crossed = np.minimum(abs(down - across), abs(down + across - 1)) < _STRIPE_WIDTH / 2 / max(height, width)
    frame = np.full((height, width, 3), _DARK, np.uint8)
    frame[striped] = _STRIPE
    frame[crossed] = (200, 60, 60)
    return frame
