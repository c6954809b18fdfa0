"""The window's side of the engine process."""

from __future__ import annotations

import itertools
import logging
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO

from napari_al_pose.channel import ChannelError
from napari_al_pose.cores import usable_cores
from napari_al_pose.domain import AlPoseError
from napari_al_pose.engine.messages import REPLIES, REQUESTS, Died, Reply, Request

log = logging.getLogger(__name__)

NICENESS = 10
LAST_WORDS = 40
EXIT_SECONDS = 5.0
_KILLED = 9
"""The signal that leaves a process no last word; operating systems send it when memory runs out."""
RESTART = "Restart the engine to continue. Your labels are safe."


class EngineClient:
    """Starts the engine process, talks to it over pipes, and reports when it dies.

    Parameters
    ----------
    project_root : Path
        The project folder.
    on_reply : callable
        Called with every reply, on a thread of the client's; pass it on to the GUI thread there.
    background : bool
        Whether a window is in use: low priority, and one core left free. A training on all cores would be many times
        slower as soon as the window needs one of them.
    """

    def __init__(self, project_root: Path, on_reply: Callable[[Reply], None], *, background: bool = True) -> None:
        self._root = project_root
        self._on_reply = on_reply
        self._background = background
        self._jobs = itertools.count(1)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._closing = False
        self._has_answered = False

    @property
    def alive(self) -> bool:
        """Whether the process is running."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Process id, None before the first start."""
        return None if self._process is None else self._process.pid

    def next_job(self) -> int:
        """Return a new job number."""
        return next(self._jobs)

    def start(self) -> None:
        """Start the process unless it is running. It answers `Ready` once torch is imported.

        Raises
        ------
        AlPoseError
            If the process can't be started.
        """
        if self.alive:
            return
        cores = usable_cores()
        threads = max(1, cores - 1) if self._background else cores
        niceness = NICENESS if self._background else 0
        # -P keeps a stray torch.py in the working directory from being imported.
        command = [
            sys.executable,
            "-P",
            "-m",
            "napari_al_pose.engine.child",
            str(self._root),
            str(threads),
            str(niceness),
        ]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
            )
        except OSError as error:
            raise AlPoseError(
                f"The engine process can't be started: {error}.", "Check the Python installation."
            ) from error
        self._process, self._closing, self._has_answered = process, False, False
        last_words: deque[str] = deque(maxlen=LAST_WORDS)
        logger = threading.Thread(target=_log_lines, args=(process.stderr, last_words), daemon=True)
        self._reader = threading.Thread(target=self._read, args=(process, logger, last_words), daemon=True)
        logger.start()
        self._reader.start()

    def send(self, request: Request) -> None:
        """Send a request. If the engine is dead the request is dropped, since `Died` reports that.

        Raises
        ------
        ChannelError
            If the request can't be sent.
        """
        process = self._process
        if process is None or process.stdin is None:
            return
        try:
            with self._lock:
                REQUESTS.write(process.stdin, request)
        except (BrokenPipeError, ValueError, OSError) as error:
            log.warning("the engine took no request: %s", error)

    def close(self) -> None:
        """End the process, politely at first, then by force.

        One that still imports torch has nothing to lose, and would not listen for seconds.
        """
        self._closing = True
        process = self._process
        if process is None:
            return
        with self._lock:
            _close_quietly(process.stdin)
        if not self._has_answered:
            process.kill()
        try:
            process.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._reader is not None and self._reader is not threading.current_thread():
            self._reader.join(EXIT_SECONDS)

    def _read(self, process: subprocess.Popen[bytes], logger: threading.Thread, last_words: deque[str]) -> None:
        if process.stdout is None:
            raise AssertionError("the pipe was asked for")
        why = ""
        try:
            while (reply := REPLIES.read(process.stdout)) is not None:
                self._has_answered = True
                if not self._closing:
                    self._on_reply(reply)
        except (ChannelError, OSError) as error:
            log.error("the pipe from the engine broke: %s", error)
            why = f"The engine was ended because its answer could not be read. {error}"
            process.kill()
        process.wait()
        logger.join(EXIT_SECONDS)
        with self._lock:
            _close_quietly(process.stdin)
        _close_quietly(process.stdout)
        _close_quietly(process.stderr)
        if not self._closing:
            log.error("the engine ended with code %s: %s", process.returncode, "\n".join(last_words))
            self._on_reply(Died(why or _why(process.returncode, last_words), RESTART))


def _why(code: int, last_words: deque[str]) -> str:
    if any("No module named 'torch" in line for line in last_words):
        return 'The engine needs torch, which is not installed: pip install "napari-al-pose[all]".'
    if code < 0:
        if -code == _KILLED:
            return f"The engine was killed (signal {_KILLED}), most often because the computer ran out of memory."
        return f"The engine ended unexpectedly (signal {-code})."
    return f"The engine ended unexpectedly (exit code {code})."


def _log_lines(stream: IO[bytes] | None, last_words: deque[str]) -> None:
    for raw in stream or ():
        line = raw.decode(errors="replace").rstrip()
        last_words.append(line)
        log.debug("engine: %s", line)


def _close_quietly(stream: IO[bytes] | None) -> None:
    try:
        if stream is not None:
            stream.close()
    except OSError as error:
        log.debug("closing a pipe of the engine: %s", error)
