"""What a person changed about the tracks of a video: which animal is which, from a frame on.

The predictions stay as they are on disk. Each change is one value, and they are applied in order to whatever rows are
read, so that a change costs the same in an hour of video as in a minute.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


class TrackAct(enum.StrEnum):
    """What is done to tracks."""

    SWAP = "swap"
    """Two tracks change places."""
    SPLIT = "split"
    """A track ends, and what follows is a new track."""
    JOIN = "join"
    """A track takes the poses of another one wherever it has none of its own."""
    NAME = "name"
    """A track is called something else."""


@dataclass(frozen=True, slots=True)
class TrackEdit:
    """One change.

    Parameters
    ----------
    act : TrackAct
    row : int
        First row of the stored predictions that it changes; it goes on to the end of the video. 0 for `NAME`.
    track : int
        Position among the tracks there were before it.
    other : int
        The second track of `SWAP` and `JOIN`.
    name : str
        Of the new track (`SPLIT`), or the new name (`NAME`).
    after : int
        The last action on labels that was done before it, so that undo takes both kinds back in order.
    """

    act: TrackAct
    row: int
    track: int
    other: int = -1
    name: str = ""
    after: int = 0


@dataclass(frozen=True, slots=True)
class TrackEdits:
    """The changes that stand, and those that were taken back last.

    Parameters
    ----------
    done : tuple of TrackEdit
        In the order they were made.
    undone : tuple of TrackEdit
        The one that was taken back last comes last.
    """

    done: tuple[TrackEdit, ...] = ()
    undone: tuple[TrackEdit, ...] = ()

    def with_edit(self, edit: TrackEdit) -> TrackEdits:
        """Return the changes with one more; what was taken back can't be brought back then."""
        return TrackEdits((*self.done, edit))

    def without_last(self) -> TrackEdits:
        """Return the changes without the last one; the same where there is none."""
        return replace(self, done=self.done[:-1], undone=(*self.undone, *self.done[-1:]))

    def with_last_undone(self) -> TrackEdits:
        """Return the changes with the last one that was taken back; the same where there is none."""
        return replace(self, done=(*self.done, *self.undone[-1:]), undone=self.undone[:-1])

    def names(self, individuals: Sequence[str]) -> tuple[str, ...]:
        """Return what the tracks are called, those of the ``individuals`` first."""
        names = list(individuals)
        for edit in self.done:
            if edit.act is TrackAct.SPLIT:
                names.append(edit.name)
            elif edit.act is TrackAct.NAME:
                names[edit.track] = edit.name
        return tuple(names)

    def fits(self, n_tracks: int) -> bool:
        """Whether every change is of a track that is there, of ``n_tracks`` in the predictions."""
        for edit in self.done:
            tracks = (edit.track, edit.other) if edit.act in (TrackAct.SWAP, TrackAct.JOIN) else (edit.track,)
            if edit.row < 0 or not all(0 <= track < n_tracks for track in tracks):
                return False
            n_tracks += edit.act is TrackAct.SPLIT
        return True

    def apply(self, poses: NDArray[np.float32], first: int = 0) -> NDArray[np.float32]:
        """Return poses, (n, A, K, 3) of x, y and likelihood, as the tracks are: (n, A + splits, K, 3).

        Parameters
        ----------
        poses : float array, (n, A, K, 3)
            As they are stored; NaN and likelihood 0 for an animal that was not found.
        first : int
            The row of the first of them.
        """
        n, n_stored = poses.shape[:2]
        n_tracks = n_stored + sum(edit.act is TrackAct.SPLIT for edit in self.done)
        tracks = np.full((n, n_tracks, *poses.shape[2:]), np.nan, np.float32)
        tracks[..., 2] = 0
        tracks[:, :n_stored] = poses
        new = n_stored
        for edit in self.done:
            rows = tracks[max(0, edit.row - first) :]
            if edit.act is TrackAct.SWAP:
                rows[:, [edit.track, edit.other]] = rows[:, [edit.other, edit.track]]
            elif edit.act is TrackAct.SPLIT:
                rows[:, [edit.track, new]] = rows[:, [new, edit.track]]
                new += 1
            elif edit.act is TrackAct.JOIN:
                there = np.asarray(np.isfinite(rows[..., 0]).any(axis=2))
                gaps = there[:, edit.other] & ~there[:, edit.track]
                moved = rows[gaps]
                moved[:, [edit.track, edit.other]] = moved[:, [edit.other, edit.track]]
                rows[gaps] = moved
        return tracks


def new_track_name(names: Sequence[str]) -> str:
    """Return a name for one more track that no other has: "track 3" beside two."""
    number = len(names) + 1
    while f"track {number}" in names:
        number += 1
    return f"track {number}"
