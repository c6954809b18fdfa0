"""Decoding from a keyframe on, with every frame under its right number."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from napari_al_pose.video.container import open_container, unreachable, video_stream
from napari_al_pose.video.index import PacketIndex
from napari_al_pose.video.pixels import RgbConverter

logger = logging.getLogger(__name__)

_NEAR = 3
"""Frames ahead that are reached by decoding on, even where a keyframe is nearer: a seek empties the decoder."""
_SMALL_PIXELS = 160 * 120
"""Up to this size handing frames from thread to thread costs more than decoding them."""
_EVERYTHING = -(2**63)
"""The time that no frame is before."""
_STEPS_BACK = (0, 1, 2, 8)
"""Keyframes to go back by where a seek fails, or where decoding can't be started from the nearest one."""


class SupersededError(Exception):
    """A read was given up because nobody wants its frame any more."""


class FrameDecoder:
    """Decodes one file; for one thread at a time.

    Parameters
    ----------
    path : Path
    index : PacketIndex
    undecodable : bool array, (N,)
        Set to True here for every frame that turns out not to decode.
    threads : int
        Decoding threads; 0 lets FFmpeg choose, but for pictures too small to be worth more than one.
    to_rgb : callable, optional
        What makes an RGB array of a decoded frame; a plain `RgbConverter` by default.
    """

    def __init__(
        self,
        path: Path,
        index: PacketIndex,
        undecodable: NDArray[np.bool_],
        *,
        threads: int = 0,
        to_rgb: Callable[[av.VideoFrame], Any] | None = None,
    ) -> None:
        self._path = path
        self._index = index
        self._undecodable = undecodable
        self._threads = threads
        self._to_rgb = to_rgb or RgbConverter()
        self._container, self._stream = self._open()
        self._frames: Iterator[tuple[int, av.VideoFrame] | None] = iter(())
        self._at = -1
        """Position of the frame decoded last; only means something while ``_frames`` can go on."""
        self._can_go_on = False
        self._held: tuple[int, av.VideoFrame] | None = None
        self._seeks_by = (0, False)
        """What worked last: keyframes to aim before the wanted one, and whether to give its DTS or its PTS."""
        self._superseded: Callable[[], bool] = _never
        self._wanted_from = _EVERYTHING
        """PTS before which frames that no other frame needs are not decoded."""
        self._skips = False
        self._complete_from = 0
        """Position before which frames may have been left out since the last seek."""
        self._has_seen_first = False

    def frames(
        self, first: int, last: int, *, superseded: Callable[[], bool] | None = None
    ) -> Iterator[tuple[int, Any]]:
        """Yield ``(position, RGB)`` of the frames from ``first`` to ``last`` that decode, in order; see ``to_rgb``.

        The rest of them is marked undecodable.

        Raises
        ------
        SupersededError
            ``superseded()`` is True; it is asked before every packet.
        """
        self._superseded = superseded or _never
        self._skip_before(first)
        if not self._reaches(first):
            self._can_go_on = False  # unless a start is found
            self._start_before(first)
        self._complete_from = max(self._complete_from, first)
        for position, frame in self._frames_up_to(last, marked_from=first):
            if position >= first:
                yield position, self._to_rgb(frame)

    def close(self) -> None:
        """Release the file."""
        self._frames = iter(())
        self._held = None
        self._can_go_on = False
        self._container.close()

    def _open(self) -> tuple[av.container.InputContainer, av.VideoStream]:
        container = open_container(self._path, by_header=self._index.by_header)
        stream = video_stream(container, self._path)
        stream.thread_type = "AUTO"
        is_small = stream.width * stream.height <= _SMALL_PIXELS
        stream.thread_count = self._threads or (1 if is_small else 0)
        return container, stream

    def _show_first_packet(self) -> None:
        """Let the decoder see the first packet before it starts anywhere else.

        x264 tells its version there and nowhere else; 4:4:4 video by its versions of up to 2018 decodes to garbage,
        without an error, in a decoder that does not know it.
        """
        try:
            next(self._container.decode(self._stream), None)
        except FFmpegError as error:
            logger.debug("the first frame of %s does not decode: %s", self._path, error)

    def _skip_before(self, first: int) -> None:
        """Save the decoding of frames that are neither wanted nor needed for a wanted one."""
        knows = self._index.keeps_order and not self._index.counted
        self._wanted_from = int(self._index.times[first]) if knows else _EVERYTHING

    # ---- where to start ---------------------------------------------------------------------------

    def _reaches(self, first: int) -> bool:
        """Whether decoding on is the cheapest way to ``first``."""
        if not self._can_go_on or first <= self._at or first < self._complete_from:
            return False
        if first - self._at <= _NEAR:
            return True
        key = self._index.keyframes[self._index.key_before(first)]
        return bool(key <= self._at + 1)

    def _start_before(self, first: int) -> None:
        """Go to the last keyframe from which ``first`` can be decoded."""
        if self._index.counted:
            self._start_over()
            self._can_go_on = True
            return
        key = self._index.key_before(first)
        for candidate in dict.fromkeys(max(key - back, 0) for back in _STEPS_BACK):
            if self._seek(candidate) and self._starts_by(first, candidate):
                self._can_go_on = True
                return
        self._start_over()
        self._can_go_on = True

    def _starts_by(self, first: int, key: int) -> bool:
        """Whether ``first`` is whole when decoding starts at a keyframe.

        Streams without true keyframes (periodic intra refresh) give nothing for a while after a seek, and then pictures
        that are whole only once the next refresh has passed over them. If what is missing is missing for good, going
        further back does no harm but costs time. Of the frames before the first one out nothing is known.
        """
        self._held = self._next_frame()
        if self._held is None:
            return False
        keyframes = self._index.keyframes
        late = self._held[0] - int(keyframes[key])
        whole_from = self._held[0]
        if late > 0 and key > 0:
            whole_from = late + int(keyframes[key + 1] if key + 1 < len(keyframes) else len(self._index))
        if whole_from > first:
            return False
        self._at = self._held[0] - 1
        return True

    def _seek(self, key: int) -> bool:
        """Go to a keyframe's own packet; False if no seek leads there or before.

        Containers differ in the time they look for, and some land late: then an earlier time is aimed at, which costs
        no decoding.
        """
        if key > 0 and not self._has_seen_first:
            self._show_first_packet()
        index = self._index
        ways = [(back, by_dts) for back in _STEPS_BACK for by_dts in (False, True)]
        for way in dict.fromkeys([self._seeks_by, *ways]):
            anchor = max(key - way[0], 0)
            packets = self._packets_from(int((index.key_dts if way[1] else index.key_pts)[anchor]))
            if packets is not None and self._begin(packets, key):
                self._has_seen_first = True  # shown above, or what is decoded next
                self._seeks_by = way
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
        target, size = int(self._index.key_pts[key]), int(self._index.key_sizes[key])
        for packet in packets:
            if self._superseded():
                raise SupersededError
            if packet.pts == target and packet.size == size:
                self._run(itertools.chain([packet], packets), floor=int(self._index.keyframes[key]))
                return True
            if packet.is_keyframe and packet.size and packet.pts is not None and packet.pts > target:
                return False
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

    def _decoded(self, packets: Iterator[av.Packet], floor: int) -> Iterator[tuple[int, av.VideoFrame] | None]:
        """Yield frames with their positions, from ``floor`` on, and None after each packet: there one may pause.

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
            yield None

    def _next_frame(self) -> tuple[int, av.VideoFrame] | None:
        """Return the next frame that decodes; None at the end."""
        for item in self._frames:
            if item is not None:
                return item
            if self._superseded():
                raise SupersededError
        return None

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
        if self._index.counted:
            return last + 1
        times = self._index.times
        if last + 1 < len(times) and times[last + 1] == pts:
            return last + 1
        return -1 if pts is None else self._index.position(pts)

    def _frames_up_to(self, last: int, *, marked_from: int) -> Iterator[tuple[int, av.VideoFrame]]:
        """Yield what decodes up to ``last``, and mark what was wanted but passed over."""
        while self._at < last:
            held, self._held = self._held, None
            item = held or self._next_frame()
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


def _never() -> bool:
    return False
