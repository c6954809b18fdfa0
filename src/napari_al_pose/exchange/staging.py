"""Hidden staging folders, in which something is made before it is moved into place."""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path


def staging_folder(parent: Path, what: str) -> Path:
    """Make a new hidden folder in ``parent``, and remove those left there by programs that no longer run.

    Parameters
    ----------
    parent : Path
        Where the finished thing will lie.
    what : str
        What is being made; part of the folder's name: "new-project".

    Raises
    ------
    OSError
        If the folder can't be made.
    """
    _remove_left_over(parent, what)
    made = Path(tempfile.mkdtemp(prefix=f".{what}-{_computer()}-{os.getpid()}-", dir=parent))
    made.chmod(0o755)
    return made


def _remove_left_over(parent: Path, what: str) -> None:
    with suppress(OSError):
        for folder in parent.glob(f".{what}-{_computer()}-*"):
            match = re.fullmatch(rf"\.{what}-{_computer()}-(\d+)-\w+", folder.name)
            if match is not None and not _is_running(int(match[1])):
                shutil.rmtree(folder, ignore_errors=True)


def _computer() -> str:
    """Return the computer's name: whether another computer's programs run can't be checked."""
    return re.sub(r"\W", "", platform.node()) or "here"


def _is_running(process: int) -> bool:
    if os.name == "nt":
        return True  # on Windows the check would end the process
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
