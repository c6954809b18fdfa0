"""A folder of images that stands in for a video."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.file_names import IMAGE_SUFFIXES, numbered_images
from napari_al_pose.domain.image_placement import scale_into
from napari_al_pose.video.pixels import fit, placeholder
from napari_al_pose.video.source import DEFAULT_CACHE_BYTES
from napari_al_pose.video.stills import StillFrames

logger = logging.getLogger(__name__)

_SAMPLED = 8
_SWAPPING = range(5, 9)
"""EXIF orientations that swap width and height."""
_UNREADABLE = (OSError, UnidentifiedImageError, ValueError, SyntaxError, Image.DecompressionBombError)
"""What Pillow raises for damaged images."""


class ImageFolder(StillFrames):
    """Images named by their frame number (``img0123.png``), in the order of the numbers.

    Images smaller than the largest are padded at the bottom and on the right, so coordinates stay valid.

    Parameters
    ----------
    path : Path
    name : str, optional
        The video's name in the project; the folder's name by default.
    cache_bytes : int
        Bytes of decoded frames to keep.

    Raises
    ------
    AlPoseError
        If there is no such folder, no image in it, none with a number, or none that can be read.
    """

    def __init__(self, path: Path, *, name: str | None = None, cache_bytes: int = DEFAULT_CACHE_BYTES) -> None:
        self.path = Path(path).absolute()
        by_number, self._unnamed = _numbered_images(self.path)
        self._numbers = np.array(sorted(by_number), np.int64)
        self._files = [by_number[number] for number in self._numbers.tolist()]
        self._positions = {number: position for position, number in enumerate(self._numbers.tolist())}
        self._unreadable: dict[int, str] = {}
        width, height = self._largest_size()
        super().__init__(name or self.path.name, (len(self._files), height, width, 3), cache_bytes=cache_bytes)

    @property
    def notice(self) -> str:
        """Which images are skipped or can't be read, for the user; "" if there are none."""
        found = []
        if self._unnamed:
            found.append(
                f"{self.path.name}: {len(self._unnamed)} images are skipped because their names do not end in a "
                f"frame number of their own, such as {self._unnamed[0]}"
            )
        if self._unreadable:
            first = self._files[min(self._unreadable)]
            found.append(
                f"{self.path.name}: {len(self._unreadable)} images can't be read, such as {first.name}; "
                "they are shown as stripes"
            )
        return "; ".join(found)

    @property
    def images(self) -> dict[int, Path]:
        """The image files by frame number."""
        return dict(zip(self._numbers.tolist(), self._files, strict=True))

    def number(self, position: int) -> int:
        """Return the frame number in the image's name."""
        return int(self._numbers[self._checked(position)])

    def position(self, number: int) -> int:
        """Return the position of the image with this frame number; raise KeyError if there is none."""
        return self._positions[number]

    def __dask_tokenize__(self) -> tuple[str, str, tuple[tuple[str, int, int], ...]]:
        status = ((file.name, file.stat()) for file in self._files if file.exists())
        stamps = tuple((file_name, stat.st_size, stat.st_mtime_ns) for file_name, stat in status)
        return type(self).__name__, str(self.path), stamps

    def _largest_size(self) -> tuple[int, int]:
        sizes = []
        for position, file in enumerate(self._files):
            try:
                with Image.open(file) as image:
                    sizes.append(image.size[::-1] if _turn_of(image) in _SWAPPING else image.size)
            except _UNREADABLE as error:
                self._unreadable[position] = str(error)
        if not sizes:
            raise AlPoseError(
                f"Expected images in {self.path}, got {len(self._files)} files that can't be read as such.",
                "Copy them again from where they were made.",
            )
        return max(width for width, _ in sizes), max(height for _, height in sizes)

    def _load(self, position: int, superseded: Callable[[], bool] | None) -> NDArray[np.uint8]:
        try:
            frame = fit(_read_rgb(self._files[position], self._white), *self._shape[1:3])
        except _UNREADABLE as error:
            logger.warning("%s can't be read: %s", self._files[position], error)
            self._unreadable[position] = str(error)
            frame = placeholder(*self._shape[1:3])
        return self._kept(position, frame)

    @cached_property
    def _white(self) -> int:
        """The value of white in all images of 16 bits, inferred from the bits that a sample of them uses."""
        spread = np.linspace(0, len(self._files) - 1, min(_SAMPLED, len(self._files))).astype(int)
        highest = 255
        for position in dict.fromkeys(spread.tolist()):
            try:
                with Image.open(self._files[position]) as image:
                    if image.mode.startswith("I"):
                        highest = max(highest, int(np.asarray(image).max()))
            except _UNREADABLE:
                continue
        return _white_of(highest)

    def _release(self) -> None:
        """Do nothing: no file is kept open."""


