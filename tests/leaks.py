"""Fails a test that leaves widgets, threads or processes behind: in rooms that start any, windows or not."""

from __future__ import annotations

import gc
import sys
import threading
import time

import psutil
import pytest

PATIENCE_SECONDS = 30.0
"""What ends beside the window (an engine, a file being written) may take this long."""

COLLECT_AFTER_SECONDS = 0.5
"""Layers that were removed hold their threads until they are collected."""

PYTHON_S_OWN = "multiprocessing.resource_tracker"
"""A process that Python starts with the first pool and keeps for good."""

_QT = "qtpy.QtWidgets"
"""Imported by whoever has a window; the other tests don't."""

OF_NAPARI = ("napari", "app_model", "superqt", "qtconsole", "IPython", "vispy")
"""Whose widgets and threads are not ours to end; menus and tooltips have no module of their own."""


@pytest.fixture(autouse=True)
def nothing_is_left():
    """Compare what there is after a test with what there was before it.

    Made before all other fixtures, so it looks when they have ended.
    """
    before = state()
    yield
    left = _left_after(before, COLLECT_AFTER_SECONDS)
    if left:
        gc.collect()  # takes half a second in a process with napari: only where something seems left
        left = _left_after(before, PATIENCE_SECONDS)
    assert not left, f"left behind: {', '.join(sorted(left))}"


def _left_after(before, seconds: float) -> set[str]:
    """Wait until nothing is left, or for some seconds."""
    end, left = time.monotonic() + seconds, left_since(before)
    while left and time.monotonic() < end:
        work()
        left = left_since(before)
    return left


def state():
    """Return the threads, processes and widgets there are."""
    return _threads(), _processes(), _widgets()


def left_since(before) -> set[str]:
    """Name what there is now and was not ``before``."""
    threads, processes, widgets = before
    return {
        *(f"thread {thread.name}" for thread in _threads() - threads),
        *(f"process {' '.join(map(str, process))}" for process in _processes() - processes),
        *(f"widget {type(widget).__name__} {widget.windowTitle()!r}" for widget in _widgets() - widgets),
    }


def _threads() -> set[threading.Thread]:
    """Return our threads and others that would keep the process alive, but not dask's pool, which it keeps for good."""
    named = {thread for thread in threading.enumerate() if "al-pose" in thread.name or not thread.daemon}
    return {thread for thread in named if not thread.name.startswith("ThreadPoolExecutor-")}


def _processes() -> set[tuple[int, str]]:
    found = set()
    for child in psutil.Process().children(recursive=True):
        try:
            command = " ".join(child.cmdline()[:4])
            if child.status() != psutil.STATUS_ZOMBIE and PYTHON_S_OWN not in command:
                found.add((child.pid, command))
        except psutil.NoSuchProcess:
            continue
    return found


def _widgets() -> set[object]:
    """Return the windows, dialogs and loose widgets there are; whoever holds them tells them from new ones."""
    if _QT not in sys.modules:
        return set()
    from qtpy.QtWidgets import QApplication, QMenu

    if QApplication.instance() is None:
        return set()
    return {
        widget
        for widget in QApplication.topLevelWidgets()
        if not isinstance(widget, QMenu)
        and not type(widget).__module__.startswith(OF_NAPARI)
        and type(widget).__name__ not in ("QTipLabel", "QFrame", "QWidget")
    }


def work() -> None:
    """Let the window do what is due, deletions too."""
    if _QT in sys.modules:
        from qtpy.QtCore import QCoreApplication, QEvent

        if QCoreApplication.instance() is not None:
            QCoreApplication.processEvents()
            QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    time.sleep(0.02)
