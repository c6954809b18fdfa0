"""The frames around the current one, played in place: what moves is easier to see than what stands still."""

from __future__ import annotations

from qtpy.QtCore import QObject, QTimer, Signal

from napari_al_pose.domain import FrameKey
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.navigator import Navigator

AROUND = 15
"""Frames played on each side."""
MEMORY = 128 * 2**20
"""Bytes the played frames may take of the video's cache."""
FASTEST_MS = 40
PATIENCE = 8
"""Ticks a frame that is not decoded yet is waited for."""


class ContextPlayer(QObject):
    """Shows the frames around the current one over and over, from the video's cache; never waits for a decode.

    Parameters
    ----------
    frame : CurrentFrame
        Stays what it is, and so does what a label would belong to.
    navigator : Navigator
    parent : QObject
    """

    playing = Signal(bool)
    positionWanted = Signal(int)
    """The pixels of the frame there are to be on the canvas."""

    def __init__(self, frame: CurrentFrame, navigator: Navigator, *, parent: QObject) -> None:
        super().__init__(parent)
        self._frame, self._navigator = frame, navigator
        self._positions: list[int] = []
        self._index = self._waited = 0
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._tick)
        for signal in (frame.keyChanged, frame.sourceChanged, frame.annotationChanged):
            signal.connect(self.stop)

    @property
    def is_playing(self) -> bool:
        """Whether other frames than the current one are shown."""
        return bool(self._positions)

    @property
    def span(self) -> tuple[int, int]:
        """First and last position played; -1 while nothing is."""
        return (self._positions[0], self._positions[-1]) if self._positions else (-1, -1)

    def toggle(self) -> None:
        """Play, or go back to the current frame."""
        if self.is_playing:
            self.stop()
        else:
            self.start()

    def start(self) -> None:
        """Play from the first frame on."""
        source = self._frame.source
        current, position = self._frame.key, self._frame.position
        if source is None or current is None or position < 0:
            return
        height, width = source.shape[1:3]
        around = max(1, min(AROUND, MEMORY // (3 * height * width) // 2))
        self._positions = list(range(max(0, position - around), min(len(source), position + around + 1)))
        self._index = self._waited = 0
        self._navigator.prefetch([FrameKey(current.video, source.number(each)) for each in self._positions])
        self._timer.start(max(FASTEST_MS, round(1000 / max(1.0, source.fps))))
        self.playing.emit(True)

    def stop(self) -> None:
        """Show the current frame again."""
        if self._positions:
            self._timer.stop()
            self._positions = []
            if self._frame.position >= 0:
                self.positionWanted.emit(self._frame.position)
            self.playing.emit(False)

    def _tick(self) -> None:
        source = self._frame.source
        if source is None or not self._positions:
            return
        position = self._positions[self._index]
        self._waited += 1
        if source.peek(position) is None and self._waited < PATIENCE:
            return
        self._waited = 0
        self._index = (self._index + 1) % len(self._positions)
        self.positionWanted.emit(position)
