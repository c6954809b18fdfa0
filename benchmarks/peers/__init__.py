"""Other software to compare with, each group in an environment of its own.

``python -m benchmarks.peers video`` makes the environment ``video`` with what ``benchmarks/peers/video.txt`` lists, or
completes it. Environments lie in the folder that ``NAPARI_AL_POSE_PEERS`` names, else in ``peers`` beside the checkout.
A benchmark runs ``benchmarks/peers/video.py`` there by `Peer`; without the environment its peers count as absent.
"""

from __future__ import annotations

import json
import logging
import os
import selectors
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any, Self

logger = logging.getLogger(__name__)

_HERE = Path(__file__).parent
START_SECONDS = 120.0


class PeerError(Exception):
    """The peer is absent, failed or took too long; the message says which."""


def available() -> list[str]:
    """Return the names of the groups."""
    return sorted(file.stem for file in _HERE.glob("*.txt"))


def folder_of(group: str) -> Path:
    """Return where the environment of a group lies, whether it is there or not."""
    beside = _HERE.parents[1].parent / "peers"
    return Path(os.environ.get("NAPARI_AL_POSE_PEERS", beside)) / group


def make(group: str) -> Path:
    """Make or complete the environment of a group; return its folder."""
    folder = folder_of(group)
    if not _python(folder).exists():
        venv.create(folder, with_pip=True)
    subprocess.run(
        [str(_python(folder)), "-m", "pip", "install", "-q", "-r", str(_HERE / f"{group}.txt")],
        check=True,
    )
    return folder


class Peer:
    """A peer's script, running in the environment of its group and answering questions one after another.

    Parameters
    ----------
    group : str
        The script is ``benchmarks/peers/<group>.py``.
    *arguments : str
        The script's arguments, such as which of the group's peers to load.

    Raises
    ------
    PeerError
        The environment is not there, or the script does not start.
    """

    def __init__(self, group: str, *arguments: str) -> None:
        self._name = " ".join(arguments) or group
        python = _python(folder_of(group))
        if not python.exists():
            raise PeerError(f"{self._name} is absent: run python -m benchmarks.peers {group}")
        self._process = subprocess.Popen(
            [str(python), str(_HERE / f"{group}.py"), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if logger.isEnabledFor(logging.DEBUG) else subprocess.DEVNULL,
        )
        try:
            self.ask("hello", seconds=START_SECONDS)
        except PeerError:
            self.close()
            raise

    def ask(self, question: str, *, seconds: float, **details: Any) -> Any:
        """Return the script's answer to ``question``.

        Raises
        ------
        PeerError
            The script ended, raised or did not answer in time; after the last it is of no use any more.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"question": question, **details}).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise PeerError(f"{self._name} has ended") from error
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(seconds):
                self.close()
                raise PeerError(f"over {seconds:g} s")
        line = self._process.stdout.readline()
        if not line:
            raise PeerError(f"{self._name} has ended")
        answer = json.loads(line)
        if "error" in answer:
            raise PeerError(f"{self._name}: {answer['error']}")
        return answer["answer"]

    def close(self) -> None:
        """End the script."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    logger.debug("%s had not read everything", self._name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
