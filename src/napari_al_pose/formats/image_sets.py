"""Images named in files of labels: which set and frame number each one becomes, and where it really lies."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_al_pose.domain import AlPoseError, FrameKey
from napari_al_pose.formats.deeplabcut_tables import frame_number
from napari_al_pose.formats.label_set import MOST_FRAMES, LabelledVideo, Picture
from napari_al_pose.formats.names import is_safe_name, last_part
from napari_al_pose.formats.video_paths import normal_path

_MEANINGLESS = frozenset({"image", "images", "img", "imgs", "data", "frames", "labeled-data"})
"""Folders that say nothing about what is in them."""


def number_images(
    files: Sequence[str], default: str, sizes: Mapping[str, tuple[int, int]] | None = None
) -> tuple[dict[str, FrameKey], tuple[LabelledVideo, ...], tuple[str, ...]]:
    """Say which frame each image becomes: its folder is the set, the digits its name ends with the frame number.

    Parameters
    ----------
    files : sequence of str
        As a file of labels names them, without repetition.
    default : str
        Name of the set of images that lie in no folder, or in one called "images" or the like.
    sizes : mapping of str to (width, height), optional
        Of those files whose size is known.

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
        folders.setdefault(file.replace("\\", "/").rpartition("/")[0], []).append(file)
    keys: dict[str, FrameKey] = {}
    videos: dict[str, dict[int, Picture]] = {}
    notices = []
    for folder, inside in folders.items():
        name = _set_name(folder, default, taken=videos)
        numbers = [frame_number(last_part(file)) for file in inside]
        if None in numbers or len(set(numbers)) < len(numbers):
            notices.append(
                f"The {len(inside):,} images of {name!r} have no frame numbers of their own in their names "
                f"(such as {last_part(inside[0])}); they are numbered in the order of the file, from 0."
            )
            numbers = list(range(len(inside)))
        of_video = videos.setdefault(name, {})
        for file, number in zip(inside, numbers, strict=True):
            assert number is not None
            keys[file] = FrameKey(name, number)
            of_video[number] = Picture(file, (sizes or {}).get(file))
    made = tuple(LabelledVideo(name, pictures=pictures) for name, pictures in videos.items())
    return keys, made, tuple(notices)


def set_name(text: str, default: str = "images") -> str:
    """Return ``text`` as the name of a folder of images; DeepLabCut takes what follows a dot for a suffix."""
    name = text.strip().replace(".", "-").lstrip("-")
    return name if is_safe_name(name) else default


class WrittenPaths:
    """Files that another file names, and where they may lie here.

    A file is found by the end of its path, as far as that end is no other file's: of ``day1/cam.mp4`` and
    ``day2/cam.mp4`` neither is ``cam.mp4``.

    Parameters
    ----------
    paths : iterable of str
        All that are named, as on any computer.
    folders : sequence of Path
        Where to look, best first.
    """

    def __init__(self, paths: Iterable[str], folders: Sequence[Path]) -> None:
        self._folders = folders
        self._ends = Counter(end for path in {*map(normal_path, paths)} for end in _ends(_parts(path.casefold())))

    def find(self, written: str) -> Path | None:
        """Return where a file is, by as much of its path as is here; None if it is missing or its name ambiguous.

        What leaves a folder ("../") or starts at a root counts by its last parts only.
        """
        for path, end in self._candidates(written):
            if len(end) == len(_parts(written)) or self._ends[_folded(end)] <= 1:
                return path
        return None

    def ambiguous(self, written: str) -> Path | None:
        """Return the file that has the name of ``written``, if that is also the name of others; else None."""
        return next((path for path, _ in self._candidates(written)), None) if self.find(written) is None else None

    def _candidates(self, written: str) -> Iterator[tuple[Path, tuple[str, ...]]]:
        for end in _ends(_parts(written)):
            if all(is_safe_name(part) for part in end):
                for folder in self._folders:
                    if folder.joinpath(*end).is_file():
                        yield folder.joinpath(*end), end


def finite(value: Any, where: str) -> float:
    """Return a number from a file; AlPoseError, naming ``where``, if it is none, NaN, or too large for a coordinate."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e9:
        raise AlPoseError(
            f"{where}: expected a number, got {str(value)[:40]!r}.", "Correct it, or export the labels again."
        )
    return float(value)


def whole(value: Any, where: str) -> int:
    """Return a whole number from a file; AlPoseError, naming ``where``, if it is none."""
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
