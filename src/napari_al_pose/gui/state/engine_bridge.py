"""The engine, as Qt sees it: requests out, replies in as signals on the GUI thread."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from qtpy.QtCore import QObject, Qt, QTimer, Signal, Slot

from napari_al_pose.domain import AlPoseError, FrameKey
from napari_al_pose.domain.pose_export import ExportOptions
from napari_al_pose.engine.client import EngineClient
from napari_al_pose.engine.messages import (
    Adopted,
    Check,
    Describe,
    Died,
    Export,
    Failed,
    Finished,
    JobRequest,
    Look,
    Looked,
    OfJob,
    Ready,
    Reply,
    Stop,
    Train,
    Trained,
)
from napari_al_pose.gui.state.job_views import (
    ExportView,
    RoundClock,
    TrainingView,
    advanced,
    advanced_export,
    ended,
    started,
)

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R", bound=Reply)

PAINT_MS = 1200
"""Progress is passed on at most this often. With an OpenGL canvas in the window Qt composes all of it anew for every
widget that changes; without a GPU that takes some 60 ms, in which the window does nothing else."""


class EngineBridge(QObject):
    """Drives one engine process for one project.

    Looking has its own lane: one request is under way and one, the newest wish, waits. Long jobs (train, rank) are
    done by the engine one after the other; `training` shows the first that has not ended. An export has a lane of its
    own and stands aside for them.

    Parameters
    ----------
    parent : QObject, optional
    """

    stateChanged = Signal()
    trainingChanged = Signal()
    exportChanged = Signal()
    failed = Signal(str, str)
    """Message and hint of a job that could not be done, or of the engine's end; `export_view` tells of an export's."""

    _arrived = Signal(object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._client: EngineClient | None = None
        self._state = "off"
        self._training = TrainingView()
        self._export = ExportView()
        self._clock = RoundClock()
        self._waiting: deque[JobRequest] = deque()
        self._model_version = 0
        self._look_job = 0
        self._look_wish: FrameKey | None = None
        self._describe_job = 0
        self._start_failure: Failed | None = None
        self._listeners: defaultdict[type[Any], list[Callable[[Any], None]]] = defaultdict(list)
        self._states: dict[type[Any], Callable[[Any], None]] = {
            Ready: self._take_ready,
            Trained: self._take_trained,
            Adopted: self._take_adopted,
            Failed: self._take_failure,
            Died: self._take_death,
        }
        self._paint = QTimer(self, singleShot=True, interval=PAINT_MS)
        self._paint.timeout.connect(self.trainingChanged)
        self._paint.timeout.connect(self.exportChanged)
        self._arrived.connect(self._take, Qt.ConnectionType.QueuedConnection)

    @property
    def state(self) -> str:
        """One of "off", "starting", "ready", "working", "dead"."""
        return "working" if self._state == "ready" and self._training.busy else self._state

    @property
    def training(self) -> TrainingView:
        """The long job that runs, or what came of the last one."""
        return self._training

    @property
    def export_view(self) -> ExportView:
        """The export that runs, or what came of the last one."""
        return self._export

    @property
    def model_version(self) -> int:
        """The engine's newest model; 0 before the first."""
        return self._model_version

    def hear(self, kind: type[R], take: Callable[[R], None]) -> None:
        """Have ``take`` hear all replies of a kind, once they have changed what is known here."""
        self._listeners[kind].append(take)

    def start(self, root: Path) -> None:
        """Start an engine for the project at ``root``; ends the one there was."""
        self.stop()
        client: EngineClient

        def pass_on(reply: Reply) -> None:
            if client is self._client:
                self._arrived.emit(client, reply)

        client = self._client = EngineClient(root, pass_on)
        try:
            client.start()
        except AlPoseError as error:
            self._client = None
            self._set_state("dead")
            self.failed.emit(error.message, error.hint)
            return
        self._set_state("starting")

    def stop(self) -> None:
        """End the engine without waiting for it."""
        client, self._client = self._client, None
        if client is not None:
            # It may take seconds to end; a thread that is no daemon sees to it even when the window is gone.
            threading.Thread(target=client.close, name="al-pose-engine-end").start()
        self._waiting.clear()
        self._look_job, self._look_wish, self._describe_job, self._start_failure = 0, None, 0, None
        self._model_version = 0
        self._training = TrainingView()
        self._set_export(ExportView())
        self._set_state("off")

    # ---- requests -----------------------------------------------------------------------------

    def look(self, key: FrameKey) -> None:
        """Ask for scoremaps and prediction of ``key``; a newer wish takes the place of one not yet sent."""
        self._look_wish = key
        self._send_look()

    def begin(self, kind: Callable[Concatenate[int, P], JobRequest], *fields: P.args, **more: P.kwargs) -> None:
        """Ask for a long job: ``begin(Rank, strategy)`` sends a `Rank` with the next number.

        Does nothing where no engine is up.
        """
        if self._client is None or self._state not in ("starting", "ready"):
            return
        request = kind(self._client.next_job(), *fields, **more)
        self._client.send(request)
        if self._training.busy:
            self._waiting.append(request)
        else:
            self._training = started(self._training, request)
        self._announce()

    @property
    def will_train(self) -> bool:
        """Whether a training was asked for that begins once the job that runs has ended."""
        return any(isinstance(request, Train) for request in self._waiting)

    def describe(self, path: Path) -> None:
        """Ask what another program's model knows; a `Described` answers, or ``failed``."""
        if self._client is not None and self._state in ("starting", "ready"):
            self._describe_job = self._client.next_job()
            self._client.send(Describe(self._describe_job, str(path)))

    def export(self, videos: Sequence[str], options: ExportOptions) -> None:
        """Predict and write whole videos; does nothing while another export runs."""
        if self._client is None or self._state not in ("starting", "ready") or self._export.busy:
            return
        job = self._client.next_job()
        self._client.send(Export(job, tuple(videos), options))
        self._set_export(ExportView(job))

    def end_export(self) -> None:
        """End the export; what is predicted is kept."""
        if self._client is not None and self._export.busy:
            self._client.send(Stop(self._export.job))

    def end_job(self, *, keep: bool = False) -> None:
        """End the job that runs; a training keeps what it has learnt if ``keep``."""
        if self._client is not None and self._training.busy:
            self._client.send(Stop(self._training.job, keep))

    def _check(self) -> None:
        """Find labels worth a second look, when the engine has nothing else to do."""
        if self._client is not None:
            self._client.send(Check(self._client.next_job()))

    def _send_look(self) -> None:
        up = self._state == "ready" and self._model_version > 0
        if self._client is None or not up or self._look_job or self._look_wish is None:
            return
        key, self._look_wish = self._look_wish, None
        self._look_job = self._client.next_job()
        self._client.send(Look(self._look_job, key))

    # ---- replies ------------------------------------------------------------------------------

    @Slot(object, object)
    def _take(self, client: EngineClient, reply: Reply) -> None:
        if client is not self._client:
            return
        job = reply.job if isinstance(reply, OfJob) else 0
        if isinstance(reply, Looked) or (job and job == self._look_job):
            self._end_look(reply)
        elif job and job == self._describe_job:
            if isinstance(reply, Failed):
                self._take_failure(reply)
        elif self._export.busy and job == self._export.job:
            self._move_export(reply)
        else:
            self._move_training(reply)
        for take in self._listeners[type(reply)]:
            take(reply)

    def _end_look(self, reply: Reply) -> None:
        self._look_job = 0
        if isinstance(reply, Failed):
            log.warning("looking failed: %s %s", reply.message, reply.details)
        self._send_look()

    def _move_export(self, reply: Reply) -> None:
        before, self._export = self._export, advanced_export(self._export, reply)
        if isinstance(reply, Failed):
            _log_failure(reply)  # the view says it
        if not self._export.busy:
            self.exportChanged.emit()
        elif self._export is not before and not self._paint.isActive():
            self._paint.start()

    def _move_training(self, reply: Reply) -> None:
        before, self._training = self._training, self._clock.timed(advanced(self._training, reply), time.monotonic())
        if type(reply) in self._states:
            self._states[type(reply)](reply)
        if before.busy and not self._training.busy:
            if before.running and isinstance(reply, Finished):
                self._check()
            self._next_job()
        elif self._training is not before and not self._paint.isActive():
            self._paint.start()

    def _take_ready(self, reply: Ready) -> None:
        self._model_version = reply.model_version
        self._set_state("ready")
        self._send_look()

    def _take_trained(self, reply: Trained) -> None:
        self._model_version = reply.round.number

    def _take_adopted(self, reply: Adopted) -> None:
        self._model_version = reply.model_version

    def _take_failure(self, reply: Failed) -> None:
        _log_failure(reply)
        if reply.job == 0:
            self._start_failure = reply  # the engine says why it can't start, then ends
        else:
            self.failed.emit(reply.message, reply.hint)

    def _take_death(self, reply: Died) -> None:
        self._waiting.clear()
        self._look_job = 0
        self._set_export(advanced_export(self._export, reply))
        reason = self._start_failure or reply
        self._start_failure = None
        self._set_state("dead")
        self.failed.emit(reason.message, reason.hint)

    def _next_job(self) -> None:
        if self._waiting:
            self._training = started(self._training, self._waiting.popleft())
        self._announce()

    def _set_export(self, view: ExportView) -> None:
        self._export = view
        self.exportChanged.emit()

    def _announce(self) -> None:
        self._paint.stop()
        self.trainingChanged.emit()
        self.stateChanged.emit()

    def _set_state(self, state: str) -> None:
        changed = state != self._state
        self._state = state
        if state in ("dead", "off") and self._training.busy:
            self._training = ended(self._training, self._training.sentence)
        if changed:
            self._announce()


def _log_failure(reply: Failed) -> None:
    log.warning("job %s failed: %s %s", reply.job, reply.message, reply.details)
