"""Packet indexes on disk, so that a video is read through only once."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import tempfile
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from napari_al_pose.video.index import PacketIndex, Progress, build_index

logger = logging.getLogger(__name__)

_FORMAT = 4
"""Part of the identity: raise it when an index of the same file would come out differently."""
_SAMPLE_BYTES = 2**16
_MAX_BYTES = 256 * 2**20
"""The indexes used longest ago go once all together are larger."""


def cache_folder() -> Path:
    """Return where this user's packet indexes are kept."""
    import pooch

    return Path(pooch.os_cache("napari-al-pose")) / "video-index"


def file_identity(path: Path) -> str:
    """Return a digest of the file's size, time and ends: a changed file has another, a moved one the same."""
    status = path.stat()
    digest = hashlib.sha256(f"{_FORMAT} {av.library_versions['libavformat']}".encode())
    digest.update(f" {status.st_size} {status.st_mtime_ns} ".encode())
    with path.open("rb") as file:
        digest.update(file.read(_SAMPLE_BYTES))
        file.seek(max(status.st_size - _SAMPLE_BYTES, 0))
        digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()


def load_or_build(
    path: Path, *, progress: Progress | None = None, cancelled: Callable[[], bool] | None = None
) -> PacketIndex:
    """Return the packet index of a video, from the cache where it is there and whole.

    Raises
    ------
    AlPoseError
        As `build_index` does.
    """
    if not path.is_file():
        return build_index(path)  # says what is wrong
    try:
        identity = file_identity(path)
    except OSError:
        return build_index(path, progress=progress, cancelled=cancelled)
    cached = cache_folder() / f"{identity}.npz"
    index = load_index(cached)
    if index is None:
        index = build_index(path, progress=progress, cancelled=cancelled)
        try:
            save_index(index, cached)
        except OSError as error:
            logger.warning("the packet index of %s is not kept: %s", path, error)
    return index


def save_index(index: PacketIndex, path: Path) -> None:
    """Write an index whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, partial = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            np.savez(
                file,
                times=index.times,
                keys=np.stack([index.keyframes, index.key_pts, index.key_dts, index.key_sizes]),
                time_base=np.array(index.time_base.as_integer_ratio(), np.int64),
                fps=np.float64(index.fps),
                notice=np.array(index.notice),
                counted=np.bool_(index.counted),
                by_header=np.bool_(index.by_header),
            )
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
        _forget_oldest(path.parent)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def _forget_oldest(folder: Path) -> None:
    by_age = sorted(((file.stat().st_mtime, file.stat().st_size, file) for file in folder.glob("*.npz")), reverse=True)
    n_bytes = 0
    for rank, (_, size, file) in enumerate(by_age):
        n_bytes += size
        if n_bytes > _MAX_BYTES and rank > 0:
            file.unlink(missing_ok=True)
            file.with_suffix(".json").unlink(missing_ok=True)  # see `verification`


def load_index(path: Path) -> PacketIndex | None:
    """Read an index back; None if it is not there, damaged, or no index."""
    try:
        with np.load(path, allow_pickle=False) as data:
            times, keys = data["times"], data["keys"]
            numerator, denominator = (int(value) for value in data["time_base"])
            fps, notice = float(data["fps"]), str(data["notice"])
            counted, by_header = bool(data["counted"]), bool(data["by_header"])
        with contextlib.suppress(OSError):  # a cache that may only be read
            os.utime(path)
    except FileNotFoundError:
        return None
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        logger.warning("the packet index %s is damaged and built again: %s", path, error)
        return None
    whole = (
        times.dtype == keys.dtype == np.int64
        and times.ndim == 1
        and keys.ndim == 2
        and len(keys) == 4
        and keys.shape[1] > 0
        and keys[0, 0] == 0
        and bool((np.diff(keys[0]) > 0).all())
        and keys[0, -1] < len(times)
        and denominator > 0
        and numerator > 0
        and fps > 0
    )
    if not whole:
        logger.warning("the packet index %s does not hold what it should and is built again", path)
        return None
    keyframes, key_pts, key_dts, key_sizes = keys
    return PacketIndex(
        times,
        keyframes,
        key_pts,
        key_dts,
        key_sizes,
        time_base=Fraction(numerator, denominator),
        fps=fps,
        notice=notice,
        counted=counted,
        by_header=by_header,
    )
