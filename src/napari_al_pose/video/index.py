"""Where every frame of a video lies: one pass over its packets, nothing decoded.

The i-th frame is the i-th that a player shows. Decoders hand frames out in that order and with the presentation
time (PTS) of the packet each came from, so the PTS tells which frame came out of the decoder after a seek.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError
from napari_al_pose.video.container import open_container, unreachable, video_stream

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Told ``(done, total)`` now and then."""

UNKNOWN_FPS = 30.0
_REPORT_EVERY = 2048
_CUT_SHARE = 0.98
"""Below this share of what the container promises, and more than `_CUT_FRAMES` short, the file counts as cut off."""
_CUT_FRAMES = 3
_HEADER_FIRST = "mov,mp4,m4a,3gp,3g2,mj2"
"""FFmpeg's name of the containers whose header lists the packets."""
_UNTIMED_SHARE = 0.01
"""Packets without a time, as a share of those with one, from which on times are no help."""


class OpeningCancelledError(AlPoseError):
    """The caller asked to stop while a video was being opened."""


@dataclass(frozen=True, eq=False)
class PacketIndex:
    """Frame numbers, times and keyframes of one video stream.

    Parameters
    ----------
    times : int64 array, (N,)
        PTS of the i-th displayed frame, in units of ``time_base``. Ascending, except where the container keeps no
        display order (H.264 with B-frames in AVI): there it only names the packet a frame came from.
    keyframes : int64 array, (M,)
        Positions from which decoding can start, ascending.
    key_pts, key_dts : int64 array, (M,)
        Presentation and decoding time of each keyframe's packet. A packet that an edit list hides keeps
        its own time here while ``keyframes`` names the first frame shown after it.
    key_sizes : int64 array, (M,)
        Bytes of each keyframe's packet: after a seek in a container that gives its packets no times of their own
        (MPEG program streams), times can be a packet late, and the size tells.
    time_base : Fraction
        Seconds per unit.
    fps : float
        Mean frames per second.
    notice : str
        What is wrong with the file, for the user; "" if nothing is.
    counted : bool
        Whether packets carry no times (H.264 in MPEG program streams): frames are then numbered as they come out of
        the decoder, which has to begin at the first packet. ``times`` follow from the rate.
    by_header : bool
        Whether the file's header alone tells how to decode it, and names every packet with its time: MP4 and MOV that
        are not fragmented, and whose edit lists do nothing but shift all times.
    """

    times: NDArray[np.int64]
    keyframes: NDArray[np.int64]
    key_pts: NDArray[np.int64]
    key_dts: NDArray[np.int64]
    key_sizes: NDArray[np.int64]
    time_base: Fraction
    fps: float
    notice: str = ""
    counted: bool = False
    by_header: bool = False

    def __len__(self) -> int:
        return len(self.times)

    @cached_property
    def _by_time(self) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
        """Sorted times, and the position of each (None where that is its rank)."""
        if bool((np.diff(self.times) >= 0).all()):
            return self.times, None
        order = np.argsort(self.times, kind="stable")
        return self.times[order], order

    @property
    def keeps_order(self) -> bool:
        """Whether a packet's time tells which frames are shown before its own."""
        return self._by_time[1] is None

    def position(self, pts: int) -> int:
        """Return which frame came from the packet with this PTS (the first of several), -1 if none did."""
        times, order = self._by_time
        rank = int(np.searchsorted(times, pts))
        if rank == len(times) or times[rank] != pts:
            return -1
        return rank if order is None else int(order[rank])

    def forward_only(self) -> PacketIndex:
        """Return an index by which decoding always starts at the first frame."""
        first = slice(0, 1)
        return replace(
            self,
            keyframes=self.keyframes[first],
            key_pts=self.key_pts[first],
            key_dts=self.key_dts[first],
            key_sizes=self.key_sizes[first],
        )

    def seconds(self, position: int) -> float:
        """Return when a frame is shown, in seconds after the first one."""
        times, _ = self._by_time
        return float((int(times[position]) - int(times[0])) * self.time_base)

    def key_before(self, position: int) -> int:
        """Return which keyframe (its rank in ``keyframes``) decoding has to start from to reach ``position``."""
        return max(int(np.searchsorted(self.keyframes, position, side="right")) - 1, 0)


