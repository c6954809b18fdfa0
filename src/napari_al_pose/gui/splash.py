"""The small window that says what is being opened while napari is imported, which takes most of a start.

It is a process of its own: it is there before napari's first module is read, moves all the while, and leaves napari the
making of its `QApplication`.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

WIDTH = 360
_EXIT_SECONDS = 2.0


class Splash:
    """Shown from the beginning of a ``with`` block to its end at the latest; also goes when this process ends.

    Parameters
    ----------
    text : str
        What is being done.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        # On macOS a second program would come to the front, with an icon in the Dock, and stay there.
        if sys.platform != "darwin":
            command = [sys.executable, "-P", "-m", "napari_al_pose.gui.splash", self._text]
            with suppress(OSError):  # the window opens without it
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def wait_until_shown(self) -> bool:
        """Wait, and return whether it is on screen; False if it can't be."""
        process = self._process
        return process is not None and process.stdout is not None and bool(process.stdout.readline())

    def close(self) -> None:
        """Close it."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.communicate(timeout=_EXIT_SECONDS)  # closes its input, at which it ends
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def main() -> None:
    """Show the window until the other end of standard input is closed."""
    from qtpy.QtCore import QObject, Qt, QTimer, Signal
    from qtpy.QtWidgets import QApplication, QFrame, QLabel, QProgressBar, QVBoxLayout

    class Parent(QObject):
        left = Signal()

        def watch(self) -> None:
            sys.stdin.buffer.read()
            self.left.emit()

    application, parent = QApplication(sys.argv[:1]), Parent()
    parent.left.connect(application.quit)
    frame = QFrame(None, Qt.WindowType.SplashScreen)
    frame.setFrameShape(QFrame.Shape.StyledPanel)
    frame.setFixedWidth(WIDTH)
    title, text, bar = QLabel("napari-al-pose"), QLabel(sys.argv[1]), QProgressBar()
    font = title.font()
    font.setPointSizeF(1.5 * font.pointSizeF())
    title.setFont(font)
    text.setWordWrap(True)
    bar.setRange(0, 0)
    rows = QVBoxLayout(frame)
    rows.setContentsMargins(20, 16, 20, 16)
    for widget in (title, text, bar):
        rows.addWidget(widget)
    frame.adjustSize()
    frame.move(application.primaryScreen().availableGeometry().center() - frame.rect().center())
    frame.show()
    QTimer.singleShot(0, lambda: print("shown", flush=True))  # noqa: T201  once it is painted
    threading.Thread(target=parent.watch, daemon=True).start()
    application.exec()


if __name__ == "__main__":
    main()
