"""Opens the project's videos and reads frames in the cheapest order."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError, FrameKey, FrameSource
from napari_al_pose.domain.wording import counted
from napari_al_pose.project import Project
from napari_al_pose.project.region import in_region, region_of
from napari_al_pose.video import is_damaged, is_placeholder
from napari_al_pose.video.region import origin_of

log = logging.getLogger(__name__)

CACHE_BYTES = 64 * 2**20
BATCH_BYTES = 96 * 2**20
"""Most bytes of frames read at once; a larger frame is read alone."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameBatch:
    """Some frames of one video.

    Parameters
    ----------
    indices : int64 array, (n,)
        Positions of the frames in the requested list of keys.
    video : str
    frames : uint8 array, (n, height, width, 3)
        The part of them that is looked at.
    origin : float array, (2,)
        Position of its first pixel in the video, x and y.
    whole : bool array, (n,)
        Whether each was decoded from undamaged data. Nothing is learnt from the others.
    """

    indices: NDArray[np.int64]
    video: str
    frames: NDArray[np.uint8]
    origin: NDArray[np.float64]
    whole: NDArray[np.bool_]


class Sources:
    """Opens each of the project's videos once and keeps it open.

    A video that can't be opened is left out, and `news` reports it: one missing file must not stop the loop.
    """

    def __init__(self) -> None:
        self._open: dict[str, FrameSource] = {}
        self._shown: dict[str, FrameSource] = {}
        self._footage: dict[str, str] = {}
        self._problems: dict[str, str] = {}
        self._told: dict[str, str] = {}

    def refresh(self, project: Project) -> dict[str, FrameSource]:
        """Open those of the project's videos that are not open yet; return all that could be opened, by name.

        A video with a region is opened as that region.
        """
        self._problems = {}
        names = {video.name for video in project.videos}
        for gone in self._open.keys() - names:
            self._open.pop(gone).close()
        for video in project.videos:
            footage = f"{video.footage} {video.pictures.stills}"
            if video.name in self._open and self._footage[video.name] != footage:
                self._open.pop(video.name).close()  # another file took its place
            if video.name not in self._open:
                try:
                    self._open[video.name] = video.open(cache_bytes=CACHE_BYTES)
                    self._footage[video.name] = footage
                except AlPoseError as error:
                    log.warning("%s", error)
                    self._problems[video.name] = str(error)
        opened = {video.name: video for video in project.videos if video.name in self._open}
        self._shown = {
            name: in_region(self._open[name], region_of(project, video, self._open[name]))
            for name, video in opened.items()
        }
        return dict(self._shown)

    def news(self) -> str:
        """Return which videos are left out and why, in sentences; empty if that was reported before."""
        fresh = {name: why for name, why in self._problems.items() if self._told.get(name) != why}
        self._told = dict(self._problems)
        if not fresh:
            return ""
        more = f" {counted(len(fresh) - 1, 'other')} can't be opened either." if len(fresh) > 1 else ""
        (name, why), *_ = fresh.items()
        return f"The video {name} is left out: {why}{more}"

    def __contains__(self, name: str) -> bool:
        return name in self._open

    def frame(self, key: FrameKey) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        """Return one frame, RGB ``(height, width, 3)``, and the position of its first pixel in the video, x and y.

        Raises
        ------
        AlPoseError
            If the project has no such frame.
        """
        source = self._shown.get(key.video)
        if source is None:
            raise AlPoseError(
                f"The video {key.video!r} can't be opened.", "Restore the file to its place in the project."
            )
        return source[_position(source, key)], origin_of(source)

    def close(self) -> None:
        """Close every video."""
        for source in self._open.values():
            source.close()
        self._open.clear()
        self._shown.clear()


def available(keys: Sequence[FrameKey], sources: Mapping[str, FrameSource]) -> list[FrameKey]:
    """Return the keys whose frame is in one of ``sources``, in the same order."""
    return [key for key in keys if key.video in sources and _has(sources[key.video], key)]


def read_batches(
    keys: Sequence[FrameKey], sources: Mapping[str, FrameSource], *, batch_size: int = 16
) -> Iterator[FrameBatch]:
    """Read frames video by video in ascending order, so that nothing is decoded twice."""
    by_video: dict[str, list[int]] = defaultdict(list)
    for index, key in enumerate(keys):
        by_video[key.video].append(index)
    for video, indices in by_video.items():
        source = sources[video]
        indices.sort(key=lambda index: keys[index].frame)
        at_once = max(1, min(batch_size, BATCH_BYTES // (3 * source.shape[1] * source.shape[2])))
        for start in range(0, len(indices), at_once):
            part = indices[start : start + at_once]
            positions = [_position(source, keys[index]) for index in part]
            frames = np.stack([source[position] for position in positions])
            whole = [
                not is_damaged(source, position) and not is_placeholder(frame)
                for position, frame in zip(positions, frames, strict=True)
            ]
            yield FrameBatch(np.array(part, np.int64), video, frames, origin_of(source), np.array(whole))


def _has(source: FrameSource, key: FrameKey) -> bool:
    try:
        return 0 <= source.position(key.frame) < len(source)
    except KeyError:
        return False


def _position(source: FrameSource, key: FrameKey) -> int:
    try:
        return source.position(key.frame)
    except KeyError:
        raise AlPoseError(
            f"{key.video!r} has no frame {key.frame}.", "Open the project with the video the labels were made on."
        ) from None
