"""Finds the videos and images that a label file names."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.file_names import IMAGE_SUFFIXES, is_video
from napari_al_pose.formats.image_sets import WrittenPaths
from napari_al_pose.formats.label_set import LabelledVideo, LabelSet, Picture
from napari_al_pose.formats.names import VIDEO_SUFFIXES, last_part
from napari_al_pose.formats.video_paths import normal_path
from napari_al_pose.video import open_source


class MediaFinder:
    """Finds what a label file refers to, wherever the file was written.

    Parameters
    ----------
    file : Path
        The label file. The search covers its folder, neighbouring folders that usually hold images or videos, and the
        same one folder up.
    labels : LabelSet

    Attributes
    ----------
    notices : list of str
        Which videos were found elsewhere than the file says, and which were rejected.
    """

    def __init__(self, file: Path, labels: LabelSet) -> None:
        here = file.resolve().parent
        self.notices: list[str] = []
        self._folders = [folder / below for folder in (here, here.parent) for below in ("", "images", "data", "videos")]
        self._above = here.parent.parent
        self._videos = WrittenPaths((video.path for video in labels.videos if video.path), self._folders)
        pictures = (picture.path for video in labels.videos for picture in video.pictures.values())
        self._pictures = WrittenPaths(pictures, self._folders)
        self._last: dict[str, int] = {}
        for annotation in labels.annotations:
            key = annotation.key
            self._last[key.video] = max(key.frame, self._last.get(key.video, 0))
        self._taken = {path for video in labels.videos if (path := _where_it_says(video.path)) is not None}

    def video(self, video: LabelledVideo) -> Path | None:
        """Return the file of a video; None if it is missing, ambiguous, or another video."""
        there = _where_it_says(video.path)
        if there is not None and is_video(there):
            return there
        found = self._elsewhere(video)
        if found is None:
            return None
        if found in self._taken:
            self.notices.append(f"{found} is another video of these labels, so it was not used as {video.name} too.")
            return None
        if reason := self._is_another(found, video):
            self.notices.append(f"{found} is not the video of these labels ({video.path or video.name}): {reason}.")
            return None
        self._taken.add(found)
        if video.path and last_part(video.path) != video.path:
            self.notices.append(f"{video.path} was found by its name: {found}. Check that it is the same video.")
        return found

    def picture(self, picture: Picture) -> Path | None:
        """Return the file of an image; None if it is missing, or several images have its name."""
        if Path(picture.path).suffix.lower() not in IMAGE_SUFFIXES:
            return None
        return _where_it_says(picture.path) or self._pictures.find(picture.path)

    def _elsewhere(self, video: LabelledVideo) -> Path | None:
        if is_video(Path(video.path)):
            if (clash := self._videos.ambiguous(video.path)) is not None:
                self.notices.append(
                    f"The name {last_part(video.path)} is ambiguous: {clash} may be {video.path} or another video of "
                    "these labels, so it was not used. Put each into a folder of its own beside the labels, as "
                    f"{'/'.join(normal_path(video.path).split('/')[-2:])}, and import again."
                )
            return self._videos.find(video.path)
        if video.path or video.pixels is not None:
            return None
        # DeepLabCut and Lightning Pose name their videos by the folder of images only.
        folders = [*self._folders, self._above / "videos"]
        candidates = (folder / f"{video.name}{suffix}" for folder in folders for suffix in VIDEO_SUFFIXES)
        return next((path for path in candidates if path.is_file()), None)

    def _is_another(self, path: Path, video: LabelledVideo) -> str:
        """Return why a file is another video than the labelled one, or an empty string."""
        try:
            with closing(open_source(path)) as source:
                n_frames, height, width = source.shape[:3]
        except AlPoseError:
            return ""  # adding it to the project reports that
        if video.size is not None and video.size != (width, height):
            return f"it has {width} x {height} pixels, the labels are of {video.size[0]} x {video.size[1]}"
        last = self._last.get(video.name, 0)
        return f"it has {n_frames:,} frames, and frame {last:,} is labelled" if last >= n_frames else ""


def _where_it_says(written: str) -> Path | None:
    """Return the file at an absolute path, if it exists."""
    path = Path(written)
    return path if path.is_absolute() and ".." not in path.parts and path.is_file() else None
