"""The extracted images of a video: where each lies in its frame, and which show something other than the frame."""

from __future__ import annotations

import logging
import os
import struct
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.file_names import IMAGE_SUFFIXES, numbered_images
from napari_al_pose.domain.image_placement import WHOLE, Place, Size, place_of
from napari_al_pose.formats.atomic import write_text

logger = logging.getLogger(__name__)

_PNG = b"\x89PNG\r\n\x1a\n"
_TURNED_BY = 5
"""EXIF orientations from this value on swap width and height."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """The extracted images of a video, looked at one by one.

    Parameters
    ----------
    default : Place
        Of every image that is not in ``others``, and of those still to be made.
    others : tuple of (str, Place)
        Images that lie elsewhere in their frame.
    stills : tuple of (int, str)
        Frames whose image shows something other than the video's frame of that number, or has another size. The image
        is shown, and learnt from, instead.
    has_whole, has_crops : bool
        Whether some are whole frames, and whether some are the crop of ``config.yaml``.
    """

    default: Place = WHOLE
    others: tuple[tuple[str, Place], ...] = ()
    stills: tuple[tuple[int, str], ...] = ()
    has_whole: bool = False
    has_crops: bool = False
    _by_name: Mapping[str, Place] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", dict(self.others))

    def place(self, image: str) -> Place:
        """Return where an image, given by name, lies in its frame."""
        return self._by_name.get(image, self.default)

    @property
    def all_whole(self) -> bool:
        """Whether pixels of the images are pixels of the frames."""
        return self.default == WHOLE and not self.others


NO_PICTURES = Pictures()


class Noted(BaseModel):
    """What is known of one video's images, so that they need not be examined each time.

    Parameters
    ----------
    footage : str
        Digest of the video when it was last there.
    frame_size : (width, height) or None
        Of its frames.
    compared : dict of str to bool
        By `stamp` of an image: whether it shows something other than the frame.
    shift : int or None
        By how many frames those images are shifted, if known.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    footage: str = ""
    frame_size: tuple[int, int] | None = None
    compared: dict[str, bool] = {}
    shift: int | None = None

    def differing(self, folder: Path) -> list[str]:
        """Return the images that were found to differ from their frame and have not changed since."""
        other = {of.partition("/")[0]: of for of, differs in self.compared.items() if differs}
        return [name for name, of in other.items() if (folder / name).is_file() and stamp(folder / name) == of]


class _PicturesFile(BaseModel):
    videos: dict[str, Noted] = {}


class PictureNotes:
    """Notes on the images of each video; a project also works without the file.

    Parameters
    ----------
    path : Path
        ``al-pose/pictures.json``; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._noted = dict(_PicturesFile.model_validate_json(path.read_bytes()).videos)
        except FileNotFoundError:
            self._noted = {}
        except (OSError, ValidationError) as error:
            logger.warning("%s could not be read and is made again: %s", path, error)
            self._noted = {}

    def of(self, video: str) -> Noted:
        """Return the notes on a video's images."""
        return self._noted.get(video, Noted())

    def note(self, video: str, noted: Noted, *, keep: bool) -> None:
        """Note something; store it on disk if ``keep``."""
        if noted == self._noted.get(video):
            return
        self._noted[video] = noted
        if keep:
            try:
                write_text(self._path, _PicturesFile(videos=self._noted).model_dump_json(indent=1))
            except AlPoseError as error:
                logger.warning("%s", error)


def look_at_pictures(
    folder: Path,
    *,
    frame_size: Size | None,
    crop: tuple[int, int, int, int] | None,
    differing: Collection[str] = (),
    shift: int | None = None,
) -> tuple[Pictures, list[str]]:
    """Decide, for each image in a folder, which part of its frame it shows.

    Parameters
    ----------
    folder : Path
        ``labeled-data/<video>``.
    frame_size : (width, height) or None
        Of the video's frames; None if unknown.
    crop : (x1, x2, y1, y2) or None
        The crop of the video in ``config.yaml``.
    differing : collection of str
        Images found to show something other than their frame.
    shift : int, optional
        By how many frames these are shifted from the frame they show, if known.

    Returns
    -------
    Pictures
    list of str
        Messages for the user.
    """
    sizes = image_sizes(folder)
    placed = {size: place_of(size, frame=frame_size, crop=crop) for size in set(sizes.values())}
    kinds = Counter(placed[size][1] for size in sizes.values())
    # A new image becomes a crop only if all are.
    default = WHOLE
    if kinds["crop"] and not kinds["whole"]:
        default = next(place for place, kind in placed.values() if kind == "crop")
    others = tuple(sorted((name, placed[size][0]) for name, size in sizes.items() if placed[size][0] != default))
    elsewhere = {name for name, size in sizes.items() if placed[size][1] == "other"} | set(differing)
    numbers = numbered_images(sizes)[0] if elsewhere else {}
    stills = tuple(sorted((number, name) for number, name in numbers.items() if name in elsewhere))
    pictures = Pictures(default, others, stills, has_whole=kinds["whole"] > 0, has_crops=kinds["crop"] > 0)
    notices = _notices_of(folder, sizes, placed, kinds, frame_size, crop)
    return pictures, [*notices, *([_of_differing(folder, differing, shift)] if differing else [])]


