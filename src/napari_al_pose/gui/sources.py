"""The project's open videos: opened and closed off the GUI thread, few at a time."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_al_pose.domain import AlPoseError, FrameKey, FrameSource
from napari_al_pose.gui.background import Background
from napari_al_pose.project import ProjectVideo
from napari_al_pose.video import OpeningCancelledError

log = logging.getLogger(__name__)

MAX_OPEN = 2
CACHE_BYTES = 256 * 2**20
"""For each open video: a second and more of stepping back, and the window stays under a gigabyte."""


class CachedSource(FrameSource, Protocol):
    """A source of frames with a cache, as `napari_al_pose.video` makes them."""

    @property
    def notice(self) -> str:
        """What is wrong with the file, for the user."""

    def seconds(self, position: int) -> float:
        """Return when a frame is shown, in seconds after the first one."""

    def peek(self, position: int) -> NDArray[np.uint8] | None:
        """Return a frame if it is available at once; never waits."""

    def prefetch(self, positions: Iterable[int]) -> None:
        """Decode frames in the background."""

    def superseded_by(self, superseded: Callable[[], bool]) -> AbstractContextManager[None]:
        """Abandon reads of this thread in the ``with`` block once ``superseded()`` is True."""


class SourceShelf(QObject):
    """Keeps the videos used last open.

    Parameters
    ----------
    parent : QObject, optional
    """

    opened = Signal(str)
    """Name of a video that is now open."""
    failed = Signal(str, str, str)
    """Name, message and hint of a video that cannot be opened."""
    progressed = Signal(str, int, int)
    """Name, done, total of the one being opened."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._open: OrderedDict[str, CachedSource] = OrderedDict()
        self._opening: dict[str, threading.Event] = {}
        self._background = Background("al-pose-videos", self)

    def want(self, video: ProjectVideo) -> CachedSource | None:
        """Return the video if it is open; else None, and ``opened`` or ``failed`` follows.

        The opening of any other video is given up: indexing a long file must not keep the wanted one waiting.
        """
        if video.name in self._open:
            self._open.move_to_end(video.name)
            return self._open[video.name]
        for name, cancel in list(self._opening.items()):
            if name != video.name:
                cancel.set()
                del self._opening[name]
        if video.name not in self._opening:
            self._start(video)
        return None

    def prefetch(self, keys: Iterable[FrameKey]) -> None:
        """Decode the frames among ``keys`` whose video is open, in the background."""
        by_video: dict[str, list[int]] = {}
        for key in keys:
            source = self._open.get(key.video)
            if source is not None:
                try:
                    by_video.setdefault(key.video, []).append(source.position(key.frame))
                except KeyError:
                    continue
        for name, positions in by_video.items():
            self._open[name].prefetch(positions)

    def forget(self, name: str) -> None:
        """Close a video in the background, so that it is reopened when it is wanted again."""
        if name in self._open:
            self._put_away(name)

    def clear(self) -> None:
        """Close every video in the background, and stop opening others."""
        for cancel in self._opening.values():
            cancel.set()
        self._opening.clear()
        for name in list(self._open):
            self._put_away(name)

    def close(self) -> None:
        """Close every video and end the thread; waits for it."""
        self.clear()
        self._background.close()

    def _start(self, video: ProjectVideo) -> None:
        cancel = threading.Event()
        self._opening[video.name] = cancel

        def work() -> CachedSource:
            source = video.open(
                cache_bytes=CACHE_BYTES,
                progress=lambda done, total: self.progressed.emit(video.name, done, total),
                cancelled=cancel.is_set,
            )
            return cast("CachedSource", source)

        self._background.run(
            work,
            then=lambda source: self._take(video.name, source, cancel),
            failed=lambda error: self._fail(video.name, error),
        )

    def _take(self, name: str, source: CachedSource, cancel: threading.Event) -> None:
        if cancel.is_set():
            self._background.run(source.close, then=_ignore, failed=_log)
            return
        self._opening.pop(name, None)
        self._open[name] = source
        self.opened.emit(name)
        for oldest in list(self._open)[: max(0, len(self._open) - MAX_OPEN)]:
            self._put_away(oldest)

    def _fail(self, name: str, error: AlPoseError) -> None:
        if isinstance(error, OpeningCancelledError):
            return
        self._opening.pop(name, None)
        self.failed.emit(name, error.message, error.hint)

    def _put_away(self, name: str) -> None:
        self._background.run(self._open.pop(name).close, then=_ignore, failed=_log)


def _ignore(_result: object) -> None:
    """Do nothing with a result."""


def _log(error: AlPoseError) -> None:
    log.warning("closing a video: %s", error)
