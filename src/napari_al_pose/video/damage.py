"""Which frames of a file are damaged: they do not decode, or they decode from incomplete data."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import FrameSource
from napari_al_pose.domain.wording import counted
from napari_al_pose.video.index import PacketIndex

_FALSE_ALARMS = 4
_MOST_RANGES = 6
"""Number of runs that a sentence names."""


def is_damaged(source: FrameSource, position: int) -> bool:
    """Return whether a frame that was read is known to be damaged; then nothing must be learnt from it."""
    ask = getattr(source, "is_damaged", None)
    return ask is not None and bool(ask(position))


def notice_of(source: FrameSource) -> str:
    """Say what is wrong with the part of a source's file that was read, for the user; "" if nothing is known."""
    return str(getattr(source, "notice", ""))


class Damage:
    """What is known about the damage in one file. Its decoders share it and add what they find.

    Frames are stored as differences, so a damaged packet harms its own frame and all frames decoded after it, up to the
    next keyframe.

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
        """Groups in which something is wrong, by their first position, and whether the whole group was examined."""
        self._careful: set[int] = set()
        """Groups whose frames come out only if they are decoded carefully."""
        self._unsteady: set[int] = set()
        """Groups that showed other pictures after a seek than on the way from the start, without any report."""
        self._false_alarms = 0
        for rank in index.torn.tolist():
            self.suspect(index.nearest(rank))

    @property
    def frames(self) -> NDArray[np.int64]:
        """Positions of all frames known to be damaged, ascending."""
        return np.flatnonzero(self.missing | self.spoilt)

    def __contains__(self, position: int) -> bool:
        return bool(self.missing[position] or self.spoilt[position])

    # ---- what decoders add --------------------------------------------------------------------------

    def suspect(self, position: int, *, passed_over: bool = False) -> None:
        """Note that something is wrong in the group of a frame: a packet did not decode, or no frame came out."""
        start = self._index.group(position).start
        self._examined.setdefault(start, False)
        if passed_over:
            self._careful.add(start)
        order = self._index.order
        if position == start > 0 and order[start - 1] > order[start]:
            # A keyframe of an open group: frames shown before it also refer to it.
            self._examined.setdefault(self._index.group(start - 1).start, False)

    def doubt(self, position: int) -> None:
        """Note that the pictures of a frame's group depend on the way to them: all count as coming from damaged data.

        Nothing else tells of such damage, and nobody knows where in the group it begins.
        """
        start = self._index.group(position).start
        self._unsteady.add(start)
        self._careful.add(start)
        self._examined[start] = False

    def is_unsteady(self, position: int) -> bool:
        """Return whether `doubt` was called for a frame's group."""
        return self._index.group(position).start in self._unsteady

    @property
    def suspected(self) -> list[int]:
        """First positions of the groups in which something is wrong and that were not fully examined."""
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
        """Return whether the group of a frame was fully examined."""
        return self._examined.get(self._index.group(position).start, False)

    def record_group(self, position: int, bad_ranks: Iterable[int], came_out: set[int]) -> None:
        """Take the result of decoding a whole group with one thread.

        Parameters
        ----------
        position : int
            Any frame of the group.
        bad_ranks : iterable of int
            Packets that did not decode, or whose frame the decoder reports as corrupt.
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
        """Return whether most suspected groups were sound; then only errors deserve another look."""
        return self._false_alarms >= _FALSE_ALARMS

    # ---- for people, and for the next time ----------------------------------------------------------

    @property
    def notice(self) -> str:
        """Which frames are damaged, for the user; "" if none is known to be."""
        found = []
        if self.missing.any():
            found.append(
                f"{_counted(self.missing, 'does', 'do')} not decode: {ranges(np.flatnonzero(self.missing))}; "
                "they are shown as stripes"
            )
        if (spoilt := self.spoilt & ~self.missing).any():
            found.append(
                f"{_counted(spoilt, 'comes', 'come')} from damaged data: {ranges(np.flatnonzero(spoilt))}; "
                "they are not used for training"
            )
        return ", and ".join(found)

    def state(self) -> dict[str, list[list[int]]]:
        """Return what is known in the form kept on disk: first and last position of each run."""
        return {
            "missing": runs(np.flatnonzero(self.missing)),
            "spoilt": runs(np.flatnonzero(self.spoilt)),
            "examined": [[start, start] for start, examined in sorted(self._examined.items()) if examined],
            "careful": [[start, start] for start in sorted(self._careful)],
        }

    def restore(self, state: dict[str, list[list[int]]]) -> None:
        """Take what `state` returned for the same file.

        Raises
        ------
        ValueError, KeyError, TypeError, IndexError
            If it is anything else.
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
    """Write frame numbers as people do: "3, 7 to 9"."""
    found = runs(positions)
    texts = [str(a) if a == b else f"{a} to {b}" for a, b in itertools.islice(found, _MOST_RANGES)]
    left = len(found) - len(texts)
    return ", ".join(texts) + (f", and {counted(left, 'more such run')}" if left else "")
