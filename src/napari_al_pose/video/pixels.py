"""Converts decoded frames to RGB arrays of one size, and makes the placeholder for missing ones."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any, NamedTuple

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from napari_al_pose.cores import usable_cores

THREADS = max(usable_cores() // 2, 1)
"""Threads that convert a frame; the other half of the processors decodes the next frames meanwhile."""
_DARK, _STRIPE = 24, 56
_STRIPE_PERIOD, _STRIPE_WIDTH = 32, 6


class RgbConverter:
    """Converts decoded frames to upright RGB arrays ``(height, width, 3)``; for one thread at a time.

    Parameters
    ----------
    source : (int, int), optional
        Height and width of the video. Frames of another size are padded or cropped to it (see `fit`), then scaled.
    size : (int, int), optional
        Height and width to scale to while converting, which costs less than converting first. FFmpeg's bilinear filter
        widens when it shrinks, like torch's with ``antialias``.
    """

    def __init__(self, source: tuple[int, int] | None = None, size: tuple[int, int] | None = None) -> None:
        self._source = source
        self._size = None if size == source else size
        self._reformatter = VideoReformatter()
        self._turn: _Turn | None = None
        """The same for all frames, so ask only for the first: asking makes PyAV hold on to a frame's memory."""

    def __call__(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        if self._turn is None:
            self._turn = _turn(frame)
        turn = self._turn
        upright = (frame.width, frame.height) if turn.swaps_axes else (frame.height, frame.width)
        if self._size is None or upright != self._source:
            pixels = turn.apply(self._converted(frame))
            return pixels if self._source is None else self.scale(fit(pixels, *self._source))
        height, width = reversed(self._size) if turn.swaps_axes else self._size
        return turn.apply(self._converted(frame, width=width, height=height, interpolation="BILINEAR"))

    def scale(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Scale an RGB array of the video's size."""
        if self._size is None:
            return pixels
        height, width = self._size
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        return self._converted(frame, width=width, height=height, interpolation="BILINEAR")

    def _converted(self, frame: av.VideoFrame, **options: Any) -> NDArray[np.uint8]:
        rgb = self._reformatter.reformat(frame, format="rgb24", threads=THREADS, **options)
        plane = rgb.planes[0]
        if rgb is frame or plane.line_size != 3 * rgb.width:
            return np.asarray(rgb.to_ndarray(), np.uint8)
        # Use the new frame's own memory, which saves a copy.
        values: NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8)
        return values[: 3 * rgb.width * rgb.height].reshape(rgb.height, rgb.width, 3)


class _Turn(NamedTuple):
    """How a player rotates and mirrors the stored picture: swap axes first, then reverse rows and columns."""

    swaps_axes: bool = False
    flips_rows: bool = False
    flips_columns: bool = False

    def apply(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if not any(self):
            return pixels
        turned = pixels.swapaxes(0, 1) if self.swaps_axes else pixels
        return np.ascontiguousarray(turned[:: -1 if self.flips_rows else 1, :: -1 if self.flips_columns else 1])


def is_upright(frame: av.VideoFrame) -> bool:
    """Return whether players show a decoded frame as it is stored."""
    return not any(_turn(frame))


def _turn(frame: av.VideoFrame) -> _Turn:
    """Read the display matrix: a point ``(x, y)`` of the stored picture is shown at ``(ax + cy, bx + dy)``."""
    matrix: Any  # a buffer, which PyAV's annotations do not say
    try:
        matrix = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:
        # PyAV lists all side data of a frame and fails on kinds it does not know (EXIF, views of spatial video). It
        # knows the angle without that list, but not whether the picture is mirrored too, which is rare.
        return _turn_by(frame.rotation)
    if matrix is None:
        return _Turn()
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        return _Turn(True, flips_rows=b < 0, flips_columns=c < 0)
    return _Turn(flips_rows=d < 0, flips_columns=a < 0)


def _turn_by(degrees: int) -> _Turn:
    """Return a counterclockwise rotation by the nearest multiple of 90 degrees."""
    quarter = round(degrees / 90) % 4
    return (_Turn(), _Turn(True, flips_rows=True), _Turn(False, True, True), _Turn(True, flips_columns=True))[quarter]


def digest(pixels: NDArray[np.uint8]) -> bytes:
    """Return a key that distinguishes pictures."""
    return hashlib.blake2b(np.ascontiguousarray(pixels).data, digest_size=16).digest()


def fit(frame: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Pad an RGB frame with black, or crop it, at the bottom and on the right; pixels keep their coordinates."""
    if frame.shape[:2] == (height, width):
        return frame
    fitted = np.zeros((height, width, 3), np.uint8)
    part = frame[:height, :width]
    fitted[: part.shape[0], : part.shape[1]] = part
    return fitted


def is_placeholder(frame: NDArray[np.uint8]) -> bool:
    """Return whether ``frame`` ``(H, W, 3)`` is the placeholder for one that can't be decoded; nothing is learnt from
    it."""
    middle = frame.shape[0] // 2
    expected = _known_placeholder(*frame.shape[:2])
    # One row is enough to recognise a real frame, and much faster.
    return bool((frame[middle] == expected[middle]).all() and (frame == expected).all())


@lru_cache(maxsize=8)
def _known_placeholder(height: int, width: int) -> NDArray[np.uint8]:
    return placeholder(height, width)


def placeholder(height: int, width: int) -> NDArray[np.uint8]:
    """Return the placeholder for a frame that can't be decoded: dark, with diagonal stripes and a cross."""
    rows, columns = np.ogrid[:height, :width]
    striped = (rows + columns) % _STRIPE_PERIOD < _STRIPE_WIDTH
    # The distance to the two diagonals, in units such that both reach the corners.
    down = rows / max(height - 1, 1)
    across = columns / max(width - 1, 1)
    crossed = np.minimum(abs(down - across), abs(down + across - 1)) < _STRIPE_WIDTH / 2 / max(height, width)
    frame = np.full((height, width, 3), _DARK, np.uint8)
    frame[striped] = _STRIPE
    frame[crossed] = (200, 60, 60)
    return frame
