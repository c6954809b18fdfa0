"""Opens the window on a project as a user does, and prints as JSON when what was there.

Run by `benchmarks.gui` in a process of its own: ``python -m benchmarks.gui_start PROJECT BEGUN``, where BEGUN is
`time.time()` when the process was started.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

SIZE = (1366, 768)
WAIT_SECONDS = 120.0
FRAMES = 3
"""Frames labelled while the buttons are watched."""


def main() -> None:
    """Open, wait for the first suggestion, label some frames, print."""
    project, begun = Path(sys.argv[1]), float(sys.argv[2])
    from napari_al_pose.gui.splash import Splash

    found: dict[str, float] = {}

    def note_shown() -> None:
        if splash.wait_until_shown():
            found["said"] = time.time() - begun

    with Splash("Opening a project…") as splash:
        watching = threading.Thread(target=note_shown)
        watching.start()
        from napari_al_pose.gui.window import open_window

        viewer, session = open_window(project, is_program=True)
        from qtpy.QtWidgets import QApplication

        viewer.window.resize(*SIZE)
        QApplication.processEvents()
        found["window"] = time.time() - begun
        found["window_cpu"] = time.process_time()
        watching.join()
    from napari_al_pose.demo.annotator import wait_until

    wait_until(lambda: session.frame.picture_is_current, seconds=WAIT_SECONDS, what="the first picture")
    found["picture"] = time.time() - begun
    wait_until(
        lambda: session.navigator.suggestion is not None and session.frame.picture_is_current,
        seconds=WAIT_SECONDS,
        what="the first suggestion",
    )
    found["suggestion"] = time.time() - begun
    window = viewer.window._qt_window
    found["canvas_share"] = viewer.window._qt_viewer.canvas.native.width() / window.width()
    found["moved_px"] = _moved(window, session)
    print(json.dumps(found), flush=True)
    viewer.close()


def _moved(window: Any, session: Any) -> float:
    """Return how far any button that was in sight has moved, at most, while frames were labelled."""
    from qtpy.QtCore import QPoint
    from qtpy.QtWidgets import QAbstractButton, QApplication, QComboBox

    def places() -> dict[Any, QPoint]:
        QApplication.processEvents()
        widgets = [*window.findChildren(QAbstractButton), *window.findChildren(QComboBox)]
        return {one: one.mapTo(window, QPoint(0, 0)) for one in widgets if one.isVisible()}

    before, most = places(), 0
    for _ in range(FRAMES):
        for name in session.frame.bodyparts:
            session.editor.place(name, 40.0, 50.0)
            now = places()
            most = max([most, *((now[one] - before[one]).manhattanLength() for one in before if one in now)])
        session.navigator.next_suggestion()
    return float(most)


if __name__ == "__main__":
    main()
