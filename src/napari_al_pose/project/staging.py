"""Hidden staging folders, in which something is made before it is moved into place."""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

_KINDS = ("new-project", "export")


def staging_folder(parent: Path, what: str) -> Path:
    """Make a new hidden folder in ``parent``, and remove those left there by programs that no longer run.

    Parameters
    ----------
    parent : Path
        Where the finished thing will lie.
    what : str
        What is made, in the folder's name: "new-project" or "export".

    Raises
    ------
    OSError
        If the folder can't be made.
    """
    remove_left_over(parent)
    made = Path(tempfile.mkdtemp(prefix=f".{what}-{_computer()}-{os.getpid()}-", dir=parent))
    made.chmod(0o755)
    return made


def remove_left_over(parent: Path) -> list[Path]:
    """Remove what programs of this computer began to make in ``parent`` and that run no more; return what is gone.

    Only folders named as `staging_folder` names them are looked at.
    """
    gone = []
    with suppress(OSError):
        for folder in sorted(parent.glob(f".*-{_computer()}-*")):
            match = re.fullmatch(rf"\.({'|'.join(_KINDS)})-{_computer()}-(\d+)-\w+", folder.name)
            if match is not None and folder.is_dir() and not folder.is_symlink() and not _is_running(int(match[2])):
                shutil.rmtree(folder, ignore_errors=True)
                if not folder.exists():
                    gone.append(folder)
    return gone


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
