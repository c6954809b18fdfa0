"""The lazy array that everything which computes on a video works with, and what napari's layers get in its place."""

from __future__ import annotations

import sys
import threading
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import FrameSource


def lazy_array(source: FrameSource, *, chunk_frames: int = 4096) -> Any:
    """Wrap a source of frames as a dask array.

    dask fuses ``x[i]`` into the read, so that the source is asked for frame ``i`` alone however long the chunks
    are; long chunks keep the graph, and with it every slice, small.

    Parameters
    ----------
    source : FrameSource
        What is read from; it is asked for single frames only.
    chunk_frames : int
        Frames a chunk. Computing over a whole chunk holds that many frames in memory.

    Returns
    -------
    dask.array.Array
        Of shape ``source.shape``, uint8.
    """
    import dask.array as da

    chunks = (max(1, min(chunk_frames, len(source))), -1, -1, -1)
    return da.from_array(source, chunks=chunks, inline_array=True)


class LazyFrames:
    """The array-like that napari's image layer gets in place of a dask array: it slices that array itself.

    napari slices dask layers with task fusion switched off and would read a whole chunk of frames for each one.

    Indexing gives the frames asked for, whoever asks. Only napari's own slicing in the window's thread, which shows
    what it gets and must not wait for a decoder, is answered by ``shown`` once a window has set that.

    Parameters
    ----------
    source : FrameSource
    """

    def __init__(self, source: FrameSource) -> None:
        self.source = source
        self.array = lazy_array(source)
        self.shown: _Indexable | None = None
        self.shape: tuple[int, ...] = self.array.shape
        self.dtype = self.array.dtype
        self.ndim: int = self.array.ndim

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        if self.shown is not None and asked_by_slicing():
            return self.shown[key]
        return np.asarray(self.array[key])

    def __reduce__(self) -> tuple[Any, ...]:
        return LazyFrames, (self.source,)


class _Indexable(Protocol):
    def __getitem__(self, key: Any) -> NDArray[np.uint8]: ...


def asked_by_slicing() -> bool:
    """Whether who called our caller is napari's slicing, in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return False  # asynchronous slicing, which may wait
    module = str(sys._getframe(2).f_globals.get("__name__"))
    return module.startswith("napari.layers.") and module.endswith("._slice")
