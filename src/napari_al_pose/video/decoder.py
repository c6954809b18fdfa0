"""Decode from a keyframe on, and give every frame its right number."""

from __future__ import annotations

import contextlib
import itertools
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import av
from av.error import FFmpegError

from napari_al_pose.video.damage import Damage
from napari_al_pose.video.damaged_segments import DamagedSegmentDecoder
from napari_al_pose.video.index import PacketIndex
from napari_al_pose.video.leftovers import leftover_search
from napari_al_pose.video.pixels import RgbConverter
from napari_al_pose.video.references import H264References
from napari_al_pose.video.seeking import STEPS_BACK, OutOfStepError, PacketSource, SupersededError, never

__all__ = ["FrameDecoder", "SupersededError"]

logger = logging.getLogger(__name__)

_NEAR = 3
"""Frames this close ahead are reached by decoding on, even if a keyframe is nearer: a seek empties the decoder."""
_HELD_MOST = 16
"""Frames held back at most, until those decoded before them have shown whether they are damaged."""


class _Decoded(NamedTuple):
    position: int
    rank: int
    frame: av.VideoFrame


class _DamageFoundError(Exception):
    """Something is wrong in a group that wanted frames belong to."""


class FrameDecoder:
    """Decodes one file. Only one thread may use it at a time.

    Parameters
    ----------
    path : Path
    index : PacketIndex
    damage : Damage
        Told of every frame that turns out to be damaged, before that frame is handed out.
    threads : int
        Decoding threads. 0 lets FFmpeg choose, except for pictures that are too small for more than one.
    to_rgb : callable, optional
        Turns a decoded frame into an RGB array; a plain `RgbConverter` by default.
    """

    def __init__(
        self,
        path: Path,
        index: PacketIndex,
        damage: Damage,
        *,
        threads: int = 0,
        to_rgb: Callable[[av.VideoFrame], Any] | None = None,
    ) -> None:
        self._path = path
        self._index = index
        self._damage = damage
        self._to_rgb = to_rgb or RgbConverter()
        self._source = PacketSource(path, index, threads=threads)
        self._careful = DamagedSegmentDecoder(path, index, damage)
        self._references = H264References(self._source.codec.extradata)
        self._leftovers = leftover_search(self._source.codec)
        self._frames: Iterator[_Decoded | None] = iter(())
        self._at = -1
        """Position of the frame decoded last; only valid while ``_can_go_on``."""
        self._can_go_on = False
        self._seeks = index.seekable
        self._next_up: _Decoded | None = None
        self._superseded: Callable[[], bool] = never
        self._wanted_from = 0
        self._whole_from = 0
        """Since the last seek, frames before this position are not whole."""
        self._skips = False
        self._is_soiled = False
        """Whether the decoder has met damage, and so may hold parameters that were not there before."""
        self._is_leaving = False
        """Whether the decoder is to let out what it holds."""
        self._complete_from = 0
        """Since the last seek, frames before this position may have been left out."""

    def frames(
        self, first: int, last: int, *, superseded: Callable[[], bool] | None = None
    ) -> Iterator[tuple[int, Any]]:
        """Yield ``(position, RGB)`` of the frames from ``first`` to ``last`` that decode, in order; see ``to_rgb``.

        The others are marked as missing.

        Raises
        ------
        SupersededError
            If ``superseded()`` is True; it is asked before every packet.
        """
        self._superseded = superseded or never
        while first <= last:
            if self._damage.needs_care(first):
                stop = min(last, self._index.group(first).stop - 1)
                for position, frame in self._careful.frames(first, stop, self._superseded):
                    yield position, self._to_rgb(frame)
                first = stop + 1
                if self._damage.cries_wolf and self._source.strict:
                    self._source.be_lenient()
                    self._leftovers, self._can_go_on = None, False
                continue
            try:
                for position, frame in self._sound_frames(first, last):
                    yield position, self._to_rgb(frame)
                    first = position + 1
            except _DamageFoundError:
                self._can_go_on = False
                continue
            except OutOfStepError:
                logger.warning("seeks in %s lead to other packets than expected", self._path)
                self._is_soiled = True
                self._can_go_on = self._seeks = False
                continue
            return

    def close(self) -> None:
        """Release the file."""
        self._frames = iter(())
        self._next_up = None
        self._can_go_on = False
        self._source.close()
        self._careful.close()

    def _sound_frames(self, first: int, last: int) -> Iterator[tuple[int, av.VideoFrame]]:
        """Yield frames until something is found wrong with one of their groups."""
        self._wanted_from = first
        if not self._reaches(first):
            self._can_go_on = False  # unless a start is found
            self._start_before(first)
        self._complete_from = max(self._complete_from, first)
        for item in self._frames_up_to(last, marked_from=first):
            if item.position >= first:
                if self._damage.needs_care(item.position):
                    raise _DamageFoundError
                yield item.position, item.frame

    # ---- where to start ---------------------------------------------------------------------------

    def _reaches(self, first: int) -> bool:
        """Return whether decoding on is the cheapest way to reach ``first``."""
        if not self._can_go_on or first <= self._at or first < self._complete_from:
            return False
        if first - self._at <= _NEAR:
            return True
        key = self._index.keyframes[self._index.key_before(first)]
        return bool(key <= self._at + 1)

    def _start_before(self, first: int) -> None:
        """Go to the last entry from which ``first`` can be decoded."""
        self._leave()
        if self._seeks:
            entry = self._index.key_before(first)
            for candidate in dict.fromkeys(max(entry - back, 0) for back in STEPS_BACK):
                packets = self._source.from_entry(candidate, self._superseded)
                if packets is None:
                    continue
                self._run(packets, floor=int(self._index.entries[candidate]))
                if self._starts_by(first, candidate):
                    self._can_go_on = True
                    return
        self._run(self._source.from_start(), floor=0)
        self._skips = False  # a new decoder
        self._can_go_on = True

    def _leave(self) -> None:
        """Let out what the decoder holds; if that or anything before was damaged, take a new one.

        Else what is decoded next may look different from what it looked like before. This takes no time: threads finish
        what they have begun anyway.
        """
        self._is_leaving = True
        with contextlib.suppress(OutOfStepError):
            for _ in self._frames:
                pass
        self._is_leaving = False
        if self._is_soiled:
            self._source.renew()
            self._is_soiled = self._skips = False
            self._leftovers = None if self._leftovers is None else leftover_search(self._source.codec)

    def _starts_by(self, first: int, entry: int) -> bool:
        """Return whether ``first`` is whole if decoding starts at an entry.

        After a seek, streams without true keyframes (periodic intra refresh) give nothing for a while. The pictures
        that follow are whole only once the next refresh has passed over them. If frames are missing for good, going
        further back costs time but does no harm. Nothing is known about the frames before the first one out.
        """
        self._next_up = self._next_frame()
        if self._next_up is None:
            return False
        entries = self._index.entries
        out = self._next_up.position
        late = out - int(entries[entry])
        self._whole_from = out
        if late > 0 and entry > 0:
            self._whole_from = late + int(entries[entry + 1] if entry + 1 < len(entries) else len(self._index))
        if self._whole_from > first:
            return False
        self._at = out - 1
        return True

    # ---- decoding on ------------------------------------------------------------------------------

    def _run(self, packets: Iterator[av.Packet], *, floor: int) -> None:
        self._next_up = None
        self._complete_from = 0
        self._whole_from = 0
        self._at = floor - 1
        if self._leftovers is not None:
            self._leftovers.start_over()
        self._frames = self._decoded(packets, floor)

    def _decoded(self, packets: Iterator[av.Packet], floor: int) -> Iterator[_Decoded | None]:
        """Yield frames from ``floor`` on, and None after each packet, where the caller may pause.

        Frames before it need an earlier keyframe (open GOP), or come out because a seek landed too early. A frame is
        held until all frames decoded before it have come out: only then is it known to be sound.
        """
        last = floor - 1
        handed_in: set[int] = set()
        held: list[_Decoded] = []
        for packet in itertools.chain(packets, (None,)):
            if self._is_leaving:
                packet = None
            rank = -1 if packet is None or packet.pts is None else packet.pts
            if packet is not None and self._leaves_out(packet, rank):
                yield None
                continue
            if rank >= 0:
                handed_in.add(rank)
            for frame in self._decode(packet, handed_in, floor):
                came_from = -1 if frame.pts is None else frame.pts
                handed_in.discard(came_from)
                position = self._index.position(came_from, after=last)
                if position > last:
                    last = position
                    is_bad = frame.is_corrupt or (self._leftovers is not None and self._leftovers.are_in(frame))
                    if is_bad and position >= self._whole_from:
                        self._suspect(position)
                    held.append(_Decoded(position, came_from, frame))
            while held and (len(held) > _HELD_MOST or not self._is_open(held[0].rank, handed_in, last)):
                is_wanted = held[0].position >= self._wanted_from
                yield held.pop(0)
                if is_wanted:
                    break  # somebody converts it: meanwhile the decoder's threads are to have the next packet
            if packet is None:
                break
            yield None
        yield from held

    def _is_open(self, rank: int, handed_in: set[int], last: int) -> bool:
        """Return whether a frame that was decoded before this one has yet to come out."""
        positions = self._index.positions
        handed_in.difference_update([other for other in handed_in if positions[other] <= last])
        return any(other < rank for other in handed_in)

    def _leaves_out(self, packet: av.Packet, rank: int) -> bool:
        """Return whether a packet need not be decoded, because its frame is neither wanted nor referred to.

        This is decided here for H.264; other decoders are told to leave such packets out themselves. Nothing is left
        out of files in which jumps lead to other pictures: after damage, a decoder takes whatever frame it holds for
        one that was lost, so each one counts.
        """
        if not self._index.seekable:
            return False
        comes_before = not self._index.counted and bool(self._index.positions[rank] < self._wanted_from)
        codec = self._source.codec
        if codec.name == "h264":
            return comes_before and not self._references.is_needed(packet)
        if comes_before != self._skips:
            self._skips = comes_before
            codec.skip_frame = "NONREF" if comes_before else "DEFAULT"
        return False

    def _decode(self, packet: av.Packet | None, handed_in: set[int], floor: int) -> list[av.VideoFrame]:
        codec = self._source.codec
        if self._leftovers is not None:
            self._leftovers.hand_in(packet)
        try:
            return codec.decode(packet)
        except EOFError:
            return []
        except FFmpegError as error:
            logger.debug("a packet does not decode: %s", error)
            self._suspect_packets(handed_in, floor)
            return []

    def _suspect_packets(self, ranks: set[int], floor: int) -> None:
        """Note that one of these packets is bad; with several threads, we do not know which."""
        own_rank = self._index.order[floor]
        for rank in ranks:
            position = int(self._index.positions[rank])
            if rank >= own_rank and position >= max(floor, self._whole_from):
                self._suspect(position)

    def _suspect(self, position: int) -> None:
        self._is_soiled = True
        if not self._is_leaving:  # the last packets may not have been whole frames
            self._damage.suspect(position)

    def _next_frame(self) -> _Decoded | None:
        """Return the next frame that decodes; None at the end."""
        for item in self._frames:
            if item is not None:
                return item
            if self._superseded():
                raise SupersededError
        return None

    def _frames_up_to(self, last: int, *, marked_from: int) -> Iterator[_Decoded]:
        """Yield the frames up to ``last`` that decode."""
        while self._at < last:
            item, self._next_up = self._next_up or self._next_frame(), None
            until = last + 1 if item is None else min(item.position, last + 1)
            self._look_closer_at(max(self._at + 1, marked_from), until)
            if item is None:
                self._can_go_on = False
                return
            if item.position > last:
                self._next_up = item
                self._at = last
                return
            self._at = item.position
            yield item

    def _look_closer_at(self, first: int, stop: int) -> None:
        """Have the groups of frames that were passed over examined more closely."""
        for position in range(first, stop):
            if not self._damage.missing[position]:
                self._damage.suspect(position, passed_over=True)
                raise _DamageFoundError
