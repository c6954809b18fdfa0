"""Check that frames have the right numbers and that seeks give the same frames as decoding from the start.

In some files, the container marks frames as keyframes that need others, the decoder has to see the beginning first, or
times are out of order. The index can't tell; decoding can. So the whole file is decoded once in the background, in the
plain way. Every frame has to come when the index says, and frames spread over the file have to look the same after a
seek. Damage becomes known on the way.

If a few groups of frames look different after a seek and most look the same, seeks are exact and those groups are
damaged, although no decoder reports it (see `Damage.doubt`).
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from napari_al_pose.video import index_cache
from napari_al_pose.video.damage import Damage
from napari_al_pose.video.decoder import FrameDecoder, SupersededError
from napari_al_pose.video.index import PacketIndex
from napari_al_pose.video.packets import OpeningCancelledError, Progress
from napari_al_pose.video.pixels import RgbConverter, digest
from napari_al_pose.video.reference_decode import reference_frames
from napari_al_pose.video.seeking import never

logger = logging.getLogger(__name__)

_N_SPREAD, _N_AT_KEYFRAMES = 8, 8
"""Frames compared: some anywhere, and some right at keyframes, where seeks are most likely to go wrong."""
_EARLY_PIXELS = 60_000_000
"""A quarter of the frames compared are among the first, up to this many pixels, so that faults are found soon."""
_MOST_GROUPS, _FEW_FRAMES, _SHARE = 64, 1_000, 0.25
"""The last frame of a group shows what went wrong anywhere in it. It is compared of so many groups, unless that takes
more than so many frames, and more than this share of the file, to decode."""
_REPORT_EVERY = 16
_ENOUGH = 4
"""Groups to compare before a file is given up."""
_SEED = 2026
_NICENESS = 10
"""By how much the decoding lowers its priority, if the system lets a thread do so."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known about a file.

    Parameters
    ----------
    exact : bool
        Whether the whole file was decoded, every frame came when it should, and seeks lead to the same frames, except
        for damaged ones.
    n_compared : int
        Number of frames that were compared.
    differs_at : int
        The first frame that differed because seeks are not exact; -1 if they are.
    remedy : str
        What was chosen instead of seeking: "" for nothing, "forward" for decoding from the first frame, "copy" for
        another file.
    copy : str
        That file.
    renumbered_from : int
        The first frame whose number this check corrected; -1 if none. The index on disk is right from now on.
    damage : dict
        What `napari_al_pose.video.damage.Damage` says about the file.
    """

    exact: bool
    n_compared: int
    differs_at: int = -1
    remedy: str = ""
    copy: str = ""
    renumbered_from: int = -1
    damage: dict[str, list[list[int]]] = field(default_factory=dict)

    @property
    def is_checked(self) -> bool:
        """Whether the file need not be verified: its frames were compared, or somebody chose how to read it."""
        return bool(self.n_compared or self.remedy)


class _OutOfOrderError(Exception):
    """A frame came out that the index has elsewhere."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position


def known_verdict(path: Path) -> Verdict | None:
    """Return what is known about a file from before; None if nothing is, or if the file has changed."""
    try:
        content = json.loads(_record(path).read_text(encoding="utf-8"))
        return Verdict(**content)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        logger.warning("what is known of %s can't be read: %s", path, error)
        return None


def choose_remedy(path: Path, remedy: str, copy: Path | None = None) -> None:
    """Remember how to read a file from now on; see `Verdict`."""
    verdict = known_verdict(path) or Verdict(False, 0)
    _keep(path, replace(verdict, remedy=remedy, copy="" if copy is None else str(copy)))


def remember_damage(path: Path, damage: Damage) -> None:
    """Remember the damage that was found while a file was read, for whoever opens it next."""
    verdict = known_verdict(path) or Verdict(False, 0)
    _keep(path, replace(verdict, damage=damage.state()))


