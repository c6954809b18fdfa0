"""Which frame of a video has which number, and where decoding can start to reach it.

Frames are numbered in the order that a decoder puts them out when it decodes the file from the start, as OpenCV and
DeepLabCut number them. `napari_al_pose.video.numbering` finds that order out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

UNKNOWN_FPS = 30.0


@dataclass(frozen=True, eq=False)
class PacketIndex:
    """The packets, frames and keyframes of one video stream.

    A packet's *rank* is its place among the stream's packets as they are stored; a frame's *position* is its number.

    Parameters
    ----------
    times : int64 array, (N,)
        When each frame is shown, in units of ``time_base``, ascending.
    order : int32 array, (N,)
        Rank of the packet that each frame comes from.
    pts : int64 array, (P,)
        Presentation time of each packet as the container gives it, `UNTIMED` where it gives none. Not to be relied on.
    sizes : int32 array, (P,)
        Bytes of each packet. After a seek they tell whether the packets are those that were expected.
    entries : int64 array, (M,)
        Positions of the frames from which decoding can start, ascending; the first is 0.
    entry_ranks, entry_dts, entry_places : int64 array, (M,)
        Rank, decoding time and byte offset of the packet to start from for each entry. A packet that an edit list
        hides is an entry to the first frame shown after it.
    time_base : Fraction
        Seconds per unit.
    fps : float
        Mean frames per second.
    torn : int32 array, (T,)
        Ranks of packets of which a part is missing.
    notice : str
        What is wrong with the file, for the user; "" if nothing is.
    counted : bool
        Whether frames were numbered by decoding the whole file, as the container's times do not describe the order.
    seekable : bool
        Whether decoding may start anywhere but at the first packet.
    times_restart : bool
        Whether times begin again on the way, as in recordings that were joined: they can't tell packets apart.
    reorder_depth : int
        Frames that the decoder holds back to put them in order.
    by_header : bool
        Whether the file's header alone tells how to decode it, and names every packet with its time: MP4 and MOV that
        are not fragmented, and whose edit lists do nothing but shift all times.
    """

    times: NDArray[np.int64]
    order: NDArray[np.int32]
    pts: NDArray[np.int64]
    sizes: NDArray[np.int32]
    entries: NDArray[np.int64]
    entry_ranks: NDArray[np.int64]
    entry_dts: NDArray[np.int64]
    entry_places: NDArray[np.int64]
    time_base: Fraction
    fps: float
    torn: NDArray[np.int32]
    notice: str = ""
    counted: bool = False
    seekable: bool = True
    times_restart: bool = False
    reorder_depth: int = 0
    by_header: bool = False

    def __len__(self) -> int:
        return len(self.order)

    @property
    def keyframes(self) -> NDArray[np.int64]:
        """Positions from which decoding may start, ascending: the entries, or the first frame alone."""
        return self.entries if self.seekable else self.entries[:1]

    @cached_property
    def positions(self) -> NDArray[np.int32]:
        """Which frame comes from each packet (the first of several), -1 where none does; int32 ``(P,)``."""
        positions = np.full(len(self.pts), -1, np.int32)
        # Written backwards, the first of several frames of one packet stays.
        positions[self.order[::-1]] = np.arange(len(self.order) - 1, -1, -1, dtype=np.int32)
        return positions

    def position(self, rank: int, *, after: int = -1) -> int:
        """Return which frame came out of the decoder.

        Parameters
        ----------
        rank : int
            Of its packet.
        after : int
            Position of the frame that came out before it.

        Returns
        -------
        int
            -1 if no frame comes from this packet.
        """
        following = after + 1
        if following < len(self.order) and self.order[following] == rank:
            return following
        return int(self.positions[rank]) if 0 <= rank < len(self.positions) else -1

    def forward_only(self) -> PacketIndex:
        """Return an index by which decoding always starts at the first packet."""
        return replace(self, seekable=False)

    def seconds(self, position: int) -> float:
        """Return when a frame is shown, in seconds after the first one."""
        return float((int(self.times[position]) - int(self.times[0])) * self.time_base)

    def key_before(self, position: int) -> int:
        """Return from which keyframe (its rank in ``keyframes``) decoding has to start to reach ``position``."""
        return max(int(np.searchsorted(self.keyframes, position, side="right")) - 1, 0)

    def group(self, position: int) -> range:
        """Return the positions from the entry before a frame up to the next one."""
        entry = max(int(np.searchsorted(self.entries, position, side="right")) - 1, 0)
        stop = self.entries[entry + 1] if entry + 1 < len(self.entries) else len(self)
        return range(int(self.entries[entry]), int(stop))
