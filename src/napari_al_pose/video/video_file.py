"""A video file in which every frame is one step away and has the right number."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError
from napari_al_pose.video.damage import Damage
from napari_al_pose.video.decoder import FrameDecoder
from napari_al_pose.video.image_folder import still_picture
from napari_al_pose.video.index import PacketIndex
from napari_al_pose.video.index_cache import file_identity, load_or_build
from napari_al_pose.video.packets import Progress
from napari_al_pose.video.pixels import fit, placeholder
from napari_al_pose.video.source import DEFAULT_CACHE_BYTES, CachedFrames
from napari_al_pose.video.verification import Verdict, known_verdict, remember_damage

logger = logging.getLogger(__name__)

_STEP_BACK = 16
"""A read at most this many frames before the last one counts as stepping back."""
_LOOK_BACK = 64
"""The previous group of frames is decoded ahead when it is this many frames away."""
_FIRST_TRIES = 8
"""Number of keyframes tried before a file counts as having no frame that decodes."""


class VideoFile(CachedFrames):
    """Frames of one video file, decoded on demand.

    A frame costs a seek to the keyframe before it and decoding from there; later frames in the same group of pictures
    only cost the frames in between. Stepping back keeps the whole group, so only the first step into it decodes.
    Decoding ahead has its own decoder and never makes a reader wait.

    Frames that do not decode are shown as a striped placeholder, and `notice` reports them. If a file's seeks were
    found to be inexact, it is read as the user chose then (see `napari_al_pose.video.verification`): ``path`` is the
    decoded file, ``original`` the requested one.

    Parameters
    ----------
    path : Path
    name : str, optional
        The video's name in the project; the file name without its extension by default.
    cache_bytes : int
        Bytes of decoded frames to keep.
    progress : callable, optional
        Called with ``(done, total)`` in bytes while the file is indexed.
    cancelled : callable, optional
        Called now and then; if it returns True, `OpeningCancelledError` is raised.
    stills : mapping of int to Path
        Images shown instead of frames: what was labelled is another picture than the file has.

    Raises
    ------
    AlPoseError
        If there is no such file, it is not a video, or no frame decodes.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str | None = None,
        cache_bytes: int = DEFAULT_CACHE_BYTES,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
        stills: Mapping[int, Path] = MappingProxyType({}),
    ) -> None:
        self.stills = dict(stills)
        self.original = self.path = Path(path).absolute()
        name = name or self.path.stem
        remedy = known_verdict(self.path)
        if remedy is not None and remedy.remedy == "copy" and Path(remedy.copy).is_file():
            self.path = Path(remedy.copy)
        self.index: PacketIndex = load_or_build(self.path, progress=progress, cancelled=cancelled)
        if remedy is not None and self.path == self.original and (remedy.remedy == "forward" or remedy.differs_at >= 0):
            self.index = self.index.forward_only()
        self.damage = Damage(self.index)
        if remedy is not None and self.path == self.original:
            self._restore(remedy)
        self._known_damage = self.damage.state()
        self._decoder = FrameDecoder(self.path, self.index, self.damage)
        self._ahead: FrameDecoder | None = None
        self._ahead_lock = threading.Lock()
        found = self._first_frame()
        if found is None and self.index.seekable:
            # In some files nothing decodes after a seek, not even after one to the start.
            self._decoder.close()
            self.index = self.index.forward_only()
            self.damage = Damage(self.index)
            self._decoder = FrameDecoder(self.path, self.index, self.damage)
            found = self._first_frame()
        if found is None:
            self._decoder.close()
            raise AlPoseError(
                f"Expected frames in {self.path}, got {len(self.index)} packets of which none decodes.",
                "The file is damaged: copy it again from where it was recorded.",
            )
        position, first = found
        height, width = first.shape[:2]
        super().__init__(name, (len(self.index), height, width, 3), cache_bytes=cache_bytes)
        if position not in self.stills:
            self._cache.put(position, first)

    @property
    def fps(self) -> float:
        """Mean frames per second."""
        return self.index.fps

    @property
    def keyframes(self) -> NDArray[np.int64]:
        """Positions that decode without any other frame, ascending."""
        return self.index.keyframes

    @property
    def notice(self) -> str:
        """What is wrong with the part of the file read so far, for the user; "" if nothing is known to be."""
        found = [what for what in (self.index.notice, self.damage.notice) if what]
        return f"{self.path.name}: {', and '.join(found)}" if found else ""

    def is_damaged(self, position: int) -> bool:
        """Return whether a frame that was read is missing or comes from damaged data; nothing is learnt from it."""
        position = self._checked(position)
        return position not in self.stills and position in self.damage

    def take_in(self, verdict: Verdict) -> None:
        """Record the damage that a verification found; frames decoded before may have been other pictures."""
        known = self.damage.state()
        self._restore(verdict)
        if self.damage.state() != known:
            self._cache.clear()

    def _restore(self, verdict: Verdict) -> None:
        try:
            self.damage.restore(verdict.damage)
        except (ValueError, KeyError, TypeError) as error:
            logger.debug("nothing is known of damage in %s: %s", self.path, error)

    def seconds(self, position: int) -> float:
        """Return when a frame is shown, in seconds after the first one."""
        return self.index.seconds(self._checked(position))

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self.original, self._name, self._cache.max_bytes, self.stills)

    def __dask_tokenize__(self) -> tuple[str, str, str, str]:
        return type(self).__name__, str(self.path), file_identity(self.path), str(self.stills)

    def _first_frame(self) -> tuple[int, NDArray[np.uint8]] | None:
        for key in self.index.keyframes[:_FIRST_TRIES]:
            for position, frame in self._decoder.frames(int(key), int(key)):
                return position, frame
        return None

    def _load(self, position: int, superseded: Callable[[], bool] | None) -> NDArray[np.uint8]:
        if position in self.stills:
            return self._kept(position, still_picture(self.stills[position], *self._shape[1:3]))
        if not self.damage.missing[position]:
            # A run of frames; but a user who looks at them, and so may cancel, will step back.
            in_passing = position == self._read_last + 1 and superseded is None
            frame = self._decode(self._decoder, self._keep_from(position), position, superseded, in_passing=in_passing)
            if frame is not None:
                return frame
        return self._kept(position, placeholder(*self._shape[1:3]))

    def _keep_from(self, position: int) -> int:
        """Return the first frame worth keeping on the way to ``position``: stepping back needs the frames before it."""
        return self._group_start(position, share=2) if self._steps_back_to(position) else position

    def _steps_back_to(self, position: int) -> bool:
        return 0 < self._read_last - position <= _STEP_BACK

    def _group_start(self, position: int, *, share: int) -> int:
        """Return the first frame of the group of pictures, or of as much of it as fits that share of the cache."""
        key = int(self.index.keyframes[self.index.key_before(position)])
        frame_bytes = int(np.prod(self._shape[1:]))
        return max(key, position + 1 - max(self._cache.max_bytes // share // frame_bytes, 1))

    def _note(self, position: int) -> None:
        """Decode the previous group ahead for somebody who steps back towards it."""
        steps_back = self._steps_back_to(position)
        super()._note(position)
        if not steps_back:
            return
        for before in range(position - 1, max(position - _LOOK_BACK, 0) - 1, -1):
            if before not in self._cache:
                if not self.damage.missing[before]:
                    self._prefetcher.request_aside(self._group_start(before, share=4), before)
                return

    def _decode(
        self,
        decoder: FrameDecoder,
        first: int,
        last: int,
        superseded: Callable[[], bool] | None = None,
        *,
        in_passing: bool = False,
    ) -> NDArray[np.uint8] | None:
        """Decode into the cache; return the last frame, None if it does not decode."""
        wanted = None
        for position, frame in decoder.frames(first, last, superseded=superseded):
            if position in self.stills:
                continue
            fitted = fit(frame, *self._shape[1:3])
            self._cache.put(position, fitted, in_passing=in_passing)
            if position == last:
                wanted = fitted
        return wanted

    def _load_ahead(self, first: int, last: int, superseded: Callable[[], bool]) -> None:
        if last in self._cache or last in self.stills or self.damage.missing[last]:
            return
        with self._ahead_lock:
            if self._ahead is None:
                self._ahead = FrameDecoder(self.path, self.index, self.damage, threads=1)
            self._decode(self._ahead, first, last, superseded)

    def _release(self) -> None:
        self._decoder.close()
        if self.path == self.original and self.damage.state() != self._known_damage:
            remember_damage(self.path, self.damage)
        with self._ahead_lock:
            if self._ahead is not None:
                self._ahead.close()
                self._ahead = None


def _reopen(path: Path, name: str, cache_bytes: int, stills: Mapping[int, Path]) -> VideoFile:
    return VideoFile(path, name=name, cache_bytes=cache_bytes, stills=stills)
