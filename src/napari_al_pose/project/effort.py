"""Reads from the edit log what labelling took."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from napari_al_pose.domain import FrameKey, KeypointState
from napari_al_pose.domain.effort import Act, Gesture
from napari_al_pose.project.label_log import EditLog, KeypointKey

USER = "user"

_QUERY = (
    "SELECT a.id, a.kind, a.source, a.time, a.session, e.video, e.frame, e.old_state, e.state FROM actions a"
    " JOIN edits e ON e.action = a.id WHERE a.kind IN ('edit', 'undo', 'redo') AND a.id > ? ORDER BY a.id, e.id"
)


_TAKEN = (
    "SELECT DISTINCT l.video, l.frame, l.individual, l.bodypart FROM actions a JOIN edits e ON e.action = a.id"
    " JOIN labels l ON l.video = e.video AND l.frame = e.frame AND l.individual = e.individual"
    " AND l.bodypart = e.bodypart AND l.state = e.state AND l.x = e.x AND l.y = e.y WHERE a.source = ?"
)


def source_of(gesture: Gesture | None) -> str:
    """Return the text that the log stores as the source of a user's action."""
    return USER if gesture is None else f"{USER}:{gesture}"


def read_acts(log: EditLog, *, after: int = 0) -> list[Act]:
    """Return the user's actions with a number above ``after``, in the order of the log.

    Older versions did not record the gesture of an action; it is inferred from the change. A corrected guess then looks
    like a placed point.
    """
    return list(_acts(log.rows(_QUERY, (after,))))


def read_taken(log: EditLog) -> set[KeypointKey]:
    """Return the labels that are guesses which were taken as they are: they lie where an acceptance put them.

    So it holds through undo and redo. A guess that was moved, by a pixel even, is a label of a person's own.
    """
    return {KeypointKey(*row) for row in log.rows(_TAKEN, (source_of(Gesture.ACCEPTED),))}


def _acts(rows: Sequence[tuple[Any, ...]]) -> Iterator[Act]:
    for number, of in groupby(rows, key=lambda row: row[0]):
        edits = list(of)
        _, kind, source, time, session, video, frame, _, _ = edits[0]
        if source.partition(":")[0] == USER:
            gesture = _gesture(kind, source, [(row[7], row[8]) for row in edits])
            yield Act(number, datetime.fromisoformat(time), session, gesture, FrameKey(video, frame), len(edits))


def _gesture(kind: str, source: str, changes: Sequence[tuple[int, int]]) -> Gesture:
    if kind != "edit":
        return Gesture.UNDONE
    name = source.partition(":")[2]
    if name in set(Gesture):
        return Gesture(name)
    states = {KeypointState(after) for _, after in changes}
    if states == {KeypointState.UNSEEN}:
        return Gesture.CLEARED
    if states == {KeypointState.NOT_VISIBLE}:
        return Gesture.HIDDEN
    if all(before == KeypointState.PLACED for before, _ in changes):
        return Gesture.MOVED
    return Gesture.PLACED if len(changes) == 1 else Gesture.ACCEPTED
