"""Stores packet indexes on disk, so that a video is read through only once."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from napari_al_pose.video.index import PacketIndex
from napari_al_pose.video.numbering import build_index
from napari_al_pose.video.packets import Progress

logger = logging.getLogger(__name__)

_FORMAT = 7
"""Part of the identity: increase it when the index of the same file would come out differently."""
_FLAGS = ("counted", "seekable", "times_restart", "by_header")
_MOST_REORDERED = 64
_SAMPLE_BYTES = 2**16
_MAX_BYTES = 256 * 2**20
"""When all indexes together are larger than this, those used longest ago are removed."""


def cache_folder() -> Path:
    """Return where this user's packet indexes are stored."""
    import pooch

    return Path(pooch.os_cache("napari-al-pose")) / "video-index"


def file_identity(path: Path) -> str:
    """Return a digest of the file's size, time and ends: it changes with the file's content, not with its place."""
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
    """Return the packet index of a video, from the cache if it is there and whole.

    Raises
    ------
    AlPoseError
        As `build_index` does.
    """
    if not path.is_file():
        return build_index(path)  # reports what is wrong
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


def renumber(path: Path, *, cancelled: Callable[[], bool] | None = None) -> PacketIndex:
    """Number the frames of a video by decoding it, whatever its times say, and replace the stored index.

    Raises
    ------
    AlPoseError
        As `build_index` does.
    """
    index = build_index(path, cancelled=cancelled, by_decoding=True)
    try:
        save_index(index, cache_folder() / f"{file_identity(path)}.npz")
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
                order=index.order,
                pts=index.pts,
                sizes=index.sizes,
                torn=index.torn,
                entries=np.stack([index.entries, index.entry_ranks, index.entry_dts, index.entry_places]),
                time_base=np.array(index.time_base.as_integer_ratio(), np.int64),
                fps=np.float64(index.fps),
                notice=np.array(index.notice),
                reorder_depth=np.int64(index.reorder_depth),
                flags=np.array([getattr(index, name) for name in _FLAGS], bool),
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
    """Read an index; return None if it is missing, damaged, or not an index."""
    try:
        with np.load(path, allow_pickle=False) as data:
            index = _unpacked(data)
        with contextlib.suppress(OSError):  # the cache may be read-only
            os.utime(path)
    except FileNotFoundError:
        return None
    except (OSError, EOFError, KeyError, ValueError, TypeError, ZeroDivisionError, zipfile.BadZipFile) as error:
        logger.warning("the packet index %s is damaged and built again: %s", path, error)
        return None
    if not _is_whole(index):
        logger.warning("the packet index %s does not hold what it should and is built again", path)
        return None
    return index


def _unpacked(data: Mapping[str, NDArray[Any]]) -> PacketIndex:
    numerator, denominator = (int(value) for value in data["time_base"])
    entries, ranks, dts, places = data["entries"]
    flags = dict(zip(_FLAGS, data["flags"].tolist(), strict=True))
    return PacketIndex(
        times=data["times"],
        order=data["order"],
        pts=data["pts"],
        sizes=data["sizes"],
        torn=data["torn"],
        entries=entries,
        entry_ranks=ranks,
        entry_dts=dts,
        entry_places=places,
        time_base=Fraction(numerator, denominator),
        fps=float(data["fps"]),
        notice=str(data["notice"]),
        reorder_depth=int(data["reorder_depth"]),
        **flags,
    )


def _is_whole(index: PacketIndex) -> bool:
    """Return whether everything in an index points inside it."""
    n_packets, n_frames = len(index.pts), len(index.order)
    return (
        index.times.dtype == index.pts.dtype == index.entries.dtype == np.int64
        and index.order.dtype == index.sizes.dtype == index.torn.dtype == np.int32
        and index.times.shape == index.order.shape == (n_frames,)
        and index.pts.shape == index.sizes.shape == (n_packets,)
        and n_frames > 0
        and 0 <= int(index.order.min()) <= int(index.order.max()) < n_packets
        and bool(((index.torn >= 0) & (index.torn < n_packets)).all())
        and len(index.entries) > 0
        and int(index.entries[0]) == 0
        and bool((np.diff(index.entries) > 0).all())
        and int(index.entries[-1]) < n_frames
        and 0 <= int(index.entry_ranks.min()) <= int(index.entry_ranks.max()) < n_packets
        and index.time_base > 0
        and index.fps > 0
        and 0 <= index.reorder_depth <= _MOST_REORDERED
    )