def _of_differing(folder: Path, differing: Collection[str], shift: int | None) -> str:
    """Describe which images show something other than their frames, and where the frames they show are."""
    many = "s" if len(differing) > 1 else ""
    notice = (
        f"{folder}: {len(differing)} image{many}, such as {min(differing)}, show something else than the video's frames"
    )
    used = "They are shown and trained on in place of those frames."
    if shift is None:
        look = "napari-al-pose check PROJECT looks through the whole video for what they show."
        return f"{notice} of those numbers. {used} Put back the video that they are from; {look}"
    frames = f"{abs(shift):,} frame{'s' if abs(shift) > 1 else ''} {'later' if shift > 0 else 'earlier'}"
    return (
        f"{notice} of those numbers. The video has what they show {frames}: it has been cut or renumbered since. "
        f"{used} Put back the video that they are from."
    )


def _notices_of(
    folder: Path,
    sizes: Mapping[str, Size],
    placed: Mapping[Size, tuple[Place, str]],
    kinds: Counter[str],
    frame_size: Size | None,
    crop: tuple[int, int, int, int] | None,
) -> list[str]:
    notices = []
    if kinds["other"] and frame_size is not None:
        first = min(name for name, size in sizes.items() if placed[size][1] == "other")
        notices.append(
            f"{folder}: {kinds['other']} of {len(sizes)} images have another size than the video, such as {first} with "
            f"{_by(sizes[first])} pixels; the video has {_by(frame_size)}. They are shown and trained on in place "
            "of the video's frames."
        )
    if kinds["crop"] and kinds["whole"]:
        notices.append(
            f"{folder} holds {kinds['whole']} whole frames and {kinds['crop']} crops; each is placed by its own size."
        )
    elif kinds["whole"] and crop and frame_size and (crop[1] - crop[0], crop[3] - crop[2]) != frame_size:
        notices.append(
            f"config.yaml crops {folder.name} to {', '.join(map(str, crop))}, but its images are whole frames: the "
            "whole frame is used."
        )
    return notices


def image_sizes(folder: Path) -> dict[str, Size]:
    """Return width and height of each readable image in a folder, as it is shown."""
    try:
        return _image_sizes(str(folder), folder.stat().st_mtime_ns)
    except OSError:
        return {}


def frame_size(path: Path) -> Size | None:
    """Return width and height of a video's frames, upright; None if none can be decoded."""
    from napari_al_pose.video.opening import frame_size as read

    try:
        return read(path)
    except AlPoseError as error:
        logger.warning("%s", error)
        return None


def stamp(path: Path) -> str:
    """Return a key that distinguishes an image from others of its name."""
    status = path.stat()
    return f"{path.name}/{status.st_size}/{status.st_mtime_ns}"


@lru_cache(maxsize=256)
def _image_sizes(folder: str, _time: int) -> dict[str, Size]:
    found: dict[str, Size] = {}
    for name in os.listdir(folder):
        if name.lower().endswith(IMAGE_SUFFIXES) and name[0] != "." and (size := _size(os.path.join(folder, name))):
            found[name] = size
    return found


def _size(path: str) -> Size | None:
    """Return the size of an image; the first bytes of a PNG contain it, and there may be tens of thousands."""
    try:
        with open(path, "rb") as stream:
            head = stream.read(26)
        if head.startswith(_PNG) and head[12:16] == b"IHDR":
            width, height = struct.unpack(">II", head[16:24])
            return width, height
        return _size_by_pillow(path)
    except (OSError, ValueError, SyntaxError, struct.error):
        return None


def _size_by_pillow(path: str) -> Size:
    from PIL import ExifTags, Image

    with Image.open(path) as image:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        turned = isinstance(orientation, int) and _TURNED_BY <= orientation <= 8
        return (image.height, image.width) if turned else image.size


def _by(size: Size) -> str:
    return f"{size[0]} x {size[1]}"
