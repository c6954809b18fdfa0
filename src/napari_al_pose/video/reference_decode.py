"""Decoding a video the plain way: from its first packet to its last, with one decoder and no seek.

What comes out, in the order it comes out, is what the frames of a video are. Everything quicker has to give the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import av
from av.error import FFmpegError

from napari_al_pose.video.container import open_container, tell_of_damage, unreachable, video_stream
from napari_al_pose.video.leftovers import LEAVING, Leftovers

logger = logging.getLogger(__name__)


class ReferenceFrame(NamedTuple):
    """One frame, or one sign of damage, of a plain decode."""

    rank: int
    """Which packet it came from, counted from 0 in the order they are stored; of an error, the one handed in last."""
    frame: av.VideoFrame | None
    """None where a packet did not decode, or, before a frame, where a part of that is left over."""
    reorder_depth: int
    """Frames that the decoder holds back at most, as far as it knows by now."""


def reference_frames(
    path: Path, *, threads: int = 0, strict: bool = False, cancelled: Callable[[], bool] | None = None
) -> Iterator[ReferenceFrame | None]:
    """Yield what comes out of the decoder, and None after every packet.

    Parameters
    ----------
    path : Path
        The file.
    threads : int
        Decoding threads; 0 lets FFmpeg choose.
    strict : bool
        Whether to look for damage that the decoder would pass over in silence.
    cancelled : callable, optional
        Asked before every packet; once it returns True the frames end.

    Raises
    ------
    AlPoseError
        The file can't be opened, or can't be reached any more.
    """
    with open_container(path) as container:
        stream = video_stream(container, path)
        stream.thread_type = "AUTO" if threads != 1 else "NONE"
        stream.thread_count = threads
        codec = stream.codec_context
        leftovers = Leftovers() if strict and codec.name in LEAVING else None
        if strict:
            tell_of_damage(codec)
        rank, n_frames = 0, 0
        for packet in _until_it_breaks(container, stream, path):
            if cancelled is not None and cancelled():
                return
            if packet is not None:
                # Decoders hand a packet's time on to its frame, whatever it is: so it names the packet.
                packet.pts = rank
                rank += 1
            try:
                frames = codec.decode(packet)
            except FFmpegError as error:
                logger.debug("packet %s of %s does not decode: %s", rank - 1, path, error)
                frames = []
                if packet is None and threads != 1:
                    # With it went the frames that several threads still held; one thread holds none after an error.
                    yield from _from_frame(n_frames, reference_frames(path, threads=1, cancelled=cancelled))
                    return
                if not isinstance(error, EOFError):
                    yield ReferenceFrame(rank - 1, None, codec.reorder_depth)
            n_frames += len(frames)
            for frame in frames:
                came_from = -1 if frame.pts is None else frame.pts
                if leftovers is not None and leftovers.are_in(frame):
                    yield ReferenceFrame(came_from, None, codec.reorder_depth)
                yield ReferenceFrame(came_from, frame, codec.reorder_depth)
            yield None


def _from_frame(first: int, items: Iterator[ReferenceFrame | None]) -> Iterator[ReferenceFrame | None]:
    """Leave out what comes before a frame."""
    n_frames = 0
    for item in items:
        if n_frames >= first:
            yield item
        n_frames += item is not None and item.frame is not None


def _until_it_breaks(
    container: av.container.InputContainer, stream: av.VideoStream, path: Path
) -> Iterator[av.Packet | None]:
    """Yield packets, and None at the end or where the file can't be read on."""
    try:
        yield from (packet for packet in container.demux(stream) if packet.size)
    except FFmpegError as error:
        if (failure := unreachable(path, error)) is not None:
            raise failure from error
        logger.warning("reading %s stopped: %s", path, error)
    yield None
