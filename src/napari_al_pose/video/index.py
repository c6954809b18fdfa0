"""The index of a video: which frame has which number, and where decoding can start to reach it.

Frames are numbered in the order in which a decoder puts them out when it decodes the file from the start, as in OpenCV
and DeepLabCut. `napari_al_pose.video.numbering` finds that order.
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

    A packet's *rank* is its index among the stream's packets as stored; a frame's *position* is its number.

    Parameters
    ----------
    times : int64 array, (N,)
        When each frame is shown, in units of ``time_base``, ascending.
    order : int32 array, (N,)
        Rank of the packet that each frame comes from.
    pts : int64 array, (P,)
        Presentation time of each packet in the container, `UNTIMED` if there is none. Do not rely on it.
    sizes : int32 array, (P,)
        Bytes of each packet. After a seek they show whether the packets are the expected ones.
    entries : int64 array, (M,)
        Positions of the frames at which decoding can start, ascending; the first is 0.
    entry_ranks, entry_dts, entry_places : int64 array, (M,)
        Rank, decoding time and byte offset of the packet to start from, for each entry. A packet hidden by an edit list
        is an entry to the first frame shown after it.
    time_base : Fraction
        Seconds per unit.
    fps : float
        Mean frames per second.
    torn : int32 array, (T,)
        Ranks of packets that are incomplete, or from which no frame came although one should have.
    notice : str
        What is wrong with the file, for the user; "" if nothing is.
    counted : bool
        Whether frames were numbered by decoding the whole file, because the container's times do not give the order.
    seekable : bool
        Whether decoding may start anywhere but at the first packet.
    times_restart : bool
        Whether times start again on the way, as in joined recordings, so that they can't tell packets apart.
    reorder_depth : int
        Number of frames that the decoder holds back to put them in order.
    by_header : bool
        Whether the file's header alone tells how to decode it, and names every packet with its time. This is so for MP4
        and MOV that are not fragmented and whose edit lists only shift all times.
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
        """Positions at which decoding may start, ascending: the entries, or only the first frame."""
        return self.entries if self.seekable else self.entries[:1]

    @cached_property
    def positions(self) -> NDArray[np.int32]:
        """The frame that comes from each packet (the first of several), -1 for none; int32 ``(P,)``."""
        positions = np.full(len(self.pts), -1, np.int32)
        # Written backwards, so that the first of several frames of one packet stays.
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

    def nearest(self, rank: int) -> int:
        """Return the frame that comes from a packet; if none does, the first of the group that the packet lies in."""
        position = int(self.positions[rank])
        return position if position >= 0 else int(self.entries[max(int(np.sum(self.entry_ranks <= rank)) - 1, 0)])

    def forward_only(self) -> PacketIndex:
        """Return an index by which decoding always starts at the first packet."""
        return replace(self, seekable=False)

    def seconds(self, position: int) -> float:
        """Return when a frame is shown, in seconds after the first one."""
        return float((int(self.times[position]) - int(self.times[0])) * self.time_base)

    def key_before(self, position: int) -> int:
        """Return at which keyframe (its rank in ``keyframes``) decoding has to start to reach ``position``."""
        return max(int(np.searchsorted(self.keyframes, position, side="right")) - 1, 0)

    def group(self, position: int) -> range:
        """Return the positions from the entry before a frame up to the next one."""
        entry = max(int(np.searchsorted(self.entries, position, side="right")) - 1, 0)
        stop = self.entries[entry + 1] if entry + 1 < len(self.entries) else len(self)
        return range(int(self.entries[entry]), int(stop))
