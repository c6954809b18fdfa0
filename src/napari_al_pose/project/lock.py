"""Ensures a single writer: a lock that the system releases when its holder dies, and a note that names the holder."""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
import sys
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from napari_al_pose.domain import AlPoseError
from napari_al_pose.formats.atomic import write_text
from napari_al_pose.project.label_log import user_name

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 30.0
"""How often the holder touches its note, to show that it is alive."""
STALE_SECONDS = 120.0
"""A note untouched for this long belongs to a holder that died."""
_HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)


@dataclass(frozen=True, slots=True)
class LockHolder:
    """Who has a project open for writing; ``since`` is ISO 8601, UTC."""

    who: str
    host: str
    pid: int
    since: str

    @property
    def is_elsewhere(self) -> bool:
        """Whether the holder is on another computer."""
        return self.host not in ("", socket.gethostname())

    def __str__(self) -> str:
        return f"{self.who} (process {self.pid}) since {self.since[:16].replace('T', ' ')} UTC"


class ProjectLock:
    """A lock on ``folder/lock``, held until `release` or until this process ends in any way.

    Use `acquire`. ``left_behind`` names a holder on another computer that did not release the lock; None if there is
    none.
    """

    def __init__(self, stream: IO[bytes], note: Path, holder: LockHolder, left_behind: LockHolder | None) -> None:
        self._stream = stream
        self._note = note
        self._holder = holder
        self._taken_by: LockHolder | None = None
        self._released = threading.Event()
        self.left_behind = left_behind
        threading.Thread(target=self._beat, name="al-pose-lock", daemon=True).start()

    @classmethod
    def acquire(cls, folder: Path) -> ProjectLock | LockHolder:
        """Take the lock, or return who holds it.

        A holder that died on this computer is never in the way: the system released its lock. On file systems without
        locks, and on those that hide the locks of other computers, the note decides. A note of a dead process of this
        computer, or one untouched for `STALE_SECONDS`, is ignored.

        Raises
        ------
        AlPoseError
            If the folder can't be written.
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
            if holder is not None and _may_live(holder) and not _is_stale(note):
                stream.close()
                return holder
        left_behind = holder if holder is not None and holder.is_elsewhere else None
        if left_behind is not None and not _is_stale(note):
            stream.close()
            return left_behind
        try:
            mine = LockHolder(user_name(), socket.gethostname(), os.getpid(), datetime.now(UTC).isoformat())
            write_text(note, json.dumps(asdict(mine), indent=1))
        except AlPoseError:
            stream.close()
            raise
        return cls(stream, note, mine, left_behind)

    def refuse_if_taken(self) -> None:
        """Raise an AlPoseError if another process took the lock because this one seemed dead (a computer asleep)."""
        if self._taken_by is not None:
            raise AlPoseError(
                f"{self._taken_by} has taken over the project in {self._note.parent}, because this window did "
                "not respond for some minutes.",
                "The last edit was not applied. Close the other window and open the project again.",
            )

    def release(self) -> None:
        """Release the lock. Calling it again does nothing."""
        if self._stream.closed:
            return
        self._released.set()
        with suppress(OSError):  # the folder may be gone; the system's lock goes with the stream
            if _read_note(self._note) == self._holder:
                self._note.unlink()
        self._stream.close()

    def _beat(self) -> None:
        while not self._released.wait(HEARTBEAT_SECONDS):
            self.show_life()

    def show_life(self) -> None:
        """Touch the note, or notice that it belongs to another process now."""
        holder = _read_note(self._note)
        if holder is not None and holder != self._holder:
            self._taken_by = holder
            self._released.set()
            return
        with suppress(OSError):  # the folder is gone, or the share is away for a while
            os.utime(self._note)


def _read_note(note: Path) -> LockHolder | None:
    try:
        fields = json.loads(note.read_text(encoding="utf-8"))
        return LockHolder(str(fields["who"]), str(fields["host"]), int(fields["pid"]), str(fields["since"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("%s could not be read: %s", note, error)
        return None


def _is_stale(note: Path) -> bool:
    """Return whether a note was untouched for long, by the clock of the computer that has the folder."""
    probe = note.with_name(f".{note.name}-{os.getpid()}")
    try:
        probe.touch()
        age = probe.stat().st_mtime - note.stat().st_mtime
        probe.unlink()
    except OSError:
        return False
    return age > STALE_SECONDS


def _may_live(holder: LockHolder) -> bool:
    """Return whether the holder may still be running; for another computer this is unknown."""
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
