"""The videos named in a ``.slp``: which are the same, what they are called, and how their frames are numbered."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError, FrameKey
from napari_al_pose.domain.wording import counted
from napari_al_pose.formats.image_sets import check_count, number_images, set_name
from napari_al_pose.formats.label_set import LabelledVideo
from napari_al_pose.formats.names import video_stem
from napari_al_pose.formats.sleap_file import DAMAGE, import_sleap_io
from napari_al_pose.formats.video_paths import distinct_names, normal_path, same_videos

if TYPE_CHECKING:
    import sleap_io


class SleapVideos:
    """The videos of a ``.slp`` as sets of frames.

    Parameters
    ----------
    path : Path
        The file.
    videos : sequence of sleap_io.Video
        As the file lists them.

    Attributes
    ----------
    videos : list of LabelledVideo
        Each once. A list of images gives a set for each of its folders.
    notices : list of str
    """

    def __init__(self, path: Path, videos: Sequence[Any]) -> None:
        self.videos: list[LabelledVideo] = []
        self.notices: list[str] = []
        self._path = path
        self._positions = {id(video): i for i, video in enumerate(videos)}
        sources = [_source(video) for video in videos]
        written = {i: str(s.filename) for i, s in enumerate(sources) if not isinstance(s.filename, list)}
        written = {i: "" if _is_package(sources[i]) else file for i, file in written.items()}
        self._first = self._one_of_each({i: file for i, file in written.items() if file})
        kept = [i for i, first in self._first.items() if i == first]
        stems = [_stem(written[i], f"video{i}") for i in kept]
        names = dict(zip(kept, distinct_names([written[i] for i in kept], stems), strict=True))
        self._names: dict[int, str] = {}
        self._images: dict[int, list[FrameKey]] = {}
        for i, (video, source) in enumerate(zip(videos, sources, strict=True)):
            if isinstance(source.filename, list):
                self._add_images([str(file) for file in source.filename], i, packed=_is_package(video))
            elif self._first.get(i, i) == i:
                self._names[i] = self._unique(set_name(names.get(i, ""), f"video{i}"))
                pixels = _Embedded(path, i, {}) if _is_package(video) else None
                same = [written[j] for j, one in self._first.items() if one == i] or [written[i]]
                where = next((file for file in same if Path(file).is_file()), same[0])
                self.videos.append(LabelledVideo(self._names[i], where, pixels=pixels, size=_size(source)))

    def key(self, frame: sleap_io.LabeledFrame) -> FrameKey:
        """Return the key of a labelled frame.

        Raises
        ------
        AlPoseError
            If its video can't have such a frame.
        """
        place = self._positions[id(frame.video)]
        images, index = self._images.get(place), int(frame.frame_idx)
        if index < 0 or (images is not None and index >= len(images)):
            raise AlPoseError(
                f"{self._path}: frame {index} of video {place + 1} cannot be"
                + ("." if images is None else f", as it is a list of {counted(len(images), 'image')}."),
                "Save it again in SLEAP.",
            )
        return FrameKey(self._names[self._first.get(place, place)], index) if images is None else images[index]

    def _one_of_each(self, written: Mapping[int, str]) -> dict[int, int]:
        """Return, for each video file, the first one that is the same."""
        places = list(written)
        first = {i: places[n] for i, n in zip(places, same_videos([*written.values()], self._path.parent), strict=True)}
        for i, one in first.items():
            if normal_path(written[i]) != normal_path(written[one]):
                self.notices.append(f"{self._path}: {written[one]} and {written[i]} are read as one video.")
        return first

    def _add_images(self, files: Sequence[str], place: int, *, packed: bool) -> None:
        """Add the sets in a list of images; SLEAP counts frames by their index in the list."""
        check_count(len(files), self._path)
        keys, videos, notices = number_images(list(dict.fromkeys(files)), f"images{place}")
        self.notices += notices
        names = {video.name: self._unique(video.name) for video in videos}
        self._images[place] = [FrameKey(names[keys[file].video], keys[file].frame) for file in files]
        for video in videos:
            name = names[video.name]
            places = {key.frame: i for i, key in enumerate(self._images[place]) if key.video == name}
            pixels = _Embedded(self._path, place, places) if packed else None
            self.videos.append(dataclasses.replace(video, name=name, pixels=pixels))

    def _unique(self, name: str) -> str:
        taken = {video.name for video in self.videos}
        unique, number = name, 2
        while unique in taken:
            unique, number = f"{name}-{number}", number + 1
        return unique


class _Embedded:
    """Images stored inside a ``.pkg.slp``, opened when the first one is needed."""

    def __init__(self, path: Path, number: int, positions: Mapping[int, int]) -> None:
        self._path = path
        self._number = number
        self._positions = positions
        self._video: Any = None

    def __call__(self, frame: int) -> NDArray[np.uint8]:
        """Return an image by its frame number here; raise AlPoseError if it can't be read."""
        try:
            if self._video is None:
                self._video = import_sleap_io().load_slp(str(self._path), open_videos=False).videos[self._number]
                self._video.open()
            return np.asarray(self._video[self._positions.get(frame, frame)], np.uint8)
        except DAMAGE as error:
            raise AlPoseError(
                f"The image of frame {frame} in {self._path} cannot be read: {str(error)[:80]}.",
                "Save it again in SLEAP.",
            ) from error


def _is_package(video: Any) -> bool:
    """Return whether the images are stored in a ``.slp``."""
    return isinstance(video.filename, str) and video.filename.lower().endswith(".slp")


def _source(video: Any) -> Any:
    """Return the video that a package's images were taken from; for other videos the video itself."""
    return video.source_video if _is_package(video) and video.source_video is not None else video


def _stem(written: str, default: str) -> str:
    name = video_stem(written)
    if name is None:
        return default
    return set_name(name) if "." in name else name


def _size(video: Any) -> tuple[int, int] | None:
    """Return width and height of a video in the file; None if unknown."""
    shape = video.backend_metadata.get("shape")
    return (int(shape[2]), int(shape[1])) if shape is not None and len(shape) == 4 and min(shape[1:3]) > 0 else None
