"""Decoding a video the plain way: from its first packet to its last, with one decoder and no seek.

What comes out, in the order it comes out, is what the frames of a video are. Everything quicker has to give the same.

Several threads hold frames back until the end. If one of the last packets does not decode, PyAV can't get at those that
are held behind it. So whenever the last packets lack a frame, one thread decodes them again.
"""

from __future__ import annotations

import itertools
import logging
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import av
from av.error import FFmpegError

from napari_al_pose.video.container import open_container, stored_packets, tell_of_damage, unreachable, video_stream
from napari_al_pose.video.leftovers import leftover_search

logger = logging.getLogger(__name__)

_HELD_MOST = 40
"""Frames held back at the end at most: FFmpeg's 16 threads, and what a decoder holds to put frames in order."""


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
    ends = _LastPackets()
    n_frames = 0
    for item in _decoded(path, ends, threads=threads, strict=strict, cancelled=cancelled):
        n_frames += item is not None and item.frame is not None
        yield item
    if threads == 1 or not ends.lack_frames or (cancelled is not None and cancelled()):
        return
    again = _decoded(path, _LastPackets(), threads=1, strict=strict, first=ends.entry, cancelled=cancelled)
    if not ends.are_repeated(again):
        again = _decoded(path, _LastPackets(), threads=1, strict=strict, cancelled=cancelled)
        for _ in itertools.islice((item for item in again if item is not None and item.frame is not None), n_frames):
            pass
    yield from again


class _LastPackets:
    """What is known of the last packets that were decoded, and of their frames."""

    def __init__(self) -> None:
        self._waiting: dict[int, None] = {}
        """Those of the last packets that no frame came from, ascending."""
        self._keys: deque[int] = deque([0])
        """The last keyframes, from one that lies before all that a decoder may hold on."""
        self._came_out: deque[int] = deque(maxlen=2 * _HELD_MOST)

    def add_packet(self, rank: int, *, is_key: bool) -> None:
        """Note a packet that is decoded now."""
        self._waiting[rank] = None
        if next(iter(self._waiting)) <= rank - _HELD_MOST:
            del self._waiting[next(iter(self._waiting))]
        if is_key:
            self._keys.append(rank)
        # Frames shown before a keyframe may need the keyframe before it as well.
        while len(self._keys) > 2 and self._keys[2] <= rank - 2 * _HELD_MOST:
            self._keys.popleft()

    def add_frame(self, rank: int) -> None:
        """Note a frame that came out."""
        self._waiting.pop(rank, None)
        self._came_out.append(rank)

    @property
    def lack_frames(self) -> bool:
        """Whether there are packets from which a frame may not have come out although it could."""
        return bool(self._waiting)

    @property
    def entry(self) -> int:
        """The keyframe from which on the last packets can be decoded again."""
        return self._keys[0]

    def are_repeated(self, again: Iterator[ReferenceFrame | None]) -> bool:
        """Go on in a second decode to the frame that came out last; return whether the same came out on the way."""
        known = list(self._came_out)
        ranks: list[int] = []
        for item in again if known else ():
            if item is not None and item.frame is not None:
                ranks.append(item.rank)
                if item.rank == known[-1]:
                    return len(ranks) > 1 and known[-len(ranks) :] == ranks[-len(known) :]
        return False


def _decoded(
    path: Path,
    ends: _LastPackets,
    *,
    threads: int,
    strict: bool,
    first: int = 0,
    cancelled: Callable[[], bool] | None,
) -> Iterator[ReferenceFrame | None]:
    """Decode from a packet on; see `reference_frames`."""
    with open_container(path) as container:
        stream = video_stream(container, path)
        stream.thread_type = "AUTO" if threads != 1 else "NONE"
        stream.thread_count = threads
        codec = stream.codec_context
        leftovers = leftover_search(codec) if strict else None
        if strict:
            tell_of_damage(codec)
        rank = 0
        for packet in _until_it_breaks(container, stream, path):
            if cancelled is not None and cancelled():
                return
            if packet is not None:
                rank += 1
                if 1 < rank <= first:
                    continue  # not the first: x264 writes its version there (see `napari_al_pose.video.seeking`)
                # Decoders hand a packet's time on to its frame, whatever it is: so it names the packet.
                packet.pts = rank - 1
                ends.add_packet(rank - 1, is_key=packet.is_keyframe)
            if leftovers is not None:
                leftovers.hand_in(packet)
            try:
                frames = codec.decode(packet)
            except FFmpegError as error:
                logger.debug("packet %s of %s does not decode: %s", rank - 1, path, error)
                frames = []
                if not isinstance(error, EOFError):
                    yield ReferenceFrame(rank - 1, None, codec.reorder_depth)
            for frame in frames:
                came_from = -1 if frame.pts is None else frame.pts
                ends.add_frame(came_from)
                if leftovers is not None and leftovers.are_in(frame):
                    yield ReferenceFrame(came_from, None, codec.reorder_depth)
                yield ReferenceFrame(came_from, frame, codec.reorder_depth)
            yield None


def _until_it_breaks(
    container: av.container.InputContainer, stream: av.VideoStream, path: Path
) -> Iterator[av.Packet | None]:
    """Yield packets, and None at the end or where the file can't be read on."""
    try:
        yield from stored_packets(container, stream)
    except FFmpegError as error:
        if (failure := unreachable(path, error)) is not None:
            raise failure from error
        logger.warning("reading %s stopped: %s", path, error)
    yield None
