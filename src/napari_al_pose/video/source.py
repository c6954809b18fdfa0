"""The common part of all sources of frames: NumPy indexing, the cache, and decoding ahead."""

from __future__ import annotations

import contextlib
import math
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.video.cache import FrameCache
from napari_al_pose.video.prefetch import Prefetcher

DEFAULT_CACHE_BYTES = 512 * 2**20


class CachedFrames(ABC):
    """A `napari_al_pose.domain.FrameSource` over anything that can load one frame.

    Single frames are returned read-only, as they lie in the cache; copy one before drawing into it.

    Parameters
    ----------
    name : str
        The video's name in the project.
    shape : (int, int, int, int)
        ``(n_frames, height, width, 3)``.
    cache_bytes : int
        Bytes of decoded frames to keep.
    """

    def __init__(self, name: str, shape: tuple[int, int, int, int], *, cache_bytes: int) -> None:
        self._name = name
        self._shape = shape
        self._cache = FrameCache(cache_bytes)
        self._lock = threading.RLock()
        self._closed = False
        self._read_last = -1
        self._wishes = threading.local()
        # The thread must not keep a source alive that nobody else holds.
        load_ahead = weakref.WeakMethod(self._load_ahead)

        def load(first: int, last: int, superseded: Callable[[], bool]) -> None:
            if (method := load_ahead()) is not None:
                method(first, last, superseded)

        self._prefetcher = Prefetcher(load, name=f"decode ahead: {name}")
        weakref.finalize(self, self._prefetcher.close)

    # ---- what a source has to bring ---------------------------------------------------------------

    @property
    @abstractmethod
    def fps(self) -> float:
        """Frames per second; 30.0 if unknown."""

    @property
    @abstractmethod
    def keyframes(self) -> NDArray[np.int64]:
        """Positions that decode without any other frame, ascending."""

    @property
    @abstractmethod
    def notice(self) -> str:
        """What is wrong with the file, for the user; "" if nothing is known to be."""

    def is_damaged(self, position: int) -> bool:
        """Return whether a frame that was read is known to be incomplete, so that nothing must be learnt from it."""
        self._checked(position)
        return False

    def number(self, position: int) -> int:
        """Return the frame number at ``position``: the same, unless a source numbers its frames otherwise."""
        return self._checked(position)

    def position(self, number: int) -> int:
        """Return the position of frame ``number``; raise KeyError if the source has no such frame."""
        if not 0 <= number < len(self):
            raise KeyError(number)
        return number

    def seconds(self, position: int) -> float:
        """Return when a frame is shown, in seconds after the first one; NaN if unknown, as with images."""
        self._checked(position)
        return math.nan

    @abstractmethod
    def _load(self, position: int, superseded: Callable[[], bool] | None) -> NDArray[np.uint8]:
        """Decode a frame and whatever is worth keeping on the way; called with the lock held.

        May raise `SupersededError` once ``superseded()`` is True.
        """

    def _kept(self, position: int, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Put a frame into the cache, and return it."""
        self._cache.put(position, frame)
        return frame

    @abstractmethod
    def _load_ahead(self, first: int, last: int, superseded: Callable[[], bool]) -> None:
        """Put the frames from ``first`` to ``last`` into the cache; called on the background thread."""

    @abstractmethod
    def _release(self) -> None:
        """Close files; called once, with the lock held and the background thread gone."""

    # ---- an array ---------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The video's name in the project."""
        return self._name

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """``(n_frames, height, width, 3)``."""
        return self._shape

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """Always ``uint8``."""
        return np.dtype(np.uint8)

    @property
    def ndim(self) -> int:
        """Always 4."""
        return 4

    @property
    def size(self) -> int:
        """Number of values, 3 a pixel."""
        return int(np.prod(self._shape, dtype=np.int64))

    def __len__(self) -> int:
        return self._shape[0]

    def __repr__(self) -> str:
        n_frames, height, width, _ = self._shape
        return f"<{type(self).__name__} {self._name!r}: {n_frames} frames of {width} x {height}>"

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        """NumPy indexing; ``source[i]`` is the i-th displayed frame, RGB ``(height, width, 3)``."""
        if isinstance(key, (int, np.integer)) and not isinstance(key, (bool, np.bool_)):
            return self._read(self._checked(int(key)))
        return self._read_indexed(key if isinstance(key, tuple) else (key,))

    def __array__(self, dtype: Any = None, *, copy: bool | None = None) -> NDArray[Any]:
        """Read every frame into memory."""
        return np.asarray(self[:], dtype=dtype)

    def _checked(self, position: int) -> int:
        n_frames = len(self)
        if not -n_frames <= position < n_frames:
            raise IndexError(f"frame {position} of {self._name}, which has {n_frames} frames")
        return position % n_frames

    def _read_indexed(self, key: tuple[Any, ...]) -> NDArray[np.uint8]:
        """Read the frames that a NumPy index touches, each once, and let NumPy do the rest."""
        where, key = _first_axis(key)
        if where < 0:
            return np.stack([self._read(i) for i in range(len(self))])[key]
        before, index, after = key[:where], key[where], key[where + 1 :]
        if isinstance(index, slice):
            positions = range(len(self))[index]
            if _is_basic(after):
                return self._stack(positions, after)[(*before, slice(None))]
            return self._stack(positions, ())[(*before, slice(None), *after)]
        if isinstance(index, (int, np.integer)) and not isinstance(index, bool) and _is_basic(after):
            return self._read(self._checked(int(index)))[(*before, *after)]
        wanted = np.asarray(index)
        if wanted.dtype == bool and wanted.shape != (len(self),):
            raise IndexError(f"a mask of shape {wanted.shape} for {len(self)} frames")
        if wanted.dtype == bool:
            wanted = np.flatnonzero(wanted)
        if not wanted.size:
            wanted = wanted.astype(np.int64)
        if wanted.dtype.kind not in "iu":
            raise IndexError(f"frames are indexed by whole numbers, slices and masks, not by {wanted.dtype}")
        numbers = np.array([self._checked(int(i)) for i in wanted.ravel()], np.int64)
        unique, inverse = np.unique(numbers, return_inverse=True)
        ranks = inverse.reshape(wanted.shape)
        return self._stack(unique, ())[(*before, ranks if wanted.ndim else int(ranks), *after)]

    def _stack(self, positions: Sequence[int] | NDArray[np.int64], rest: tuple[Any, ...]) -> NDArray[np.uint8]:
        """Read frames and apply ``rest`` to each, so that a crop of many frames never holds them whole."""
        cropped = np.broadcast_to(np.uint8(0), self._shape[1:])[rest]
        stack = np.empty((len(positions), *cropped.shape), np.uint8)
        # Descending ranges are decoded as fast if they are read in ascending order.
        for rank in np.argsort(positions, kind="stable"):
            stack[rank] = self._read(int(positions[rank]))[rest]
        return stack

    # ---- cached reading ---------------------------------------------------------------------------

    def cached(self, position: int) -> bool:
        """Return whether a frame is available at once."""
        return position in self._cache

    def peek(self, position: int) -> NDArray[np.uint8] | None:
        """Return a frame if it is available at once; never wait for a decoder."""
        frame = self._cache.get(position)
        if frame is not None:
            self._note(position)
        return frame

    def prefetch(self, positions: Sequence[int]) -> None:
        """Decode frames in the background, in this order; replaces earlier requests."""
        self._prefetcher.request([self._checked(int(position)) for position in positions])

    @contextlib.contextmanager
    def superseded_by(self, superseded: Callable[[], bool]) -> Iterator[None]:
        """Give up reading in the ``with`` block, on this thread, once ``superseded()`` is True.

        Raises
        ------
        SupersededError
            In the block. Everything decoded until then is kept.
        """
        self._wishes.superseded = superseded
        try:
            yield
        finally:
            self._wishes.superseded = None

    def _read(self, position: int) -> NDArray[np.uint8]:
        frame = self._cache.get(position)
        if frame is None or self._closed:
            with self._lock:
                if self._closed:
                    raise ValueError(f"{self._name} is closed")
                frame = self._cache.get(position)
                if frame is None:
                    frame = self._load(position, getattr(self._wishes, "superseded", None))
        self._note(position)
        return frame

    def _note(self, position: int) -> None:
        """Remember what was looked at, to tell the direction of stepping."""
        self._read_last = position

    def close(self) -> None:
        """Stop decoding ahead, release the file and the cache; reading afterwards raises."""
        self._prefetcher.close()
        with self._lock:
            if not self._closed:
                self._closed = True
                self._release()
                self._cache.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _first_axis(key: tuple[Any, ...]) -> tuple[int, tuple[Any, ...]]:
    """Return the index of the frame axis in the expression (-1: all frames), with ``...`` made explicit."""
    if any(item is Ellipsis for item in key):
        dots = next(i for i, item in enumerate(key) if item is Ellipsis)
        n_named = sum(item is not None for item in key) - 1
        key = (*key[:dots], *[slice(None)] * (4 - n_named), *key[dots + 1 :])
    for i, item in enumerate(key):
        if item is not None:
            return i, key
    return -1, key


def _is_basic(rest: tuple[Any, ...]) -> bool:
    return all(isinstance(item, (slice, int, np.integer)) and not isinstance(item, bool) for item in rest)
