"""DeepLabCut's files follow the labels, a moment behind and off the GUI thread."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer, Signal

from napari_al_pose.domain import AlPoseError
from napari_al_pose.gui.background import Background
from napari_al_pose.project import Project
from napari_al_pose.project.writing_process import WritingProcess

DELAY_MS = 100
"""After the last edit, so that the files follow within a second; the label store itself has every edit at once."""
MANY = 300
"""Labelled frames from which on a process of its own writes the files: the time a thread takes from the window grows
with them, and for fewer it is not worth the process's start."""


class LabelSaver(QObject):
    """Writes ``CollectedData`` of the videos whose labels changed.

    Parameters
    ----------
    background : Background
        Its thread also opens and closes projects, so that a project is closed after its last writing.
    parent : QObject
    """

    written = Signal()
    """The files are as the labels are; what other programs had changed in them is taken in."""
    failed = Signal(str, str)

    def __init__(self, background: Background, parent: QObject) -> None:
        super().__init__(parent)
        self._background = background
        self._project: Project | None = None
        self._process = WritingProcess()
        self._changed: set[str] = set()
        self._timer = QTimer(self, singleShot=True, interval=DELAY_MS)
        self._timer.timeout.connect(self._write)

    def watch(self, project: Project) -> None:
        """Write the files of ``project`` from now on."""
        self._project = project
        self._background.run(lambda: self._choose_writer(project), then=_nothing, failed=_nothing)

    def touch(self, video: str) -> None:
        """A complete frame of ``video`` was edited."""
        self._changed.add(video)
        self._timer.start()

    def finish(self) -> Callable[[], None]:
        """Return the work that writes what is left and closes the project; stop watching the project."""
        project, changed = self._project, self._take()
        self._project = None

        def work() -> None:
            if project is None:
                return
            try:
                if changed and not project.read_only:
                    project.export_labels(changed)
            finally:
                project.close()

        return work

    def close(self) -> None:
        """End the process that writes, after the last writing; waits for it."""
        self._process.close()

    def _choose_writer(self, project: Project) -> None:
        """On the worker thread: start a process that writes, if there is much to write."""
        if project.labels.n_labelled >= MANY and not project.read_only and project.writer is not self._process:
            project.let_write(self._process)

    def _write(self) -> None:
        project = self._project
        if project is None or project.read_only or not self._changed:
            return
        changed = self._take()

        def work() -> None:
            self._choose_writer(project)
            project.export_labels(changed)

        self._background.run(
            work,
            then=lambda _result: self.written.emit(),
            failed=lambda error: self._again(project, changed, error),
        )

    def _again(self, project: Project, changed: set[str], error: AlPoseError) -> None:
        """Try once more with the next edit, or on closing."""
        if project is self._project:
            self._changed |= changed
        self.failed.emit(error.message, error.hint)

    def _take(self) -> set[str]:
        self._timer.stop()
        changed, self._changed = self._changed, set()
        return changed


def _nothing(_outcome: object) -> None:
    """Do nothing with a result."""
