"""A cache of frames with a fixed budget of bytes."""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections import OrderedDict
from functools import cache

import numpy as np
from numpy.typing import NDArray

KEPT_IN_PASSING = 2
"""Number of frames kept from a run nobody looks at; each further one is memory farther from the processor."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Names of glibc's settings in malloc.h; see mallopt(3)."""
_KEPT_BLOCK = 32 * 2**20
"""Largest block that glibc may keep, which is also its limit; free memory beyond twice this is returned anyway."""
_WORTH_RETURNING = 64 * 2**20
_RETURN_EVERY = 256 * 2**20
"""After this many bytes of evicted frames, freed memory is returned to the system. It lies scattered between the frames
that stay, and fits new frames less and less: 10,000 frames at random otherwise left 480 MB unused."""


class FrameCache:
    """Keeps the frames used last; safe to use from several threads.

    Of frames put in passing, only the last two stay, unless they are used again. So reading straight through a video
    does not push out frames that others come back to, and reuses the same memory. New memory is handed out page by
    page, which at 1080p takes half as long as decoding.

    Parameters
    ----------
    max_bytes : int
        Frames beyond this push out those used longest ago.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        _keep_freed_memory()
        self._frames: OrderedDict[int, NDArray[np.uint8]] = OrderedDict()
        self._in_passing: OrderedDict[int, None] = OrderedDict()
        self._n_bytes = 0
        self._pushed_out = 0
        """Bytes of evicted frames since freed memory was last returned."""
        self._lock = threading.Lock()

    @property
    def n_bytes(self) -> int:
        """Bytes of pixels held now."""
        return self._n_bytes

    def __len__(self) -> int:
        return len(self._frames)

    def __contains__(self, position: int) -> bool:
        with self._lock:
            return position in self._frames

    def get(self, position: int) -> NDArray[np.uint8] | None:
        """Return the frame and mark it as used now; None if it is not in the cache."""
        with self._lock:
            frame = self._frames.get(position)
            if frame is not None:
                self._frames.move_to_end(position)
                self._in_passing.pop(position, None)
            return frame

    def put(self, position: int, frame: NDArray[np.uint8], *, in_passing: bool = False) -> None:
        """Store a frame, which nobody may modify from now on."""
        frame.flags.writeable = False
        with self._lock:
            self._drop(position)
            self._n_bytes += frame.nbytes
            self._frames[position] = frame
            if in_passing:
                self._in_passing[position] = None
            if len(self._in_passing) > KEPT_IN_PASSING:
                self._drop(next(iter(self._in_passing)))
            while self._n_bytes > self.max_bytes:
                self._pushed_out += self._drop(next(iter(self._frames)))
            is_scattered = self._pushed_out > _RETURN_EVERY
            if is_scattered:
                self._pushed_out = 0
        if is_scattered:
            _return_freed_memory()

    def clear(self) -> None:
        """Forget all frames."""
        with self._lock:
            n_bytes, self._n_bytes = self._n_bytes, 0
            self._frames.clear()
            self._in_passing.clear()
        if n_bytes > _WORTH_RETURNING:
            _return_freed_memory()

    def _drop(self, position: int) -> int:
        """Drop a frame, if it is in the cache; return its bytes."""
        frame = self._frames.pop(position, None)
        if frame is None:
            return 0
        self._n_bytes -= frame.nbytes
        self._in_passing.pop(position, None)
        return frame.nbytes


@cache
def _keep_freed_memory() -> None:
    """Let glibc keep the memory of evicted frames for the next ones, instead of returning it to the system.

    Blocks of 128 kB and more are otherwise returned one by one, and each new frame causes page faults. This is set once
    for the whole process; other systems have no such setting.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _KEPT_BLOCK)
        mallopt(_M_TRIM_THRESHOLD, 2 * _KEPT_BLOCK)


def _return_freed_memory() -> None:
    """Return freed memory to the system, including memory below blocks still in use, which glibc would keep."""
    with contextlib.suppress(OSError, AttributeError, TypeError):  # each on another system
        ctypes.CDLL(None).malloc_trim(0)
