"""Checks in the background whether the shown video's seeks are exact, and puts right what is not."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from qtpy.QtCore import QObject, Signal, Slot

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.views.video_check import (
    DAMAGE_HINT,
    VideoCheckView,
    copying_view,
    inexact_view,
    renumbered_notice,
)
from napari_al_pose.gui.background import DelayedWork
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.navigator import Navigator
from napari_al_pose.gui.state.notices import Notices
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.video import (
    OpeningCancelledError,
    Verdict,
    VideoFile,
    choose_remedy,
    known_verdict,
    verify,
    write_exact_copy,
)

log = logging.getLogger(__name__)

DELAY_MS = 1500
"""Time between showing a video and checking it: what the user does first goes first."""


class VideoCheck(QObject):
    """Verifies each video once, some time after it is first shown; the outcome is kept with its index.

    Parameters
    ----------
    frame : CurrentFrame
    navigator : Navigator
    projects : ProjectSession
    notices : Notices
    """

    changed = Signal()
    """`view` is another."""
    _progressed = Signal(int, int)

    def __init__(
        self, frame: CurrentFrame, navigator: Navigator, *, projects: ProjectSession, notices: Notices
    ) -> None:
        super().__init__(navigator)
        self._notices, self._frame, self._navigator = notices, frame, navigator
        self._view = VideoCheckView()
        self._source: VideoFile | None = None
        self._said = ""
        """What the user was told of damage in the source."""
        self._copies = False
        self._began = 0.0
        self._work = DelayedWork("al-pose-check", DELAY_MS, self)
        self._work.due.connect(self._begin)
        self._progressed.connect(self._show_progress)
        frame.sourceChanged.connect(self._on_source)
        projects.closing.connect(self._work.close)

    @property
    def view(self) -> VideoCheckView:
        """What to show the user."""
        return self._view

    # ---- checking -----------------------------------------------------------------------------

    @Slot()
    def _on_source(self) -> None:
        if self._copies:
            return  # goes on, whatever the user looks at meanwhile
        source = self._frame.source
        self._work.give_up()
        self._source = source if isinstance(source, VideoFile) else None
        self._show(VideoCheckView())
        if self._source is not None:
            self._said = self._source.notice  # said on opening
            self._work.ask()

    @Slot()
    def _begin(self) -> None:
        source = self._source
        if source is None:
            return
        cancel = self._work.begin()

        def check() -> Verdict | None:
            known = known_verdict(source.original)
            if known is not None and known.is_checked:
                return known
            found = verify(source.original, source.index, cancelled=cancel.is_set)
            if found is not None and found.renumbered_from < 0:
                source.take_in(found)
            return found

        self._work.run(check, then=lambda verdict: self._judge(source, verdict), failed=_log)

    def _judge(self, source: VideoFile, verdict: Verdict | None) -> None:
        if source is not self._source or verdict is None:
            return
        if source.notice and source.notice != self._said:
            self._said = source.notice
            self._notices.tell(source.notice, DAMAGE_HINT)
        if verdict.renumbered_from >= 0:
            self._notices.warn(*renumbered_notice(source.name, verdict.renumbered_from))
            self._reopen(source.name)
        elif verdict.differs_at >= 0 and not verdict.remedy:
            self._show(inexact_view(source.name, verdict.differs_at))

    # ---- ways out -----------------------------------------------------------------------------

    def decode_forwards(self) -> None:
        """Read the video from its first frame on from now on."""
        source = self._source
        if source is not None:
            self._work.run(
                lambda: choose_remedy(source.original, "forward"),
                then=lambda _none: self._reopen(source.name),
                failed=self._fail,
            )

    def make_copy(self) -> None:
        """Write an exact copy and read that from now on."""
        source = self._source
        if source is None or self._copies:
            return
        cancel = self._work.begin()
        self._copies, self._began = True, time.monotonic()
        self._show_progress(0, len(source))

        def copy() -> Path:
            made = write_exact_copy(source.original, progress=self._progressed.emit, cancelled=cancel.is_set)
            choose_remedy(source.original, "copy", made)
            return made

        self._work.run(copy, then=lambda _made: self._end_copy(source), failed=self._fail)

    def cancel_copy(self) -> None:
        """Cancel the copy and remove what was written of it."""
        self._work.give_up()

    def _end_copy(self, source: VideoFile) -> None:
        self._copies = False
        self._reopen(source.name)

    def _fail(self, error: AlPoseError) -> None:
        self._copies = False
        if not isinstance(error, OpeningCancelledError):
            self._notices.warn(error.message, error.hint)
        self._on_source()  # offers again

    def _reopen(self, name: str) -> None:
        self._show(VideoCheckView())
        self._navigator.reopen_video(name)
        self._on_source()

    # ---- showing ------------------------------------------------------------------------------

    @Slot(int, int)
    def _show_progress(self, done: int, total: int) -> None:
        if self._copies and self._source is not None:
            self._show(copying_view(self._source.name, done, total, time.monotonic() - self._began))

    def _show(self, view: VideoCheckView) -> None:
        if view != self._view:
            self._view = view
            self.changed.emit()


def _log(error: AlPoseError) -> None:
    log.warning("checking a video: %s", error)
