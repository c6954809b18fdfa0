"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from napari_al_pose.domain import AlPoseError

_PREFIX = ".al-pose-"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path in the folder of ``path``; put it in place of ``path`` when the block succeeds.

    Whoever reads ``path`` meanwhile sees the old file or the new one, never a part of one. If the block
    raises, ``path`` is as it was and the temporary file is gone. The block may check what it wrote.

    Parameters
    ----------
    path : Path
        In a folder that exists.

    Yields
    ------
    Path
        An empty file with the suffix of ``path``.

    Raises
    ------
    AlPoseError
        If the folder cannot be written or the disk is full.
    """
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=f"{_PREFIX}{path.stem[:40]}-", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        _make_durable(temporary)
        temporary.chmod(_mode_of(path))
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        if temporary is not None:
            with suppress(FileNotFoundError):
                temporary.unlink()


def remove_leftovers(folder: Path) -> None:
    """Remove what `replacing` left in ``folder`` when the program was killed; nobody else may be writing there."""
    with suppress(OSError):  # they do no harm, and the folder may not be writable
        for path in folder.glob(f"{_PREFIX}*"):
            path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 with plain newlines to ``path``, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def cannot_write(path: Path, error: OSError) -> AlPoseError:
    """Return the error that tells the user that ``path`` could not be written, and why."""
    return AlPoseError(
        f"{path} could not be written: {error.strerror or error}.",
        "Make room on the disk, or see that you may write in that folder, and try again.",
    )


def refuse_read_only(folder: Path) -> None:
    """Raise the AlPoseError that says so if nothing can be written in ``folder``: before the work, not after."""
    try:
        with tempfile.TemporaryFile(prefix=_PREFIX, dir=folder):
            return
    except OSError as error:
        raise cannot_write(folder, error) from error


def make_folder(folder: Path) -> None:
    """Make ``folder`` if it is not there; AlPoseError if it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error


def sync_folder(folder: Path) -> None:
    """Make a rename inside ``folder`` survive a power cut, where the system can."""
    if os.name == "nt":
        return  # Windows opens no folders, and its renames are journaled.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # Some network file systems refuse to sync a folder; the rename itself is done.
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_durable(path: Path) -> None:
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def _mode_of(path: Path) -> int:
    """Permissions for the new file: those of the one it replaces, else what the user's umask gives."""
    if path.exists():
        return path.stat().st_mode & 0o777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
