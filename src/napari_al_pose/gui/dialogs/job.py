"""Dialogs that do a piece of work beside the window: they show how far it is, and can cancel it."""

from __future__ import annotations

import threading
from collections.abc import Generator
from typing import Any

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QDialog, QWidget

from napari_al_pose.domain import AlPoseError
from napari_al_pose.engine.messages import Progress
from napari_al_pose.exchange import CancelledError, Committed
from napari_al_pose.gui.background import Background
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.gui.widgets import CalmBar, label, show_steps

Work = Generator[Any, None, Any]


class DialogJob(QObject):
    """Does work on whatever thread calls `run`, and can be cancelled from another."""

    moved = Signal(object)
    """A `Progress`."""

    ended = Signal(object)
    """What the work returned, the `AlPoseError` it raised, or None if it was cancelled."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Ask for an early end; what was begun is undone."""
        self._cancelled.set()

    def run(self, work: Work) -> None:
        """Do the work and emit `ended`."""
        outcome: Any = None
        may_end = True
        try:
            while True:
                step = work.throw(CancelledError()) if may_end and self._cancelled.is_set() else next(work)
                if isinstance(step, Committed):
                    may_end = False
                else:
                    self.moved.emit(step)
        except StopIteration as end:
            outcome = end.value
        except CancelledError:
            outcome = None
        except AlPoseError as error:
            outcome = error
        finally:
            work.close()
            self.ended.emit(outcome)


class JobDialog(QDialog):
    """Does one `DialogJob` at a time; `take` is told what came of it. Leaving the project cancels it.

    Parameters
    ----------
    title : str
    projects : ProjectSession
    parent : QWidget or None
    """

    def __init__(self, title: str, *, projects: ProjectSession, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self._projects = projects
        self._job: DialogJob | None = None
        self._background = Background("al-pose-dialog", self)
        self.complaint = label("", "warning", wrap=True, whole=True)
        self.bar = CalmBar()
        self.bar.hide()
        projects.closing.connect(self.cancel)

    @property
    def running(self) -> bool:
        """Whether something is under way."""
        return self._job is not None

    def begin(self) -> DialogJob:
        """Return a job for the caller to run, and show its progress."""
        job = self._job = DialogJob(self)
        job.moved.connect(self._show_progress)
        job.ended.connect(self._on_ended)
        self.complaint.setText("")
        self.bar.setRange(0, 0)
        self.bar.show()
        return job

    def run(self, work: Work) -> None:
        """Do ``work`` on a thread of the dialog."""
        job = self.begin()
        self._background.run(lambda: job.run(work), _nothing, _nothing)

    def take(self, outcome: Any) -> None:
        """Hear what came of the work, see `DialogJob.ended`."""
        raise NotImplementedError

    def cancel(self) -> None:
        """Cancel what is under way."""
        if self._job is not None:
            self._job.cancel()
            self.complaint.setText("Cancelling…")

    def reject(self) -> None:
        """Cancel what is under way; else close."""
        if self.running:
            self.cancel()
        else:
            super().reject()

    def done(self, result: int) -> None:
        """Close, and take no more work."""
        self._background.close(wait=False)
        super().done(result)

    def _show_progress(self, step: Progress) -> None:
        show_steps(self.bar, step)

    def _on_ended(self, outcome: Any) -> None:
        self._job = None
        self.bar.hide()
        self.take(outcome)


def _nothing(_outcome: object) -> None:
    """The job tells its outcome itself."""
