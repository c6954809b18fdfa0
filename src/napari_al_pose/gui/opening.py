"""Opening projects, adding videos to them, and closing them with everything written."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, Signal, Slot

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.queue import Queue
from napari_al_pose.domain.skeleton_edit import SkeletonEdit
from napari_al_pose.domain.views import LabelTally
from napari_al_pose.gui.background import Background
from napari_al_pose.gui.loading import LoadedProject, first_frame, load_project
from napari_al_pose.gui.navigation import Navigation
from napari_al_pose.gui.saving import LabelSaver
from napari_al_pose.project import Project, create_project


class Opening(Navigation):
    """Keeps the open project and owns the thread that reads and writes it."""

    closing = Signal()
    """Emitted once, before everything is closed."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._closed = False
        self._desk = Background("al-pose-desk", self)
        self._saver = LabelSaver(self._desk, self)
        self._n_notices = 0
        self._saver.written.connect(self._on_written)
        self._saver.failed.connect(self.notice_error)
        self._engine.failed.connect(self.notice_error)
        # Where a script ends with a window of its own, the interpreter takes Qt's objects apart in any order.
        atexit.register(self.close)

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called; then the session is of no use any more."""
        return self._closed

    def open_project(self, path: Path | str) -> None:
        """Open the project folder or ``config.yaml`` at ``path`` in place of the open one.

        Returns at once; ``projectChanged`` or ``noticeRaised`` follows. The open project stays until then. One that is
        open already is shown again; one that is open read-only is opened anew, as it may be free now.
        """
        wanted = Path(path)
        root = wanted.parent if wanted.suffix in (".yaml", ".yml") else wanted
        open_ = self._project
        if open_ is not None and open_.root.resolve() == root.resolve() and not open_.read_only:
            self._announce_project()
            return
        self._set_busy(f"Opening {root.name}…")
        self._desk.run(lambda: load_project(wanted), then=self._enter, failed=self._refuse)

    def new_project(self, **details: Any) -> None:
        """Make a project and open it; ``details`` as in `napari_al_pose.project.create_project`."""
        self._set_busy("Making the project…")
        self._desk.run(lambda: create_project(**details), then=self.open_project, failed=self._refuse)

    def close_project(self) -> None:
        """Write what is to be written and close the project, its videos and its engine; waits for the writing."""
        closing = self._leave()
        if closing is not None:
            wait([closing])

    @Slot()
    def close(self) -> None:
        """Close everything, leave the viewer as it was and stop every thread."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        self.closing.emit()
        self._leave()
        self._shelf.close()
        self._desk.close()
        self._saver.close()

    def add_videos(self, paths: Sequence[Path]) -> None:
        """Add videos to the project and rank the queue anew."""
        project = self._writable()
        if project is not None:
            self._set_busy("Adding videos…")
            self._desk.run(lambda: project.add_videos(list(paths)), then=self._on_videos_added, failed=self._refuse)

    def edit_skeleton(self, edit: SkeletonEdit) -> None:
        """Change bodyparts and skeleton; labels and DeepLabCut's files follow, and the frame stays in front."""
        self._reshape("Changing the bodyparts…", lambda project: project.edit_skeleton(edit))

    def add_individual(self, name: str) -> None:
        """Add an animal to a project of several."""
        self._reshape(f"Adding {name}…", lambda project: project.add_individual(name))

    def change_labels(self, what: str, work: Callable[[Project], object]) -> None:
        """Let ``work`` bring labels and videos into the project, off the GUI thread; nobody can label meanwhile."""
        self._reshape(what, work)

    def _reshape(self, what: str, work: Callable[[Project], object]) -> None:
        """Change what is labelled, on the desk; nothing can be labelled meanwhile."""
        project = self._writable()
        if project is None:
            return
        self._set_busy(what)
        self._reshaping = True

        def change() -> LabelTally:
            work(project)
            return LabelTally(project.labels.annotations())

        self._desk.run(change, then=lambda tally: self._reshaped(project, tally), failed=self._not_reshaped)

    def _reshaped(self, project: Project, tally: LabelTally) -> None:
        self._reshaping = False
        self._set_busy("")
        if project is not self._project:
            return
        current, self._current = self._current, None
        self._tally, self._predictions = tally, {}
        self._annotations, self._looked, self._guess = (), None, None
        skeleton = self._skeleton = project.skeleton
        self._bodypart, self._scoremap_choice = skeleton.bodyparts[0], ""
        if self._individual not in skeleton.individuals:
            self._individual = skeleton.individuals[0]
        self._tell_notices()
        self._announce_project()
        self._engine.start(project.root)
        if current is not None:
            self.go_to(current)

    def _not_reshaped(self, error: AlPoseError) -> None:
        self._reshaping = False
        self._refuse(error)

    def _enter(self, loaded: LoadedProject) -> None:
        self._leave()
        project = self._project = loaded.project
        self._tally, self._queue = loaded.tally, loaded.queue
        self._predictions = dict(loaded.predictions)
        self._rounds = project.rounds.all()
        self._n_trained_on = self._rounds[-1].n_train if self._rounds else 0
        skeleton = self._skeleton = project.skeleton
        self._bodypart, self._individual = skeleton.bodyparts[0], skeleton.individuals[0]
        self._saver.watch(project)
        self._set_busy("")
        self._announce_project()
        self._n_notices = 0
        self._tell_notices()
        if loaded.snapshot is not None:
            self.noticeRaised.emit(
                f"DeepLabCut has trained a network in this project ({loaded.snapshot.name}).",
                "Project > Use a trained model… lets it guess and rank from the first frame on.",
                False,
            )
        self._engine.start(project.root)
        if not loaded.queue_fits and not project.read_only:
            self._engine.rank(project.settings.strategy)
        start = first_frame(loaded)
        if start is not None and self._video(start.video) is not None:
            self.go_to(start)
        elif project.videos:
            self._first_video = project.videos[0].name
            self._shelf.want(project.videos[0])

    def _leave(self) -> Future[Any] | None:
        """Close the project in the background; return what can be waited for."""
        if self._project is None:
            return None
        closing = self._desk.run(self._saver.finish(), then=_nothing, failed=self._refuse)
        self._engine.stop()
        self._project = self._skeleton = None
        self._current = self._source = self._guess = self._looked = self._borrowed = None
        self._annotations = ()
        self._queue, self._rounds, self._predictions = Queue(), (), {}
        self._bodypart = self._individual = self._scoremap_choice = self._first_video = ""
        self._tally, self._n_trained_on = LabelTally(), 0
        if not self._closed:  # else what would show it is being taken apart too
            self._announce_project()
        self._shelf.clear()
        return closing

    def _announce_project(self) -> None:
        self.projectChanged.emit()
        self.settingsChanged.emit()
        self.modelChanged.emit()
        self.queueChanged.emit()
        self.sourceChanged.emit()
        self.frameChanged.emit()

    def _tell_notices(self) -> None:
        """Pass on what the project has noticed since the last time."""
        if self._project is not None:
            notices = self._project.notices
            new, self._n_notices = notices[self._n_notices :], len(notices)
            for notice in new:
                self.noticeRaised.emit(notice, "", False)

    @Slot()
    def _on_written(self) -> None:
        """Show what writing the files has taken in from other programs."""
        self._tell_notices()
        before = self._annotations
        self._read_annotation()
        after = self._annotations
        if not after or all(np.array_equal(a.xy, b.xy, equal_nan=True) for a, b in zip(before, after, strict=True)):
            return
        self._tally.update(*after)
        self._read_guess()
        self.annotationChanged.emit()

    def _on_videos_added(self, _result: object) -> None:
        self._set_busy("")
        self._tell_notices()
        self.videosChanged.emit()
        if self._project is not None:
            self._engine.rank(self._project.settings.strategy)

    def _writable(self) -> Project | None:
        """Return the project if it can be changed; else tell the user why not."""
        project = self._project
        if project is not None and project.read_only:
            who = f" by {project.lock_holder}" if project.lock_holder else ""
            self.notice_error(f"The project is open read-only{who}.", "Close it there, then open it here again.")
            return None
        if self._reshaping:
            self.noticeRaised.emit("The bodyparts are being changed.", "Label on when that is done.", False)
            return None
        return project

    def _refuse(self, error: AlPoseError) -> None:
        self._set_busy("")
        self.notice_error(error.message, error.hint)


def _nothing(_result: object) -> None:
    """What was awaited has happened."""
