"""The engine process: one loop of generators that owns torch.

Training yields between steps; requests about the frame on screen are served there and then, so a scoremap comes in a
fraction of a second while a training runs, with one model in memory and no locks. Whole videos, which take hours, step
aside for training and ranking. The process ends when the pipe from its parent does.
"""

from __future__ import annotations

import logging
import os
import queue
import sys
import threading
import traceback
from collections import deque
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import IO

from napari_al_pose.domain import AlPoseError
from napari_al_pose.engine.adopting import adopt
from napari_al_pose.engine.loop import ActiveLearningLoop
from napari_al_pose.engine.messages import (
    Adopt,
    Adopted,
    Cancelled,
    Check,
    Export,
    Failed,
    Finished,
    Look,
    MapPool,
    Progress,
    Rank,
    Ready,
    Reply,
    Request,
    Stop,
    Train,
)
from napari_al_pose.engine.wire import WireError, read_message, write_message
from napari_al_pose.project import Project, open_project

log = logging.getLogger(__name__)

Job = Generator[Reply, None, None]
LongRequest = Train | Rank | MapPool | Adopt | Check | Export
PARENT_GONE_SECONDS = 10.0


class _Lane:
    """Long jobs done one after the other; of two lanes, the first has precedence."""

    def __init__(self) -> None:
        self.waiting: deque[LongRequest] = deque()
        self.running: tuple[int, Job] | None = None

    @property
    def has_work(self) -> bool:
        return self.running is not None or bool(self.waiting)


class EngineProcess:
    """Serves one window.

    Parameters
    ----------
    root : Path
        The project folder.
    inbox : queue.Queue
        Requests; None when the parent is gone.
    out : IO[bytes]
        Where replies go.
    threads : int
        Torch threads.
    """

    def __init__(self, root: Path, inbox: queue.Queue[Request | None], out: IO[bytes], *, threads: int) -> None:
        self._root = root
        self._inbox = inbox
        self._out = out
        self._jobs, self._exports = _Lane(), _Lane()
        self._look: Look | None = None
        self._keep = False
        with open_project(root, read_only=True) as project:
            self._loop = ActiveLearningLoop(root, device=project.settings.train.device, threads=threads)
            self._model_problem = self._loop.refresh(project)
        self._loop.warm_up()

    def run(self) -> None:
        """Serve until the parent is gone."""
        self._reply(Ready(self._loop.device, self._loop.version))
        try:
            while self._take_requests():
                if self._look is not None:
                    look, self._look = self._look, None
                    self._serve(look)
                elif (lane := self._lane_with_work()) is not None:
                    self._work(lane)
        finally:
            for lane in (self._jobs, self._exports):
                if lane.running is not None:
                    lane.running[1].close()
            self._loop.close()

    def _lane_with_work(self) -> _Lane | None:
        return next((lane for lane in (self._jobs, self._exports) if lane.has_work), None)

    def _take_requests(self) -> bool:
        """Sort what has arrived; wait only when there is nothing to do. False when the parent is gone."""
        idle = self._look is None and self._lane_with_work() is None
        while True:
            try:
                request = self._inbox.get(block=idle)
            except queue.Empty:
                return True
            if request is None:
                return False
            if isinstance(request, Look):
                self._look = request
            elif isinstance(request, Stop):
                self._note_stop(request)
            else:
                (self._exports if isinstance(request, Export | Check) else self._jobs).waiting.append(request)
            idle = False

    def _note_stop(self, request: Stop) -> None:
        for lane in (self._jobs, self._exports):
            for job in list(lane.waiting):
                if job.job == request.job:
                    lane.waiting.remove(job)
                    self._reply(Cancelled(request.job))
                    return
            if lane.running is not None and lane.running[0] == request.job:
                self._keep = request.keep
                if not request.keep:
                    lane.running[1].close()
                    lane.running = None
                    self._reply(Cancelled(request.job))

    def _work(self, lane: _Lane) -> None:
        """Take one step of the lane's running job, or begin its next one."""
        if lane.running is None:
            request = lane.waiting.popleft()
            lane.running = (request.job, self._begun(request))
            return
        job, generator = lane.running
        try:
            self._reply(next(generator))
        except StopIteration:
            lane.running = None
            self._reply(Finished(job))
        except AlPoseError as error:
            self._fail(lane, error.message, error.hint)
        except (RuntimeError, OSError, MemoryError) as error:
            # What torch and the machine raise. Anything else is a fault of ours: the process ends, and the window
            # offers to start it again.
            log.exception("job %s failed", job)
            self._fail(lane, *_explain(error), details=traceback.format_exc())

    def _begun(self, request: LongRequest) -> Job:
        if isinstance(request, Train):
            self._keep = False
            return self._train(request)
        if isinstance(request, Adopt):
            return self._adopt(request)
        if isinstance(request, MapPool):
            return self._map_pool(request)
        if isinstance(request, Check):
            return self._check(request)
        return self._rank(request) if isinstance(request, Rank) else self._export(request)

    def _fail(self, lane: _Lane, message: str, hint: str, *, details: str = "") -> None:
        assert lane.running is not None
        job, lane.running = lane.running[0], None
        self._reply(Failed(job, message, hint, details))

    def _train(self, request: Train) -> Job:
        with open_project(self._root, read_only=True) as project:
            self._loop.refresh(project)
            yield from self._loop.train(project, request.job, should_stop=lambda: self._keep)
            self._model_problem = ""
            yield from self._ranked(project, request.job, project.settings.strategy)

    def _adopt(self, request: Adopt) -> Job:
        with open_project(self._root, read_only=True) as project:
            yield Progress(request.job, "Reading the model", 0, 1, -1.0)
            network = adopt(project, Path(request.path), device=self._loop.device)
            self._model_problem = self._loop.refresh(project)
            yield Adopted(request.job, self._loop.version, network)
            yield from self._ranked(project, request.job, project.settings.strategy)

    def _rank(self, request: Rank) -> Job:
        with open_project(self._root, read_only=True) as project:
            self._model_problem = self._loop.refresh(project)
            yield from self._ranked(project, request.job, request.strategy)

    def _map_pool(self, request: MapPool) -> Job:
        with open_project(self._root, read_only=True) as project:
            self._loop.refresh(project)
            strategy, layout = request.strategy, request.layout
            yield (yield from self._loop.map_pool(project, request.job, strategy=strategy, layout=layout))

    def _ranked(self, project: Project, job: int, strategy: str) -> Job:
        ranked = yield from self._loop.rank(project, job, strategy=strategy)
        if self._model_problem:
            ranked = replace(ranked, notice=f"{self._model_problem} {ranked.notice}".strip())
        project.queue.save(ranked.strategy, ranked.model_version, ranked.suggestions)
        yield ranked

    def _export(self, request: Export) -> Job:
        with open_project(self._root, read_only=True) as project:
            self._loop.refresh(project)
            yield (yield from self._loop.export(project, request.videos, request.options, request.job))

    def _check(self, request: Check) -> Job:
        with open_project(self._root, read_only=True) as project:
            self._loop.refresh(project)
            yield (yield from self._loop.check_labels(project, request.job))

    def _serve(self, look: Look) -> None:
        try:
            if not self._loop.has_video(look.key.video):
                with open_project(self._root, read_only=True) as project:
                    self._loop.refresh(project)
            self._reply(self._loop.look(look.key, look.job))
        except AlPoseError as error:
            self._reply(Failed(look.job, error.message, error.hint))
        except (RuntimeError, OSError, MemoryError) as error:
            log.exception("looking at %s failed", look.key)
            self._reply(Failed(look.job, *_explain(error), details=traceback.format_exc()))

    def _reply(self, message: Reply) -> None:
        write_message(self._out, message)


