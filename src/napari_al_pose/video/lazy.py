"""The lazy array for everything that computes on a video, and its replacement for napari's layers."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import FrameSource


def lazy_array(source: FrameSource, *, chunk_frames: int = 4096) -> Any:
    """Wrap a source of frames as a dask array.

    dask fuses ``x[i]`` into the read, so only frame ``i`` is read however long the chunks are. Long chunks keep the
    graph small, and thereby every slice fast.

    Parameters
    ----------
    source : FrameSource
        Read frame by frame.
    chunk_frames : int
        Frames in a chunk. Computing over a whole chunk holds that many frames in memory.

    Returns
    -------
    dask.array.Array
        Of shape ``source.shape``, uint8.
    """
    import dask.array as da

    chunks = (max(1, min(chunk_frames, len(source))), -1, -1, -1)
    return da.from_array(source, chunks=chunks, inline_array=True)


class LazyFrames:
    """The array-like for napari's image layer, which slices it instead of a dask array.

    napari slices dask layers with task fusion switched off and would read a whole chunk of frames for each one.

    Indexing returns the requested frames. Code that draws frames, and must not wait for a decoder, sets ``shown``,
    which decides for each request whether to answer instead of this object.

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
    """Answers instead of `LazyFrames` where frames are drawn."""

    def is_asked(self) -> bool:
        """Return whether to answer; called by ``LazyFrames.__getitem__``, for its caller."""

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        """Return frames that are available at once."""
