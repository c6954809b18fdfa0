"""What the parts of a label store have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from napari_al_pose.domain import FrameKey
from napari_al_pose.project.label_log import EditLog


class NoteAction(Protocol):
    """Tells the store of an appended action: its kind, its number, and the frames whose labels it changed."""

    def __call__(self, kind: str, action: int, *, touched: Iterable[FrameKey] | None = None) -> None: ...


class StorePart:
    """A part of a `LabelStore` that appends actions of its own to the log.

    Parameters
    ----------
    log : EditLog
    note : NoteAction
    """

    def __init__(self, log: EditLog, note: NoteAction) -> None:
        self._log = log
        self._note = note
