"""Decoding from a keyframe on, with every frame under its right number."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from napari_al_pose.video.container import open_container, unreachable, video_stream
from napari_al_pose.video.index import PacketIndex

logger = logging.getLogger(__name__)

_NEAR = 3
"""Frames ahead that are reached by decoding on, even where a keyframe is nearer: a seek empties the decoder."""
_EVERYTHING = -(2**63)
"""The time that no frame is before."""
_STEPS_BACK = (1, 2, 8)
"""Keyframes to go back by where decoding can't be started from the nearest one, before starting from the first."""


class FrameDecoder:
    """Decodes one file; for one thread at a time.

    Parameters
    ----------
    path : Path
    index : PacketIndex
    undecodable : bool array, (N,)
        Set to True here for every frame that turns out not to decode.
    threads : int
        Decoding threads; 0 lets FFmpeg choose.
    """

    def __init__(self, path: Path, index: PacketIndex, undecodable: NDArray[np.bool_], *, threads: int = 0) -> None:
        self._path = path
        self._index = index
        self._undecodable = undecodable
        self._threads = threads
        self._reformatter = VideoReformatter()
        self._container, self._stream = self._open()
        self._frames: Iterator[tuple[int, av.VideoFrame]] = iter(())
        self._at = -1
        """Position of the frame decoded last; only means something while ``_frames`` can go on."""
        self._can_go_on = False
        self._held: tuple[int, av.VideoFrame] | None = None
        self._prefers_dts = False
        self._wanted_from = _EVERYTHING
        """PTS before which frames that no other frame needs are not decoded."""
        self._skips = False
        self._complete_from = 0
        """Position before which frames may have been left out since the last seek."""
        self._show_first_packet()

    def frames(
        self, first: int, last: int, *, superseded: Callable[[], bool] | None = None
    ) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield ``(position, RGB)`` of the frames from ``first`` to ``last`` that decode, in order.

        The rest of them is marked undecodable. Returns early once ``superseded()`` is True, which is asked
        between frames.
        """
        self._skip_before(first)
        if not self._reaches(first):
            self._start_before(first)
        self._complete_from = max(self._complete_from, first)
        for position, frame in self._frames_up_to(last, marked_from=first):
            if position >= first:
                yield position, self._to_rgb(frame)
            if superseded is not None and superseded():
                return

    def close(self) -> None:
        """Release the file."""
        self._frames = iter(())
        self._held = None
        self._can_go_on = False
        self._container.close()

    def _open(self) -> tuple[av.container.InputContainer, av.VideoStream]:
        container = open_container(self._path)
        stream = video_stream(container, self._path)
        stream.thread_type = "AUTO"
        stream.thread_count = self._threads
        return container, stream

    def _show_first_packet(self) -> None:
        """Let the decoder see the first packet before any seek.

        x264 tells its version there and nowhere else; 4:4:4 video by its versions of up to 2018 decodes to garbage,
        without an error, in a decoder that does not know it.
        """
        try:
            next(self._container.decode(self._stream), None)
        except FFmpegError as error:
            logger.debug("the first frame of %s does not decode: %s", self._path, error)

    def _skip_before(self, first: int) -> None:
        """Save the decoding of frames that are neither wanted nor needed for a wanted one."""
        self._wanted_from = int(self._index.times[first]) if self._index.keeps_order else _EVERYTHING

    # ---- where to start ---------------------------------------------------------------------------

    def _reaches(self, first: int) -> bool:
        """Whether decoding on is the cheapest way to ``first``."""
        if not self._can_go_on or first <= self._at or first < self._complete_from:
            return False
        key = self._index.keyframes[self._index.key_before(first)]
        return bool(key <= self._at + 1 or first - self._at <= _NEAR)

    def _start_before(self, first: int) -> None:
        """Go to the last keyframe from which ``first`` can be decoded."""
        key = self._index.key_before(first)
        for candidate in dict.fromkeys(max(key - back, 0) for back in (0, *_STEPS_BACK)):
            if self._seek(candidate) and self._starts_by(first):
                return
        self._start_over()

    def _starts_by(self, first: int) -> bool:
        """Whether the first frame that comes out of the decoder is not after ``first``.

        Streams without true keyframes (periodic intra refresh) give nothing for a while after a seek. If what is
        missing is missing for good, going further back does no harm but costs time. Of the frames before the first
        one out nothing is known.
        """
        self._held = next(self._frames, None)
        if self._held is None or self._held[0] > first:
            return False
        self._at = self._held[0] - 1
        return True

    def _seek(self, key: int) -> bool:
        """Go to a keyframe; False if the container would not go there or before."""
        index = self._index
        times = [int(index.key_pts[key]), int(index.key_dts[key])]
        # Containers differ in which of the two they look for; the one that worked is asked first from then on.
        order = [True, False] if self._prefers_dts else [False, True]
        for by_dts in order:
            packets = self._packets_from(times[by_dts])
            if packets is not None and self._begin(packets, key):
                self._prefers_dts = by_dts
                return True
        return False

    def _packets_from(self, time: int) -> Iterator[av.Packet] | None:
        try:
            self._container.seek(time, stream=self._stream, backward=True)
        except FFmpegError as error:
            logger.debug("seek to %s in %s failed: %s", time, self._path, error)
            return None
        return self._packets()

    def _begin(self, packets: Iterator[av.Packet], key: int) -> bool:
        """Start decoding at the keyframe's own packet; False if the seek landed behind it.

        Containers land anywhere before it, which costs nothing: packets in between are not decoded.
        """
        target = int(self._index.key_pts[key])
        for packet in packets:
            if packet.is_keyframe and packet.size and packet.pts is not None and packet.pts >= target:
                if packet.pts > target:
                    return False
                self._run(itertools.chain([packet], packets), floor=int(self._index.keyframes[key]))
                return True
        return False

    def _start_over(self) -> None:
        """Decode from the very first packet; the one way that needs no seeking."""
        old = self._container
        self._container, self._stream = self._open()
        self._skips = False
        old.close()
        self._run(self._packets(), floor=0)

    # ---- decoding on ------------------------------------------------------------------------------

    def _run(self, packets: Iterator[av.Packet], *, floor: int) -> None:
        self._held = None
        self._complete_from = 0
        self._at = floor - 1
        self._can_go_on = True
        self._frames = self._decoded(packets, floor)

    def _packets(self) -> Iterator[av.Packet]:
        """Yield packets up to the end, or up to where the file can't be read on."""
        try:
            yield from self._container.demux(self._stream)
        except FFmpegError as error:
            if (failure := unreachable(self._path, error)) is not None:
                self._can_go_on = False
                raise failure from error
            logger.warning("reading %s stopped: %s", self._path, error)

    def _decoded(self, packets: Iterator[av.Packet], floor: int) -> Iterator[tuple[int, av.VideoFrame]]:
        """Yield frames with their positions, from ``floor`` on.

        What precedes it are frames that need an earlier keyframe (open GOP) or that a seek landed too early for.
        """
        last = floor - 1
        for packet in itertools.chain(packets, (None,)):
            if packet is not None and not packet.size:
                continue
            for frame in self._decode(packet):
                position = self._position(frame.pts, last)
                if position > last:
                    last = position
                    yield position, frame

    def _decode(self, packet: av.Packet | None) -> list[av.VideoFrame]:
        codec = self._stream.codec_context
        is_early = packet is not None and packet.pts is not None and packet.pts < self._wanted_from
        if is_early != self._skips:
            self._skips = is_early
            codec.skip_frame = "NONREF" if is_early else "DEFAULT"
        try:
            return codec.decode(packet)
        except FFmpegError as error:
            logger.debug("a packet of %s does not decode: %s", self._path, error)
            return []

    def _position(self, pts: int | None, last: int) -> int:
        """Return which frame this is: the next one if its time fits, as it does where several share one time."""
        times = self._index.times
        if last + 1 < len(times) and times[last + 1] == pts:
            return last + 1
        return -1 if pts is None else self._index.position(pts)

    def _frames_up_to(self, last: int, *, marked_from: int) -> Iterator[tuple[int, av.VideoFrame]]:
        """Yield what decodes up to ``last``, and mark what was wanted but passed over."""
        while self._at < last:
            held, self._held = self._held, None
            item = held or next(self._frames, None)
            if item is None:
                self._can_go_on = False
                self._undecodable[max(self._at + 1, marked_from) : last + 1] = True
                return
            position = item[0]
            if position > last:
                self._undecodable[max(self._at + 1, marked_from) : last + 1] = True
                self._held = item
                self._at = last
                return
            self._undecodable[max(self._at + 1, marked_from) : position] = True
            self._at = position
            yield item

    def _to_rgb(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        pixels = np.asarray(self._reformatter.reformat(frame, format="rgb24").to_ndarray(), np.uint8)
        turns = round(frame.rotation / 90) % 4
        return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels
