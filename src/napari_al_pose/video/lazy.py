"""The lazy array that everything which computes on a video works with, and what napari's layers get in its place."""

from __future__ import annotations

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

    Indexing gives the frames asked for. Whoever draws them, and must not wait for a decoder, sets ``shown``: it decides
    for each question whether to answer in this object's place.

    Parameters
    ----------
    source : FrameSource
    """

    def __init__(self, source: FrameSource) -> None:
        self.source = source
        self.array = lazy_array(source)
        self.shown: Shown | None = None
        self.shape: tuple[int, ...] = self.array.shape
        self.dtype = self.array.dtype
        self.ndim: int = self.array.ndim

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        if self.shown is not None and self.shown.is_asked():
            return self.shown[key]
        return np.asarray(self.array[key])

    def __reduce__(self) -> tuple[Any, ...]:
        return LazyFrames, (self.source,)


class Shown(Protocol):
    """What answers in place of `LazyFrames` where frames are drawn."""

    def is_asked(self) -> bool:
        """Return whether to answer; called by ``LazyFrames.__getitem__``, for its caller."""

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        """Return frames that can be had at once."""