def verify(
    path: Path,
    index: PacketIndex,
    *,
    cancelled: Callable[[], bool] | None = None,
    progress: Progress | None = None,
) -> Verdict | None:
    """Decode a file from its start to its end, compare, and remember the outcome.

    If frames turn out to be numbered wrongly, they are numbered anew by decoding. The new index replaces the old one on
    disk, so open the file again.

    Parameters
    ----------
    path : Path
        The video.
    index : PacketIndex
        The index of the file itself.
    cancelled : callable, optional
        Asked before every packet.
    progress : callable, optional
        Called with ``(done, total)`` now and then.

    Returns
    -------
    Verdict or None
        None if it was cancelled. Then nothing is remembered.

    Raises
    ------
    AlPoseError
        If the file can't be reached any more.
    """
    found: list[Verdict | BaseException] = []
    interrupted, ended = threading.Event(), threading.Event()
    is_cancelled = cancelled or never

    def run() -> None:
        _stand_back()
        try:
            found.append(_verdict(path, index, lambda: interrupted.is_set() or is_cancelled(), progress))
        except BaseException as error:  # noqa: BLE001  it is raised where the verdict is requested
            found.append(error)
        finally:
            ended.set()

    # A thread of its own, as a thread that has lowered its priority can't raise it again.
    thread = threading.Thread(target=run, name=f"verify: {path.name}", daemon=True)
    thread.start()
    try:
        ended.wait()  # not join(): up to Python 3.12, a join that Ctrl+C ends calls the thread ended
    finally:
        interrupted.set()
        ended.wait()
        thread.join()
    if isinstance(found[0], SupersededError | OpeningCancelledError):
        return None
    if isinstance(found[0], BaseException):
        raise found[0]
    known = known_verdict(path) or found[0]
    _keep(path, replace(found[0], renumbered_from=-1, remedy=known.remedy, copy=known.copy))
    return found[0]


def _stand_back() -> None:
    if sys.platform == "linux":  # elsewhere, niceness belongs to the whole process
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


def _verdict(path: Path, index: PacketIndex, cancelled: Callable[[], bool], progress: Progress | None) -> Verdict:
    try:
        return _Comparison(path, index, cancelled, progress).verdict()
    except _OutOfOrderError as error:
        logger.warning("%s is numbered wrongly from frame %s on", path, error.position)
        comparison = _Comparison(path, index_cache.renumber(path, cancelled=cancelled), cancelled, progress)
        try:
            return replace(comparison.verdict(), renumbered_from=error.position)
        except _OutOfOrderError as again:
            # Damage that comes out in another order each time; only reading from the start is left.
            return Verdict(False, comparison.n_compared, again.position, renumbered_from=error.position)


