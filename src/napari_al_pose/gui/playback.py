"""Playing the video at its own speed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Qt, QTimer

from napari_al_pose.domain import FrameKey
from napari_al_pose.domain.playback import due_position

if TYPE_CHECKING:
    from napari_al_pose.gui.session import Session

TICK_MS = 8
PATIENCE_SECONDS = 0.5
"""A frame that takes longer to decode is no longer waited for."""
AHEAD_SECONDS = 0.5
"""Decoded ahead of the frame shown."""


class VideoPlayer(QObject):
    """Moves the session from frame to frame as time goes by: frames that are late are skipped, never the clock.

    Nothing here waits: while a frame is being decoded the last one stays, and the next is the one due by then. The
    engine is asked for scoremaps only of the frame where playing stops.

    Parameters
    ----------
    session : Session
    picture_is_current : callable
        Whether the session's frame is on the canvas.
    parent : QObject
    """

    def __init__(self, session: Session, picture_is_current: Callable[[], bool], parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._picture_is_current = picture_is_current
        self._start = -1
        self._began = self._moved = 0.0
        self._moves = False
        self._timer = QTimer(self, interval=TICK_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        session.closing.connect(self.stop)
        for signal in (session.frameChanged, session.sourceChanged, session.annotationChanged):
            signal.connect(self._on_change)

    @property
    def is_playing(self) -> bool:
        """Whether time goes by."""
        return self._timer.isActive()

    def toggle(self) -> None:
        """Play from the current frame on, or stop at it."""
        if self.is_playing:
            self.stop()
        elif self._session.source is not None and self._session.position >= 0:
            self._start = self._session.position
            self._began = self._moved = time.monotonic()
            self._session.set_playing(True)
            self._timer.start()

    def stop(self) -> None:
        """Stay at the current frame."""
        if self.is_playing:
            self._timer.stop()
            self._session.set_playing(False)

    def _tick(self) -> None:
        session, now = self._session, time.monotonic()
        source, current = session.source, session.current
        if source is None or current is None:
            self.stop()
            return
        if not self._picture_is_current() and now - self._moved < PATIENCE_SECONDS:
            return
        position = due_position(source.seconds, self._start, now - self._began, len(source))
        if position != session.position:
            self._moved = now
            self._moves = True
            try:
                session.go_to(FrameKey(current.video, source.number(position)))
            finally:
                self._moves = False
            n_ahead = max(2, round(AHEAD_SECONDS * source.fps))
            ahead = range(position + 1, min(position + 1 + n_ahead, len(source)))
            session.prefetch([FrameKey(current.video, source.number(each)) for each in ahead])
        if position == len(source) - 1:
            self.stop()

    def _on_change(self) -> None:
        """Leave it to the user who does something meanwhile."""
        if not self._moves:
            self.stop()
