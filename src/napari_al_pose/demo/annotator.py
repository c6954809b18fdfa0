"""A simulated annotator who knows the truth and uses only mouse and keyboard."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEventLoop, QPoint, Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

from napari_al_pose.domain import FrameKey, KeypointState
from napari_al_pose.gui.state.session import Session

PATIENCE_SECONDS = 20.0
"""How long the annotator waits for what it did to show; engines take the processor meanwhile."""

_LOOKS = 3
"""How often the annotator checks a frame before it must be complete."""
GOOD_ENOUGH_PX = 3.0
"""A guess this close to the truth is accepted as it is."""


@dataclass(frozen=True, slots=True, eq=False)
class TruePose:
    """The true positions of the bodyparts.

    Parameters
    ----------
    xy : float array, (K, 2)
        Source pixels.
    visible : bool array, (K,)
    """

    xy: NDArray[np.floating]
    visible: NDArray[np.bool_]


class WaitedTooLongError(RuntimeError):
    """The window did not react in time."""


def wait_until(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Let the window work until ``condition`` holds.

    Raises
    ------
    WaitedTooLongError
        After ``seconds``, with a description of ``what`` was expected.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise WaitedTooLongError(f"Waited {seconds:g} s for {what}.")
        _work(20)


def _work(milliseconds: int) -> None:
    """Let the window work for a moment and sleep when idle: vispy makes QTest.qWait spin."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


