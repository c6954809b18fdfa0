"""Damaged stretches of a video, decoded the same way every time.

What a decoder makes of damaged data depends on what it decoded before, on its threads, and on what was skipped. So a
group in which something is wrong is always decoded by a new decoder with one thread. It starts at the entry before the
group's own, since decoders may call sound frames right after an entry damaged. Where frames had to be counted it starts
at the first packet. If nothing of the group comes out that way, it starts at the group's own entry: a damaged H.264
packet may give a picture such a late place in the order that the decoder puts out nothing after it, until it is told to
start over. Films with open groups never say so, and all that follows would be lost though it is whole.

Some decoders leave the rest of a picture as its memory was before (`napari_al_pose.video.leftovers`). So groups are
decoded twice there when they are examined, and so are groups that were seen to be unsteady. What is not the same the
second time counts as not decoded, as it can't be shown the same every time.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import av
from av.error import FFmpegError

from napari_al_pose.video.damage import Damage
from napari_al_pose.video.index import PacketIndex
from napari_al_pose.video.leftovers import KEPT, LEAVING, SILENT, begin_in_noise, soil
from napari_al_pose.video.pixels import RgbConverter, digest
from napari_al_pose.video.seeking import OutOfStepError, PacketSource, SupersededError, never

_BEYOND = 32
"""Packets after a group that are decoded to get the frames that the decoder holds back."""


class DamagedSegmentDecoder:
    """Decodes one group at a time; for one thread at a time.

    Parameters
    ----------
    path : Path
    index : PacketIndex
    damage : Damage
        Told what is wrong with a group before any of its frames is handed out.
    """

    def __init__(self, path: Path, index: PacketIndex, damage: Damage) -> None:
        self._path = path
        self._index = index
        self._damage = damage
        self._frames: Iterator[tuple[int, av.VideoFrame]] = iter(())
        self._source: PacketSource | None = None
        self._packets: list[av.Packet] = []
        """Those decoded since the start, where they may have to be decoded again."""
        self._group = range(0)
        self._at = -1
        self._superseded: Callable[[], bool] = never

    def frames(self, first: int, last: int, superseded: Callable[[], bool]) -> Iterator[tuple[int, av.VideoFrame]]:
        """Yield ``(position, frame)`` of the frames from ``first`` to ``last``, all of one group, that decode.

        Raises
        ------
        SupersededError
            ``superseded()`` is True.
        """
        self._superseded = superseded
        if not self._damage.is_examined(first):
            self._examine(first)
        group = self._index.group(first)
        if group != self._group or first <= self._at:
            self._start(group, [])
        for position, frame in self._frames:
            self._at = position
            if position >= first and not self._damage.missing[position]:
                yield position, frame
            if position >= last:
                return
        self._at = self._group.stop

    def _examine(self, position: int) -> None:
        """Decode the group of a frame and tell `Damage` all that is wrong with it."""
        bad: list[int] = []
        self._start(self._index.group(position), bad)
        came_out = self._what_is_the_same_twice(bad)
        ranks = self._index.order[self._group.start : self._group.stop]
        torn = self._index.torn
        bad += torn[(torn >= ranks[0]) & (torn <= ranks.max())].tolist()
        if self._damage.is_unsteady(position):
            bad.append(int(ranks[0]))
        self._damage.record_group(position, bad, came_out)
        self.close()

    def _what_is_the_same_twice(self, bad: list[int]) -> set[int]:
        """Return positions of the frames that come out; those that differ the second time are bad, with all after."""
        source = self._source
        if source is None or not self._decodes_twice(source):
            return {found for found, _ in self._frames}
        convert = RgbConverter()
        first = {found: digest(convert(frame)) for found, frame in self._frames}
        soil(source.codec, self._packets[0])
        again = self._decoded(source, iter(self._packets), [], n_kept=KEPT)
        second = {found: digest(convert(frame)) for found, frame in again}
        order = self._index.order
        unsure = [int(order[found]) for found, seen in first.items() if second.get(found) != seen]
        bad += unsure
        return {found for found in first if order[found] < min(unsure, default=len(self._index.sizes))}

    def _decodes_twice(self, source: PacketSource) -> bool:
        return source.codec.name in LEAVING or (bool(self._group) and self._damage.is_unsteady(self._group.start))

    def close(self) -> None:
        """Release the file."""
        self._group, self._at = range(0), -1
        self._frames = iter(())
        self._packets = []
        if self._source is not None:
            self._source.close()
            self._source = None

    def _start(self, group: range, bad: list[int]) -> None:
        own = int(self._index.entries.searchsorted(group.start))
        self._start_at(max(own - 1, 0), group, bad)
        first = next(self._frames, None)
        if first is not None:
            self._frames = itertools.chain((first,), self._frames)
        elif own > 0 and self._can_seek:
            bad.clear()
            self._start_at(own, group, bad)

    @property
    def _can_seek(self) -> bool:
        return self._index.seekable and not self._index.counted

    def _start_at(self, entry: int, group: range, bad: list[int]) -> None:
        """Begin to decode a group at an entry, or at the first packet where frames had to be counted."""
        self.close()
        self._source = PacketSource(self._path, self._index, threads=1, strict=False)
        packets = self._source.from_entry(entry, self._superseded) if self._can_seek else None
        self._group = group
        self._frames = self._decoded(self._source, packets or self._source.from_start(), bad)

    def _decoded(
        self, source: PacketSource, packets: Iterator[av.Packet], bad: list[int], *, n_kept: int = 0
    ) -> Iterator[tuple[int, av.VideoFrame]]:
        """Yield the frames of the group; add the ranks of bad packets to ``bad``."""
        index, group = self._index, self._group
        ranks = index.order[group.start : group.stop]
        last_rank, own_rank = int(ranks.max()), int(ranks[0])
        last = -1
        kept: deque[av.VideoFrame] = deque(maxlen=n_kept)
        keeps = not self._packets and self._decodes_twice(source)
        for packet in itertools.chain(_up_to(packets, last_rank + _BEYOND), (None,)):
            if keeps and packet is not None:
                self._packets.append(packet)
            if self._superseded():
                self._group = range(0)
                raise SupersededError
            if kept and packet is not None and packet.is_keyframe and source.codec.name in SILENT:
                begin_in_noise(source.codec, kept)
            try:
                frames = source.codec.decode(packet)
            except FFmpegError:
                frames = []
                if packet is not None and packet.pts is not None and own_rank <= packet.pts <= last_rank:
                    bad.append(packet.pts)
            kept.extend(frames)
            for frame in frames:
                position = index.position(-1 if frame.pts is None else frame.pts, after=last)
                if position <= last:
                    continue
                last = position
                if position >= group.start and frame.is_corrupt and frame.pts is not None and frame.pts <= last_rank:
                    bad.append(frame.pts)
                if position >= group.stop:
                    return
                if position >= group.start:
                    yield position, frame


def _up_to(packets: Iterator[av.Packet], rank: int) -> Iterator[av.Packet]:
    """Yield packets up to a rank, and none beyond where they are not those that were expected."""
    try:
        for packet in packets:
            yield packet
            if packet.pts is not None and packet.pts >= rank:
                return
    except OutOfStepError:
        return
