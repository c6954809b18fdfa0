"""The video as napari's image layer gets it: never a wait, the newest wanted frame as soon as it is decoded."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_al_pose.domain import AlPoseError
from napari_al_pose.gui.slicing import asked_by_slicing, is_sliced
from napari_al_pose.gui.sources import CachedSource
from napari_al_pose.video import LazyFrames, SupersededError

log = logging.getLogger(__name__)

JOIN_SECONDS = 5.0
LIVELY_SECONDS = 0.15
"""While the newest picture is younger than this, a newer wish ends the decoding under way at once."""
PATIENCE_SECONDS = 0.3
"""After this it ends in any case, so that the frame where the slider stops never waits long."""
MOST_BYTES = 2**30
"""Most bytes of frames that are read at once, for a projection or a file: the window stands still meanwhile."""


class FrameNews(QObject):
    """What `NewestFrame` tells from its thread.

    An object of its own: Qt's bindings would take a QObject with ``__getitem__`` for a sequence and read it through.
    """

    arrived = Signal(int)
    """A requested frame is available: its position."""
    failed = Signal(str, str)
    """Message and hint of a frame that cannot be read."""


class NewestFrame:
    """An array-like over a lazy video that answers napari's slicing at once, and everybody else with the very frames.

    napari slices its layers in the GUI thread. A frame the source has in its cache is returned as it is; for any other
    a thread is asked, the frame shown last is returned meanwhile, and ``news.arrived`` tells when the layer should be
    refreshed. Only the newest wish counts: a slider dragged over a thousand frames decodes a few of them, and the
    decoding of one that is no longer wanted is given up, unless the picture would then stand still.

    What napari's menus do with a layer (save, project, split, duplicate) reads frames like any script.

    napari gets this and not the dask array itself because it slices dask layers with task fusion switched off and
    would then read a whole chunk of thousands of frames for each one.

    Parameters
    ----------
    source : CachedSource
    array : callable
        Returns the same frames as a dask array, for whoever slices several; called then, as dask's arrays take most
        of a second to import.
    single : bool
        Whether napari's slicing, should it ask for several frames (of a 3-D view, or one along time), gets the one it
        would show otherwise: whoever shows a project turns such a view back at once, and reading a whole video for it
        would take minutes and all memory.
    asked : callable
        Returns whether the caller of ``frames[...]`` draws what it gets; by default, whether it is napari's slicing.
    """

    def __init__(
        self,
        source: CachedSource,
        array: Callable[[], Any],
        *,
        single: bool = False,
        asked: Callable[[], bool] = is_sliced,
    ) -> None:
        self.news = FrameNews()
        self.shape: tuple[int, ...] = tuple(source.shape)
        self.dtype = np.dtype(np.uint8)
        self.ndim = len(self.shape)
        self._source = source
        self._array = array
        self._single = single
        self._asked = asked
        self._shown: NDArray[np.uint8] = np.zeros(self.shape[1:], self.dtype)
        self._shown_position = -1
        self._wanted: int | None = None
        self._fetched: tuple[int, NDArray[np.uint8]] | None = None
        self._closed = False
        self._arrived_at = 0.0
        self._wish = threading.Condition()
        self._thread = threading.Thread(target=self._fetch, name="al-pose-frames", daemon=True)
        self._thread.start()

    @property
    def shown_position(self) -> int:
        """Position of the frame that was returned last; -1 before the first."""
        return self._shown_position

    @property
    def shown(self) -> NDArray[np.uint8]:
        """The frame that was returned last."""
        return self._shown

    @property
    def source(self) -> CachedSource:
        """Where the frames come from."""
        return self._source

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        """Return one frame at once for drawing; all else is read there and then."""
        if not self._asked():
            return self._read(key)
        first, *rest = key if isinstance(key, tuple) else (key,)
        if isinstance(first, slice):
            positions = range(*first.indices(self.shape[0]))
            if len(positions) != 1 and self._single and asked_by_slicing():
                return self._shown[None][(slice(None), *rest)]
            if len(positions) != 1:
                return self._read(key)
            return self._frame(positions[0])[None][(slice(None), *rest)]
        return self._frame(int(first) % self.shape[0])[tuple(rest)]

    def __array__(self, dtype: Any = None, *, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype=dtype)

    def __reduce__(self) -> tuple[Any, ...]:
        return LazyFrames, (self._source,)  # a copy is a video of its own, whatever becomes of this one

    def close(self) -> None:
        """Let the thread end after the frame it decodes; nothing arrives any more."""
        with self._wish:
            self._closed = True
            self._wish.notify()

    def join(self) -> None:
        """Wait for the thread; call before closing the source."""
        self._thread.join(JOIN_SECONDS)

    def _read(self, key: Any) -> NDArray[np.uint8]:
        """Read frames, however long it takes.

        Raises
        ------
        AlPoseError
            If they are so many that the window would stand still.
        """
        wanted = self._array()[key]
        if wanted.nbytes > MOST_BYTES:
            raise AlPoseError(
                f"{self._source.name} is too long to be read at once: {wanted.nbytes / 2**30:.1f} GB of pixels.",
                "Use a shorter video, or do it piece by piece in a script.",
            )
        return np.asarray(wanted)

    def _frame(self, position: int) -> NDArray[np.uint8]:
        frame = self._ready(position)
        if frame is not None:
            self._shown, self._shown_position = frame, position
        with self._wish:
            self._wanted = None if frame is not None else position
            self._wish.notify()
        return self._shown

    def _ready(self, position: int) -> NDArray[np.uint8] | None:
        if position == self._shown_position:
            return self._shown
        fetched = self._fetched
        if fetched is not None and fetched[0] == position:
            return fetched[1]
        return self._source.peek(position)

    def _fetch(self) -> None:
        while (position := self._next_wish()) is not None:
            try:
                with self._source.superseded_by(self._give_up_rule()):
                    # Not through dask: naming a graph while other threads import now and then fails in dask, and
                    # its own threads would not hear of newer wishes.
                    frame = np.asarray(self._source[position])
            except SupersededError:
                continue
            except (AlPoseError, ValueError) as error:
                with self._wish:
                    if self._closed:
                        return  # the source was closed under us
                    if not isinstance(error, AlPoseError):
                        raise
                    log.warning("frame %s of %s: %s", position, self._source.name, error)
                    self.news.failed.emit(error.message, error.hint)
                continue
            self._fetched = (position, frame)
            self._arrived_at = time.monotonic()
            with self._wish:  # once `close` has returned, nothing is emitted
                if not self._closed:
                    self.news.arrived.emit(position)

    def _next_wish(self) -> int | None:
        """Wait for a position that is wanted and take it; None once closed."""
        with self._wish:
            self._wish.wait_for(lambda: self._closed or self._wanted is not None)
            position, self._wanted = self._wanted, None
            return None if self._closed else position

    def _give_up_rule(self) -> Callable[[], bool]:
        begun = time.monotonic()

        def give_up() -> bool:
            if self._wanted is None:
                return self._closed
            now = time.monotonic()
            return now - self._arrived_at < LIVELY_SECONDS or now - begun > PATIENCE_SECONDS

        return give_up