def _numbered_images(folder: Path) -> tuple[dict[int, Path], list[str]]:
    """Return the images by frame number, and the names of those without a number or with one already taken."""
    if not folder.is_dir():
        raise AlPoseError(f"Expected a folder of images at {folder}, got no such folder.", "Check the path.")
    images = sorted(
        file.name
        for file in folder.iterdir()
        if file.suffix.lower() in IMAGE_SUFFIXES and file.name[0] != "." and file.is_file()
    )
    if not images:
        raise AlPoseError(
            f"Expected images in {folder}, got a folder without any.",
            "Choose the folder that holds the images (png, jpg, tif or bmp), or a video file.",
        )
    by_number, unnamed = numbered_images(images)
    if not by_number:
        raise AlPoseError(
            f"Expected images named by frame number in {folder}, got names such as {images[0]}.",
            "Rename them so that each name ends in its frame number, as in img0123.png.",
        )
    return {number: folder / name for number, name in by_number.items()}, unnamed


def read_image(file: Path) -> NDArray[np.uint8]:
    """Read an image as RGB, (height, width, 3).

    Raises
    ------
    AlPoseError
        If it is not an image, or is damaged.
    """
    try:
        return _read_rgb(file)
    except _UNREADABLE as error:
        raise AlPoseError(
            f"{file} can't be read as an image: {error}.", "Copy it again from where it was made."
        ) from error


def still_picture(file: Path, height: int, width: int) -> NDArray[np.uint8]:
    """Return an image that stands in for a frame, RGB ``(height, width, 3)``, scaled by `scale_into`, then padded.

    Return the striped placeholder if it can't be read.
    """
    try:
        picture = read_image(file)
    except AlPoseError as error:
        logger.warning("%s", error)
        return placeholder(height, width)
    scale = scale_into((picture.shape[1], picture.shape[0]), (width, height))
    if scale != 1.0:
        size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
        picture = np.array(Image.fromarray(picture).resize(size, Image.Resampling.BOX if scale < 1 else None))
    return fit(picture, height, width)


def _read_rgb(file: Path, white: int | None = None) -> NDArray[np.uint8]:
    """Return an upright image; in one of 16 bits, ``white``, or the largest value its bits can hold, becomes 255."""
    with Image.open(file) as image:
        if image.mode.startswith("I"):
            # Pillow would clip it to 255. Cameras with 10 or 12 bits leave the upper bits empty.
            values = np.asarray(image).astype(np.int64)
            grey = (values >> ((white or _white_of(int(values.max()))).bit_length() - 8)).clip(0, 255).astype(np.uint8)
            return np.repeat(grey[..., None], 3, axis=-1)
        # As OpenCV does, with which DeepLabCut reads images.
        upright = ImageOps.exif_transpose(image) if _turn_of(image) != 1 else image
        return np.array(upright.convert("RGB"))


def _turn_of(image: Image.Image) -> int:
    """Return EXIF's orientation of a photograph; 1 if it is upright."""
    if image.format == "PNG":
        return 1
    turn = image.getexif().get(ExifTags.Base.Orientation, 1)
    return turn if isinstance(turn, int) and turn in range(2, 9) else 1


def _white_of(highest: int) -> int:
    return int(2 ** max(8, highest.bit_length()) - 1)
