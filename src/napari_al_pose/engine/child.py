"""The engine process: one loop of generators that owns torch.

Training yields between steps, and the loop answers requests about the frame on screen at once. So a scoremap arrives in
a fraction of a second while a training runs, with one model in memory and no locks. Whole videos, which take hours,
make way for training and ranking. The process ends when the pipe from its parent does.
"""

from __future__ import annotations

import logging
import os
import queue
import sys
import threading
import traceback
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from napari_al_pose import openmp  # noqa: F401  # before anything that imports torch
from napari_al_pose.channel import ChannelError
from napari_al_pose.domain import AlPoseError
from napari_al_pose.engine.client import RESTART
from napari_al_pose.engine.first_queue import first_queue, needs_first_queue
from napari_al_pose.engine.messages import (
    REPLIES,
    REQUESTS,
    Cancelled,
    Describe,
    Described,
    Failed,
    Finished,
    Job,
    Look,
    Rank,
    Ready,
    Reply,
    Request,
    Stop,
)
from napari_al_pose.project import open_project

if TYPE_CHECKING:  # torch behind them, which takes seconds
    from napari_al_pose.engine.jobs import Replies
    from napari_al_pose.engine.loop import ActiveLearningLoop

log = logging.getLogger(__name__)

PARENT_GONE_SECONDS = 10.0
FIRST_WISH_SECONDS = 0.5
"""A window asks for a queue as soon as it has started the engine; nobody else is kept waiting for longer."""


class _Running:
    """The job that a lane is doing.

    Attributes
    ----------
    keep : bool
        Whether to end now and keep what was learnt.
    """

    def __init__(self, root: Path, loop: ActiveLearningLoop, request: Job) -> None:
        self.job = request.job
        self.keep = False
        self.replies = self._work(root, loop, request)

    def _work(self, root: Path, loop: ActiveLearningLoop, request: Job) -> Replies:
        from napari_al_pose.engine.jobs import JobContext, start

        with open_project(root, read_only=True) as project:
            loop.refresh(project)
            yield from start(JobContext(loop, project, lambda: self.keep), request)


@dataclass(slots=True)
class _Lane:
    """Does jobs one after the other; of two lanes, the first has precedence."""

    waiting: deque[Job]
    running: _Running | None = None

    @property
    def has_work(self) -> bool:
        return self.running is not None or bool(self.waiting)


Inbox = queue.Queue[Request | ChannelError | None]


