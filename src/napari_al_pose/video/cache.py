"""A cache of frames that never grows beyond its bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray


class FrameCache:
    """Keeps the frames used last; safe to use from several threads.

    Parameters
    ----------
    max_bytes : int
        Frames that go beyond this push out the ones used longest ago.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._frames: OrderedDict[int, NDArray[np.uint8]] = OrderedDict()
        self._n_bytes = 0
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
        """Return the frame and count it as used now; None if it is not here."""
        with self._lock:
            frame = self._frames.get(position)
            if frame is not None:
                self._frames.move_to_end(position)
            return frame

    def put(self, position: int, frame: NDArray[np.uint8]) -> None:
        """Keep a frame, which nobody may write to from now on."""
        frame.flags.writeable = False
        with self._lock:
            old = self._frames.pop(position, None)
            self._n_bytes += frame.nbytes - (0 if old is None else old.nbytes)
            self._frames[position] = frame
            while self._n_bytes > self.max_bytes:
                _, oldest = self._frames.popitem(last=False)
                self._n_bytes -= oldest.nbytes

    def clear(self) -> None:
        """Forget all frames."""
        with self._lock:
            self._frames.clear()
            self._n_bytes = 0
