"""Decoding ahead in the background, where the newest wish replaces the older ones."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from av.error import FFmpegError

from napari_al_pose.domain import AlPoseError

logger = logging.getLogger(__name__)


class Prefetcher:
    """One thread, started by the first wish, that loads positions one after another.

    Parameters
    ----------
    load : callable
        ``load(position, superseded)`` loads one frame; it returns early once ``superseded()`` is True.
    name : str
        Name of the thread.
    """

    def __init__(self, load: Callable[[int, Callable[[], bool]], None], *, name: str) -> None:
        self._load = load
        self._name = name
        self._changed = threading.Condition()
        self._wish: Sequence[int] = ()
        self._number = 0
        self._thread: threading.Thread | None = None
        self._closed = False

    def request(self, positions: Sequence[int]) -> None:
        """Load these positions in this order and forget what was asked for before."""
        with self._changed:
            if self._closed:
                return
            self._wish = tuple(positions)
            self._number += 1
            if self._thread is None and self._wish:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Stop after the frame being decoded, and wait for that."""
        with self._changed:
            self._closed = True
            self._number += 1
            self._changed.notify()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _run(self) -> None:
        served = 0
        while (wish := self._await_wish(served)) is not None:
            served, positions = wish
            self._serve(positions, served)

    def _await_wish(self, served: int) -> tuple[int, Sequence[int]] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._number != served)
            return None if self._closed else (self._number, self._wish)

    def _serve(self, wish: Sequence[int], number: int) -> None:
        def superseded() -> bool:
            return self._number != number

        for position in wish:
            if superseded():
                return
            try:
                self._load(position, superseded)
            except (AlPoseError, FFmpegError, OSError) as error:
                logger.warning("frame %d was not decoded ahead: %s", position, error)
