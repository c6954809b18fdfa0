"""The history of a frame's labels, and the way back to any earlier state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

import numpy as np

from napari_al_pose.domain import Annotation, FrameKey, KeypointState, Skeleton
from napari_al_pose.project.label_log import Changes, EditLog, Keypoint, KeypointKey


@dataclass(frozen=True, slots=True, eq=False)
class FrameVersion:
    """The labels of a frame after one action.

    Parameters
    ----------
    action : int
        Its number in the log.
    kind : str
        ``edit``, ``undo``, ``redo``, ``merge``, ``import`` or ``realign``.
    time : datetime
        UTC, by the clock of the computer that did it.
    who, session, source : str
        Who did it, in which session (an opaque name), and with what.
    changed : tuple of str
        The bodyparts that it changed, by their present names.
    annotations : tuple of Annotation
        All labels of the frame afterwards, one for each individual, in the order of the skeleton.
    """

    action: int
    kind: str
    time: datetime
    who: str
    session: str
    source: str
    changed: tuple[str, ...]
    annotations: tuple[Annotation, ...]


class LabelHistory:
    """Earlier states of each frame; part of a `LabelStore`.

    Parameters
    ----------
    log : EditLog
    edit : callable
        Turns changes into one undoable action.
    skeleton : callable
        Returns the store's skeleton.
    """

    def __init__(self, log: EditLog, *, edit: Callable[[Changes], None], skeleton: Callable[[], Skeleton]) -> None:
        self._log = log
        self._edit = edit
        self._skeleton = skeleton

    def of(self, key: FrameKey) -> list[FrameVersion]:
        """Return the states of a frame, oldest first; the last one is the present state.

        If a video's labels were shifted (`LabelExchange.realign`), coordinates of earlier states are shifted too.
        """
        with self._log.mutex:
            return [
                FrameVersion(
                    action.number,
                    action.kind,
                    datetime.fromisoformat(action.time),
                    action.who,
                    action.session,
                    action.source,
                    action.changed,
                    self._annotations(key, state),
                )
                for action, state in self._replay(key)
            ]

    def bring_back(self, key: FrameKey, action: int) -> None:
        """Restore the labels that a frame had after ``action``, as one action that can be undone.

        Raises
        ------
        AlPoseError
            If the project is read-only or the log can't be written.
        ValueError
            If that action did not touch the frame.
        """
        with self._log.mutex:
            wanted = next((state for at, state in self._replay(key) if at.number == action), None)
            if wanted is None:
                raise ValueError(f"Expected an action that changed {key}, got {action}.")
            skeleton = self._skeleton()
            self._edit(
                [
                    (KeypointKey(key.video, key.frame, who, name), wanted.get((who, name), Keypoint()))
                    for who, name in skeleton.keypoints
                ]
            )

    def _replay(self, key: FrameKey) -> list[tuple[_Action, _State]]:
        """Return each action that changed the frame, with the resulting state."""
        done: list[tuple[_Action, _State]] = []
        state: _State = {}
        actions = self._actions(key)
        for number, edits in groupby(self._log.edits_in(key, actions), key=lambda edit: edit[0]):
            changes = [(name, before, after) for _, name, before, after in edits]
            if actions[number].kind == "realign":
                done = [(at, _moved(earlier, *changes[0][1:])) for at, earlier in done]
            state = {**state, **{(name.individual, name.bodypart): after for name, _, after in changes}}
            changed = tuple(dict.fromkeys(name.bodypart for name, _, _ in changes))
            done.append((replace(actions[number], changed=changed), state))
        return done

    def _actions(self, key: FrameKey) -> dict[int, _Action]:
        query = (
            "SELECT id, kind, time, who, session, source FROM actions WHERE kind != 'conflict' AND id IN"
            " (SELECT action FROM edits WHERE video = ? AND frame = ?)"
        )
        return {row[0]: _Action(*row) for row in self._log.rows(query, (key.video, key.frame))}

    def _annotations(self, key: FrameKey, state: _State) -> tuple[Annotation, ...]:
        skeleton = self._skeleton()
        made = []
        for who in skeleton.owners:
            points = [state.get((who, name), Keypoint()) for name in skeleton.bodyparts_of(who)]
            xy = [(point.x, point.y) if point.state == KeypointState.PLACED else (np.nan, np.nan) for point in points]
            states = np.array([point.state for point in points], np.int8)
            made.append(Annotation(key, np.array(xy, np.float64), states, who))
        return tuple(made)


@dataclass(frozen=True, slots=True)
class _Action:
    number: int
    kind: str
    time: str
    who: str
    session: str
    source: str
    changed: tuple[str, ...] = ()


_State = dict[tuple[str, str], Keypoint]
"""Keypoints by individual and bodypart."""


def _moved(state: _State, before: Keypoint, after: Keypoint) -> _State:
    if before.x is None or before.y is None or after.x is None or after.y is None:
        return state
    dx, dy = after.x - before.x, after.y - before.y
    return {
        name: point if point.x is None or point.y is None else replace(point, x=point.x + dx, y=point.y + dy)
        for name, point in state.items()
    }
