"""Writes label files in a separate process beside a window.

Writing twenty thousand labelled frames takes a second of Python. A thread would take that second from the window, since
both share one interpreter. The process is our child and runs at low priority; it ends when the pipe from its parent
does.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from dataclasses import dataclass

from napari_al_pose.channel import ChannelError, MessageCodec
from napari_al_pose.domain import AlPoseError
from napari_al_pose.project.label_files import LabelFiles, WritingJob, Written
from napari_al_pose.project.label_folder import LabelFolder

log = logging.getLogger(__name__)

EXIT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer to a `WritingJob`; see `LabelFiles.write`."""

    written: Written | None


@dataclass(frozen=True, slots=True)
class Refused:
    """Answer to a `WritingJob` that ended in an `AlPoseError`."""

    message: str
    hint: str


Request = LabelFolder | WritingJob
"""A folder to read, which gets no answer, or a job to do."""

Reply = Answer | Refused

REQUESTS: MessageCodec[Request] = MessageCodec(Request)
REPLIES: MessageCodec[Reply] = MessageCodec(Reply)


class WritingProcess:
    """A `Writer` that has a child process do the work; if that is not possible, it does the work itself."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._here = LabelFiles()

    @property
    def pid(self) -> int | None:
        """Process id; None while there is no process."""
        return None if self._process is None else self._process.pid

    def prepare(self, folder: LabelFolder) -> None:
        """Let the process read the files of a folder; waits only for the process's start."""
        with self._lock:
            try:
                self._send(folder)
            except (OSError, EOFError, ChannelError) as error:
                log.warning("no process to write labels: %s", error)
                self._end()

    def write(self, job: WritingJob) -> Written | None:
        """Do ``job``; see `LabelFiles.write`."""
        with self._lock:
            try:
                answer = self._ask(job)
            except (OSError, EOFError, ChannelError) as error:
                # Work that it had begun is repeated: each file is written whole or not at all.
                log.warning("the process that writes labels ended; they are written in this one: %s", error)
                self._end()
                return self._here.write(job)
        if isinstance(answer, Refused):
            raise AlPoseError(answer.message, answer.hint)
        return answer.written

    def close(self) -> None:
        """End the process once it has written what was requested."""
        with self._lock:
            self._end()

    def _ask(self, job: WritingJob) -> Reply:
        answers = self._send(job).stdout
        answer = None if answers is None else REPLIES.read(answers)
        if answer is None:
            raise EOFError("no answer")
        return answer

    def _send(self, message: Request) -> subprocess.Popen[bytes]:
        process = self._start()
        if process.stdin is None:
            raise EOFError("no pipe")
        REQUESTS.write(process.stdin, message)
        return process

    def _start(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            # As for the engine: no fork, which would copy Qt's threads, and no multiprocessing, which would import the
            # user's __main__ again. -P keeps a stray module in the working directory from being imported.
            command = [sys.executable, "-P", "-m", "napari_al_pose.project.writing_child"]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            try:
                if stream is not None:
                    stream.close()
            except OSError as error:
                log.debug("closing a pipe: %s", error)
        try:
            process.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