@dataclass(slots=True)
class _Packets:
    """Packets in the order they are stored. Times are NaN-free: packets without a PTS never get here."""

    pts: NDArray[np.int64]
    dts: NDArray[np.int64]
    sizes: NDArray[np.int64]
    is_key: NDArray[np.bool_]
    is_hidden: NDArray[np.bool_]
    n_untimed: int
    broke: str


def build_index(
    path: Path, *, progress: Progress | None = None, cancelled: Callable[[], bool] | None = None
) -> PacketIndex:
    """Read all packets of the video stream and work out the display order.

    Raises
    ------
    AlPoseError
        The file is missing or can't be reached, is not a video, or holds no frame or no timestamps.
    OpeningCancelledError
        ``cancelled()`` returned True.
    """
    with open_container(path) as container:
        stream = video_stream(container, path)
        packets = _read_packets(container, stream, path, progress=progress, cancelled=cancelled)
        if packets.n_untimed > _UNTIMED_SHARE * len(packets.pts):
            return _counted_index(path, stream, cancelled=cancelled)
        if not len(packets.pts):
            raise _no_frames(path)
        shown = np.flatnonzero(~packets.is_hidden)
        order = shown[np.argsort(packets.pts[shown], kind="stable")]
        promised = _promised_frames(container, stream, len(packets.pts), int(packets.pts.max()))
        time_base, fps = Fraction(stream.time_base), _fps(stream, packets.pts[order])
        hides_order = container.format.name == "avi" and _is_flat(packets)
        lists_all = container.format.name == _HEADER_FIRST and stream.frames == len(packets.pts)
    if hides_order:
        order = _order_by_decoding(path, packets, fallback=order, cancelled=cancelled)
    if not len(order):
        raise _no_frames(path)
    keys = _keys(packets, order)
    return PacketIndex(
        times=packets.pts[order],
        keyframes=keys[0],
        key_pts=keys[1],
        key_dts=keys[2],
        key_sizes=keys[3],
        time_base=time_base,
        fps=fps,
        notice=_notice(packets, n_frames=len(order), promised=promised),
        by_header=lists_all and _is_told_by_header(path, packets),
    )


def _counted_index(path: Path, stream: av.VideoStream, *, cancelled: Callable[[], bool] | None) -> PacketIndex:
    """Count the frames by decoding them."""
    n_frames = len(_decoded_times(path, cancelled))
    if not n_frames:
        raise _no_frames(path)
    rate = Fraction(stream.guessed_rate or stream.average_rate or Fraction(UNKNOWN_FPS))
    start = np.zeros(1, np.int64)
    times = np.arange(n_frames, dtype=np.int64)
    return PacketIndex(times, start, start, start, start, 1 / rate, float(rate), counted=True)


def _read_packets(
    container: av.container.InputContainer,
    stream: av.VideoStream,
    path: Path,
    *,
    progress: Progress | None,
    cancelled: Callable[[], bool] | None,
) -> _Packets:
    pts: list[int] = []
    dts: list[int] = []
    sizes: list[int] = []
    flags: list[tuple[bool, bool]] = []
    n_untimed, n_bytes, broke = 0, 0, ""
    total = max(path.stat().st_size, 1)
    try:
        for packet in container.demux(stream):
            if not packet.size:
                continue
            n_bytes += packet.size
            time = packet.pts
            if time is None:
                n_untimed += 1
                continue
            pts.append(time)
            dts.append(time if packet.dts is None else packet.dts)
            sizes.append(packet.size)
            flags.append((packet.is_keyframe, packet.is_discard))
            if len(pts) % _REPORT_EVERY == 0:
                if cancelled is not None and cancelled():
                    raise OpeningCancelledError(f"Opening {path.name} was cancelled.")
                if progress is not None:
                    progress(min(packet.pos or n_bytes, total), total)
    except FFmpegError as error:
        if (failure := unreachable(path, error)) is not None:
            raise failure from error
        logger.warning("reading %s stopped after %s packets: %s", path, len(pts), error)
        broke = f"reading it stops after frame {len(pts)}: {error.strerror or error}"
    if progress is not None:
        progress(total, total)
    marks = np.array(flags, bool).reshape(-1, 2)
    times, decoding_times, n_bytes_each = np.array([pts, dts, sizes], np.int64)
    return _Packets(times, decoding_times, n_bytes_each, marks[:, 0], marks[:, 1], n_untimed, broke)


def _is_told_by_header(path: Path, packets: _Packets) -> bool:
    """Whether the file has the very same packets when it is opened by its header.

    What a packet's presentation time is ahead of its decoding time is stored with the packet, so comparing that once
    will do.
    """
    if packets.n_untimed or packets.is_hidden.any():
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


