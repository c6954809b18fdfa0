"""The open project: opened, created, reshaped and closed, with everything written."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qtpy.QtCore import QCoreApplication, QObject, Signal, Slot

from napari_al_pose.domain import AlPoseError, Annotation, FrameKey, Skeleton
from napari_al_pose.domain.file_names import project_root
from napari_al_pose.domain.labelling import LabelTally
from napari_al_pose.domain.settings import LoopSettings
from napari_al_pose.domain.skeleton_edit import SkeletonEdit
from napari_al_pose.gui.background import Background
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.loading import LoadedProject, first_frame, load_project
from napari_al_pose.gui.state.notices import Notices
from napari_al_pose.gui.state.saving import LabelSaver
from napari_al_pose.project import Project, ProjectVideo, create_project
from napari_al_pose.project.picture_check import Compared


@dataclass(frozen=True, slots=True)
class Beginning:
    """What follows once a project is on show.

    Parameters
    ----------
    at : FrameKey or None
        The frame to go to; None for the first there is.
    rank : bool
        Whether the queue must be ranked again.
    interrupt : bool
        Whether what the engine does is of no use any more; else it may end its work, but must start afresh before
        the next.
    """

    at: FrameKey | None
    rank: bool = False
    interrupt: bool = True


class ProjectSession(QObject):
    """Keeps the open project and the thread that reads and writes it.

    Parameters
    ----------
    frame : CurrentFrame
        Is given the project's labels, and told when they change in the files.
    notices : Notices
    """

    entered = Signal(object)
    """A `LoadedProject` is the open one: the session's other parts take from it what they hold."""
    left = Signal()
    """The open project is being closed: the session's other parts forget what they held of it."""
    projectChanged = Signal()
    """Another project, or none, or one with other bodyparts. Everything else may have changed with it."""
    announced = Signal()
    """Follows ``projectChanged``: the other parts say that theirs has changed too."""
    begun = Signal(object)
    """The project is on show; a `Beginning` says how to go on."""
    settingsChanged = Signal()
    videosChanged = Signal()
    """The project has more videos."""
    written = Signal()
    """DeepLabCut's files are as the labels are; what other programs had changed in them is taken in."""
    closing = Signal()
    """Emitted once, before everything is closed: whoever shows something takes it down."""
    closed = Signal()
    """Emitted once, when the project is left for good: whoever has a thread ends it."""

    def __init__(self, frame: CurrentFrame, notices: Notices) -> None:
        super().__init__()
        self._frame, self._notices = frame, notices
        self._project: Project | None = None
        self._tally = LabelTally()
        self._reshaping = self._closed = False
        self._n_notices = 0
        self._loading: list[Future[LoadedProject]] = []
        """What is being opened, and has not been entered."""
        self._worker = Background("al-pose-project", self)
        self._saver = LabelSaver(self._worker, self)
        self._saver.written.connect(self._on_written)
        self._saver.failed.connect(notices.warn)
        frame.annotationChanged.connect(self._count_frame)
        # Where a script ends with a window of its own, the interpreter takes Qt's objects apart in any order.
        atexit.register(self.close)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.close)

    # ---- what is open -------------------------------------------------------------------------

    @property
    def project(self) -> Project | None:
        """The open project."""
        return self._project

    @property
    def read_only(self) -> bool:
        """Whether labels can only be looked at: no project, or another window holds it."""
        return self._project is None or self._project.read_only

    @property
    def is_reshaping(self) -> bool:
        """Whether what is labelled is being changed; nobody can label meanwhile."""
        return self._reshaping

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called; the session can't be used after that."""
        return self._closed

    @property
    def settings(self) -> LoopSettings:
        """The project's settings; the defaults without a project."""
        return LoopSettings.model_validate({}) if self._project is None else self._project.settings

    @property
    def tally(self) -> LabelTally:
        """Which frames are labelled, complete, hold-out; replaced with the project, updated with every edit."""
        return self._tally

    @property
    def done(self) -> set[FrameKey]:
        """Frames that need no more labels, by what the queue asks for."""
        return self._tally.done(self.settings.ask)

    @property
    def n_trainable(self) -> int:
        """Number of `done` frames that a model may be trained on."""
        return self._tally.n_trainable(self.settings.ask)

    def video(self, name: str) -> ProjectVideo | None:
        """Return the project's video of that name."""
        videos: Iterable[ProjectVideo] = () if self._project is None else self._project.videos
        return next((video for video in videos if video.name == name), None)

    def writable(self) -> Project | None:
        """Return the project if it can be changed; else tell the user why not."""
        project = self._project
        if project is not None and project.read_only:
            if project.lock_holder:
                who = f"The project is open read-only: {project.lock_holder} has it open."
                self._notices.warn(who, "Close it there, then open it here again.")
            else:
                why = "The project is open read-only, because you can't write to its folder."
                self._notices.warn(
                    why, "Copy it to a folder you can write to, or change its permissions, then open it again."
                )
            return None
        if self._reshaping:
            self._notices.tell("The bodyparts are being changed.", "Continue labelling when that is done.")
            return None
        return project

    # ---- opening and closing ------------------------------------------------------------------

    def open_project(self, path: Path | str) -> None:
        """Open the project folder or ``config.yaml`` at ``path`` in place of the open one.

        Returns at once; ``projectChanged`` or a notice follows. The open project stays until then. One that is open
        already is shown again; one that is open read-only is opened anew, as it may be free now. Nothing is opened once
        the session is closed: an import may end after that.
        """
        if self._closed:
            return
        wanted = Path(path)
        root = project_root(wanted)
        open_ = self._project
        if open_ is not None and open_.root.resolve() == root.resolve() and not open_.read_only:
            self._announce()
            return
        self._notices.set_busy(f"Opening {root.name}…")
        self._loading.append(self.run(lambda: load_project(wanted), then=self._enter))

    def new_project(self, **details: Any) -> None:
        """Make a project and open it; ``details`` as in `napari_al_pose.project.create_project`."""
        self._notices.set_busy("Making the project…")
        self.run(lambda: create_project(**details), then=self.open_project)

    def close_project(self) -> None:
        """Write what is to be written and close the project, its videos and its engine; waits for the writing."""
        name = "" if self._project is None else self._project.config.task
        closing = self._leave()
        if closing is not None:
            wait([closing])
            self._notices.tell(f"{name} is closed. Your labels are saved.")

    @Slot()
    def close(self) -> None:
        """Close everything, leave the viewer as it was and stop every thread."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        self.closing.emit()
        self._leave()
        self.closed.emit()
        self._worker.close()
        self._saver.close()
        self._close_unentered()

    # ---- changing the project -----------------------------------------------------------------

    def add_videos(self, paths: Sequence[Path]) -> None:
        """Add videos to the project; ``videosChanged`` follows."""
        project = self.writable()
        if project is not None:
            self._notices.set_busy("Adding videos…")
            self.run(lambda: project.add_videos(list(paths)), then=self._on_videos_added)

    def take_compared(self, compared: Compared, then: Callable[[], None]) -> None:
        """Store the result of comparing a video's images with its frames, and tell the user; ``then()`` follows."""
        project = self._project
        if project is None:
            return

        def done(_nothing: object) -> None:
            if project is self._project:
                self._tell_notices()
                then()

        self.run(lambda: project.take_compared(compared), then=done)

    def edit_skeleton(self, edit: SkeletonEdit) -> None:
        """Change bodyparts and skeleton; labels and DeepLabCut's files follow, and the frame stays in front."""
        self._reshape("Changing the bodyparts…", lambda project: project.edit_skeleton(edit))

    def add_individual(self, name: str) -> None:
        """Add an animal to a project of several."""
        self._reshape(f"Adding {name}…", lambda project: project.add_individual(name))

    def change_labels(self, what: str, work: Callable[[Project], object]) -> None:
        """Let ``work`` bring labels and videos into the project, off the GUI thread; nobody can label meanwhile."""
        self._reshape(what, work)

    def set_strategy(self, name: str) -> None:
        """Rank the queue by the strategy ``name`` from now on."""
        self.set_settings(self.settings.model_copy(update={"strategy": name}))

    def toggle_ask(self) -> None:
        """Switch between asking for doubtful bodyparts and asking for whole frames."""
        ask = "frames" if self.settings.ask == "bodyparts" else "bodyparts"
        self.set_settings(self.settings.model_copy(update={"ask": ask}))

    def set_settings(self, settings: LoopSettings) -> None:
        """Store ``settings``."""
        project = self.writable()
        if project is None or settings == self.settings:
            return
        try:
            project.save_settings(settings)
        except AlPoseError as error:
            self._notices.refuse(error)
            return
        self.settingsChanged.emit()

    # ---- for the other parts of the session ---------------------------------------------------

    def run(self, work: Callable[[], Any], then: Callable[[Any], None] | None = None) -> Future[Any]:
        """Do ``work`` on the project's own thread, then ``then(result)`` on this one; a failure is told to the user."""
        return self._worker.run(work, then=_nothing if then is None else then, failed=self._notices.refuse)

    def touch(self, video: str) -> None:
        """Labels that DeepLabCut's files of ``video`` have, or shall have, were changed."""
        self._saver.touch(video)

    def count(self, annotations: Sequence[Annotation]) -> None:
        """Update the count for one changed frame, given the annotations of all its individuals."""
        if annotations:
            self._tally.update(*annotations)

    def set_tally(self, tally: LabelTally) -> None:
        """Take the count of a project whose frames were changed as a whole."""
        self._tally = tally
        self._frame.reload()

    # ---- inside -------------------------------------------------------------------------------

    def _reshape(self, what: str, work: Callable[[Project], object]) -> None:
        """Change what is labelled, on the worker thread; nothing can be labelled meanwhile."""
        project = self.writable()
        if project is None:
            return
        self._notices.set_busy(what)
        self._reshaping = True
        before = project.skeleton

        def change() -> LabelTally:
            work(project)
            return LabelTally(project.labels.annotations(unique=True))

        self._worker.run(change, then=lambda tally: self._reshaped(project, before, tally), failed=self._not_reshaped)

    def _reshaped(self, project: Project, before: Skeleton, tally: LabelTally) -> None:
        self._reshaping = False
        self._notices.set_busy("")
        if project is not self._project:
            return
        key, after = self._frame.key, project.skeleton
        # Lines change no network: its guesses hold, and a training may go on.
        is_other = (before.bodyparts, before.individuals) != (after.bodyparts, after.individuals)
        self._tally = tally
        self._frame.use(after, project.labels, {} if is_other else self._frame.guesses.predictions)
        self._tell_notices()
        self._announce()
        self.begun.emit(Beginning(key, interrupt=is_other))

    def _not_reshaped(self, error: AlPoseError) -> None:
        self._reshaping = False
        self._notices.refuse(error)

    def _enter(self, loaded: LoadedProject) -> None:
        self._leave()
        self._loading = [one for one in self._loading if not one.done() or one.exception() is None]
        self._loading = [one for one in self._loading if not one.done() or one.result() is not loaded]
        project = self._project = loaded.project
        self._tally = loaded.tally
        self._frame.use(project.skeleton, project.labels, loaded.predictions)
        self._saver.watch(project)
        # Last in, first called: h5py, imported by now, must not end before the files are written.
        atexit.unregister(self.close)
        atexit.register(self.close)
        self._notices.set_busy("")
        self.entered.emit(loaded)
        self._announce()
        self._n_notices = 0
        self._tell_notices()
        if loaded.snapshot is not None:
            self._notices.tell(
                f"DeepLabCut has trained a network in this project ({loaded.snapshot.name}).",
                "Project > Use a trained model… gives you its guesses from the first frame on.",
            )
        self.begun.emit(Beginning(first_frame(loaded), rank=not loaded.queue_fits and not project.read_only))

    def _close_unentered(self) -> None:
        """Release a project that was opened while the session was being closed, so that others can open it."""
        for opened in self._loading:
            if opened.exception() is None:
                opened.result().project.close()
        self._loading.clear()

    def _leave(self) -> Future[Any] | None:
        """Close the project in the background; return what can be waited for."""
        if self._project is None:
            return None
        closing = self.run(self._saver.finish())
        self._project, self._tally = None, LabelTally()
        self._frame.leave()
        self.left.emit()
        if not self._closed:  # else what would show it is being taken apart too
            self._announce()
        return closing

    def _announce(self) -> None:
        self.projectChanged.emit()
        self.settingsChanged.emit()
        self.announced.emit()
        self._frame.announce()

    def _tell_notices(self) -> None:
        """Pass on what the project has noticed since the last time."""
        if self._project is not None:
            notices = self._project.notices
            new, self._n_notices = notices[self._n_notices :], len(notices)
            for notice in new:
                self._notices.tell(notice)

    @Slot()
    def _on_written(self) -> None:
        """Show what writing the files has taken in from other programs."""
        self._tell_notices()
        if not self._reshaping:
            self._frame.reload_if_changed()
        self.written.emit()

    @Slot()
    def _count_frame(self) -> None:
        self.count(self._frame.annotations)

    def _on_videos_added(self, _result: object) -> None:
        self._notices.set_busy("")
        self._tell_notices()
        self.videosChanged.emit()


def _nothing(_result: object) -> None:
    """Do nothing with a result."""
