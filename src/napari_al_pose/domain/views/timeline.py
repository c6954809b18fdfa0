"""What the timeline draws of one video, and where."""

from __future__ import annotations

import bisect
import enum
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from napari_al_pose.domain.frames import FrameKey, FrameSource
from napari_al_pose.domain.views.formatting import clock


class MarkKind(enum.StrEnum):
    """What a mark on the lane stands for."""

    LABELLED = "labelled"
    HOLDOUT = "test frame"
    QUEUED = "queued"
    QUEUED_HOLDOUT = "queued test frame"


@dataclass(frozen=True, slots=True)
class Mark:
    """One frame on the lane; ``position`` counts the source's frames from 0."""

    position: int
    kind: MarkKind


@dataclass(frozen=True, slots=True)
class FrameAxis:
    """The lane's axis: positions of a source, and the frame numbers they stand for.

    Parameters
    ----------
    n_positions : int
    numbers : sequence of int or None
        Frame number at each position, ascending; None where number and position are the same, as in a video file.
    fps : float
    """

    n_positions: int
    numbers: Sequence[int] | None = None
    fps: float = 30.0

    def number(self, position: int) -> int:
        """Return the frame number at ``position``."""
        return position if self.numbers is None else int(self.numbers[position])

    def position(self, number: int) -> int | None:
        """Return where frame ``number`` is, or None where the source has no such frame."""
        if self.numbers is None:
            return number if 0 <= number < self.n_positions else None
        index = bisect.bisect_left(self.numbers, number)
        return index if index < len(self.numbers) and self.numbers[index] == number else None

    def nearest(self, number: int) -> int:
        """Return where frame ``number`` is, or the next one that the source has, or its last."""
        at = number if self.numbers is None else bisect.bisect_left(self.numbers, number)
        return min(max(at, 0), max(self.n_positions - 1, 0))

    def position_at(self, x: float, width: float) -> int:
        """Return the position drawn at ``x`` on a lane ``width`` wide; outside means the nearest end."""
        if self.n_positions <= 0 or width <= 0:
            return 0
        return min(self.n_positions - 1, max(0, int(x / width * self.n_positions)))

    def x_of(self, position: int, width: float) -> float:
        """Return the middle of ``position`` on a lane ``width`` wide."""
        return (position + 0.5) / max(1, self.n_positions) * width


def axis_of(source: FrameSource) -> FrameAxis:
    """Return the axis of a source: plain for a video file, numbered for extracted images."""
    n = len(source)
    if n == 0 or source.number(n - 1) == n - 1:
        return FrameAxis(n, None, source.fps)
    return FrameAxis(n, tuple(source.number(position) for position in range(n)), source.fps)


def entry_frame(video: str, *, labelled: Collection[FrameKey], queued: Sequence[FrameKey]) -> FrameKey:
    """Return where to enter ``video``: its best suggestion, else its first labelled frame, else frame 0."""
    suggested = next((key for key in queued if key.video == video), None)
    first = min((key for key in labelled if key.video == video), default=FrameKey(video, 0))
    return suggested or first


def timeline_marks(
    video: str,
    axis: FrameAxis,
    *,
    labelled: Collection[FrameKey],
    holdout: Collection[FrameKey],
    queued: Collection[FrameKey],
    queued_holdout: Collection[FrameKey] = (),
) -> tuple[Mark, ...]:
    """Return the marks of one video: queued frames first, so that labels are painted over them.

    A frame has one mark: hold-out before labelled before queued; ``queued_holdout`` are those of ``queued`` that are
    drawn to measure on.
    """
    marks = []
    for kind, keys in (
        (MarkKind.QUEUED, set(queued) - set(queued_holdout) - set(labelled)),
        (MarkKind.QUEUED_HOLDOUT, set(queued_holdout) - set(labelled)),
        (MarkKind.LABELLED, set(labelled) - set(holdout)),
        (MarkKind.HOLDOUT, set(holdout)),
    ):
        positions = (axis.position(key.frame) for key in keys if key.video == video)
        marks += [Mark(position, kind) for position in sorted(p for p in positions if p is not None)]
    return tuple(marks)


def mark_kind(
    key: FrameKey,
    *,
    labelled: Collection[FrameKey],
    holdout: Collection[FrameKey],
    queued: Collection[FrameKey],
    queued_holdout: Collection[FrameKey] = (),
) -> MarkKind | None:
    """Return how one frame is marked, None for not at all; see `timeline_marks`."""
    if key in holdout:
        return MarkKind.HOLDOUT
    if key in labelled:
        return MarkKind.LABELLED
    if key in queued_holdout:
        return MarkKind.QUEUED_HOLDOUT
    return MarkKind.QUEUED if key in queued else None


def describe_frame(axis: FrameAxis, position: int, marks: Sequence[Mark] = (), *, reach: float = 0.0) -> str:
    """Return the tooltip of a place on the lane: number, time, and what is marked within ``reach`` positions."""
    text = f"frame {axis.number(position)}"
    if axis.numbers is None:
        text += f" · {clock(position / axis.fps)}"
    near = nearest_mark(marks, position, reach)
    if near is not None:
        text += f" · {near.kind}" if near.position == position else f" · {near.kind} at {axis.number(near.position)}"
    return text


def describe_place(axis: FrameAxis, position: int) -> str:
    """Return what follows the number of the frame: "of 2,330 · 0:13.8"; for extracted images "· image 4 of 116"."""
    if not 0 <= position < axis.n_positions:
        return ""
    if axis.numbers is None:
        return f"of {axis.n_positions:,} · {clock(position / axis.fps)}"
    return f"· image {position + 1:,} of {axis.n_positions:,}"


def nearest_mark(marks: Sequence[Mark], position: int, reach: float) -> Mark | None:
    """Return the closest mark within ``reach`` positions, the one painted last where two are as close."""
    best: Mark | None = None
    for mark in marks:
        distance = abs(mark.position - position)
        if distance <= reach and (best is None or distance <= abs(best.position - position)):
            best = mark
    return best