def _keys(packets: _Packets, order: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
    """Return positions, PTS, DTS and sizes of the keyframes that a seek can be checked against.

    A keyframe that shares its PTS with another packet (Matroska rounds to milliseconds, fast cameras don't) cannot
    be told from it after a seek, and so is no place to start from. The first frame always is one.
    """
    position = np.full(len(packets.pts), -1, np.int64)
    position[order] = np.arange(len(order))
    values, counts = np.unique(packets.pts, return_counts=True)
    is_unique = counts[np.searchsorted(values, packets.pts)] == 1
    hidden_before = packets.is_hidden & packets.is_key
    position[hidden_before] = np.searchsorted(packets.pts[order], packets.pts[hidden_before])
    usable = np.flatnonzero(packets.is_key & is_unique & (position >= 0) & (position < len(order)))
    if not len(usable) or position[usable].min() > 0:
        usable = np.concatenate([[0], usable])
        position[0] = 0
    usable = usable[np.argsort(position[usable], kind="stable")]
    # Of several keyframes for one position the last is the nearest.
    last = np.append(np.diff(position[usable]) > 0, True)
    usable = usable[last]
    return position[usable], packets.pts[usable], packets.dts[usable], packets.sizes[usable]


def _is_flat(packets: _Packets) -> bool:
    """Whether presentation follows decoding everywhere, which a container without PTS says of any stream."""
    return len(np.unique(packets.pts - packets.dts)) == 1


def _order_by_decoding(
    path: Path, packets: _Packets, *, fallback: NDArray[np.int64], cancelled: Callable[[], bool] | None
) -> NDArray[np.int64]:
    """Return the packets in the order their frames are shown, where only a decoder knows it."""
    shown = _decoded_times(path, cancelled, only_reordered=True)
    if not shown:
        return fallback
    by_pts = np.argsort(packets.pts, kind="stable")
    ranks = np.searchsorted(packets.pts[by_pts], np.array(shown, np.int64))
    return by_pts[ranks]


def _decoded_times(
    path: Path, cancelled: Callable[[], bool] | None, *, only_reordered: bool = False
) -> list[int | None]:
    """Decode a whole video and return the PTS of its frames; none if the stream turns out not to reorder them."""
    shown: list[int | None] = []
    with open_container(path) as container:
        stream = video_stream(container, path)
        stream.thread_type = "AUTO"
        try:
            for frame in container.decode(stream):
                shown.append(frame.pts)
                if only_reordered and len(shown) == 1 and not stream.codec_context.has_b_frames:
                    return []
                if cancelled is not None and cancelled():
                    raise OpeningCancelledError(f"Opening {path.name} was cancelled.")
        except FFmpegError as error:
            logger.warning("decoding %s stopped after %s frames: %s", path, len(shown), error)
    return shown


def _fps(stream: av.VideoStream, times: NDArray[np.int64]) -> float:
    span = float((int(times[-1]) - int(times[0])) * stream.time_base) if len(times) > 1 else 0.0
    if span > 0:
        return (len(times) - 1) / span
    return float(stream.average_rate) if stream.average_rate else UNKNOWN_FPS


def _promised_frames(container: av.container.InputContainer, stream: av.VideoStream, n_frames: int, end: int) -> float:
    """Return how many frames the container's header promises, ``n_frames`` where it does not say.

    Containers that state a duration only, state the longest stream's, so sound must not be among them; those
    without a header estimate it from what is there.
    """
    if stream.frames:
        return float(stream.frames)
    if container.format.name in ("mpegts", "mpeg") or not container.duration or len(container.streams) > 1:
        return float(n_frames)
    missing = container.duration / av.time_base - float(end * stream.time_base)
    return n_frames + missing * float(stream.average_rate or UNKNOWN_FPS) - 1


def _notice(packets: _Packets, *, n_frames: int, promised: float) -> str:
    if packets.broke:
        return packets.broke
    n_packets = len(packets.pts) + packets.n_untimed
    if n_packets < promised * _CUT_SHARE and promised - n_packets > _CUT_FRAMES:
        return (
            f"it ends at frame {n_frames - 1}: the file is cut off "
            f"(its header promises about {promised:.0f} frames, {n_frames} are there)"
        )
    return ""


def _no_frames(path: Path) -> AlPoseError:
    return AlPoseError(f"Expected video frames in {path}, got none.", "Check that the recording is complete.")
