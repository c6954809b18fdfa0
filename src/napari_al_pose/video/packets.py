"""Reads the packets of a video as they are stored, once and without decoding any."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError
from napari_al_pose.video.container import open_container, stored_packets, unreachable, video_stream

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with ``(done, total)`` now and then."""

UNTIMED = int(np.iinfo(np.int64).min)
"""Replaces a missing time of a packet."""
_REPORT_EVERY = 2048
_VP8_SHOWN = 0x10
"""The bit of a VP8 packet's first byte that tells whether its frame is shown (RFC 6386, section 9.1)."""


class OpeningCancelledError(AlPoseError):
    """The caller cancelled the opening of a video."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredPackets:
    """The container's information about each packet, in storage order.

    Parameters
    ----------
    pts, dts : int64 array, (P,)
        Presentation and decoding times, `UNTIMED` where there is none.
    sizes : int32 array, (P,)
        Bytes.
    places : int64 array, (P,)
        Byte offset in the file, -1 if the container does not tell.
    is_key : bool array, (P,)
        Whether the container says that decoding can start here.
    is_hidden : bool array, (P,)
        Whether the frame is not shown: an edit list skips it, or it only serves as a reference.
    is_torn : bool array, (P,)
        Whether part of the packet is missing from the container.
    broke : str
        Why reading ended early, for the user; "" if it did not.
    """

    pts: NDArray[np.int64]
    dts: NDArray[np.int64]
    sizes: NDArray[np.int32]
    places: NDArray[np.int64]
    is_key: NDArray[np.bool_]
    is_hidden: NDArray[np.bool_]
    is_torn: NDArray[np.bool_]
    broke: str

    def __len__(self) -> int:
        return len(self.pts)

    @property
    def all_timed(self) -> bool:
        """Whether every packet has a presentation time."""
        return not bool((self.pts == UNTIMED).any())

    @property
    def times_restart(self) -> bool:
        """Whether times start again on the way."""
        dts = self.dts[self.dts != UNTIMED]
        if bool((np.diff(dts) < 0).any()):
            return True
        if not self.all_timed:
            return False
        # Everything stored before a keyframe is shown before it.
        before = np.maximum.accumulate(self.pts)
        keys = np.flatnonzero(self.is_key[1:]) + 1
        return bool((self.pts[keys] < before[keys - 1]).any())

    @property
    def begins_again(self) -> NDArray[np.bool_]:
        """The packets before which times start again; bool ``(P,)``."""
        stamps = np.where(self.dts == UNTIMED, self.pts, self.dts)
        falls = np.diff(stamps, prepend=stamps[:1]) < 0
        # Without decoding times, B-frames step back as well; only keyframes can start a new piece.
        return falls if (self.dts != UNTIMED).all() else falls & self.is_key


def read_packets(
    container: av.container.InputContainer,
    stream: av.VideoStream,
    path: Path,
    *,
    progress: Progress | None,
    cancelled: Callable[[], bool] | None,
) -> StoredPackets:
    """Read every packet of a stream.

    Raises
    ------
    AlPoseError
        If the drive went away.
    OpeningCancelledError
        ``cancelled()`` returned True.
    """
    numbers: list[tuple[int, int, int, int]] = []
    flags: list[tuple[bool, bool, bool]] = []
    n_bytes, broke = 0, ""
    total = max(path.stat().st_size, 1)
    is_vp8 = stream.codec_context.name in ("vp8", "libvpx")
    try:
        for packet in stored_packets(container, stream):
            size, pts, dts, place = packet.size, packet.pts, packet.dts, packet.pos
            n_bytes += size
            numbers.append(
                (
                    UNTIMED if pts is None else pts,
                    UNTIMED if dts is None else dts,
                    size,
                    -1 if place is None else place,
                )
            )
            is_hidden = packet.is_discard or (is_vp8 and not memoryview(packet)[0] & _VP8_SHOWN)
            flags.append((packet.is_keyframe, is_hidden, packet.is_corrupt))
            if len(numbers) % _REPORT_EVERY == 0:
                if cancelled is not None and cancelled():
                    raise OpeningCancelledError(f"Opening {path.name} was cancelled.")
                if progress is not None:
                    progress(min(place or n_bytes, total), total)
    except FFmpegError as error:
        if (failure := unreachable(path, error)) is not None:
            raise failure from error
        logger.warning("reading %s stopped after %s packets: %s", path, len(numbers), error)
        broke = f"reading it stops after frame {len(numbers)}: {error.strerror or error}"
    if progress is not None:
        progress(total, total)
    columns = np.array(numbers, np.int64).reshape(-1, 4).T
    marks = np.array(flags, bool).reshape(-1, 3).T
    pts_all, dts_all, sizes, places = columns
    is_key, is_hidden_all, is_torn = marks
    return StoredPackets(pts_all, dts_all, sizes.astype(np.int32), places, is_key, is_hidden_all, is_torn, broke)


def is_told_by_header(path: Path, packets: StoredPackets) -> bool:
    """Return whether the file has the very same packets when it is opened by its header.

    The offset between a packet's presentation and decoding time is stored with the packet, so one comparison is enough.
    """
    if not packets.all_timed or packets.is_hidden.any():
        return False
    with open_container(path, by_header=True) as container:
        stream = video_stream(container, path)
        try:
            first = next(container.demux(stream))
        except FFmpegError as error:
            logger.warning("%s can't be read again: %s", path, error)
            return False
        times = np.fromiter((entry.timestamp for entry in stream.index_entries), np.int64)
        return (first.pts, first.dts) == (packets.pts[0], packets.dts[0]) and np.array_equal(times, packets.dts)
