"""Parts of pictures that a decoder left as their memory was before.

HEVC's and VP8's decoders of FFmpeg say nothing where the data of a picture ends too early: what they had not reached
shows what that memory held before, an older frame or nothing. Which one that is depends on the way to the frame.
"""

from __future__ import annotations

from collections import OrderedDict, deque

import av
import numpy as np
from numpy.typing import NDArray

LEAVING = ("hevc", "mjpeg", "vp8", "magicyuv")
"""Decoders that do this, without a word or with one (see `napari_al_pose.video.container.tell_of_damage`)."""
_STEP = 16
"""One line of so many is compared, in pieces of so many bytes."""
_PIECES = 3
"""Pieces that have to be left over; those of one grey don't count, unless they are black."""
_RECENT = 10
_BUFFERS = 64


class Leftovers:
    """Looks for leftovers in frames as they come out of one decoder.

    A piece counts as left over if it shows what the frame had that was in the same memory before, and no other of the
    last ones has. Where nothing moves that can't be told, and does not matter.
    """

    def __init__(self) -> None:
        self._held: OrderedDict[int, NDArray[np.uint8]] = OrderedDict()
        """Lines of the frame that was last in each place in memory, by its address."""
        self._recent: deque[tuple[int, NDArray[np.uint8]]] = deque(maxlen=_RECENT)

    def are_in(self, frame: av.VideoFrame) -> bool:
        """Return whether a frame has leftovers; to be asked about every frame."""
        plane = frame.planes[0]
        address = plane.buffer_ptr
        lines = np.asarray(memoryview(plane)).reshape(-1, plane.line_size)[_STEP - 1 :: _STEP]
        lines = lines[: frame.height // _STEP, : max(frame.width // _STEP, 1) * _STEP].copy()
        held = self._held.pop(address, None)
        found = bool(self._recent) and self._has(lines, held, address)
        self._held[address] = lines
        if len(self._held) > _BUFFERS:
            self._held.popitem(last=False)
        self._recent.append((address, lines))
        return found

    def _has(self, lines: NDArray[np.uint8], held: NDArray[np.uint8] | None, address: int) -> bool:
        is_new = held is None or held.shape != lines.shape
        left = _same(lines, np.zeros_like(lines) if held is None or is_new else held)
        for back, (other, its_lines) in enumerate(reversed(self._recent)):
            if np.count_nonzero(left) < _PIECES:
                return False
            if (other != address or not back) and its_lines.shape == lines.shape:
                left &= ~_same(lines, its_lines)
        if not is_new and left.any():
            left &= ~_same(lines, np.repeat(lines[:, ::_STEP], _STEP, axis=1))  # plain pieces are the same by chance
        return bool(np.count_nonzero(left) >= _PIECES)


def _same(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which pieces are the same; bool ``(lines, pieces)``."""
    # As two numbers of 64 bits each: far quicker than byte by byte.
    return (a.view(np.uint64) == b.view(np.uint64)).reshape(len(a), -1, _STEP // 8).all(axis=-1)
