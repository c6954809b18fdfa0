"""Compares, in the background, extracted images with the frames of their videos, once a video."""

from __future__ import annotations

import logging
import threading

from qtpy.QtCore import QObject, Slot

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.steps import finish
from napari_al_pose.gui.background import DelayedWork
from napari_al_pose.gui.state.navigator import Navigator
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.project import Project, ProjectVideo
from napari_al_pose.project.picture_check import Compared, compare_video
from napari_al_pose.project.pictures import Noted

log = logging.getLogger(__name__)

DELAY_MS = 4000
"""After a project is opened: what the user does first goes first."""


class PictureCheck(QObject):
    """Compares some images of each video after a project was opened, all of them where one differs.

    The user is told what came of it, and images that are no frames of the video are shown in the place of those.

    Parameters
    ----------
    projects : ProjectSession
    navigator : Navigator

    Attributes
    ----------
    work : DelayedWork
    """

    def __init__(self, projects: ProjectSession, navigator: Navigator) -> None:
        super().__init__(navigator)  # outlives the dock, so that it hears of the session's end
        self._projects, self._navigator = projects, navigator
        self._root = ""
        self.work = DelayedWork("al-pose-pictures", DELAY_MS, self)
        self.work.due.connect(self._begin)
        projects.projectChanged.connect(self._on_project)
        projects.closing.connect(self.work.close)

    @Slot()
    def _on_project(self) -> None:
        project = self._projects.project
        root = "" if project is None else str(project.root)
        if root != self._root:
            self._root = root
            self.work.give_up()
            if root:
                self.work.ask()

    @Slot()
    def _begin(self) -> None:
        project = self._projects.project
        if project is not None:
            self._next(project, self.work.begin(), frozenset())

    def _next(self, project: Project, cancel: threading.Event, done: frozenset[str]) -> None:
        """Compare the next video; ``done`` are those that were compared, with any result."""

        def work() -> tuple[str, Compared | None]:
            for video in project.videos_to_compare():
                if video.name not in done and not cancel.is_set():
                    return video.name, _compared(video, project.noted_of(video), cancel)
            return "", None

        def then(found: tuple[str, Compared | None]) -> None:
            name, compared = found
            if not name or cancel.is_set() or project is not self._projects.project:
                return
            if compared is not None:
                self._projects.take_compared(compared, then=lambda: self._show(compared))
            self._next(project, cancel, done | {name})

        self.work.run(work, then=then, failed=_log)

    def _show(self, compared: Compared) -> None:
        if compared.differing:
            self._navigator.reopen_video(compared.video)


def _compared(video: ProjectVideo, noted: Noted, cancel: threading.Event) -> Compared | None:
    steps = compare_video(video, noted, cancelled=cancel.is_set)
    try:
        found = finish(steps)
    except AlPoseError as error:
        log.warning("%s", error)
        return None
    return None if cancel.is_set() else found


def _log(error: AlPoseError) -> None:
    log.warning("comparing images: %s", error)
