"""Moves through the queue of suggested frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from napari_al_pose.domain.annotation import FrameRole
from napari_al_pose.domain.frames import FrameKey
from napari_al_pose.domain.suggestion import Suggestion


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

    def after_rerank(self, new: Sequence[Suggestion]) -> Queue:
        """Return the queue with the suggestions of ``new`` after the frame on screen.

        That frame stays on screen as the first row (with its new reasons if ``new`` has it too), and "next" leads to
        the best of the new suggestions.
        """
        kept = self.current
        if kept is None:
            return Queue(tuple(new))
        fresh = next((suggestion for suggestion in new if suggestion.key == kept.key), kept)
        rest = tuple(suggestion for suggestion in new if suggestion.key != kept.key)
        return Queue((fresh, *rest), position=0)