def _explain(error: BaseException) -> tuple[str, str]:
    """Say in the user's words what a fault of torch or the machine means."""
    text = str(error)
    if isinstance(error, MemoryError) or "out of memory" in text.lower():
        return "The engine ran out of memory.", "Choose a smaller image size or batch size in the settings."
    if isinstance(error, OSError):
        return f"Reading or writing failed: {text}.", "Check the disk and the project folder, then try again."
    return f"The engine could not do this: {text}.", "The log has the details; labels are safe."


def _read_requests(stream: IO[bytes], inbox: queue.Queue[Request | None]) -> None:
    """Put requests into the inbox until the parent is gone; then make sure that this process goes too."""
    try:
        while (request := read_message(stream)) is not None:
            inbox.put(request)
    except (WireError, OSError) as error:
        log.error("the pipe from the window broke: %s", error)
    inbox.put(None)
    # A step that hangs in a driver must not keep an orphan alive.
    watchdog = threading.Timer(PARENT_GONE_SECONDS, os._exit, args=(1,))
    watchdog.daemon = True
    watchdog.start()


def main() -> None:
    """Run as ``python -m napari_al_pose.engine.child ROOT THREADS NICENESS``; the pipes are the standard streams."""
    root, threads, niceness = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    # Whatever prints to standard output must not end up between the messages.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    if niceness and hasattr(os, "nice"):
        os.nice(niceness)
    inbox: queue.Queue[Request | None] = queue.Queue()
    threading.Thread(target=_read_requests, args=(sys.stdin.buffer, inbox), daemon=True).start()
    try:
        EngineProcess(root, inbox, out, threads=threads).run()
    except AlPoseError as error:
        write_message(out, Failed(0, error.message, error.hint))
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(0)


if __name__ == "__main__":
    main()
