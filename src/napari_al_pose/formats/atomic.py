"""Files that are written whole or not at all."""

from __future__ import annotations

import glob
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from napari_al_pose.domain import AlPoseError

_PREFIX = ".al-pose-"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Provide a temporary path in the folder of ``path``, and move it to ``path`` when the block succeeds.

    Anyone who reads ``path`` meanwhile sees the old file or the new one, never a part. If the block raises, ``path`` is
    unchanged and the temporary file is gone. The block may verify what it wrote.

    Parameters
    ----------
    path : Path
        In an existing folder.

    Yields
    ------
    Path
        An empty file with the suffix of ``path``.

    Raises
    ------
    AlPoseError
        If the folder can't be written or the disk is full.
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
    """Remove what `replacing` left in ``folder`` when the program was killed; nobody else may write there now."""
    with suppress(OSError):  # the files do no harm, and the folder may not be writable
        for path in folder.glob(f"{_PREFIX}*"):
            path.unlink(missing_ok=True)


def remove_leftovers_of(path: Path) -> None:
    """Remove what `replacing` left of files with the stem of ``path``; nobody else may write these now."""
    with suppress(OSError):
        for left in path.parent.glob(f"{_PREFIX}{glob.escape(path.stem[:40])}-????????.*"):
            left.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 with plain newlines to ``path``, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def cannot_write(path: Path, error: OSError) -> AlPoseError:
    """Return an error for the user: ``path`` could not be written, and why."""
    return AlPoseError(
        f"{path} could not be written: {error.strerror or error}.",
        "Make room on the disk, or check that you may write in that folder, and try again.",
    )


def refuse_read_only(folder: Path) -> None:
    """Raise an AlPoseError if nothing can be written in ``folder``, so that this is known before the work."""
    try:
        with tempfile.TemporaryFile(prefix=_PREFIX, dir=folder):
            return
    except OSError as error:
        raise cannot_write(folder, error) from error


def make_folder(folder: Path) -> None:
    """Make ``folder`` if it is missing; raise AlPoseError if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error


def sync_folder(folder: Path) -> None:
    """Make a rename inside ``folder`` survive a power cut, if the system can."""
    if os.name == "nt":
        return  # Windows opens no folders, and its renames are journaled
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
    """Return permissions for the new file: those of the file it replaces, otherwise those of the user's umask."""
    if path.exists():
        return path.stat().st_mode & 0o777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
