"""One writer a project: a lock the system releases when its holder dies, and a note of who holds it."""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from napari_al_pose.domain import AlPoseError
from napari_al_pose.formats.atomic import write_text
from napari_al_pose.project.label_log import user_name

logger = logging.getLogger(__name__)

_HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)


@dataclass(frozen=True, slots=True)
class LockHolder:
    """Who has a project open for writing; ``since`` is ISO 8601, UTC."""

    who: str
    host: str
    pid: int
    since: str

    def __str__(self) -> str:
        return f"{self.who} (process {self.pid}) since {self.since[:16].replace('T', ' ')} UTC"


class ProjectLock:
    """A lock on ``folder/lock`` held until `release`, or until this process ends in whatever way.

    Use `acquire`. ``left_behind`` names a holder on another computer that did not release it, None if there is none.
    """

    def __init__(self, stream: IO[bytes], note: Path, left_behind: LockHolder | None) -> None:
        self._stream = stream
        self._note = note
        self.left_behind = left_behind

    @classmethod
    def acquire(cls, folder: Path) -> ProjectLock | LockHolder:
        """Take the lock, or say who holds it.

        A holder that died on this computer never stands in the way: the system released its lock. On file systems
        without locks the note decides, and the note of a dead process of this computer is passed over.

        Raises
        ------
        AlPoseError
            If the folder cannot be written.
        """
        note = folder / "lock.json"
        try:
            stream = (folder / "lock").open("ab")
        except OSError as error:
            raise AlPoseError(f"{folder} cannot be written: {error.strerror}.", "Check its permissions.") from error
        holder = _read_note(note)
        try:
            _lock(stream)
        except OSError as error:
            if error.errno in _HELD:
                stream.close()
                return holder or LockHolder("somebody", "", 0, "an unknown time")
            logger.warning("%s has no file locks (%s); relying on %s", folder, error, note.name)
            if holder is not None and _may_live(holder):
                stream.close()
                return holder
        try:
            mine = LockHolder(user_name(), socket.gethostname(), os.getpid(), datetime.now(UTC).isoformat())
            fields = {"who": mine.who, "host": mine.host, "pid": mine.pid, "since": mine.since}
            write_text(note, json.dumps(fields, indent=1))
        except AlPoseError:
            stream.close()
            raise
        elsewhere = holder is not None and holder.host != socket.gethostname()
        return cls(stream, note, holder if elsewhere else None)

    def release(self) -> None:
        """Give the lock back. Calling it again does nothing."""
        if self._stream.closed:
            return
        with suppress(OSError):  # the folder may be gone; the system's lock goes with the stream
            self._note.unlink()
        self._stream.close()


def _read_note(note: Path) -> LockHolder | None:
    try:
        fields = json.loads(note.read_text(encoding="utf-8"))
        return LockHolder(str(fields["who"]), str(fields["host"]), int(fields["pid"]), str(fields["since"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("%s could not be read: %s", note, error)
        return None


def _may_live(holder: LockHolder) -> bool:
    """Whether the holder may still run; nobody can tell for another computer."""
    if holder.host != socket.gethostname() or sys.platform == "win32":
        return True
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return holder.pid != os.getpid()


if sys.platform == "win32":
    import msvcrt

    def _lock(stream: IO[bytes]) -> None:
        stream.seek(0)
        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(stream: IO[bytes]) -> None:
        fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