class MouseAnnotator:
    """Labels the frame on screen with mouse events on the canvas and key presses, as a person would.

    Parameters
    ----------
    viewer : napari.Viewer
    session : Session
    truth : mapping of FrameKey to TruePose
    """

    def __init__(self, viewer: Any, session: Session, truth: Mapping[FrameKey, TruePose]) -> None:
        self._viewer = viewer
        self._session = session
        self.truth = truth
        self.clicks = 0
        self.drags = 0
        self.keys = 0

    @property
    def canvas(self) -> QWidget:
        """The widget that takes the mouse events."""
        return self._viewer.window._qt_viewer.canvas.native

    def to_canvas(self, x: float, y: float) -> QPoint:
        """Return the canvas position of source pixel ``(x, y)``."""
        zoom = self._viewer.scene.camera.zoom
        centre_y, centre_x = self._viewer.scene.camera.center[-2:]
        width, height = self.canvas.width(), self.canvas.height()
        return QPoint(round(width / 2 + (x - centre_x) * zoom), round(height / 2 + (y - centre_y) * zoom))

    def label_frame(self, *, until: int | None = None) -> None:
        """Label the current frame, or only its first ``until`` bodyparts.

        Raises
        ------
        WaitedTooLongError
            If the window does not react to an action.
        """
        key = self._session.frame.key
        if key is None:
            raise WaitedTooLongError("No frame is in front of the annotator.")
        wait_until(lambda: self._session.frame.picture_is_current, seconds=PATIENCE_SECONDS, what="the picture")
        self._correct(self.truth[key], self._session.frame.bodyparts[:until])
        if until is not None:
            return
        # Each label updates the other guesses: a right one may have moved since, or no longer be believed.
        for _ in range(_LOOKS):
            if self._session.frame.guess is not None:
                self.press(Qt.Key.Key_Return)
            if self._is_complete():
                return
            self._correct(self.truth[key], self._session.frame.bodyparts)
        wait_until(self._is_complete, seconds=PATIENCE_SECONDS, what=f"{key} to be complete")

    def _correct(self, truth: TruePose, names: Sequence[str]) -> None:
        """Label each of the bodyparts ``names`` whose present guess is not good enough."""
        for index, name in enumerate(names):
            if self._state(index) != KeypointState.UNSEEN or self._is_good(index, truth):
                continue
            self._choose(name)
            if truth.visible[index]:
                self._place(index, truth.xy[index])
            else:
                self.press(Qt.Key.Key_X)
            self._expect(index, name)

    def _is_good(self, index: int, truth: TruePose) -> bool:
        """Whether the guess for a visible bodypart can be accepted as it is."""
        guess = self._guess(index)
        return guess is not None and bool(
            truth.visible[index] and np.hypot(*(guess - truth.xy[index])) <= GOOD_ENOUGH_PX
        )

    def _place(self, index: int, xy: NDArray[np.floating]) -> None:
        """Drag the guess for the chosen bodypart to ``xy``, or click there if nothing is believed."""
        before = None
        while (guess := self._guess(index)) is not None:
            if before is not None and np.array_equal(guess, before):
                self._pull(guess, xy)
                return
            # The engine's answer may move the guess while the mouse is on its way.
            QTest.mouseMove(self.canvas, self.to_canvas(*guess))
            before = guess
        self.click(*xy)

    def _guess(self, index: int) -> NDArray[np.floating] | None:
        """Return where a bodypart is guessed, (2,), if that is believed."""
        guess = self._session.frame.guess
        if guess is None or self._session.frame.guesses.doubted[index] or not np.isfinite(guess.xy[index]).all():
            return None
        return guess.xy[index]

    def go_on(self) -> FrameKey:
        """Press N and return the next frame; the same frame at the end of the queue."""
        before = self._session.navigator.queue.position
        at_end = before + 1 >= len(self._session.navigator.queue)
        self.press(Qt.Key.Key_N)
        if not at_end:
            wait_until(
                lambda: self._session.navigator.queue.position != before,
                seconds=PATIENCE_SECONDS,
                what="the next frame",
            )
        wait_until(lambda: self._session.frame.picture_is_current, seconds=20, what="the frame on the canvas")
        if self._session.frame.key is None:
            raise WaitedTooLongError("N led to no frame.")
        return self._session.frame.key

    def click(self, x: float, y: float, button: Qt.MouseButton = Qt.MouseButton.LeftButton) -> None:
        """Click on source pixel ``(x, y)``."""
        self.clicks += 1
        QTest.mouseClick(self.canvas, button, pos=self.to_canvas(x, y))
        QApplication.processEvents()

    def drag(
        self,
        start: NDArray[np.floating],
        end: NDArray[np.floating],
        modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier,
    ) -> None:
        """Drag from one source pixel to another."""
        QTest.mouseMove(self.canvas, self.to_canvas(*start))
        self._pull(start, end, modifier)

    def _pull(
        self,
        start: NDArray[np.floating],
        end: NDArray[np.floating],
        modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier,
    ) -> None:
        """Drag from ``start``, where the mouse is already: nothing else happens until the button is down."""
        self.drags += 1
        left = Qt.MouseButton.LeftButton
        QTest.mousePress(self.canvas, left, modifier, pos=self.to_canvas(*start))
        for share in (0.3, 0.7, 1.0):
            QTest.mouseMove(self.canvas, self.to_canvas(*(np.asarray(start) + share * (np.asarray(end) - start))))
            QApplication.processEvents()
        QTest.mouseRelease(self.canvas, left, modifier, pos=self.to_canvas(*end))
        QApplication.processEvents()

    def press(self, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        """Press and release a key with the canvas in focus."""
        self.keys += 1
        self.canvas.setFocus()
        QTest.keyClick(self.canvas, key, modifier)
        QApplication.processEvents()

    def _choose(self, name: str) -> None:
        """Go to a bodypart by pressing S, the key for the next bodypart."""
        for _ in range(len(self._session.frame.bodyparts)):
            if self._session.frame.bodypart == name:
                return
            self.press(Qt.Key.Key_S)
        if self._session.frame.bodypart != name:
            raise WaitedTooLongError(f"S did not lead to {name!r}.")

    def _expect(self, index: int, name: str) -> None:
        wait_until(
            lambda: self._state(index) != KeypointState.UNSEEN,
            seconds=PATIENCE_SECONDS,
            what=f"{name!r} to be labelled",
        )

    def _state(self, index: int) -> int:
        annotation = self._session.frame.annotation
        return KeypointState.UNSEEN if annotation is None else int(annotation.states[index])

    def _is_complete(self) -> bool:
        annotation = self._session.frame.annotation
        return annotation is not None and annotation.is_complete
