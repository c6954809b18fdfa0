"""The lazy array that everything which computes on a video works with."""

from __future__ import annotations

from typing import Any

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
