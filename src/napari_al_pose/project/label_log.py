"""The edit log: one SQLite file that only ever grows, with the current state beside it.

Every user action is one row of ``actions`` and one row of ``edits`` for each keypoint it changed. An undo is an action
too: it refers to the one it undoes. ``labels`` and ``frames`` hold the resulting state and change in the same
transaction.
"""

from __future__ import annotations

import getpass
import json
import logging
import socket
import sqlite3
import threading
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_al_pose.domain import AlPoseError, FrameKey, FrameRole, KeypointState
from napari_al_pose.domain.steps import OnProgress, ignore_progress, reporting
from napari_al_pose.project import label_schema

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Keypoint:
    """State of one keypoint; ``x`` and ``y`` (source pixels) are None unless it is ``PLACED``."""

    state: KeypointState = KeypointState.UNSEEN
    x: float | None = None
    y: float | None = None


@dataclass(frozen=True, slots=True, order=True)
class KeypointKey:
    """Identifies one keypoint of the project."""

    video: str
    frame: int
    individual: str
    bodypart: str

    @property
    def frame_key(self) -> FrameKey:
        """The frame it lies in."""
        return FrameKey(self.video, self.frame)


Changes = Sequence[tuple[KeypointKey, Keypoint]]


def user_name() -> str:
    """Return ``user@host``, for the log and the lock."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such user id, as in containers
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


class EditLog:
    """The SQLite file behind a `LabelStore`.

    Parameters
    ----------
    path : Path
        Created if absent. If read-only, an absent log is empty and kept in memory.
    read_only : bool

    Attributes
    ----------
    mutex : RLock
        Held by whoever reads or writes, from the first read that an action depends on to its end.
    refuse_if_taken : callable
        Called before each transaction; raises AlPoseError if another process is writing now.

    Raises
    ------
    AlPoseError
        If the file is damaged, written by a newer version, or can't be opened. It is left as it is.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self.mutex = threading.RLock()
        self.read_only = read_only
        self.in_memory = read_only and not path.exists()
        self.refuse_if_taken: Callable[[], None] | None = None
        self._session = uuid.uuid4().hex
        self._who = user_name()
        self._connection = self._connect()
        try:
            self._prepare()
        except sqlite3.Error as error:
            self._connection.close()
            raise self._cannot_open(error) from error
        except AlPoseError:
            self._connection.close()
            raise
        self._identity = None if self.in_memory else _identity(path)

    def close(self) -> None:
        """Close the file; nothing is pending, since every action was committed."""
        self._connection.close()

    # ---- opening ----------------------------------------------------------------------------------

    def _connect(self) -> sqlite3.Connection:
        if self.in_memory:
            database = ":memory:"
        else:
            database = f"{self.path.absolute().as_uri()}?mode={'ro' if self.read_only else 'rwc'}"
        try:
            return sqlite3.connect(database, uri=True, timeout=10, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise self._cannot_open(error) from error

    def _prepare(self) -> None:
        execute = self._connection.execute
        if not self.read_only:
            # A rollback journal, because projects lie on network shares, where a write-ahead log breaks.
            execute("PRAGMA journal_mode = DELETE")
            execute("PRAGMA synchronous = FULL")
        if label_schema.version_of(self._connection) > label_schema.VERSION:
            raise AlPoseError(
                f"{self.path} was written by a newer version of napari-al-pose.", "Update napari-al-pose to open it."
            )
        if self.in_memory or not self.read_only:
            label_schema.bring_up_to_date(self._connection)
        finding = execute("PRAGMA quick_check(1)").fetchone()[0]
        if finding != "ok":
            raise sqlite3.DatabaseError(finding)

    def _cannot_open(self, error: sqlite3.Error) -> AlPoseError:
        if isinstance(error, sqlite3.OperationalError):
            return AlPoseError(
                f"The labels in {self.path} could not be opened: {error}.",
                "Check that the file and its folder may be read and written, and that the disk is not full.",
            )
        return AlPoseError(
            f"The labels in {self.path} are damaged: {error}.",
            "Restore that file from a backup. Or move it away: the labels are then read again from the CollectedData "
            "files in labeled-data, which are untouched.",
        )

    # ---- writing ----------------------------------------------------------------------------------

    def refuse_if_read_only(self) -> None:
        """Raise an AlPoseError if the log is read-only."""
        if self.read_only:
            raise AlPoseError(
                f"The project is open for reading only; {self.path} was not changed.",
                "Close the other window on it, or copy the project to a folder you may write to, and open it again.",
            )

    def _refuse_if_gone(self) -> None:
        """Refuse to write into a file that was moved or replaced: what is written there would be lost."""
        if _identity(self.path) != self._identity:
            raise AlPoseError(
                f"{self.path} was moved, removed or replaced while the project was open.",
                "The last edit was not applied. Put the folder back where it was, or open the project again.",
            )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything in the block together, on disk before it ends, or nothing.

        Raises
        ------
        AlPoseError
            If the log is read-only, or can't be written (disk full, permission lost, share gone).
        """
        if not self.in_memory:
            self.refuse_if_read_only()
            self._refuse_if_gone()
            if self.refuse_if_taken is not None:
                self.refuse_if_taken()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise AlPoseError(
                f"The last edit could not be saved in {self.path}: {error}.",
                "It was not applied. Make room on the disk or restore the folder, and repeat it.",
            ) from error

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        """Run one statement that changes something; call it inside a `transaction`."""
        self._connection.execute(statement, parameters)

    def append_action(self, kind: str, *, source: str, target: int | None = None) -> int:
        """Append one action and return its number; call it inside a `transaction`."""
        cursor = self._connection.execute(
            "INSERT INTO actions (kind, target, source, time, session, who) VALUES (?, ?, ?, ?, ?, ?)",
            (kind, target, source, datetime.now(UTC).isoformat(), self._session, self._who),
        )
        return cursor.lastrowid or 0  # an INSERT always has one

    def append_edits(
        self, action: int, changes: Changes, *, apply: bool = True, on_progress: OnProgress = ignore_progress
    ) -> None:
        """Append ``changes`` to the log and, if ``apply``, make them the current state."""
        for key, new in reporting(changes, on_progress):
            old = self.keypoint(key)
            name = _name(key)
            self._connection.execute(
                "INSERT INTO edits (action, video, frame, individual, bodypart, old_state, old_x, old_y, state, x, y)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (action, *name, int(old.state), old.x, old.y, int(new.state), new.x, new.y),
            )
            if not apply:
                continue
            if new.state == KeypointState.UNSEEN:
                self._connection.execute(
                    "DELETE FROM labels WHERE video = ? AND frame = ? AND individual = ? AND bodypart = ?", name
                )
            else:
                self._connection.execute(
                    "INSERT OR REPLACE INTO labels VALUES (?, ?, ?, ?, ?, ?, ?)", (*name, int(new.state), new.x, new.y)
                )

    def append_role(self, action: int, key: FrameKey, role: FrameRole, provenance: str) -> None:
        """Append a role and make it the current one."""
        old_role, old_provenance = self.role(key)
        self._connection.execute(
            "INSERT INTO role_edits (action, video, frame, old_role, old_provenance, role, provenance)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (action, key.video, key.frame, old_role.value, old_provenance, role.value, provenance),
        )
        self._connection.execute(
            "INSERT OR REPLACE INTO frames VALUES (?, ?, ?, ?)", (key.video, key.frame, role.value, provenance)
        )

    def replace_exported(self, video: str, values: Iterable[tuple[KeypointKey, Keypoint]]) -> None:
        """Remember the content of CollectedData of ``video``; call it inside a `transaction`."""
        self._connection.execute("DELETE FROM exported WHERE video = ?", (video,))
        self.put_exported(video, values)

    def put_exported(self, video: str, values: Iterable[tuple[KeypointKey, Keypoint]]) -> None:
        """Remember some keypoints of CollectedData of ``video``."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO exported VALUES (?, ?, ?, ?, ?, ?, ?)",
            ((video, k.frame, k.individual, k.bodypart, int(p.state), p.x, p.y) for k, p in values),
        )

    def drop_exported(self, video: str, frames: Iterable[int]) -> None:
        """Forget the keypoints of CollectedData of ``video`` for some frames."""
        self._connection.executemany(
            "DELETE FROM exported WHERE video = ? AND frame = ?", ((video, frame) for frame in frames)
        )

    def put_conflict(self, action: int, key: KeypointKey, source: str, theirs: Keypoint) -> None:
        """Remember another program's value of a label that was changed here too."""
        self.execute(
            "INSERT OR REPLACE INTO conflicts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*_name(key), source, int(theirs.state), theirs.x, theirs.y, action),
        )

    def drop_conflict(self, key: KeypointKey, source: str) -> None:
        """Forget a resolved conflict; the log holds the outcome."""
        where = "video = ? AND frame = ? AND individual = ? AND bodypart = ? AND source = ?"
        self.execute(f"DELETE FROM conflicts WHERE {where}", (*_name(key), source))

    def set_exchange(self, video: str, state: tuple[str, str, int]) -> None:
        """Remember how ``video`` and its CollectedData relate."""
        self._connection.execute("INSERT OR REPLACE INTO exchanges VALUES (?, ?, ?, ?)", (video, *state))

    def rename_video(self, old: str, new: str) -> None:
        """Store everything about a video under another name; call it inside a `transaction`."""
        for table in ("edits", "role_edits", "labels", "frames", "exported", "exchanges", "origins", "conflicts"):
            self.execute(f"UPDATE OR IGNORE {table} SET video = ? WHERE video = ?", (new, old))

    def renumber(self, video: str, numbers: Mapping[int, int]) -> None:
        """Renumber frames of a video, given by their old numbers; call it inside a `transaction`."""
        for table in ("edits", "role_edits", "labels", "frames", "exported", "conflicts"):
            for old, new in numbers.items():
                self.execute(f"UPDATE OR IGNORE {table} SET frame = ? WHERE video = ? AND frame = ?", (new, video, old))

    def set_origin(self, video: str, origin: tuple[float, float], shown: str) -> None:
        """Remember whether labels of ``video`` are in pixels of the "video" or the "images", and where those lie."""
        self._connection.execute("INSERT OR REPLACE INTO origins VALUES (?, ?, ?, ?)", (video, *origin, shown))

    # ---- reading ----------------------------------------------------------------------------------

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a SELECT.

        Raises
        ------
        AlPoseError
            If the file became unreadable (share gone, damaged).
        """
        try:
            return self._connection.execute(query, parameters).fetchall()
        except sqlite3.ProgrammingError:
            raise
        except sqlite3.Error as error:
            raise self._cannot_open(error) from error

    def keypoint(self, key: KeypointKey) -> Keypoint:
        """Return the current state of one keypoint."""
        rows = self.rows(
            "SELECT state, x, y FROM labels WHERE video = ? AND frame = ? AND individual = ? AND bodypart = ?",
            _name(key),
        )
        return _keypoint(*rows[0]) if rows else Keypoint()

    def role(self, key: FrameKey) -> tuple[FrameRole, str]:
        """Return role and provenance of a frame; ``(TRAIN, "")`` if none was given."""
        rows = self.rows("SELECT role, provenance FROM frames WHERE video = ? AND frame = ?", (key.video, key.frame))
        return (FrameRole(rows[0][0]), rows[0][1]) if rows else (FrameRole.TRAIN, "")

    def edits_of(self, action: int) -> list[tuple[KeypointKey, Keypoint, Keypoint]]:
        """Return ``(key, before, after)`` for each edit of an action, in order."""
        query = (
            "SELECT video, frame, individual, bodypart, old_state, old_x, old_y, state, x, y FROM edits"
            " WHERE action = ? ORDER BY id"
        )
        now = self.names_since(action)
        return [
            (KeypointKey(video, frame, individual, now.get(name, name)), _keypoint(*rest[:3]), _keypoint(*rest[3:]))
            for video, frame, individual, name, *rest in self.rows(query, (action,))
        ]

    def edits_in(self, key: FrameKey, actions: Collection[int]) -> list[tuple[int, KeypointKey, Keypoint, Keypoint]]:
        """Return ``(action, key, before, after)`` for each edit of a frame by one of the actions, in order."""
        query = (
            "SELECT action, individual, bodypart, old_state, old_x, old_y, state, x, y FROM edits"
            " WHERE video = ? AND frame = ? ORDER BY id"
        )
        now = {action: self.names_since(action) for action in actions}
        return [
            (
                action,
                KeypointKey(*_frame(key), individual, now[action].get(name, name)),
                _keypoint(*rest[:3]),
                _keypoint(*rest[3:]),
            )
            for action, individual, name, *rest in self.rows(query, _frame(key))
            if action in now
        ]

    def skeleton_rows(self) -> list[tuple[Any, ...]]:
        """Return all changes of the bodyparts, oldest first; none for a file from before they were stored."""
        if label_schema.version_of(self._connection) < 2:
            return []
        return self.rows("SELECT action, before, edit, files, done FROM skeletons ORDER BY action")

    def conflict_rows(self) -> list[tuple[KeypointKey, str, Keypoint, Keypoint]]:
        """Return ``(key, source, theirs, ours)`` of each conflict; none for a file from before they were stored."""
        if label_schema.version_of(self._connection) < 2:
            return []
        query = (
            "SELECT c.video, c.frame, c.individual, c.bodypart, c.source, c.state, c.x, c.y,"
            " coalesce(o.state, 0), o.x, o.y FROM conflicts c LEFT JOIN labels o ON o.video = c.video"
            " AND o.frame = c.frame AND o.individual = c.individual AND o.bodypart = c.bodypart"
        )
        return [(KeypointKey(*row[:4]), row[4], _keypoint(*row[5:8]), _keypoint(*row[8:])) for row in self.rows(query)]

    def names_since(self, action: int) -> dict[str, str]:
        """Return the present names of bodyparts renamed after ``action``, keyed by their names then."""
        names: dict[str, str] = {}
        for changed, _, edit, _, _ in self.skeleton_rows():
            if changed > action:
                renamed = dict(json.loads(edit)["renamed"])
                names = {old: renamed.get(new, new) for old, new in names.items()}
                names.update({old: new for old, new in renamed.items() if old not in names})
        return names

    def table(self, name: str, video: str) -> dict[KeypointKey, Keypoint]:
        """Return ``labels`` or ``exported`` of one video."""
        if name not in ("labels", "exported"):
            raise ValueError(f"Expected 'labels' or 'exported', got {name!r}.")
        query = f"SELECT video, frame, individual, bodypart, state, x, y FROM {name} WHERE video = ?"
        return {KeypointKey(*row[:4]): _keypoint(*row[4:]) for row in self.rows(query, (video,))}

    def last_action(self) -> int:
        """Return the number of the last action, 0 if there is none."""
        return int(self.rows("SELECT coalesce(max(id), 0) FROM actions")[0][0])

    def data_version(self) -> int:
        """Return a number that changes when another connection committed something."""
        return int(self.rows("PRAGMA data_version")[0][0])


def _identity(path: Path) -> tuple[int, int] | None:
    """Return an identifier of a file that no other file of this computer has; None if it does not exist."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino)


def _frame(key: FrameKey) -> tuple[str, int]:
    return (key.video, key.frame)


def _name(key: KeypointKey) -> tuple[str, int, str, str]:
    return (key.video, key.frame, key.individual, key.bodypart)


def _keypoint(state: int, x: float | None, y: float | None) -> Keypoint:
    return Keypoint(KeypointState(state), x, y)


_MOST_IN_A_QUERY = 1000


def selection(video: str | None, frames: Collection[int] | None) -> tuple[str, list[str | int]]:
    """Return a WHERE clause for a table with ``video`` and ``frame``; many frames are left to the caller."""
    if video is None:
        return "", []
    if frames is None or len(frames) > _MOST_IN_A_QUERY:
        return " WHERE video = ?", [video]
    return f" WHERE video = ? AND frame IN ({', '.join('?' * len(frames))})", [video, *frames]


def check_frame(key: FrameKey) -> None:
    """Raise ValueError if no frame can have this key."""
    if not key.video or key.frame < 0:
        raise ValueError(f"Expected a video and a frame number from 0, got {key}.")
