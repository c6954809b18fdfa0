"""Numbers as a person would say them."""

from __future__ import annotations

import math
import re

_LONG_PATH = 40
_STEP = r"[^\s\\/:]+(?:(?<![.,;]) [^\s\\/:]+)*"
"""A folder's or a file's name: blanks are part of it, but not those after a sentence."""
_PATH = re.compile(rf"(?<![\w.:/\\])(?:[A-Za-z]:)?[\\/](?:{_STEP}[\\/])+")


def short_paths(text: str) -> str:
    """Return ``text`` with the middle of long paths left out: "/home/…/labels.slp".

    Examples
    --------
    >>> short_paths("Written to /home/ada/recordings/2026-11-30/mice/labels.slp.")
    'Written to /home/…/labels.slp.'
    """
    return _PATH.sub(_short_folders, text)


def _short_folders(found: re.Match[str]) -> str:
    folders = found.group()
    if len(folders) < _LONG_PATH:
        return folders
    separator = folders[-1]
    inner = folders.lstrip("\\/")
    first, *between, last = re.split(r"(?<=[\\/])", inner)[:-1] if inner.count(separator) > 1 else ("", inner)
    return f"{folders[: -len(inner)]}{first}…{separator}{last}" if between else folders


def duration(seconds: float) -> str:
    """Return a rounded length of time: "8 s", "2 min", "1 h 20 min"."""
    if seconds < 100:
        return f"{max(0, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def time_left(seconds: float) -> str:
    """Return "40 s left", or nothing while nobody can tell (negative or not finite)."""
    if not math.isfinite(seconds) or seconds < 0:
        return ""
    return f"{duration(seconds)} left"


def clock(seconds: float) -> str:
    """Return a position in a video: "0:04.2", "1:02:03.4"."""
    tenths = round(max(0.0, seconds) * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f"{tenths / 10:04.1f}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def number(value: float) -> str:
    """Return a score or an error with three figures that matter, never in exponents."""
    if not math.isfinite(value):
        return "–"
    size = abs(value)
    decimals = 0 if size >= 100 else 1 if size >= 10 else 2
    return f"{value:.{decimals}f}"
