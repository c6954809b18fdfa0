"""The labels of a project: every edit is on disk before the call returns."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_al_pose.domain import SINGLE_INDIVIDUAL, Annotation, FrameKey, FrameRole, KeypointState, Skeleton
from napari_al_pose.domain.effort import Act, Gesture
from napari_al_pose.project.completeness import Completeness
from napari_al_pose.project.conflicts import LabelConflicts
from napari_al_pose.project.effort import read_acts, read_taken, source_of
from napari_al_pose.project.frame_roles import FrameRoles
from napari_al_pose.project.history import LabelHistory
from napari_al_pose.project.label_exchange import LabelExchange
from napari_al_pose.project.label_log import Changes, EditLog, Keypoint, KeypointKey, check_frame, selection
from napari_al_pose.project.skeleton_log import SkeletonLog
from napari_al_pose.project.undo_stack import UndoStack


class LabelStore:
    """Labels of all frames, with undo and redo that survive a restart.

    One call is one user action, one undo step and one transaction, committed before the call returns. Labels are stored
    by the *name* of the bodypart: labels of a bodypart that the skeleton lacks stay in the file, hidden. All methods
    may be called from several threads. Another process may have the file open for reading; it sees each action once it
    is committed.

    Coordinates are source pixels ``(x, y)``, pixel centres at integers.

    Parameters
    ----------
    log : EditLog
    skeleton : Skeleton

    Attributes
    ----------
    exchange : LabelExchange
        For merging from and exporting to other programs' files.
    skeletons : SkeletonLog
        The changes of the bodyparts.
    conflicts : LabelConflicts
        Labels changed both here and by another program.
    history : LabelHistory
        Earlier states of each frame.
    roles : FrameRoles
        What each frame is for.
    """

    def __init__(self, log: EditLog, skeleton: Skeleton) -> None:
        self._log = log
        self._skeleton = skeleton
        self._undo = UndoStack()
        self.exchange = LabelExchange(log, self._note)
        self.skeletons = SkeletonLog(log, self._note)
        self.conflicts = LabelConflicts(log, decide=self._decide, skeleton=lambda: self._skeleton)
        self.history = LabelHistory(log, edit=self._edit, skeleton=lambda: self._skeleton)
        self.roles = FrameRoles(log, self._note)
        self._seen_action = 0
        self._data_version = -1
        self._complete = Completeness(log, skeleton)
        self._catch_up()

    @classmethod
    def open(cls, path: Path, skeleton: Skeleton, *, read_only: bool = False) -> LabelStore:
        """Open the labels in ``path``; a missing file is created unless read-only.

        Raises
        ------
        AlPoseError
            If the file is damaged, is not a label store, comes from a newer version, or can't be opened. The file is
            left as it is.
        """
        return cls(EditLog(path, read_only=read_only), skeleton)

    def close(self) -> None:
        """Close the file; nothing is pending."""
        with self._log.mutex:
            self._log.close()

    def ask_before_writing(self, refuse_if_taken: Callable[[], None]) -> None:
        """Set a function to call before each edit; it raises AlPoseError if another process is writing now."""
        self._log.refuse_if_taken = refuse_if_taken

    def set_skeleton(self, skeleton: Skeleton) -> None:
        """Switch to other bodyparts or individuals; labels of missing ones stay in the file, hidden."""
        with self._log.mutex:
            self._skeleton = skeleton
            self._complete = Completeness(self._log, skeleton)
            self._complete.update(None)

    @property
    def read_only(self) -> bool:
        """Whether edits are refused."""
        return self._log.read_only

    @property
    def in_memory(self) -> bool:
        """Whether the labels are only in memory, because nothing could be written."""
        return self._log.in_memory

    # ---- edits ------------------------------------------------------------------------------------

    def place(
        self,
        key: FrameKey,
        bodypart: str,
        x: float,
        y: float,
        *,
        individual: str = SINGLE_INDIVIDUAL,
        gesture: Gesture | None = None,
    ) -> None:
        """Place one keypoint; the log records the ``gesture``, to measure labelling effort.

        Raises
        ------
        AlPoseError
            Here and in every other edit: if the project is read-only, or the file can't be written. The edit was not
            applied then.
        ValueError
            If a name is unknown or a coordinate is not finite.
        """
        self.place_many(key, {bodypart: (x, y)}, individual=individual, gesture=gesture)

    def place_many(
        self,
        key: FrameKey,
        points: Mapping[str, tuple[float, float]],
        *,
        not_visible: Collection[str] = (),
        individual: str = SINGLE_INDIVIDUAL,
        gesture: Gesture | None = None,
    ) -> None:
        """Place several keypoints of one frame, and mark others as not visible, as one action."""
        placed = [(self._key(key, individual, name), _placed(x, y)) for name, (x, y) in points.items()]
        hidden = [(self._key(key, individual, name), Keypoint(KeypointState.NOT_VISIBLE)) for name in not_visible]
        self._edit([*placed, *hidden], gesture)

    def place_animals(self, key: FrameKey, keypoints: Mapping[tuple[str, str], Keypoint], *, gesture: Gesture) -> None:
        """Change several keypoints of one frame, by the names of individual and bodypart, as one action."""
        self._edit([(self._key(key, *names), keypoint) for names, keypoint in keypoints.items()], gesture)

    def mark_not_visible(self, key: FrameKey, bodypart: str, *, individual: str = SINGLE_INDIVIDUAL) -> None:
        """Mark a keypoint as not visible: it was looked for."""
        self._edit([(self._key(key, individual, bodypart), Keypoint(KeypointState.NOT_VISIBLE))])

    def clear(self, key: FrameKey, bodypart: str, *, individual: str = SINGLE_INDIVIDUAL) -> None:
        """Reset a keypoint to "not looked at yet"."""
        self._edit([(self._key(key, individual, bodypart), Keypoint())])

    def clear_frame(self, key: FrameKey) -> None:
        """Reset every keypoint of a frame to "not looked at yet" as one action."""
        self._edit([(self._key(key, *names), Keypoint()) for names in self._skeleton.keypoints])

    def undo(self) -> FrameKey | None:
        """Undo the last action that still stands; return its (first) frame, None if there is none."""
        with self._log.mutex:
            self._log.refuse_if_read_only()
            self._catch_up()
            target = self._undo.next_undo
            if target is None:
                return None
            edits = self._log.edits_of(target)
            self._append("undo", [(key, before) for key, before, _ in reversed(edits)], target=target)
            return edits[0][0].frame_key

    def redo(self) -> FrameKey | None:
        """Redo the last undone action; return its (first) frame, None if there is none."""
        with self._log.mutex:
            self._log.refuse_if_read_only()
            self._catch_up()
            target = self._undo.next_redo
            if target is None:
                return None
            edits = self._log.edits_of(target)
            self._append("redo", [(key, after) for key, _, after in edits], target=target)
            return edits[0][0].frame_key

    @property
    def next_steps(self) -> tuple[int, int]:
        """Numbers of the actions that `undo` and `redo` would take back and bring back; 0 for none. Never waits."""
        return self._undo.next_undo or 0, self._undo.next_redo or 0

    @property
    def can_undo(self) -> bool:
        """Return whether `undo` would do something; never waits for a thread that reads or writes labels."""
        return not self.read_only and self._undo.has_done

    @property
    def can_redo(self) -> bool:
        """Return whether `redo` would do something; never waits."""
        return not self.read_only and self._undo.has_undone

    # ---- reading ----------------------------------------------------------------------------------

    def annotation(self, key: FrameKey, individual: str = SINGLE_INDIVIDUAL) -> Annotation:
        """Return the labels of one individual in one frame, empty if there are none."""
        with self._log.mutex:
            self._check_individual(individual)
            query = "SELECT bodypart, state, x, y FROM labels WHERE video = ? AND frame = ? AND individual = ?"
            rows = self._log.rows(query, (key.video, key.frame, individual))
            return self._annotation(key, individual, rows, self._log.role(key)[0])

    def annotations(
        self, video: str | None = None, frames: Collection[int] | None = None, *, unique: bool = False
    ) -> list[Annotation]:
        """Return every non-empty annotation, sorted by frame, then individual.

        Parameters
        ----------
        video : str, optional
            Only of this video.
        frames : collection of int, optional
            Only of these frames of ``video``.
        unique : bool
            Whether to return those of the unique bodyparts too, after the animals of each frame; they have other
            bodyparts than the animals.
        """
        owners = self._skeleton.owners if unique else self._skeleton.individuals
        where, parameters = selection(video, frames)
        with self._log.mutex:
            labels = self._log.rows(
                f"SELECT video, frame, individual, bodypart, state, x, y FROM labels{where}", parameters
            )
            marked = self._log.rows(f"SELECT video, frame, role FROM frames{where}", parameters)
        roles = {FrameKey(name, frame): FrameRole(role) for name, frame, role in marked}
        grouped: dict[tuple[FrameKey, str], list[tuple[Any, ...]]] = {}
        for name, frame, individual, *rest in labels:
            grouped.setdefault((FrameKey(name, frame), individual), []).append(tuple(rest))
        made = [
            self._annotation(key, individual, rows, roles.get(key, FrameRole.TRAIN))
            for (key, individual), rows in grouped.items()
            if individual in owners and (frames is None or key.frame in frames)
        ]
        order = owners.index
        return sorted((a for a in made if not a.is_empty), key=lambda a: (a.key, order(a.individual)))

    def spread_annotations(self, most_frames: int) -> list[Annotation]:
        """Return the annotations of up to ``most_frames`` labelled frames, evenly spread, sorted as `annotations`.

        This takes as long for a project with many labels as for one with few.
        """
        keys = self.labelled_keys()
        by_video: dict[str, list[int]] = {}
        for key in keys[:: -(-len(keys) // most_frames) or 1]:
            by_video.setdefault(key.video, []).append(key.frame)
        return [found for video, frames in by_video.items() for found in self.annotations(video, frames)]

    def complete_keys(self) -> list[FrameKey]:
        """Return the frames in which no bodypart is left to look at, sorted.

        With several individuals, at least one is labelled, and none is labelled partly.
        """
        with self._log.mutex:
            self._catch_up()
            return self._complete.complete_keys()

    @property
    def n_labelled(self) -> int:
        """The number of `labelled_keys`; never waits for a thread that reads or writes labels."""
        return self._complete.n_labelled

    def complete_frames(self, video: str) -> set[int]:
        """Return the frame numbers of `complete_keys` in ``video``."""
        with self._log.mutex:
            self._catch_up()
            return self._complete.complete_frames(video)

    def labelled_keys(self) -> list[FrameKey]:
        """Return the frames in which at least one bodypart was looked at, sorted."""
        with self._log.mutex:
            self._catch_up()
            return self._complete.labelled_keys()

    @property
    def revision(self) -> int:
        """Number of the log's last action (of any kind); 0 before the first."""
        with self._log.mutex:
            return self._log.last_action()

    def acts(self, *, after: int = 0) -> list[Act]:
        """Return what users did, from the action after number ``after`` on, to measure labelling effort."""
        with self._log.mutex:
            return read_acts(self._log, after=after)

    def taken(self) -> set[KeypointKey]:
        """Return the labels that are guesses which were taken as they are."""
        with self._log.mutex:
            return read_taken(self._log)

    def last_frames(self) -> list[FrameKey]:
        """Return the frames whose labels the last action changed, sorted."""
        query = "SELECT DISTINCT video, frame FROM edits WHERE action = ? ORDER BY video, frame"
        with self._log.mutex:
            return [FrameKey(*row) for row in self._log.rows(query, (self._log.last_action(),))]

    def unknown_bodyparts(self) -> dict[str, int]:
        """Return the bodyparts that have labels but are not in the skeleton, with the number of labels."""
        with self._log.mutex:
            rows = self._log.rows("SELECT bodypart, count(*) FROM labels GROUP BY bodypart")
            known = {name for _, name in self._skeleton.keypoints}
            return {name: count for name, count in rows if name not in known}

    def unlabelled_bodyparts(self) -> list[str]:
        """Return the bodyparts of the skeleton that nobody has looked at in any frame."""
        with self._log.mutex:
            seen = {row[0] for row in self._log.rows("SELECT DISTINCT bodypart FROM labels")}
        return [name for name in self._skeleton.bodyparts if name not in seen]

    # ---- inside -----------------------------------------------------------------------------------

    def _edit(self, changes: Changes, gesture: Gesture | None = None) -> None:
        with self._log.mutex:
            self._log.refuse_if_read_only()
            self._catch_up()
            real = [(key, new) for key, new in changes if self._log.keypoint(key) != new]
            if real:
                self._append("edit", real, gesture=gesture)

    def _decide(self, changes: Changes, also: Callable[[], None]) -> None:
        with self._log.mutex:
            self._log.refuse_if_read_only()
            self._catch_up()
            real = [(key, new) for key, new in changes if self._log.keypoint(key) != new]
            with self._log.transaction():
                action = self._log.append_action("merge" if real else "keep", source="user")
                self._log.append_edits(action, real)
                also()
            self._note("merge" if real else "keep", action, touched={key.frame_key for key, _ in real})

    def _append(
        self, kind: str, changes: Changes, *, target: int | None = None, gesture: Gesture | None = None
    ) -> None:
        with self._log.transaction():
            action = self._log.append_action(kind, source=source_of(gesture), target=target)
            self._log.append_edits(action, changes)
        self._note(kind, action, target, touched={key.frame_key for key, _ in changes})

    def _note(
        self, kind: str, action: int, target: int | None = None, *, touched: Iterable[FrameKey] | None = None
    ) -> None:
        """Update what is in memory after a committed action of ours."""
        self._undo.feed(action, kind, target)
        self._seen_action = action
        self._complete.update(touched)

    def _catch_up(self) -> None:
        """Read what another process committed since the last look."""
        version = self._log.data_version()
        if version == self._data_version:
            return
        self._data_version = version
        query = "SELECT id, kind, target FROM actions WHERE id > ? ORDER BY id"
        for action, kind, target in self._log.rows(query, (self._seen_action,)):
            self._undo.feed(action, kind, target)
            self._seen_action = action
        self._complete.update(None)

    def _annotation(
        self, key: FrameKey, individual: str, rows: Iterable[tuple[Any, ...]], role: FrameRole
    ) -> Annotation:
        position = {name: index for index, name in enumerate(self._skeleton.bodyparts_of(individual))}
        xy = np.full((len(position), 2), np.nan)
        states = np.zeros(len(position), np.int8)
        for bodypart, state, x, y in rows:
            index = position.get(bodypart)
            if index is None:
                continue
            states[index] = state
            if state == KeypointState.PLACED:
                xy[index] = x, y
        return Annotation(key, xy, states, individual, role)

    def _key(self, key: FrameKey, individual: str, bodypart: str) -> KeypointKey:
        check_frame(key)
        self._check_individual(individual)
        bodyparts = self._skeleton.bodyparts_of(individual)
        if bodypart not in bodyparts:
            raise ValueError(f"Expected a bodypart of {list(bodyparts)}, got {bodypart!r}.")
        return KeypointKey(key.video, int(key.frame), individual, bodypart)

    def _check_individual(self, individual: str) -> None:
        if individual not in self._skeleton.owners:
            raise ValueError(f"Expected an individual of {list(self._skeleton.owners)}, got {individual!r}.")


def _placed(x: float, y: float) -> Keypoint:
    if not (math.isfinite(x) and math.isfinite(y)):
        raise ValueError(f"Expected finite coordinates, got ({x}, {y}).")
    return Keypoint(KeypointState.PLACED, float(x), float(y))
