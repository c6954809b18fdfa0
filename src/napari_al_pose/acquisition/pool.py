"""The pool: the frames that get features, scoremaps and scores. No video is ever scanned completely."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.ordering import key_columns, key_order, video_order
from napari_al_pose.acquisition.quotas import allocate, systematic
from napari_al_pose.acquisition.spacing import UNKNOWN_FPS
from napari_al_pose.acquisition.vectors import unit_rows
from napari_al_pose.domain import FrameKey, FrameSource

_DUPLICATE_SECONDS = 2.0
_BLANK_DEVIATION = 1.0
_SAME = 1e-6
"""Cosine distance below which two frames show the same picture."""


def choose_pool(sources: Mapping[str, FrameSource], size: int, *, labelled: Collection[FrameKey]) -> list[FrameKey]:
    """Choose candidate frames from all videos, over the whole span of each.

    A video's share is proportional to the square root of its length, so that a long video does not drown the others.
    The video is cut into as many equal stretches as its share. Each stretch gives the keyframe nearest to its middle,
    which decodes without any other frame; a stretch without a keyframe gives the frame nearest to the middle. The same
    videos give the same pool, except in stretches where frames were labelled since. If there are more videos than
    frames, some videos are drawn at random, and others each time something was labelled.

    Parameters
    ----------
    sources : mapping of str to FrameSource
        By the video's name.
    size : int
        Frames wanted; fewer if the videos are shorter, or if a stretch is labelled completely.
    labelled : collection of FrameKey
        No longer candidates.

    Returns
    -------
    list of FrameKey
        Sorted by video, then frame.
    """
    names = [name for name in video_order(sources, len(labelled)) if len(sources[name])]
    lengths = [len(sources[name]) for name in names]
    shares = allocate(size, [math.sqrt(n) for n in lengths], lengths)
    pool: list[FrameKey] = []
    for name, share in zip(names, shares.tolist(), strict=True):
        source = sources[name]
        taken = {key.frame for key in labelled if key.video == name}
        pool += [FrameKey(name, number) for number in _spread(source, share, taken)]
    return sorted(pool)


def near_keyframes(source: FrameSource, n: int, *, decoded: int) -> list[int]:
    """Choose frames that decode quickly: keyframes spread over the video, and frames soon after them.

    Parameters
    ----------
    source : FrameSource
        The video.
    n : int
        Frames wanted, about; fewer where the video has fewer.
    decoded : int
        Frames that may be decoded on the way, about. Frames after a keyframe are as far apart as that allows, at most
        a third of a second.

    Returns
    -------
    list of int
        Positions, ascending.
    """
    keyframes = np.asarray(source.keyframes, np.int64)
    chosen = systematic(len(keyframes), min(n, len(keyframes)), 0.5)
    start, end = keyframes[chosen], np.append(keyframes, len(source))[chosen + 1]
    apart = max(1, min(decoded // n, int(source.fps / 3)))
    found = start[:, None] + apart * np.arange(-(-n // max(1, len(chosen))))
    return found[found < end[:, None]].tolist()


def _spread(source: FrameSource, share: int, taken: set[int]) -> list[int]:
    """Return a frame number from each of ``share`` equal stretches that still has one."""
    keyframes = np.asarray(source.keyframes, np.int64)
    edges = np.linspace(0, len(source), share + 1).round().astype(np.int64)
    numbers = []
    for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        middle = (start + stop - 1) / 2
        inside = keyframes[np.searchsorted(keyframes, start) : np.searchsorted(keyframes, stop)]
        central = inside[np.argsort(np.abs(inside - middle), kind="stable")].tolist()
        for position in itertools.chain(central, _outward(start, stop)):
            number = source.number(position)
            if number not in taken:
                numbers.append(number)
                break
    return numbers


def _outward(start: int, stop: int) -> Iterator[int]:
    """Positions of a stretch, from the middle outward."""
    left = (start + stop - 1) // 2
    for step in range(stop - start):
        if left - step >= start:
            yield left - step
        if left + 1 + step < stop:
            yield left + 1 + step


def is_blank(frame: NDArray[np.uint8]) -> bool:
    """Return whether a frame ``(H, W, 3)`` is blank: black, a single colour, or just sensor noise on either.

    A frame is blank if the means of its 8 x 8 pixel blocks have a standard deviation below 1 of 255 grey levels. Blank
    frames don't belong in a pool.
    """
    height, width = frame.shape[0] // 8 * 8, frame.shape[1] // 8 * 8
    grey = frame.mean(axis=2, dtype=np.float32)
    if height and width:
        grey = grey[:height, :width].reshape(height // 8, 8, width // 8, 8).mean(axis=(1, 3))
    return bool(grey.std() < _BLANK_DEVIATION)


def near_duplicate_limits(
    keys: Sequence[FrameKey], features: NDArray[np.floating], fps: Mapping[str, float]
) -> dict[str, float]:
    """Return, for each video, the cosine distance below which two of its frames count as the same picture.

    It is the 10th percentile of the distances between frames a second apart (0.5 to 1.5 s), so that frames as similar
    as a video's usual second are not suggested twice; ``1e-6`` if the pool is too thin to tell.
    """
    video, frame = key_columns(keys)
    order = key_order(keys)
    unit = unit_rows(features)
    limits: dict[str, float] = {}
    for number, name in enumerate(sorted({key.video for key in keys})):
        rows = order[video[order] == number]
        limits[name] = _limit(frame[rows], unit[rows], fps.get(name, UNKNOWN_FPS))
    return limits


def _limit(frames: NDArray[np.int64], unit: NDArray[np.floating], fps: float) -> float:
    later = np.searchsorted(frames, frames + fps)
    best = np.minimum(later, len(frames) - 1)
    earlier = np.maximum(later - 1, 0)
    second = frames + fps
    best = np.where(np.abs(frames[earlier] - second) < np.abs(frames[best] - second), earlier, best)
    apart = np.abs(frames[best] - second) <= 0.5 * fps
    if apart.sum() < 5:
        return _SAME
    distances = 1.0 - np.einsum("nd,nd->n", unit[apart], unit[best[apart]], dtype=np.float64)
    return max(_SAME, float(np.percentile(distances, 10)))


def drop_near_duplicates(
    keys: Sequence[FrameKey], features: NDArray[np.floating], fps: Mapping[str, float]
) -> NDArray[np.int64]:
    """Leave out frames that look like the last kept one, at most 2 s before.

    Parameters
    ----------
    keys : sequence of FrameKey, N
        The pool, in any order.
    features : float array, (N, d)
        Image features.
    fps : mapping of str to float
        Frames per second of each video; 30 for a video that is not named.

    Returns
    -------
    int64 array
        The rows kept, ascending. Frames whose features are zero or not finite are kept, as nothing is known of them.
    """
    limits = near_duplicate_limits(keys, features, fps)
    unit = unit_rows(features)
    kept: list[int] = []
    last: int | None = None
    for row in key_order(keys).tolist():
        key = keys[row]
        if last is not None and keys[last].video == key.video and unit[row].any():
            seconds = (key.frame - keys[last].frame) / fps.get(key.video, UNKNOWN_FPS)
            distance = 1.0 - float(unit[last] @ unit[row])
            if seconds <= _DUPLICATE_SECONDS and distance < limits[key.video]:
                continue
        kept.append(row)
        last = row
    return np.sort(np.array(kept, np.int64))
