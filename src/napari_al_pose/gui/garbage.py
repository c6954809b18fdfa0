"""Python's garbage collector, on the GUI thread only.

Python collects in whichever thread has just made many objects. Widgets, timers and layers that nobody holds any more
are often parts of circles. A thread that decodes or reads labels could destroy them while Qt or OpenGL uses them: that
is rare, but a segmentation fault. Qt programs with threads therefore collect by a timer.
"""

from __future__ import annotations

import gc
from contextlib import suppress
from typing import ClassVar

from qtpy.QtCore import QObject, QTimer, Slot

_SECONDS = 1.0
_GROWTH = 1.25
"""How much more there has to be before everything is looked at, as in Python: that can take tenths of a second."""


class GarbageCollection(QObject):
    """Collects what Python would have collected by now, whenever the GUI thread comes to it.

    Python does it again when all of these are closed, unless it did not before.
    """

    _open: ClassVar[set[int]] = set()
    _python_did: ClassVar[bool] = True

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._n_kept = 0
        self._counted_at = 0
        """Python's count for its oldest objects when all were counted last: that takes up to a tenth of a second."""
        self._timer = QTimer(self, interval=round(1000 * _SECONDS))
        self._timer.timeout.connect(self.collect)
        self._timer.start()
        if not self._open:
            GarbageCollection._python_did = gc.isenabled()
        self._open.add(id(self))
        gc.disable()

    @Slot()
    def collect(self) -> None:
        """Collect if it is due."""
        gc.disable()  # others may have turned it on
        for generation in (0, 1):
            if gc.get_count()[generation] <= gc.get_threshold()[generation]:
                return
            gc.collect(generation)
        oldest = gc.get_count()[2]
        self._counted_at = min(self._counted_at, oldest)  # others may have collected
        if oldest - self._counted_at <= gc.get_threshold()[2]:
            return
        self._counted_at = oldest
        if len(gc.get_objects()) > _GROWTH * self._n_kept:
            gc.collect()
            self._n_kept, self._counted_at = len(gc.get_objects()), 0

    def close(self) -> None:
        """Collect no more; to be called when no thread is left that could."""
        with suppress(RuntimeError):  # gone with the window
            self._timer.stop()
        self._open.discard(id(self))
        if not self._open and self._python_did:
            gc.enable()
