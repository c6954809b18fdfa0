"""Which frames of a file are damaged: not decoded at all, or decoded from data that is not whole."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import FrameSource
from napari_al_pose.video.index import PacketIndex

_FALSE_ALARMS = 4
_MOST_RANGES = 6
"""Runs of frames that a sentence names."""


def is_damaged(source: FrameSource, position: int) -> bool:
    """Return whether a frame that was read is known not to be whole, so that nothing must be learnt from it."""
    ask = getattr(source, "is_damaged", None)
    return ask is not None and bool(ask(position))


def notice_of(source: FrameSource) -> str:
    """Return what is wrong with a source's file as far as it was read, for the user; "" if nothing is known to be."""
    return str(getattr(source, "notice", ""))


class Damage:
    """What is known of the damage in one file; shared by its decoders, which add what they come across.

    Frames are stored as differences. So a damaged packet harms its own frame and those decoded after it, up to the next
    keyframe.

    Parameters
    ----------
    index : PacketIndex
    """

    def __init__(self, index: PacketIndex) -> None:
        self._index = index
        self.missing = np.zeros(len(index), bool)
        """Frames that do not decode; bool ``(N,)``."""
        self.spoilt = np.zeros(len(index), bool)
        """Frames that decode from damaged data; bool ``(N,)``."""
        self._examined: dict[int, bool] = {}
        """Groups in which something was found wrong, by their first position, and whether all of each was looked at."""
        self._careful: set[int] = set()
        """Groups of which frames come out only when they are decoded carefully."""
        self._false_alarms = 0
        for position in index.positions[index.torn].tolist() if len(index.torn) else ():
            if position >= 0:
                self.suspect(position)

    @property
    def frames(self) -> NDArray[np.int64]:
        """Positions of all frames known to be damaged, ascending."""
        return np.flatnonzero(self.missing | self.spoilt)

    def __contains__(self, position: int) -> bool:
        return bool(self.missing[position] or self.spoilt[position])

    # ---- what decoders add --------------------------------------------------------------------------

    def suspect(self, position: int, *, passed_over: bool = False) -> None:
        """Note that something is wrong in the group of a frame: a packet did not decode, or the frame did not come."""
        start = self._index.group(position).start
        self._examined.setdefault(start, False)
        if passed_over:
            self._careful.add(start)
        order = self._index.order
        if position == start > 0 and order[start - 1] > order[start]:
            # A keyframe of an open group: frames shown before it refer to it as well.
            self._examined.setdefault(self._index.group(start - 1).start, False)

    @property
    def suspected(self) -> list[int]:
        """First positions of the groups in which something is wrong and not all is known."""
        return sorted(start for start, examined in self._examined.items() if not examined)

    def needs_care(self, position: int) -> bool:
        """Return whether something is, or may be, wrong in the group of a frame."""
        if not self._examined:
            return False
        group = self._index.group(position)
        if group.start not in self._examined:
            return False
        within = slice(group.start, group.stop)
        is_sound = self._examined[group.start] and not (self.missing[within] | self.spoilt[within]).any()
        return not is_sound or group.start in self._careful

    def is_examined(self, position: int) -> bool:
        """Return whether all that is wrong in the group of a frame is known."""
        return self._examined.get(self._index.group(position).start, False)

    def settle(self, position: int, bad_ranks: Iterable[int], came_out: set[int]) -> None:
        """Take in what decoding a whole group with one thread has shown.

        Parameters
        ----------
        position : int
            Of any frame of the group.
        bad_ranks : iterable of int
            Packets that did not decode, or whose frame the decoder calls corrupt.
        came_out : set of int
            Positions of the frames that came out.
        """
        group = self._index.group(position)
        positions = np.arange(group.start, group.stop)
        self.missing[positions] = [position not in came_out for position in group]
        missing = self._index.order[positions[self.missing[positions]]]
        first_bad = min([*bad_ranks, *missing.tolist()], default=None)
        if first_bad is not None:
            self.spoilt[positions] = self._index.order[positions] >= first_bad
        self._examined[group.start] = True
        self._false_alarms = max(self._false_alarms + (1 if first_bad is None else -1), 0)

    @property
    def cries_wolf(self) -> bool:
        """Return whether most of what looked wrong was sound: then only errors are worth another look."""
        return self._false_alarms >= _FALSE_ALARMS

    # ---- for people, and for the next time ----------------------------------------------------------

    @property
    def notice(self) -> str:
        """Which frames are damaged, for the user; "" if none is known to be."""
        found = []
        if self.missing.any():
            found.append(
                f"{_counted(self.missing, 'does', 'do')} not decode: {ranges(np.flatnonzero(self.missing))}; "
                "they are shown striped"
            )
        if (spoilt := self.spoilt & ~self.missing).any():
            found.append(
                f"{_counted(spoilt, 'comes', 'come')} from damaged data: {ranges(np.flatnonzero(spoilt))}; "
                "they are not used for training"
            )
        return ", and ".join(found)

    def state(self) -> dict[str, list[list[int]]]:
        """Return what is known, as it is kept on disk: runs of positions, first and last of each."""
        return {
            "missing": runs(np.flatnonzero(self.missing)),
            "spoilt": runs(np.flatnonzero(self.spoilt)),
            "examined": [[start, start] for start, examined in sorted(self._examined.items()) if examined],
            "careful": [[start, start] for start in sorted(self._careful)],
        }

    def restore(self, state: dict[str, list[list[int]]]) -> None:
        """Take in what `state` returned for the same file.

        Raises
        ------
        ValueError, KeyError, TypeError, IndexError
            It is something else.
        """
        for name, marks in (("missing", self.missing), ("spoilt", self.spoilt)):
            for first, last in state[name]:
                marks[_within(first, marks) : _within(last, marks) + 1] = True
        for start, _ in state["examined"]:
            self._examined[self._index.group(_within(start, self.missing)).start] = True
        for start, _ in state["careful"]:
            self._careful.add(self._index.group(_within(start, self.missing)).start)


def _within(position: int, marks: NDArray[np.bool_]) -> int:
    if not 0 <= int(position) < len(marks):
        raise ValueError(f"frame {position} of {len(marks)}")
    return int(position)


def _counted(marks: NDArray[np.bool_], one: str, several: str) -> str:
    n = int(marks.sum())
    return f"1 frame {one}" if n == 1 else f"{n} frames {several}"


def runs(positions: NDArray[np.int64]) -> list[list[int]]:
    """Return the first and the last of each run of successive numbers."""
    if not len(positions):
        return []
    starts = np.flatnonzero(np.diff(positions, prepend=positions[0] - 2) != 1)
    ends = np.append(starts[1:] - 1, len(positions) - 1)
    return [[int(positions[a]), int(positions[b])] for a, b in zip(starts, ends, strict=True)]


def ranges(positions: NDArray[np.int64]) -> str:
    """Return frame numbers as people write them: "3, 7 to 9"."""
    found = runs(positions)
    texts = [str(a) if a == b else f"{a} to {b}" for a, b in itertools.islice(found, _MOST_RANGES)]
    left = len(found) - len(texts)
    return ", ".join(texts) + (f", and {left} more such runs" if left else "")
