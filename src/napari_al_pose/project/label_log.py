"""The edit log: one SQLite file that only ever grows, with the current state beside it.

Every user action is one row of ``actions`` and one row of ``edits`` per keypoint it changed. An undo is an action
too: it points at the one it takes back. ``labels`` and ``frames`` hold the state the log leads to and change in the
same transaction.
"""

from __future__ import annotations

import getpass
import logging
import socket
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_al_pose.domain import AlPoseError, FrameKey, FrameRole, KeypointState

logger = logging.getLogger(__name__)

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE actions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,              -- edit, undo, redo, merge, import, conflict, realign, role
    target INTEGER REFERENCES actions (id),
    source TEXT NOT NULL,            -- where it came from: the window, CollectedData, ...
    time TEXT NOT NULL,              -- ISO 8601, UTC
    session TEXT NOT NULL,
    who TEXT NOT NULL
);
CREATE TABLE edits (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    action INTEGER NOT NULL REFERENCES actions (id),
    video TEXT NOT NULL, frame INTEGER NOT NULL, individual TEXT NOT NULL, bodypart TEXT NOT NULL,
    old_state INTEGER NOT NULL, old_x REAL, old_y REAL,
    state INTEGER NOT NULL, x REAL, y REAL
);
CREATE INDEX edits_of_action ON edits (action);
CREATE INDEX edits_of_frame ON edits (video, frame);
CREATE TABLE role_edits (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    action INTEGER NOT NULL REFERENCES actions (id),
    video TEXT NOT NULL, frame INTEGER NOT NULL,
    old_role TEXT NOT NULL, old_provenance TEXT NOT NULL, role TEXT NOT NULL, provenance TEXT NOT NULL
);
CREATE TABLE labels (
    video TEXT NOT NULL, frame INTEGER NOT NULL, individual TEXT NOT NULL, bodypart TEXT NOT NULL,
    state INTEGER NOT NULL, x REAL, y REAL,
    PRIMARY KEY (video, frame, individual, bodypart)
) WITHOUT ROWID;
CREATE TABLE frames (
    video TEXT NOT NULL, frame INTEGER NOT NULL, role TEXT NOT NULL, provenance TEXT NOT NULL,
    PRIMARY KEY (video, frame)
) WITHOUT ROWID;
CREATE TABLE exported (              -- what CollectedData held when we last wrote or merged it
    video TEXT NOT NULL, frame INTEGER NOT NULL, individual TEXT NOT NULL, bodypart TEXT NOT NULL,
    state INTEGER NOT NULL, x REAL, y REAL,
    PRIMARY KEY (video, frame, individual, bodypart)
) WITHOUT ROWID;
CREATE TABLE exchanges (             -- how things stood then; see ExchangeState
    video TEXT PRIMARY KEY, settings TEXT NOT NULL, files TEXT NOT NULL, action INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE origins (               -- where (0, 0) of a video's stored labels lies in the full video, px
    video TEXT PRIMARY KEY, x REAL NOT NULL, y REAL NOT NULL
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Keypoint:
    """State of one keypoint; ``x`` and ``y`` (source pixels) are None unless it is ``PLACED``."""

    state: KeypointState = KeypointState.UNSEEN
    x: float | None = None
    y: float | None = None


@dataclass(frozen=True, slots=True, order=True)
class KeypointKey:
    """Names one keypoint of the project."""

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
    """The SQLite file behind a `LabelStore`; not thread-safe by itself.

    Parameters
    ----------
    path : Path
        Created if absent, unless read-only: then the log is empty and kept in memory.
    read_only : bool

    Raises
    ------
    AlPoseError
        If the file is damaged, made by a newer version, or cannot be opened. It is left as it is.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self.read_only = read_only
        self.in_memory = read_only and not path.exists()
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

    def close(self) -> None:
        """Close the file; nothing is pending, every action was committed."""
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
        version = execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise AlPoseError(
                f"{self.path} was written by a newer version of napari-al-pose.", "Update napari-al-pose to open it."
            )
        if version == 0 and (self.in_memory or not self.read_only):
            self._create()
        finding = execute("PRAGMA quick_check(1)").fetchone()[0]
        if finding != "ok":
            raise sqlite3.DatabaseError(finding)

    def _create(self) -> None:
        if self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise sqlite3.DatabaseError("it is another program's database")
        self._connection.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}PRAGMA user_version = {SCHEMA_VERSION};COMMIT;")

    def _cannot_open(self, error: sqlite3.Error) -> AlPoseError:
        if isinstance(error, sqlite3.OperationalError):
            return AlPoseError(
                f"The labels in {self.path} could not be opened: {error}.",
                "See that the file and its folder may be read and written, and that the disk is not full.",
            )
        return AlPoseError(
            f"The labels in {self.path} are damaged: {error}.",
            "Restore that file from a backup. Or move it away: the labels are then read again from the CollectedData "
            "files in labeled-data, which are untouched.",
        )

    # ---- writing ----------------------------------------------------------------------------------

    def refuse_if_read_only(self) -> None:
        """Raise the AlPoseError that says so if the log is read-only."""
        if self.read_only:
            raise AlPoseError(
                f"The project is open for reading only; {self.path} was not changed.",
                "Close the other window on it, or copy the project to a folder you may write to, and open it again.",
            )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything in the block together, on disk before it ends; or nothing.

        Raises
        ------
        AlPoseError
            If the log is read-only, or could not be written (disk full, permission lost, share gone).
        """
        if not self.in_memory:
            self.refuse_if_read_only()
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

    def append_action(self, kind: str, *, source: str, target: int | None = None) -> int:
        """Append one action and return its number; call it inside a `transaction`."""
        cursor = self._connection.execute(
            "INSERT INTO actions (kind, target, source, time, session, who) VALUES (?, ?, ?, ?, ?, ?)",
            (kind, target, source, datetime.now(UTC).isoformat(), self._session, self._who),
        )
        assert cursor.lastrowid is not None  # an INSERT always has one
        return cursor.lastrowid

    def append_edits(self, action: int, changes: Changes, *, apply: bool = True) -> None:
        """Append ``changes`` to the log and, if ``apply``, make them the current state."""
        for key, new in changes:
            old = self.keypoint(key)
            name = (key.video, key.frame, key.individual, key.bodypart)
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
        """Remember what CollectedData of ``video`` holds; call it inside a `transaction`."""
        self._connection.execute("DELETE FROM exported WHERE video = ?", (video,))
        self.put_exported(video, values)

    def put_exported(self, video: str, values: Iterable[tuple[KeypointKey, Keypoint]]) -> None:
        """Remember some keypoints of what CollectedData of ``video`` holds."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO exported VALUES (?, ?, ?, ?, ?, ?, ?)",
            ((video, k.frame, k.individual, k.bodypart, int(p.state), p.x, p.y) for k, p in values),
        )

    def drop_exported(self, video: str, frames: Iterable[int]) -> None:
        """Forget what CollectedData of ``video`` held for some frames."""
        self._connection.executemany(
            "DELETE FROM exported WHERE video = ? AND frame = ?", ((video, frame) for frame in frames)
        )

    def set_exchange(self, video: str, state: tuple[str, str, int]) -> None:
        """Remember how things stand between ``video`` and its CollectedData."""
        self._connection.execute("INSERT OR REPLACE INTO exchanges VALUES (?, ?, ?, ?)", (video, *state))

    def set_origin(self, video: str, origin: tuple[float, float]) -> None:
        """Remember where (0, 0) of the labels of ``video`` lies in the full video."""
        self._connection.execute("INSERT OR REPLACE INTO origins VALUES (?, ?, ?)", (video, *origin))

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
            (key.video, key.frame, key.individual, key.bodypart),
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
        return [(KeypointKey(*r[:4]), _keypoint(*r[4:7]), _keypoint(*r[7:])) for r in self.rows(query, (action,))]

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


def _keypoint(state: int, x: float | None, y: float | None) -> Keypoint:
    return Keypoint(KeypointState(state), x, y)
