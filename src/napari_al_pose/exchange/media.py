"""Videos and images that labels lie on: found, linked or copied into a project, or written out of one."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from napari_al_pose.domain import AlPoseError
from napari_al_pose.formats.atomic import cannot_write, replacing
from napari_al_pose.formats.deeplabcut import frame_number
from napari_al_pose.formats.deeplabcut_annotations import IMAGE_SUFFIXES
from napari_al_pose.formats.image_sets import find_file
from napari_al_pose.formats.label_set import LabelledVideo, LabelSet, Picture
from napari_al_pose.formats.names import VIDEO_SUFFIXES, is_safe_name, last_part

UNREADABLE = (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError)


class MediaFinder:
    """Finds what a file of labels refers to, wherever it was written.

    Parameters
    ----------
    file : Path
        The file of labels. It is looked beside it, in the folders beside it that usually hold images or videos, and
        the same one folder up.
    labels : LabelSet
    """

    def __init__(self, file: Path, labels: LabelSet) -> None:
        here = file.resolve().parent
        self._folders = [folder / below for folder in (here, here.parent) for below in ("", "images", "data", "videos")]
        self._above = here.parent.parent
        names = Counter(last_part(p.path) for video in labels.videos for p in video.pictures.values())
        self._unique = {name for name, count in names.items() if count == 1}
        self._taken: set[Path] = set()

    def video(self, video: LabelledVideo) -> Path | None:
        """Return the file of a video; None if it is missing, or is another video's already."""
        found = self._video(video)
        if found is None or found in self._taken:
            return None
        self._taken.add(found)
        return found

    def picture(self, picture: Picture) -> Path | None:
        """Return the file of an image; None if it is missing."""
        path = Path(picture.path)
        if path.suffix.lower() not in IMAGE_SUFFIXES:
            return None
        if path.is_absolute() and ".." not in path.parts and path.is_file():
            return path
        return find_file(picture.path, self._folders, by_name=last_part(picture.path) in self._unique)

    def _video(self, video: LabelledVideo) -> Path | None:
        path = Path(video.path)
        if path.suffix.lower() in VIDEO_SUFFIXES:
            if path.is_absolute() and ".." not in path.parts and path.is_file():
                return path
            return find_file(video.path, self._folders)
        if video.path or video.pixels is not None:
            return None
        # DeepLabCut and Lightning Pose name their videos by the folder of images only.
        folders = [*self._folders, self._above / "videos"]
        candidates = (folder / f"{video.name}{suffix}" for folder in folders for suffix in VIDEO_SUFFIXES)
        return next((path for path in candidates if path.is_file()), None)


def image_file_name(picture: Picture | None, number: int) -> str:
    """Return what the image of a frame is called in ``labeled-data``: as it was, if that names its frame."""
    name = last_part(picture.path) if picture is not None else ""
    if is_safe_name(name) and frame_number(name) == number and name.lower().endswith(IMAGE_SUFFIXES):
        return name
    suffix = Path(name).suffix.lower()
    return f"img{number:04d}{suffix if suffix in IMAGE_SUFFIXES else '.png'}"


def copy_image(source: Path, target: Path) -> bool:
    """Copy an image, and return whether it is one that can be decoded."""
    try:
        with Image.open(source) as image:
            image.verify()
    except UNREADABLE:
        return False
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as temporary:
            shutil.copyfile(source, temporary)
    except OSError as error:
        raise cannot_write(target, error) from error
    return True


def save_image(pixels: NDArray[np.uint8], target: Path) -> None:
    """Write pixels, (height, width) or (height, width, 1 or 3), as PNG or JPEG by the suffix of ``target``."""
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as temporary:
            jpeg = target.suffix.lower() in (".jpg", ".jpeg")
            Image.fromarray(np.ascontiguousarray(pixels)).save(
                temporary, format="JPEG" if jpeg else "PNG", **({"quality": 95} if jpeg else {})
            )
    except OSError as error:
        raise cannot_write(target, error) from error


def image_size(path: Path) -> tuple[int, int]:
    """Return ``(width, height)``; AlPoseError if it is no image."""
    try:
        with Image.open(path) as image:
            return image.size
    except UNREADABLE as error:
        raise AlPoseError(f"{path} is no readable image.", "Copy it again from where it was made.") from error


def named(names: Sequence[str]) -> str:
    """Return the first names of a list for a message."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")
