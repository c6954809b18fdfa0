"""Moves through the queue of suggested frames."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from napari_al_pose.domain.annotation import FrameRole
from napari_al_pose.domain.frames import FrameKey
from napari_al_pose.domain.suggestion import Suggestion

PICKED = "picked"
"""What stands for a strategy where the user picked a frame."""


@dataclass(frozen=True, slots=True)
class Queue:
    """Suggested frames, best first, and how far the user has come.

    Parameters
    ----------
    suggestions : tuple of Suggestion
    position : int
        Row that was last shown; -1 before the first. It stays while the user looks at frames outside the queue, so that
        "next" continues from there.
    """

    suggestions: tuple[Suggestion, ...] = ()
    position: int = -1

    def __len__(self) -> int:
        return len(self.suggestions)

    @property
    def current(self) -> Suggestion | None:
        """The suggestion at ``position``, or None before the first."""
        return self.suggestions[self.position] if 0 <= self.position < len(self.suggestions) else None

    def row(self, key: FrameKey) -> int:
        """Return the row of ``key``; -1 if it is not in the queue."""
        return next((row for row, suggestion in enumerate(self.suggestions) if suggestion.key == key), -1)

    def suggestion(self, key: FrameKey) -> Suggestion | None:
        """Return the suggestion for ``key``, or None if it is not in the queue."""
        row = self.row(key)
        return self.suggestions[row] if row >= 0 else None

    def next(self) -> Queue:
        """Return the queue one row further; the same queue at its end."""
        return replace(self, position=self.position + 1) if self.position + 1 < len(self.suggestions) else self

    def previous(self) -> Queue:
        """Return the queue one row back; the same queue at its start."""
        return replace(self, position=self.position - 1) if self.position > 0 else self

    def at(self, key: FrameKey) -> Queue:
        """Return the queue positioned on ``key``; the same queue if ``key`` is not in it."""
        row = self.row(key)
        return replace(self, position=row) if row >= 0 else self

    def upcoming(self, n: int) -> tuple[FrameKey, ...]:
        """Return the keys of the next ``n`` rows."""
        return tuple(suggestion.key for suggestion in self.suggestions[self.position + 1 : self.position + 1 + n])

    def with_role(self, key: FrameKey, role: FrameRole) -> Queue:
        """Return the queue with another ``role`` for the frame ``key``, if it is in it."""
        changed = (replace(one, role=role) if one.key == key else one for one in self.suggestions)
        return replace(self, suggestions=tuple(changed))

    def with_picked(self, picked: Sequence[Suggestion]) -> Queue:
        """Return the queue with frames that the user picked, next in turn; those it has already stay where they are."""
        known = {suggestion.key for suggestion in self.suggestions}
        added = tuple(suggestion for suggestion in picked if suggestion.key not in known)
        at = self.position + 1
        return replace(self, suggestions=self.suggestions[:at] + added + self.suggestions[at:])

    def without(self, keys: Collection[FrameKey]) -> Queue:
        """Return the queue without some frames; the user stays where they are."""
        before = sum(suggestion.key in keys for suggestion in self.suggestions[: self.position + 1])
        left = tuple(suggestion for suggestion in self.suggestions if suggestion.key not in keys)
        return Queue(left, position=max(-1, self.position - before))

    def after_rerank(self, new: Sequence[Suggestion], *, complete: Collection[FrameKey] = ()) -> Queue:
        """Return the queue with ``new`` behind the current frame.

        That frame stays where the user is, as the first row (with its new reasons where ``new`` has it too), and
        "next" leads to the frames that the user picked and that are not ``complete`` yet, then to the best of the
        new suggestions.
        """
        kept = self.current
        first = [] if kept is None else [next((one for one in new if one.key == kept.key), kept)]
        picked = [one for one in self.suggestions if one.strategy == PICKED and one.key not in complete]
        rows = {one.key: one for one in (*first, *picked, *new)}
        rows |= {one.key: one for one in first}
        return Queue(tuple(rows.values()), position=len(first) - 1)
