"""Images of labelled frames: named after their frame, copied upright, or written.

A camera that was turned often stores the picture as its sensor saw it, with the rotation in EXIF. Some programs apply
the rotation and some do not, so labels may refer to either picture. Images copied here have no rotation left: they show
the picture that the labels refer to.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.file_names import IMAGE_SUFFIXES, frame_number
from napari_al_pose.formats.atomic import cannot_write, replacing
from napari_al_pose.formats.label_set import Picture
from napari_al_pose.formats.names import is_safe_name, last_part

UNREADABLE = (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError)

_TURNS = range(2, 9)
"""EXIF orientations under which a picture is not shown as it is stored."""


@dataclass(frozen=True, slots=True)
class CopiedImage:
    """The result of copying an image.

    Parameters
    ----------
    path : Path
        The copy.
    turned : bool or None
        Whether its EXIF rotation was applied; False if the labels refer to the picture as stored, None without
        rotation.
    guessed : bool
        Whether convention alone decided which of the two it was.
    """

    path: Path
    turned: bool | None = None
    guessed: bool = False


def image_file_name(picture: Picture | None, number: int) -> str:
    """Return the name of a frame's image in ``labeled-data``, which ends in the frame number.

    The image's own name is kept if it ends in the number; otherwise the number is appended, if that gives a valid name.

    Examples
    --------
    >>> image_file_name(Picture("macaque/d47f1b.jpg"), 12)
    'd47f1b_12.jpg'
    """
    name = last_part(picture.path) if picture is not None else ""
    stem, suffix = Path(name).stem, Path(name).suffix
    if suffix.lower() not in IMAGE_SUFFIXES:
        return f"img{number:04d}.png"
    for candidate in (name, f"{stem}_{number}{suffix}"):
        if is_safe_name(candidate) and not candidate.startswith(".") and frame_number(candidate) == number:
            return candidate
    return f"img{number:04d}{suffix.lower()}"


def copy_image(
    source: Path,
    target: Path,
    *,
    size: tuple[int, int] | None = None,
    reach: tuple[float, float] | None = None,
) -> CopiedImage | None:
    """Copy an image, upright and without a rotation in EXIF.

    Parameters
    ----------
    source, target : Path
        A picture that has to be re-encoded becomes PNG, whatever the suffix of ``target``.
    size : (width, height), optional
        Of the picture that the labels refer to.
    reach : (x, y), optional
        The largest coordinates of labels on it.

    Returns
    -------
    CopiedImage or None
        None if it can't be decoded.

    Raises
    ------
    AlPoseError
        If it can't be written.
    """
    try:
        with Image.open(source) as image:
            orientation = image.getexif().get(ExifTags.Base.Orientation)
            if isinstance(orientation, int) and orientation in _TURNS:
                turned, guessed = _labels_are_turned(image.size, orientation, size, reach)
                target = target.with_suffix(".png")
                _write_png(ImageOps.exif_transpose(image) if turned else image, target)
                return CopiedImage(target, turned, guessed)
        with Image.open(source) as image:
            image.verify()  # must come first after opening
    except UNREADABLE:
        return None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as temporary:
            shutil.copyfile(source, temporary)
    except OSError as error:
        raise cannot_write(target, error) from error
    return CopiedImage(target)


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
    """Return ``(width, height)``; raise AlPoseError if the file is not an image."""
    try:
        with Image.open(path) as image:
            return image.size
    except UNREADABLE as error:
        raise AlPoseError(f"{path} is not a readable image.", "Copy it again from where it was made.") from error


def is_turned(path: Path) -> bool:
    """Return whether EXIF says that a picture is not shown as it is stored."""
    try:
        with Image.open(path) as image:
            return image.getexif().get(ExifTags.Base.Orientation) in _TURNS
    except UNREADABLE:
        return False


def _labels_are_turned(
    stored: tuple[int, int], orientation: int, size: tuple[int, int] | None, reach: tuple[float, float] | None
) -> tuple[bool, bool]:
    """Return whether labels refer to the rotated picture, and whether that is a guess: most programs show it
    rotated."""
    shown = stored[::-1] if orientation >= 5 else stored
    if shown == stored:
        return True, True
    if size in (shown, stored):
        return size == shown, False
    fits = [reach is None or (reach[0] <= width and reach[1] <= height) for width, height in (shown, stored)]
    return (fits[0], False) if fits[0] != fits[1] else (True, True)


def _write_png(image: Image.Image, target: Path) -> None:
    plain = image if image.mode in ("1", "L", "P", "RGB", "RGBA", "I;16") else image.convert("RGB")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as temporary:
            plain.save(temporary, format="PNG", exif=b"")
    except OSError as error:
        raise cannot_write(target, error) from error
