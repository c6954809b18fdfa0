"""The tables of ``labels.sqlite``, and how an older file is brought up to date."""

from __future__ import annotations

import sqlite3

VERSION = 3

_FIRST = """
CREATE TABLE actions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,              -- edit, undo, redo, merge, import, conflict, keep, realign, rename, role, skeleton
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
_SECOND = """
CREATE TABLE skeletons (             -- each change of the bodyparts; edits before it are under the old names
    action INTEGER PRIMARY KEY REFERENCES actions (id),
    before TEXT NOT NULL,            -- JSON: bodyparts and links
    edit TEXT NOT NULL,              -- JSON: SkeletonEdit
    files TEXT NOT NULL,             -- JSON: the files of labels of each video, as they were
    done INTEGER NOT NULL            -- 0 until config.yaml and those files have followed
);
CREATE TABLE conflicts (             -- what another program made of a label that was changed here too
    video TEXT NOT NULL, frame INTEGER NOT NULL, individual TEXT NOT NULL, bodypart TEXT NOT NULL,
    source TEXT NOT NULL,            -- the file
    state INTEGER NOT NULL, x REAL, y REAL,
    action INTEGER NOT NULL REFERENCES actions (id),
    PRIMARY KEY (video, frame, individual, bodypart, source)
) WITHOUT ROWID;
"""
_THIRD = """
ALTER TABLE origins ADD COLUMN shown TEXT NOT NULL DEFAULT '';  -- whether labels are in pixels of "video" or "images"
"""
_STEPS = (_FIRST, _SECOND, _THIRD)
"""The statements that bring a file from each version to the next."""


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version of the tables in a file; 0 if it is empty."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Create the tables that the file lacks, all or none.

    Raises
    ------
    sqlite3.DatabaseError
        If it is another program's database.
    """
    version = version_of(connection)
    if version == 0 and connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise sqlite3.DatabaseError("it is another program's database")
    if version < VERSION:
        steps = "".join(_STEPS[version:])
        try:
            connection.executescript(f"BEGIN IMMEDIATE;{steps}PRAGMA user_version = {VERSION};COMMIT;")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
