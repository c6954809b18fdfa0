"""Read the packets of a video from one of its entries on, each under its rank."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import av
from av.error import FFmpegError

from napari_al_pose.domain import AlPoseError
from napari_al_pose.video.container import open_container, stored_packets, tell_of_damage, unreachable, video_stream
from napari_al_pose.video.index import PacketIndex
from napari_al_pose.video.packets import UNTIMED

logger = logging.getLogger(__name__)

STEPS_BACK = (0, 1, 2, 8)
"""How many entries to go back if a seek fails, or if decoding can't start from the nearest one."""
_SMALL_PIXELS = 160 * 120
"""Size of frames up to which handing them from thread to thread costs more than decoding them."""


class SupersededError(Exception):
    """A read was given up, as nobody wants its frame any more."""


class OutOfStepError(Exception):
    """The packets after a seek are not those that were expected."""


def never() -> bool:
    """Return False: nothing supersedes this read."""
    return False


class PacketSource:
    """One open file. Only one thread may use it at a time.

    Parameters
    ----------
    path : Path
    index : PacketIndex
    threads : int
        Decoding threads. 0 lets FFmpeg choose, except for pictures that are too small for more than one.
    strict : bool
        Whether the decoder raises errors that it would otherwise pass over silently (see `tell_of_damage`).
    """

    def __init__(self, path: Path, index: PacketIndex, *, threads: int = 0, strict: bool = True) -> None:
        self._path = path
        self._index = index
        self._threads = threads
        self.strict = strict
        self._container, self._stream = self._open()
        self._seeks_by = (0, "dts" if index.counted else "pts")
        """What worked last: how many entries before the wanted one to aim at, and by which property of it."""
        self._has_seen_first = False

    @property
    def codec(self) -> av.VideoCodecContext:
        """The decoder of what was opened last."""
        return self._stream.codec_context

    def close(self) -> None:
        """Release the file."""
        self._container.close()

    def be_lenient(self) -> None:
        """Do not be strict from the next start on."""
        self.strict = False
        self.renew()

    def renew(self) -> None:
        """Take a new decoder, which remembers nothing of what the old one decoded."""
        self._container.close()
        self._container, self._stream = self._open()
        self._has_seen_first = False

    def from_start(self) -> Iterator[av.Packet]:
        """Return the packets from the first on; this needs no seek."""
        old = self._container
        self._container, self._stream = self._open()
        old.close()
        return self._ranked(self._packets(), 0, from_start=True)

    def from_entry(self, entry: int, superseded: Callable[[], bool] = never) -> Iterator[av.Packet] | None:
        """Return the packets from an entry's own packet on; None if no seek leads to it or before it.

        Containers differ in the time they look for, and some land late. Then the next seek aims at an earlier time,
        which costs no decoding.

        Parameters
        ----------
        entry : int
            Its place in ``PacketIndex.entries``.
        superseded : callable
            Asked before every packet.

        Raises
        ------
        SupersededError
            ``superseded()`` is True.
        """
        if entry > 0 and not self._has_seen_first:
            self._show_first_packet()
        for way in dict.fromkeys([self._seeks_by, *itertools.product(STEPS_BACK, self._marks())]):
            found = self._packets_from(max(entry - way[0], 0), way[1])
            packet = None if found is None else self._find(found, entry, superseded)
            if found is not None and packet is not None:
                self._has_seen_first = True  # shown above, or what is decoded next
                self._seeks_by = way
                if self._index.reorder_depth:
                    # A seek makes FFmpeg forget what it found out about streams that don't declare it.
                    self.codec.reorder_depth = max(self.codec.reorder_depth, self._index.reorder_depth)
                return self._ranked(itertools.chain([packet], found), int(self._index.entry_ranks[entry]))
        return None

    def _open(self) -> tuple[av.container.InputContainer, av.VideoStream]:
        container = open_container(self._path, by_header=self._index.by_header)
        stream = video_stream(container, self._path)
        is_small = stream.width * stream.height <= _SMALL_PIXELS
        stream.thread_count = self._threads or (1 if is_small else 0)
        stream.thread_type = "NONE" if stream.thread_count == 1 else "AUTO"
        if self._index.by_header and self._index.reorder_depth:
            stream.codec_context.reorder_depth = self._index.reorder_depth  # nothing decoded so far would tell
        if self.strict:
            tell_of_damage(stream.codec_context)
        return container, stream

    def _show_first_packet(self) -> None:
        """Let the decoder see the first packet before it starts anywhere else.

        x264 writes its version there and nowhere else. 4:4:4 video of versions up to 2018 decodes to garbage, without
        an error, if the decoder does not know the version.
        """
        first = next(self._packets(), None)
        try:
            is_damaged = first is not None and any(frame.is_corrupt for frame in self._decoded_alone(first))
        except FFmpegError as error:
            logger.debug("the first packet of %s does not decode: %s", self._path, error)
            is_damaged = True
        if is_damaged:
            self.renew()  # what damage leaves in a decoder shows in sound frames

    def _decoded_alone(self, packet: av.Packet) -> list[av.VideoFrame]:
        """Return what one packet gives; those after it may be damaged."""
        return [*self.codec.decode(packet), *self.codec.decode(None)]

    # ---- finding an entry ---------------------------------------------------------------------------

    def _marks(self) -> list[str]:
        """Return what to seek by: if times begin again, only byte offsets lead to a single place."""
        if self._index.times_restart or UNTIMED in self._index.pts[:1]:
            return ["place", "pts", "dts"]
        return ["pts", "dts"]

    def _packets_from(self, entry: int, mark: str) -> Iterator[av.Packet] | None:
        index = self._index
        targets = {
            "pts": index.pts[index.entry_ranks[entry]],
            "dts": index.entry_dts[entry],
            "place": index.entry_places[entry],
        }
        target = int(targets[mark])
        if target == UNTIMED or (mark == "place" and target < 0):
            return None
        try:
            if mark == "place":
                self._container.seek(target, stream=self._stream, unsupported_byte_offset=True)
            else:
                self._container.seek(target, stream=self._stream, backward=True)
        except FFmpegError as error:
            logger.debug("seek to %s in %s failed: %s", target, self._path, error)
            return None
        return self._packets()

    def _find(self, packets: Iterator[av.Packet], entry: int, superseded: Callable[[], bool]) -> av.Packet | None:
        """Return the entry's own packet; None if the seek landed behind it.

        Containers may land anywhere before it. This costs nothing, as packets in between are not decoded.
        """
        index = self._index
        rank = index.entry_ranks[entry]
        time, size, place = int(index.pts[rank]), int(index.sizes[rank]), int(index.entry_places[entry])
        by_place = index.times_restart or time == UNTIMED
        for packet in packets:
            if superseded():
                raise SupersededError
            if by_place:
                if packet.pos == place and packet.size == size:
                    return packet
                if packet.pos is not None and packet.pos > place:
                    return None
            else:
                if packet.pts == time and packet.size == size:
                    return packet
                if packet.is_keyframe and packet.pts is not None and packet.pts > time:
                    return None
        return None

    # ---- packets ------------------------------------------------------------------------------------

    def _packets(self) -> Iterator[av.Packet]:
        """Yield packets up to the end, as far as the file can be read, and as long as this container is open."""
        container = self._container
        packets = stored_packets(container, self._stream)
        try:
            while container is self._container and (packet := next(packets, None)) is not None:
                yield packet
        except FFmpegError as error:
            if (failure := unreachable(self._path, error)) is not None:
                raise failure from error
            logger.warning("reading %s stopped: %s", self._path, error)

    def _ranked(self, packets: Iterator[av.Packet], rank: int, *, from_start: bool = False) -> Iterator[av.Packet]:
        """Yield packets with their rank in place of their time; decoders hand it on to the frame.

        Raises
        ------
        OutOfStepError
            If a packet is not the expected one.
        AlPoseError
            If the same happens although the file was read from its start.
        """
        sizes = self._index.sizes
        for packet in packets:
            if rank >= len(sizes):
                return  # the file has grown
            if packet.size != sizes[rank]:
                if from_start:
                    raise AlPoseError(f"{self._path} was replaced after it had been opened.", "Open it again.")
                raise OutOfStepError
            packet.pts = rank
            rank += 1
            yield packet
        if rank < len(sizes) and not from_start:
            raise OutOfStepError  # in some joined files, a seek ends at the end of the first
