"""Small pictures of frames, read in the background."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Qt, Signal, Slot
from qtpy.QtGui import QImage

from napari_al_pose.domain import AlPoseError, FrameKey, FrameSource
from napari_al_pose.project import Project

logger = logging.getLogger(__name__)

WIDTH, HEIGHT = 128, 96
"""Size of a thumbnail; twice what is painted, for dense screens."""

_CACHE_BYTES = 16 * 2**20
_KEEP_IMAGES = 300
_KEEP_SOURCES = 2
_JOIN_SECONDS = 1.0
"""A frame in hand is done sooner; a video on a slow share closes by itself later."""

OpenSource = Callable[[str, Callable[[], bool]], FrameSource]


def source_opener(project: Project) -> OpenSource:
    """Return how thumbnails open their own, small sources."""

    def open_source(video: str, cancelled: Callable[[], bool]) -> FrameSource:
        source: FrameSource = project.video(video).open(cache_bytes=_CACHE_BYTES, cancelled=cancelled)
        return source

    return open_source


class Thumbnails(QObject):
    """Reads thumbnails on a thread of its own, through sources of its own.

    The sources are not the canvas's: reading there would move its decoder away from where the user is.

    Parameters
    ----------
    open_source : callable
        ``open_source(video, cancelled)`` returns the frames of a video, or raises `AlPoseError`.
    """

    ready = Signal(object)
    """A `FrameKey` whose image is there now."""

    _arrived = Signal()

    def __init__(self, open_source: OpenSource, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._images: OrderedDict[FrameKey, QImage] = OrderedDict()
        self._reader = _ThumbnailReader(open_source, self._arrived.emit)
        self._arrived.connect(self._take, Qt.ConnectionType.QueuedConnection)

    def image(self, key: FrameKey) -> QImage | None:
        """Return the image of ``key`` if it is there; never reads."""
        image = self._images.get(key)
        if image is not None:
            self._images.move_to_end(key)
        return image

    def request(self, keys: Sequence[FrameKey]) -> None:
        """Read the images of ``keys`` that are not there yet, in this order; replaces the request before."""
        self._reader.want([key for key in keys if key not in self._images])

    def close(self) -> None:
        """Stop the thread after the frame in hand and close its videos."""
        self._reader.close()

    @Slot()
    def _take(self) -> None:
        for key, image in self._reader.take():
            self._images[key] = image
            self.ready.emit(key)
        while len(self._images) > _KEEP_IMAGES:
            self._images.popitem(last=False)


class _ThumbnailReader:
    def __init__(self, open_source: OpenSource, arrived: Callable[[], None]) -> None:
        self._open_source = open_source
        self._arrived = arrived
        self._done: list[tuple[FrameKey, QImage]] = []
        self._changed = threading.Condition()
        self._wanted: list[FrameKey] = []
        self._closing = False
        self._sources: OrderedDict[str, FrameSource] = OrderedDict()
        self._unreadable: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="al-pose-thumbnails", daemon=True)
        self._thread.start()

    def want(self, keys: list[FrameKey]) -> None:
        with self._changed:
            self._wanted = keys
            self._changed.notify()

    def take(self) -> list[tuple[FrameKey, QImage]]:
        with self._changed:
            done, self._done = self._done, []
            return done

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(_JOIN_SECONDS)

    def _run(self) -> None:
        try:
            while (key := self._next()) is not None:
                image = self._read(key)
                with self._changed:
                    if image is not None and not self._closing:
                        self._done.append((key, image))
                        self._arrived()
        finally:
            for source in self._sources.values():
                source.close()

    def _next(self) -> FrameKey | None:
        with self._changed:
            self._changed.wait_for(lambda: self._wanted or self._closing)
            return None if self._closing else self._wanted.pop(0)

    def _read(self, key: FrameKey) -> QImage | None:
        if key.video in self._unreadable:
            return None
        try:
            source = self._source(key.video)
            return thumbnail(source[source.position(key.frame)])
        except AlPoseError as error:
            logger.warning("No thumbnails of %s: %s", key.video, error)
            self._unreadable.add(key.video)
        except (KeyError, IndexError, OSError) as error:
            logger.warning("No thumbnail of %s, frame %s: %s", key.video, key.frame, error)
        return None

    def _source(self, video: str) -> FrameSource:
        if video not in self._sources:
            self._sources[video] = self._open_source(video, lambda: self._closing)
            while len(self._sources) > _KEEP_SOURCES:
                self._sources.popitem(last=False)[1].close()
        self._sources.move_to_end(video)
        return self._sources[video]


def thumbnail(frame: NDArray[np.uint8]) -> QImage:
    """Return ``frame`` (H, W, 3) filling `WIDTH` x `HEIGHT`, the longer side cut evenly."""
    pixels = np.ascontiguousarray(frame)
    height, width = pixels.shape[:2]
    whole = QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    scaled = whole.scaled(
        WIDTH,
        HEIGHT,
        Qt.AspectRatioMode.KeepAspectRatioByExpanding,
        Qt.TransformationMode.SmoothTransformation,
    )
    return scaled.copy((scaled.width() - WIDTH) // 2, (scaled.height() - HEIGHT) // 2, WIDTH, HEIGHT)
