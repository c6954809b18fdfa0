"""Interprets the names of projects, videos and images: one list of suffixes, one reading of the number in a name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from functools import lru_cache
from pathlib import Path

VIDEO_SUFFIXES = (
    ".mp4", ".avi", ".mov", ".mkv", ".m4v", ".mpg", ".mpeg", ".wmv", ".webm", ".mts", ".m2ts", ".ts", ".flv", ".asf",
    ".h264", ".264", ".h265", ".hevc", ".265", ".mjpg", ".mjpeg", ".mxf", ".3gp", ".3g2", ".ogv", ".vob", ".m2v",
    ".mpv", ".f4v", ".dv", ".y4m", ".ivf", ".nut", ".mj2", ".tif", ".tiff", ".btf",
)  # fmt: skip
"""Suffixes of files that hold many frames, for finding, linking, offering and reading; the last three are TIFF
stacks."""

STACK_SUFFIXES = VIDEO_SUFFIXES[-3:]
"""Suffixes of TIFF stacks."""

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
"""Suffixes of single images of frames."""

CONFIG_SUFFIXES = (".yaml", ".yml")
"""Suffixes of a DeepLabCut project's ``config.yaml``, whatever it is called."""

SLEAP_SUFFIX = ".slp"
"""Suffix of SLEAP's labels, which become a project when they are opened."""

FOREIGN_SUFFIXES = (SLEAP_SUFFIX, ".json", ".mat")
"""Suffixes of other programs' files of labels: SLEAP, COCO and MPII, Leeds Sports Pose."""

MOST_DIGITS = 18
"""Number of last digits of a frame number that count: more do not fit into the 64 bits of SQLite and NumPy."""

_NUMBER = re.compile(rf"(\d{{1,{MOST_DIGITS}}})$", re.ASCII)
_ROBOFLOW = re.compile(r"(_(jpe?g|png|bmp|tiff?|webp))?\.rf\.[0-9a-z]{8,64}$", re.IGNORECASE)
"""What Roboflow adds to an image: ``img12.png`` becomes ``img12_png.rf.<random digits and letters>.jpg``."""
_OF_DEEPLABCUT = re.compile(r"img\d+$", re.ASCII)


def is_config(path: Path) -> bool:
    """Return whether a path is named like a project's ``config.yaml``."""
    return path.suffix.lower() in CONFIG_SUFFIXES


def is_video(path: Path) -> bool:
    """Return whether a path is named like a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def is_sleap(path: Path) -> bool:
    """Return whether a path is named like SLEAP's labels."""
    return path.suffix.lower() == SLEAP_SUFFIX


def is_foreign(path: Path) -> bool:
    """Return whether a path is named like another program's labels, which become a project when they are opened."""
    return path.suffix.lower() in FOREIGN_SUFFIXES


def project_root(path: Path) -> Path:
    """Return the folder of a project that is named by its folder or its ``config.yaml``."""
    return path.parent if is_config(path) else path


@lru_cache(maxsize=2**16)  # tables repeat the same thousands of image names each time they are read
def plain(name: str) -> str:
    """Return a name with composed accents (NFC), in which names are compared: macOS decomposes them."""
    return unicodedata.normalize("NFC", name)


@lru_cache(maxsize=2**16)
def frame_number(image: str) -> int | None:
    """Return the frame number in an image's name, which is the digits at the end of its stem; None if there is none.

    The random ending that Roboflow gives images is no number.

    Examples
    --------
    >>> frame_number("img0123.png")
    123
    >>> frame_number("cam1_20240115_123045123456789.png")
    123045123456789
    >>> frame_number("img0123_png.rf.0a1b2c3d4e5f60718293a4b5c6d7e812.jpg")
    123
    """
    match = _NUMBER.search(_stem(image))
    return int(match.group(1)) if match else None


@lru_cache(maxsize=2**16)
def series(image: str) -> str:
    """Return the part of an image's name before the frame number; it is the same for all images of one camera."""
    return plain(_stem(image)).rstrip("0123456789")


def _stem(image: str) -> str:
    return _ROBOFLOW.sub("", image.rpartition(".")[0])


def numbered_images(images: Iterable[str], numbers: Collection[int] | None = None) -> tuple[dict[int, str], list[str]]:
    """Return which image each frame number stands for; this is the only place that decides it.

    Parameters
    ----------
    images : iterable of str
        Names of the images in a folder.
    numbers : collection of int, optional
        Leave out images with other numbers, which saves time where there are many.

    Returns
    -------
    dict of int to str
        One image for each number. If there are several, DeepLabCut's own (``img<number>``), otherwise the first by
        name.
    list of str
        The others, sorted: without a number, or with the number of another image.
    """
    found: dict[int, str] = {}
    rest: list[str] = []
    if numbers is not None:
        images = [image for image in images if frame_number(image) in numbers]
    for image in sorted(images, key=_precedence):
        number = frame_number(image)
        if number is None or number in found:
            rest.append(image)
        else:
            found[number] = image
    return found, sorted(rest)


@lru_cache(maxsize=2**16)
def _precedence(image: str) -> tuple[bool, str]:
    return _OF_DEEPLABCUT.match(image.rpartition(".")[0]) is None, image
