"""Which actions can be undone and redone, according to the log."""

from __future__ import annotations

UNDOABLE = frozenset({"edit", "merge"})


class UndoStack:
    """A linear undo history rebuilt from the log, so that it survives a restart.

    Feed it every action in order. An *edit* or a *merge* of somebody else's changes is a step that can be undone, and
    it discards what was undone before it. Roles, first imports and recorded conflicts are not steps. A *realign* moved
    all coordinates of a video, so nothing before it can be undone.
    """

    def __init__(self) -> None:
        self._done: list[int] = []
        self._undone: list[int] = []

    def feed(self, action: int, kind: str, target: int | None) -> None:
        """Record the next action of the log."""
        if kind in UNDOABLE:
            self._done.append(action)
            self._undone.clear()
        elif kind == "undo":
            self._undone.append(self._done.pop())
        elif kind == "redo":
            self._done.append(self._undone.pop())
        elif kind == "realign":
            self._done.clear()
            self._undone.clear()

    @property
    def has_done(self) -> bool:
        """Whether there is something to undo; safe to ask from any thread."""
        return bool(self._done)

    @property
    def has_undone(self) -> bool:
        """Whether there is something to redo; safe to ask from any thread."""
        return bool(self._undone)

    @property
    def next_undo(self) -> int | None:
        """The action that an undo would take back."""
        return self._done[-1] if self._done else None

    @property
    def next_redo(self) -> int | None:
        """The action that a redo would bring back."""
        return self._undone[-1] if self._undone else None
