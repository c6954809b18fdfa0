"""The process that writes label files beside a window: ``python -m napari_al_pose.project.writing_child``."""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import IO

from napari_al_pose.domain import AlPoseError
from napari_al_pose.project.label_files import LabelFiles
from napari_al_pose.project.label_folder import LabelFolder
from napari_al_pose.project.writing_process import REPLIES, REQUESTS, Answer, Refused, Reply

log = logging.getLogger(__name__)

NICENESS = 10
"""Far below the window, but as high as a training in the background: that would leave a lower one no time for many
seconds."""


def main() -> None:
    """Do the jobs that arrive on standard input until it ends; answers go to standard output."""
    # What libraries print to standard output must not end up between the answers.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C in a terminal ends the window, which ends this process
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    # Slow to import, and soon needed.
    import pandas  # noqa: F401
    import PIL.Image
    import tables  # noqa: F401

    import napari_al_pose.video  # noqa: F401

    PIL.Image.init()

    serve(sys.stdin.buffer, out)


def serve(jobs: IO[bytes], answers: IO[bytes]) -> None:
    """Answer each job; a folder is only read.

    A fault of ours ends the process. The caller then does the job itself, and the fault is raised there.
    """
    files = LabelFiles()
    while (job := REQUESTS.read(jobs)) is not None:
        if isinstance(job, LabelFolder):
            _prepare(files, job)
            continue
        answer: Reply
        try:
            answer = Answer(files.write(job))
        except AlPoseError as error:
            answer = Refused(error.message, error.hint)
        try:
            REPLIES.write(answers, answer)
        except BrokenPipeError:
            return


def _prepare(files: LabelFiles, folder: LabelFolder) -> None:
    try:
        files.prepare(folder)
    except AlPoseError as error:
        log.info("%s", error)  # reported to the user when there is something to write


if __name__ == "__main__":
    main()
