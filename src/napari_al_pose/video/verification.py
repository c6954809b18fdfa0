"""Whether frames reached by a seek are those of decoding from the start, and what to do if they are not.

Files exist whose container calls frames keyframes that need others, or whose decoder wants to have seen what comes
first. The index can't tell, decoding can: a few frames are decoded both ways and compared.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from napari_al_pose.video import index_cache
from napari_al_pose.video.damage import Damage
from napari_al_pose.video.decoder import FrameDecoder, SupersededError
from napari_al_pose.video.index import PacketIndex
from napari_al_pose.video.pixels import RgbConverter, digest

logger = logging.getLogger(__name__)

_PIXELS = 60_000_000
"""Decoded from the very first frame; more if the second keyframe lies further on."""
_MOST_PIXELS = 5 * _PIXELS
"""Decoded at most without a seek."""
_NEAR, _FAR = 4, 2
"""Frames compared with decoding from the very first, and keyframes further on with decoding from the one before."""
_SEED = 2026


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of a file's seeks.

    Parameters
    ----------
    exact : bool
        Whether every frame compared was the same both ways.
    n_compared : int
    differs_at : int
        The first frame that was not; -1 if none.
    remedy : str
        What was chosen instead of seeking: "" nothing, "forward" decoding from the first frame, "copy" another file.
    copy : str
        That file.
    """

    exact: bool
    n_compared: int
    differs_at: int = -1
    remedy: str = ""
    copy: str = ""


def known_verdict(path: Path) -> Verdict | None:
    """Return what was found out about a file before; None if nothing was, or the file has changed."""
    try:
        content = json.loads(_record(path).read_text(encoding="utf-8"))
        return Verdict(**content)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        logger.warning("what is known of %s can't be read: %s", path, error)
        return None


def choose_remedy(path: Path, remedy: str, copy: Path | None = None) -> None:
    """Remember how a file is to be read from now on; see `Verdict`."""
    verdict = known_verdict(path) or Verdict(False, 0)
    _keep(path, replace(verdict, remedy=remedy, copy="" if copy is None else str(copy)))


def verify(path: Path, index: PacketIndex, *, cancelled: Callable[[], bool] | None = None) -> Verdict | None:
    """Compare a few frames reached by seeks with the same reached without, and remember the outcome.

    Parameters
    ----------
    path : Path
        The video.
    index : PacketIndex
        Of the file itself.
    cancelled : callable, optional
        Asked before every packet.

    Returns
    -------
    Verdict or None
        None if it was cancelled; then nothing is remembered.

    Raises
    ------
    AlPoseError
        The file can't be reached any more.
    """
    try:
        sought, passed = _digests(path, index, cancelled)
    except SupersededError:
        return None
    differing = [position for position in passed if passed[position] != sought.get(position)]
    verdict = Verdict(not differing, len(passed), min(differing, default=-1))
    _keep(path, verdict)
    return verdict


def _digests(
    path: Path, index: PacketIndex, cancelled: Callable[[], bool] | None
) -> tuple[dict[int, bytes], dict[int, bytes]]:
    """Return digests of the same frames by a seek to each, and by decoding through to them."""
    # The one that seeks has not seen the first frame, as that of a reader which decodes ahead has not.
    seeking, passing = (
        FrameDecoder(path, index, Damage(index), threads=1, to_rgb=lambda frame: frame) for _ in range(2)
    )
    try:
        (_, first), *_ = [*passing.frames(0, 0, superseded=cancelled), (0, None)]
        if first is None:
            return {}, {}
        near, far = _chosen(index, first.width * first.height)
        passed: dict[int, bytes] = {}
        for start, wanted in [(0, near), *far]:
            passed |= _read(passing, start, wanted, cancelled)
        sought: dict[int, bytes] = {}
        # Backwards, so that each needs a seek of its own.
        for position in sorted(passed, reverse=True):
            sought |= _read(seeking, position, [position], cancelled)
        return sought, passed
    finally:
        seeking.close()
        passing.close()


def _chosen(index: PacketIndex, n_pixels: int) -> tuple[list[int], list[tuple[int, list[int]]]]:
    """Return frames that decoding from the first soon comes by, and others with where to start towards them."""
    rng = np.random.default_rng(_SEED)
    most = max(_MOST_PIXELS // n_pixels, 2)
    keyframes = index.keyframes.tolist()
    second = [key + 1 for key in keyframes[1:2] if key < most]
    reach = min(len(index), max(_PIXELS // n_pixels, *second, 2))
    keys = [key for key in keyframes if 0 < key < reach]
    # Half of them right at keyframes, where a seek goes wrong if it does.
    at_keys = rng.permutation(keys)[: _NEAR // 2].astype(int).tolist()
    near = sorted({*at_keys, *rng.integers(0, reach, _NEAR - len(at_keys)).tolist()})
    pairs = [(a, b) for a, b in itertools.pairwise(keyframes) if a >= reach and b - a < most]
    far = [pairs[rank] for rank in rng.permutation(len(pairs))[:_FAR].tolist()]
    return near, [(before, [key]) for before, key in sorted(far)]


def _read(
    decoder: FrameDecoder, first: int, wanted: list[int], cancelled: Callable[[], bool] | None
) -> dict[int, bytes]:
    convert = RgbConverter()
    frames = decoder.frames(first, max(wanted), superseded=cancelled)
    return {position: digest(convert(frame)) for position, frame in frames if position in wanted}


def _record(path: Path) -> Path:
    return index_cache.cache_folder() / f"{index_cache.file_identity(path)}.json"


def _keep(path: Path, verdict: Verdict) -> None:
    """Remember a verdict; a cache that can't be written is done without."""
    try:
        record = _record(path)
        record.parent.mkdir(parents=True, exist_ok=True)
        descriptor, partial = tempfile.mkstemp(dir=record.parent, suffix=".part")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(verdict), file)
        os.replace(partial, record)
    except OSError as error:
        logger.warning("what was found out about %s is not kept: %s", path, error)
