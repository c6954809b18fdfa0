"""Decodes ahead in the background; the newest request replaces older ones."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from av.error import FFmpegError

from napari_al_pose.domain import AlPoseError
from napari_al_pose.video.decoder import SupersededError

logger = logging.getLogger(__name__)


class Prefetcher:
    """A thread, started by the first request, that loads frames span by span.

    Parameters
    ----------
    load : callable
        ``load(first, last, superseded)`` loads the frames from ``first`` to ``last``; it may raise `SupersededError`
        once ``superseded()`` is True.
    name : str
        Name of the thread.
    """

    def __init__(self, load: Callable[[int, int, Callable[[], bool]], None], *, name: str) -> None:
        self._load = load
        self._name = name
        self._changed = threading.Condition()
        self._wish: Sequence[int] = ()
        self._number = 0
        self._served = 0
        self._aside: tuple[int, int] | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def request(self, positions: Sequence[int]) -> None:
        """Load these positions in this order and forget earlier requests."""
        with self._changed:
            self._wish = tuple(positions)
            self._number += 1
            self._wake()

    def request_aside(self, first: int, last: int) -> None:
        """Load a span of frames once there is nothing else to do; replaces a span still waiting."""
        with self._changed:
            self._aside = (first, last)
            self._wake()

    def close(self) -> None:
        """Stop after the frame being decoded, and wait for that."""
        with self._changed:
            self._closed = True
            self._number += 1
            self._changed.notify()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _wake(self) -> None:
        if self._closed:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self._changed.notify()

    def _run(self) -> None:
        while (wish := self._await_wish()) is not None:
            number, spans = wish
            self._serve(spans, number)

    def _await_wish(self) -> tuple[int, list[tuple[int, int]]] | None:
        """Wait for something to load; return None once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._number != self._served or self._aside is not None)
            if self._closed:
                return None
            if self._number != self._served or self._aside is None:
                self._served = self._number
                return self._number, [(position, position) for position in self._wish]
            aside, self._aside = self._aside, None
            return self._number, [aside]

    def _serve(self, spans: list[tuple[int, int]], number: int) -> None:
        def superseded() -> bool:
            return self._number != number

        for first, last in spans:
            if superseded():
                return
            try:
                self._load(first, last, superseded)
            except SupersededError:
                return
            except (AlPoseError, FFmpegError, OSError) as error:
                logger.warning("frames %s to %s were not decoded ahead: %s", first, last, error)
