"""Playing the video at its own speed."""

from __future__ import annotations

import time

from qtpy.QtCore import QObject, Qt, QTimer

from napari_al_pose.domain import FrameKey
from napari_al_pose.domain.frames import due_position
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.navigator import Navigator
from napari_al_pose.gui.state.project_session import ProjectSession

TICK_MS = 8
PATIENCE_SECONDS = 0.5
"""A frame that takes longer to decode is no longer waited for."""
AHEAD_SECONDS = 0.5
"""Decoded ahead of the frame shown."""


class VideoPlayer(QObject):
    """Plays by the clock: frames that are late are skipped.

    Nothing here waits: while a frame is being decoded the last one stays, and the next is the one due by then. The
    engine is asked for scoremaps only of the frame where playing stops.

    Parameters
    ----------
    projects : ProjectSession
    frame : CurrentFrame
    navigator : Navigator
    parent : QObject
    """

    def __init__(self, projects: ProjectSession, frame: CurrentFrame, *, navigator: Navigator, parent: QObject) -> None:
        super().__init__(parent)
        self._frame, self._navigator = frame, navigator
        self._start = -1
        self._began = self._moved = 0.0
        self._moves = False
        self._timer = QTimer(self, interval=TICK_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.tick)
        projects.closing.connect(self.stop)
        for signal in (frame.keyChanged, frame.sourceChanged, frame.annotationChanged):
            signal.connect(self._on_change)

    @property
    def is_playing(self) -> bool:
        """Whether the video is playing."""
        return self._timer.isActive()

    def toggle(self) -> None:
        """Play from the current frame on, or stop at it."""
        if self.is_playing:
            self.stop()
        elif self._frame.source is not None and self._frame.position >= 0:
            self._start = self._frame.position
            self._began = self._moved = time.monotonic()
            self._navigator.set_playing(True)
            self._timer.start()

    def stop(self) -> None:
        """Stay at the current frame."""
        if self.is_playing:
            self._timer.stop()
            self._navigator.set_playing(False)

    def tick(self) -> None:
        """Go to the frame that is due by now."""
        now = time.monotonic()
        source, current = self._frame.source, self._frame.key
        if source is None or current is None:
            self.stop()
            return
        if not self._frame.picture_is_current and now - self._moved < PATIENCE_SECONDS:
            return
        position = due_position(source.seconds, self._start, now - self._began, len(source))
        if position != self._frame.position:
            self._moved = now
            self._moves = True
            try:
                self._navigator.go_to(FrameKey(current.video, source.number(position)))
            finally:
                self._moves = False
            n_ahead = max(2, round(AHEAD_SECONDS * source.fps))
            ahead = range(position + 1, min(position + 1 + n_ahead, len(source)))
            self._navigator.prefetch([FrameKey(current.video, source.number(each)) for each in ahead])
        if position == len(source) - 1:
            self.stop()

    def _on_change(self) -> None:
        """Stop playing when the user does something else."""
        if not self._moves:
            self.stop()
