"""Scans a video frame by frame, decoding on a thread of its own while the caller works on earlier frames."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import FrameSource
from napari_al_pose.video.decoder import FrameDecoder
from napari_al_pose.video.pixels import RgbConverter
from napari_al_pose.video.region import Region
from napari_al_pose.video.video_file import VideoFile

AHEAD = 4
"""Batches decoded ahead of the caller."""


@dataclass(frozen=True, slots=True, eq=False)
class ScannedFrames:
    """Successive frames of one video.

    Parameters
    ----------
    first : int
        Position of the first of them.
    frames : uint8 array, (n, height, width, 3)
        Black for frames that do not decode.
    decoded : bool array, (n,)
    """

    first: int
    frames: NDArray[np.uint8]
    decoded: NDArray[np.bool_]


def scan(
    source: FrameSource, stretches: Iterable[tuple[int, int]], *, size: tuple[int, int] | None = None
) -> Generator[NDArray[np.uint8] | None, None, None]:
    """Yield the frames of some stretches in order; None for one that does not decode.

    A video file gets its own decoder for the scan; the cache and other readers of ``source`` take no part.

    Parameters
    ----------
    source : FrameSource
        A video file, or anything else with frames.
    stretches : iterable of (int, int)
        First position and the one after the last, for each.
    size : (int, int), optional
        Height and width to scale to, see `napari_al_pose.video.pixels.RgbConverter`.
    """
    converter = RgbConverter((source.shape[1], source.shape[2]), size)
    file = source.source if isinstance(source, Region) else source
    if not isinstance(file, VideoFile):
        for first, stop in stretches:
            yield from (converter.scale(source[position]) for position in range(first, stop))
        return
    to_rgb: Callable[[av.VideoFrame], NDArray[np.uint8]] = converter
    if isinstance(source, Region):
        whole, region = RgbConverter((file.shape[1], file.shape[2])), source

        def to_rgb(frame: av.VideoFrame) -> NDArray[np.uint8]:
            return converter.scale(region.cut(whole(frame)))

    decoder = FrameDecoder(file.path, file.index, file.damage, to_rgb=to_rgb)
    try:
        for first, stop in stretches:
            expected = first
            for position, frame in decoder.frames(first, stop - 1):
                yield from (None for _ in range(position - expected))
                yield frame
                expected = position + 1
            yield from (None for _ in range(stop - expected))
    finally:
        decoder.close()


class Scanner:
    """Decodes stretches of a video ahead of the caller, in bounded memory; a context manager.

    Parameters
    ----------
    source : FrameSource
    stretches : iterable of (int, int)
        First position and the one after the last, for each. No batch crosses the end of a stretch.
    batch_size : int
    size : (int, int), optional
        Height and width to scale to.
    """

    def __init__(
        self,
        source: FrameSource,
        stretches: Iterable[tuple[int, int]],
        *,
        batch_size: int,
        size: tuple[int, int] | None = None,
    ) -> None:
        self._source = source
        self._stretches = list(stretches)
        self._batch_size = batch_size
        self._size = size or (source.shape[1], source.shape[2])
        self._queue: queue.Queue[ScannedFrames | BaseException | None] = queue.Queue(AHEAD)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"scan: {source.name}", daemon=True)
        self._thread.start()

    def __enter__(self) -> Scanner:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[ScannedFrames]:
        """Yield batches in order; raise what the decoder raised."""
        while (item := self._queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    def close(self) -> None:
        """Stop decoding and wait for the thread."""
        self._closed.set()
        while self._thread.is_alive():
            self._empty()
            self._thread.join(0.02)

    def _empty(self) -> None:
        try:
            while True:
                self._queue.get_nowait()
        except queue.Empty:
            return

    def _run(self) -> None:
        try:
            frames = scan(self._source, self._stretches, size=self._size)
            try:
                for first, stop in self._stretches:
                    for start in range(first, stop, self._batch_size):
                        self._queue.put(self._batch(frames, start, min(self._batch_size, stop - start)))
                self._queue.put(None)
            finally:
                frames.close()
        except _ClosedError:
            return
        except BaseException as error:  # noqa: BLE001  it is raised where the frames are taken
            self._queue.put(error)

    def _batch(self, frames: Iterator[NDArray[np.uint8] | None], first: int, n: int) -> ScannedFrames:
        batch = ScannedFrames(first, np.zeros((n, *self._size, 3), np.uint8), np.zeros(n, bool))
        for i in range(n):
            frame = next(frames)
            if self._closed.is_set():
                raise _ClosedError
            if frame is not None:
                batch.frames[i], batch.decoded[i] = frame, True
        return batch


class _ClosedError(Exception):
    """The frames are no longer wanted."""
