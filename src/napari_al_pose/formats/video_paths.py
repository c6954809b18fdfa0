"""Compares paths that were written on different computers."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

_ROOTS = (
    ("drive", r"[A-Za-z]:/+"),
    ("share", r"//[^/]+/[^/]+/+"),
    ("mount", r"/(?:mnt|media|run/media|Volumes|cygdrive)/(?:[^/]+/+){0,2}"),
    ("Linux home", r"/home/[^/]+/+"),
    ("Mac home", r"/Users/[^/]+/+"),
    ("Windows home", r"[A-Za-z]:/+Users/[^/]+/+"),
)
"""The start of a disk, a share or somebody's own folder. What follows may be the same on all systems."""

_MOUNTS = re.compile(r"/(?:mnt|media|run/media|Volumes|cygdrive)/", re.IGNORECASE)


def normal_path(path: str) -> str:
    """Return a path with "/" between its parts, without redundant parts, in Unicode's composed form."""
    path = unicodedata.normalize("NFC", path.replace("\\", "/"))
    return posixpath.normpath(path) if path else ""


def is_same_video(a: str, b: str) -> bool:
    """Return whether two paths name one video: equal, or the same place on a disk that two systems name differently.

    Two folders on one disk are different places, however similar their names.

    Examples
    --------
    >>> is_same_video("C:\\\\lab\\\\data\\\\a.mp4", "/mnt/lab/data/a.mp4")
    True
    >>> is_same_video("/mnt/x/mouse1/video.mp4", "/mnt/x/mouse2/video.mp4")
    False
    """
    a, b = normal_path(a), normal_path(b)
    if a == b:
        return True
    places_a, places_b = _places(a), _places(b)
    if places_a.keys() & places_b.keys():
        # On one system another folder is another place. Windows ignores capitals.
        return not places_a.keys().isdisjoint(("drive", "share")) and a.casefold() == b.casefold()
    rests_a, rests_b = (set[tuple[str, ...]]().union(*places.values()) for places in (places_a, places_b))
    return any(len(rest) > 1 for rest in rests_a & rests_b)


def same_videos(paths: Sequence[str], folder: Path) -> list[int]:
    """Return, for each path, the index of the first path that names the same video.

    Parameters
    ----------
    paths : sequence of str
        As a file in ``folder`` has them.
    folder : Path
        Relative paths start here. Two paths to the same existing file are one video.

    Notes
    -----
    A path that could be either of two different videos counts as a video of its own.
    """
    files = [_identity(folder, path) for path in paths]
    same = [
        frozenset(
            j
            for j, other in enumerate(paths)
            if (files[i] == files[j] if files[i] and files[j] else is_same_video(path, other))
        )
        for i, path in enumerate(paths)
    ]
    return [next(j for j in range(i + 1) if same[j] == same[i]) for i in range(len(paths))]


def distinct_names(paths: Sequence[str], stems: Sequence[str]) -> list[str]:
    """Return a name for each video: its stem, and as many parent folders as it takes to distinguish equal stems."""
    names = list(stems)
    folders = [[part for part in normal_path(path).split("/")[:-1] if part not in ("", "..")] for path in paths]
    for stem in {stem for stem in stems if stems.count(stem) > 1}:
        places = [i for i, other in enumerate(stems) if other == stem]
        for depth in range(1, max(len(folders[i]) for i in places) + 1):
            tried = ["-".join([*folders[i][-depth:], stem]) for i in places]
            if len(set(tried)) == len(tried):
                for place, name in zip(places, tried, strict=True):
                    names[place] = name
                break
    return names


def _places(path: str) -> dict[str, set[tuple[str, ...]]]:
    """Return, by kind of root, what may follow that root. A mount point may be zero, one or two folders deep."""
    found: dict[str, set[tuple[str, ...]]] = {}
    for kind, pattern in _ROOTS:
        match = re.match(pattern, path, re.IGNORECASE)
        if match is None:
            continue
        start = _MOUNTS.match(path) if kind == "mount" else match
        rest = tuple(part.casefold() for part in path[start.end() if start else match.end() :].split("/"))
        found[kind] = {rest[i:] for i in range(3 if kind == "mount" else 1)}
    return found


def _identity(folder: Path, path: str) -> tuple[int, int] | None:
    """Return the file system's identifier of a file; None if it does not exist."""
    try:
        status = (folder / path.replace("\\", "/")).stat()
    except (OSError, ValueError):
        return None
    return (status.st_dev, status.st_ino) if status.st_ino else None
