"""Checks names from files before they become paths."""

from __future__ import annotations

import os
from functools import lru_cache

from napari_al_pose.domain.file_names import VIDEO_SUFFIXES, plain

__all__ = ["VIDEO_SUFFIXES", "is_safe_name", "last_part", "plain", "video_stem"]

_FORBIDDEN = '/\\:*?"<>|' if os.name == "nt" else "/\\"


@lru_cache(maxsize=2**16)  # tables repeat the same thousands of image names each time they are read
def is_safe_name(name: str) -> bool:
    """Return whether ``name`` is valid as one file or folder name: no separator, no way up, nothing unprintable."""
    return (
        bool(name)
        and name not in (".", "..")
        and len(name.encode("utf-8", "replace")) <= 200
        and name == name.strip()
        and not any(character in _FORBIDDEN for character in name)
        and name.isprintable()
    )


def last_part(path: str) -> str:
    """Return the last part of a path written on any system: ``"C:\\\\data\\\\a.mp4"`` gives ``"a.mp4"``."""
    return path.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]


def video_stem(path: str) -> str | None:
    """Return the name DeepLabCut gives to the video at ``path``, with composed accents.

    Return None if it is not a video's path, or an unsafe name.
    """
    stem, dot, suffix = last_part(path).rpartition(".")
    if not dot or f".{suffix.lower()}" not in VIDEO_SUFFIXES or not is_safe_name(stem):
        return None
    return plain(stem)
