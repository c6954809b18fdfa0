"""Images named in label files: the set and frame number of each, and where it really lies."""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_al_pose.domain import AlPoseError, FrameKey
from napari_al_pose.domain.file_names import numbered_images, plain
from napari_al_pose.domain.wording import counted
from napari_al_pose.formats.label_set import MOST_FRAMES, LabelledVideo, Picture
from napari_al_pose.formats.names import is_safe_name, last_part
from napari_al_pose.formats.video_paths import normal_path

_MEANINGLESS = frozenset({"image", "images", "img", "imgs", "data", "frames", "labeled-data"})
"""Folder names that say nothing about their content."""

_MADE_NUMBERS = 10**9
"""Frame numbers made from names are below this, so that they fit into 32 bits."""


def number_images(
    files: Sequence[str], default: str, sizes: Mapping[str, tuple[int, int]] | None = None
) -> tuple[dict[str, FrameKey], tuple[LabelledVideo, ...], tuple[str, ...]]:
    """Assign a frame to each image: its folder is the set, the digits at the end of its name are the frame number.

    An image without such a number, or with another image's, gets a number made from its name. The number is the same in
    every file that names the image, whatever else the file names.

    Parameters
    ----------
    files : sequence of str
        As named in a label file, without repetition.
    default : str
        Set for images in no folder, or in one called "images" or the like.
    sizes : mapping of str to (width, height), optional
        Of files whose size is known.

    Returns
    -------
    dict of str to FrameKey
        By file.
    tuple of LabelledVideo
        The sets, with their pictures.
    tuple of str
        Notices.
    """
    folders: dict[str, list[str]] = {}
    for file in files:
        folders.setdefault(normal_path(file).rpartition("/")[0], []).append(file)
    keys: dict[str, FrameKey] = {}
    videos: dict[str, dict[int, Picture]] = {}
    notices = []
    for folder, inside in folders.items():
        name = _set_name(folder, default, taken=videos)
        by_image: dict[str, list[str]] = {}
        for file in inside:
            by_image.setdefault(plain(last_part(file)), []).append(file)
        numbered, others = numbered_images(by_image)
        if others:
            numbered = number_by_name(numbered, others)
            notices.append(
                f"{counted(len(others), 'image')} of {name!r} without a frame number of their own in their names (such "
                f"as {others[0]}) have numbers made from their names."
            )
        videos[name] = {}
        for number, image in numbered.items():
            keys |= dict.fromkeys(by_image[image], FrameKey(name, number))
            file = by_image[image][0]
            videos[name][number] = Picture(file, (sizes or {}).get(file))
    made = tuple(LabelledVideo(name, pictures=pictures) for name, pictures in videos.items())
    return keys, made, tuple(notices)


def number_by_name(numbered: Mapping[int, str], others: Sequence[str]) -> dict[int, str]:
    """Return images by number: their own, or one made from their names."""
    found = dict(numbered)
    for image in sorted(others):
        digest = hashlib.blake2b(plain(image).encode(), digest_size=8).digest()
        number = int.from_bytes(digest, "big") % _MADE_NUMBERS
        while number in found:
            number += 1
        found[number] = image
    return found


def set_name(text: str, default: str = "images") -> str:
    """Return ``text`` as the name of an image folder; DeepLabCut takes what follows a dot for a suffix."""
    name = text.strip().replace(".", "-").lstrip("-")
    return name if is_safe_name(name) else default


class WrittenPaths:
    """Files named in another file, and where they may lie here.

    A file is found by the end of its path, if no other file has the same end: with ``day1/cam.mp4`` and
    ``day2/cam.mp4``, ``cam.mp4`` stands for neither.

    Parameters
    ----------
    paths : iterable of str
        All that are named, in the form of any computer.
    folders : sequence of Path
        Where to look, best first.
    """

    def __init__(self, paths: Iterable[str], folders: Sequence[Path]) -> None:
        self._folders = folders
        self._ends = Counter(end for path in {*map(normal_path, paths)} for end in _ends(_parts(path.casefold())))

    def find(self, written: str) -> Path | None:
        """Return where a file is, by as much of its path as exists here.

        None if it is missing or its name is ambiguous.

        Of a path that leaves a folder ("../") or starts at a root, only the last parts count.
        """
        for path, end in self._candidates(written):
            if len(end) == len(_parts(written)) or self._ends[_folded(end)] <= 1:
                return path
        return None

    def ambiguous(self, written: str) -> Path | None:
        """Return the file with the name of ``written``, if other files share that name; otherwise None."""
        return next((path for path, _ in self._candidates(written)), None) if self.find(written) is None else None

    def _candidates(self, written: str) -> Iterator[tuple[Path, tuple[str, ...]]]:
        for end in _ends(_parts(written)):
            if all(is_safe_name(part) for part in end):
                for folder in self._folders:
                    if (path := _either_way(folder, end)).is_file():
                        yield path, end


def _either_way(folder: Path, parts: Sequence[str]) -> Path:
    """Return the path below a folder, each part with its accents as they are on the disk: composed or decomposed."""
    path = folder
    for part in parts:
        other = path / unicodedata.normalize("NFD", part)
        path = other if not part.isascii() and not (path / part).exists() and other.exists() else path / part
    return path


def finite(value: Any, where: str) -> float:
    """Return a number from a file; raise AlPoseError, naming ``where``, if it is not one, NaN, or too large."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e9:
        raise AlPoseError(
            f"{where}: expected a number, got {str(value)[:40]!r}.", "Correct it, or export the labels again."
        )
    return float(value)


def whole(value: Any, where: str) -> int:
    """Return a whole number from a file; raise AlPoseError, naming ``where``, if it is not one."""
    number = finite(value, where)
    if number != math.floor(number):
        raise AlPoseError(
            f"{where}: expected a whole number, got {value!r}.", "Correct it, or export the labels again."
        )
    return int(number)


def check_count(count: int, path: Path) -> None:
    """Raise AlPoseError if a file names more images than any can."""
    if count > MOST_FRAMES:
        raise AlPoseError(
            f"{path} names {count:,} images, expected at most {MOST_FRAMES:,}.", "Export the labels again in parts."
        )


def _parts(path: str) -> list[str]:
    return [part for part in normal_path(path).split("/") if part not in ("", ".")]


def _ends(parts: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(parts[first:]) for first in range(len(parts))]


def _folded(parts: Iterable[str]) -> tuple[str, ...]:
    return tuple(part.casefold() for part in parts)


def _set_name(folder: str, default: str, *, taken: Mapping[str, object]) -> str:
    parts = [part for part in folder.split("/") if part not in ("", ".", "..")]
    last = parts[-1] if parts else ""
    name = set_name(default) if last.casefold() in _MEANINGLESS or not last else set_name(last, set_name(default))
    if name in taken:
        name = set_name("-".join(parts[-2:]), name)
    unique, number = name, 2
    while unique in taken:
        unique, number = f"{name}-{number}", number + 1
    return unique
