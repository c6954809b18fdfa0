"""Work off the GUI thread, its result back on it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QObject, Qt, QTimer, Signal, Slot

from napari_al_pose.domain import AlPoseError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class _Outcome:
    future: Future[Any]
    then: Callable[[Any], None]
    failed: Callable[[AlPoseError], None]


class Background(QObject):
    """One worker thread that does jobs in the order they were given.

    Parameters
    ----------
    name : str
        Name of the thread, for debuggers.
    parent : QObject, optional
    """

    _ended = Signal(object)

    def __init__(self, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._open = True
        self._ended.connect(self._deliver, Qt.ConnectionType.QueuedConnection)
        # A dialog can be destroyed without being closed; its thread must not outlive it.
        self.destroyed.connect(lambda *_: pool.shutdown(wait=False, cancel_futures=True))

    def run(
        self, work: Callable[[], Any], then: Callable[[Any], None], failed: Callable[[AlPoseError], None]
    ) -> Future[Any]:
        """Run ``work`` on the worker thread, then ``then(result)`` or ``failed(error)`` on the GUI thread.

        Errors other than `AlPoseError` are faults of ours and are raised on the GUI thread, where napari shows them.
        Nothing is delivered after `close`.
        """
        try:
            future = self._pool.submit(work)
        except RuntimeError:
            if not self._open:
                raise
            # The interpreter is ending, and its threads take no more jobs: what is to be written is written here.
            future = _done_here(work)
        future.add_done_callback(lambda done: self._pass_on(_Outcome(done, then, failed)))
        return future

    def close(self, *, wait: bool = True) -> None:
        """Take no more jobs; drop those not begun only if ``wait`` is false."""
        self._open = False
        self._pool.shutdown(wait=wait, cancel_futures=not wait)

    def _pass_on(self, outcome: _Outcome) -> None:
        """On the worker thread: hand the outcome over, or log an error nobody will hear of any more."""
        if self._open:
            with suppress(RuntimeError):  # this object was destroyed meanwhile: nobody waits any more
                self._ended.emit(outcome)
        elif not outcome.future.cancelled() and outcome.future.exception() is not None:
            log.error("after closing: %s", outcome.future.exception())

    @Slot(object)
    def _deliver(self, outcome: _Outcome) -> None:
        if not self._open:
            return
        error = outcome.future.exception()
        if isinstance(error, AlPoseError):
            outcome.failed(error)
        elif error is not None:
            raise error
        else:
            outcome.then(outcome.future.result())


class DelayedWork(QObject):
    """Work that begins some time after it was requested, and can be abandoned at any time.

    Parameters
    ----------
    name : str
        Name of the thread, for debuggers.
    delay_ms : int
        What the user does first goes first.
    parent : QObject
    """

    due = Signal()
    """The time has come: `begin`, and `run` the work."""

    def __init__(self, name: str, delay_ms: int, parent: QObject) -> None:
        super().__init__(parent)
        self._background = Background(name, self)
        self._cancel = threading.Event()
        self._timer = QTimer(self, singleShot=True, interval=delay_ms)
        self._timer.timeout.connect(self.due)

    @property
    def is_waiting(self) -> bool:
        """Whether `due` is still to come."""
        return self._timer.isActive()

    def ask(self) -> None:
        """Give up what is under way, and start waiting."""
        self.give_up()
        self._timer.start()

    def begin(self) -> threading.Event:
        """Return what is set when the work that begins now is given up."""
        self._cancel = threading.Event()
        return self._cancel

    def run(self, work: Callable[[], Any], then: Callable[[Any], None], failed: Callable[[AlPoseError], None]) -> None:
        """Run ``work`` on the worker thread, see `Background.run`."""
        self._background.run(work, then, failed)

    @Slot()
    def give_up(self) -> None:
        """Wait no longer, and end what is under way."""
        self._cancel.set()
        self._timer.stop()

    @Slot()
    def close(self) -> None:
        """Give up for good."""
        self.give_up()
        self._background.close(wait=False)


def _done_here(work: Callable[[], Any]) -> Future[Any]:
    future: Future[Any] = Future()
    try:
        future.set_result(work())
    except AlPoseError as error:
        future.set_exception(error)
    return future