class EngineProcess:
    """Serves one window.

    Parameters
    ----------
    root : Path
        The project folder.
    inbox : queue.Queue
        Requests; None when the parent is gone, an error if a message can't be read.
    out : IO[bytes]
        Where replies go.
    threads : int
        Torch threads.
    """

    def __init__(self, root: Path, inbox: Inbox, out: IO[bytes], *, threads: int) -> None:
        self._root = root
        self._inbox = inbox
        self._out = out
        self._jobs, self._background = _Lane(deque()), _Lane(deque())
        self._look: Look | None = None
        self._describe: Describe | None = None
        self._threads = threads
        self._is_over = False
        self._give_first_queue()
        self._loop = self._load()
        self._loop.warm_up()

    def _give_first_queue(self) -> None:
        """Answer the first request for a queue with a coarse one, before torch is loaded; the ranking follows."""
        try:
            request = self._inbox.get(timeout=FIRST_WISH_SECONDS)
        except queue.Empty:
            return
        if isinstance(request, Rank):
            with open_project(self._root, read_only=True) as project:
                if needs_first_queue(project):
                    try:
                        for reply in first_queue(project, request.job):
                            self._reply(reply)
                    except (AlPoseError, OSError, MemoryError) as error:
                        log.warning("no first queue: %s", error)  # the ranking will say what is wrong
        self._sort(request)

    def _load(self) -> ActiveLearningLoop:
        from napari_al_pose.engine.loop import ActiveLearningLoop

        with open_project(self._root, read_only=True) as project:
            loop = ActiveLearningLoop(self._root, device=project.settings.train.device, threads=self._threads)
            loop.refresh(project)
        return loop

    def run(self) -> None:
        """Serve until the parent is gone.

        Raises
        ------
        ChannelError
            If a message from the parent can't be read.
        """
        self._reply(Ready(self._loop.device, self._loop.version))
        try:
            while not self._is_over and self._take_requests():
                if self._look is not None:
                    look, self._look = self._look, None
                    self._serve(look)
                elif self._describe is not None:
                    wanted, self._describe = self._describe, None
                    self._serve(wanted)
                elif (lane := self._lane_with_work()) is not None:
                    self._work(lane)
        finally:
            for lane in (self._jobs, self._background):
                if lane.running is not None:
                    lane.running.replies.close()
            self._loop.close()

    def _lane_with_work(self) -> _Lane | None:
        return next((lane for lane in (self._jobs, self._background) if lane.has_work), None)

    def _take_requests(self) -> bool:
        """Sort what has arrived, and wait only when there is nothing to do; return False when the parent is gone."""
        idle = self._look is None and self._describe is None and self._lane_with_work() is None
        while True:
            try:
                request = self._inbox.get(block=idle)
            except queue.Empty:
                return True
            idle = False
            self._sort(request)
            if self._is_over:
                return False

    def _sort(self, request: Request | ChannelError | None) -> None:
        match request:
            case None:
                self._is_over = True
            case ChannelError():
                raise request
            case Look():
                self._look = request
            case Describe():
                self._describe = request
            case Stop():
                self._note_stop(request)
            case Job():
                (self._background if request.background else self._jobs).waiting.append(request)

    def _note_stop(self, request: Stop) -> None:
        for lane in (self._jobs, self._background):
            for job in list(lane.waiting):
                if job.job == request.job:
                    lane.waiting.remove(job)
                    self._reply(Cancelled(request.job))
                    return
            if lane.running is not None and lane.running.job == request.job:
                lane.running.keep = request.keep
                if not request.keep:
                    lane.running.replies.close()
                    lane.running = None
                    self._reply(Cancelled(request.job))

    def _work(self, lane: _Lane) -> None:
        """Do one step of a lane's job."""
        running = lane.running
        if running is None:
            running = lane.running = _Running(self._root, self._loop, lane.waiting.popleft())
        ended: Reply
        try:
            self._reply(next(running.replies))
            return
        except StopIteration:
            ended = Finished(running.job)
        except AlPoseError as error:
            ended = Failed(running.job, error.message, error.hint)
        except (RuntimeError, OSError, MemoryError, ChannelError) as error:
            # torch and the machine raise these. Anything else is a fault of ours: the process ends, and the window
            # offers to restart it.
            log.exception("job %s failed", running.job)
            ended = Failed(running.job, *_explain(error), details=traceback.format_exc())
        running.replies.close()
        lane.running = None
        self._reply(ended)

    def _serve(self, request: Look | Describe) -> None:
        """Answer at once."""
        try:
            self._reply(self._looked(request) if isinstance(request, Look) else self._described(request))
        except AlPoseError as error:
            self._reply(Failed(request.job, error.message, error.hint))
        except (RuntimeError, OSError, MemoryError, ChannelError) as error:
            log.exception("%s failed", request)
            self._reply(Failed(request.job, *_explain(error), details=traceback.format_exc()))

    def _looked(self, look: Look) -> Reply:
        if not self._loop.has_video(look.key.video):
            with open_project(self._root, read_only=True) as project:
                self._loop.refresh(project)
        return self._loop.look(look.key, look.job)

    def _described(self, request: Describe) -> Reply:
        from napari_al_pose.engine.adopting import describe_model

        with open_project(self._root, read_only=True) as project:
            facts = describe_model(Path(request.path), project.skeleton.bodyparts)
        return Described(request.job, request.path, facts.network, facts.bodyparts, facts.suggested)

    def _reply(self, message: Reply) -> None:
        REPLIES.write(self._out, message)


def _explain(error: BaseException) -> tuple[str, str]:
    """Explain a fault of torch or the machine in the user's words."""
    text = str(error)
    if isinstance(error, MemoryError) or "out of memory" in text.lower():
        return "The engine ran out of memory.", "Choose a smaller network input in the settings."
    if isinstance(error, OSError):
        return f"Reading or writing failed: {text}.", "Check the disk and the project folder, then try again."
    return f"The engine could not do this: {text}.", "The log has the details. Your labels are safe."


def _read_requests(stream: IO[bytes], inbox: Inbox) -> None:
    """Put requests into the inbox until the parent is gone, then make sure that this process ends too."""
    try:
        while (request := REQUESTS.read(stream)) is not None:
            inbox.put(request)
    except ChannelError as error:
        inbox.put(error)
    except OSError as error:
        log.error("the pipe from the window broke: %s", error)
    inbox.put(None)
    # A step that hangs in a driver must not keep an orphan alive.
    watchdog = threading.Timer(PARENT_GONE_SECONDS, os._exit, args=(1,))
    watchdog.daemon = True
    watchdog.start()


def main() -> None:
    """Run as ``python -m napari_al_pose.engine.child ROOT THREADS NICENESS``; the pipes are the standard streams."""
    root, threads, niceness = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    # What libraries print to standard output must not end up between the messages.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    if niceness and hasattr(os, "nice"):
        os.nice(niceness)
    inbox: Inbox = queue.Queue()
    threading.Thread(target=_read_requests, args=(sys.stdin.buffer, inbox), daemon=True).start()
    try:
        EngineProcess(root, inbox, out, threads=threads).run()
    except AlPoseError as error:
        REPLIES.write(out, Failed(0, error.message, error.hint))
        sys.exit(2)
    except ChannelError as error:
        message = f"The engine could not read what the window asked for. {error}"
        REPLIES.write(out, Failed(0, message, RESTART))
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(0)


if __name__ == "__main__":
    main()