class _Comparison:
    """One plain decode of a file, and the frames that it is compared with."""

    def __init__(
        self, path: Path, index: PacketIndex, cancelled: Callable[[], bool], progress: Progress | None
    ) -> None:
        self._path = path
        self._progress = progress
        self._index = index
        self._cancelled = cancelled
        self._damage = Damage(index)
        self.n_compared = 0
        """Frames that were compared so far."""
        self._groups: dict[int, int] = {}
        """First frame that differed in each group that was compared, by the group's start; -1 if none did."""

    def verdict(self) -> Verdict:
        """Return what came out. Ends once most groups differ.

        Raises
        ------
        SupersededError
            If it was cancelled.
        _OutOfOrderError
            If frames are not numbered in the order in which they come out.
        """
        convert = RgbConverter()
        wanted: set[int] = set()
        at = -1
        for item in reference_frames(self._path, threads=1, strict=True, cancelled=self._cancelled):
            if item is None:
                continue
            if item.frame is None or item.frame.is_corrupt:
                self._suspect(item.rank)
            if item.frame is None:
                continue
            position = self._index.position(item.rank, after=at)
            if position <= at:
                raise _OutOfOrderError(position if position >= 0 else at + 1)
            self._suspect_passed_over(at + 1, position)
            if at < 0:
                wanted = chosen_frames(self._index, item.frame.width * item.frame.height)
            at = position
            if self._progress is not None and position % _REPORT_EVERY == 0:
                self._progress(position, len(self._index))
            if position in wanted:
                self._compare(position, digest(convert(item.frame)))
                if len(self._groups) >= _ENOUGH and self._most_differ:
                    break
        else:
            self._suspect_passed_over(at + 1, len(self._index))
        if self._cancelled():
            raise SupersededError
        differing = [found for found in self._groups.values() if found >= 0]
        if self._most_differ:
            return Verdict(False, self.n_compared, min(differing), damage=self._damage.state())
        for found in differing:
            logger.warning(
                "frame %s of %s looks different after a seek: damage that is not reported", found, self._path
            )
            self._damage.doubt(found)
        self._look_at_suspects()
        return Verdict(self.n_compared > 0, self.n_compared, damage=self._damage.state())

    def _suspect(self, rank: int) -> None:
        position = int(self._index.positions[rank]) if 0 <= rank < len(self._index.positions) else -1
        if position >= 0:
            self._damage.suspect(position)

    def _suspect_passed_over(self, first: int, stop: int) -> None:
        for position in range(first, stop):
            self._damage.suspect(position, passed_over=True)

    @property
    def _most_differ(self) -> bool:
        n_differing = sum(found >= 0 for found in self._groups.values())
        return n_differing > 0 and 2 * n_differing >= len(self._groups)

    def _compare(self, position: int, passed: bytes) -> None:
        """Seek to a frame and compare it with the decoded one; damaged frames may differ, and are known."""
        start = self._index.group(position).start
        if self._groups.get(start, -1) >= 0:
            return  # known to differ
        # Each with a decoder that has not seen the first frame, like that of a reader that decodes ahead.
        decoder = FrameDecoder(self._path, self._index, self._damage, threads=1)
        try:
            sought = [digest(frame) for _, frame in decoder.frames(position, position, superseded=self._cancelled)]
        finally:
            decoder.close()
        if position not in self._damage:
            self.n_compared += 1
            self._groups[start] = -1 if sought == [passed] else position

    def _look_at_suspects(self) -> None:
        """Decode the groups in which something was wrong, so that all damaged frames are known by number."""
        decoder = FrameDecoder(self._path, self._index, self._damage, threads=1, to_rgb=lambda frame: frame)
        try:
            for start in self._damage.suspected:
                if self._damage.cries_wolf:
                    return
                for _ in decoder.frames(start, start, superseded=self._cancelled):
                    pass
        finally:
            decoder.close()


def chosen_frames(index: PacketIndex, n_pixels: int) -> set[int]:
    """Return positions spread over a whole file, some of them at keyframes, some near the start."""
    rng = np.random.default_rng(_SEED)
    n_frames = len(index)
    early = min(n_frames, max(_EARLY_PIXELS // n_pixels, 2))
    spread = np.linspace(0, n_frames, _N_SPREAD + 1).astype(int)
    anywhere = [int(rng.integers(a, max(b, a + 1))) for a, b in itertools.pairwise(spread.tolist())]
    keys = index.keyframes[1:]
    at_keys = keys[np.linspace(0, len(keys) - 1, min(_N_AT_KEYFRAMES, len(keys))).astype(int)].tolist()
    soon = rng.integers(0, early, (_N_SPREAD + _N_AT_KEYFRAMES) // 4).tolist()
    after_keys = [key + 1 for key in at_keys[:2]]
    chosen = (*anywhere, *at_keys, *soon, *after_keys, *_last_of_groups(index))
    return {position for position in chosen if position < n_frames}


def _last_of_groups(index: PacketIndex) -> list[int]:
    """Return the last frames of groups spread over a whole file."""
    lasts = np.append(index.keyframes[1:], len(index)) - 1
    affordable = len(lasts) * max(_FEW_FRAMES, _SHARE * len(index)) / len(index)
    n_groups = int(min(len(lasts), affordable, _MOST_GROUPS))
    return [int(lasts[place]) for place in np.linspace(0, len(lasts) - 1, n_groups).astype(int)]


def _record(path: Path) -> Path:
    return index_cache.cache_folder() / f"{index_cache.file_identity(path)}.json"


def _keep(path: Path, verdict: Verdict) -> None:
    """Remember a verdict, unless the cache can't be written."""
    try:
        record = _record(path)
        record.parent.mkdir(parents=True, exist_ok=True)
        descriptor, partial = tempfile.mkstemp(dir=record.parent, suffix=".part")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(verdict), file)
        os.replace(partial, record)
    except OSError as error:
        logger.warning("what was found out about %s is not kept: %s", path, error)
