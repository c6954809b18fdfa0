"""Checks videos that nobody has checked yet: are their frames numbered right, and do jumps lead to the right ones?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.file_names import STACK_SUFFIXES
from napari_al_pose.domain.steps import OnProgress
from napari_al_pose.domain.views.video_check import forwards_sentence, renumbered_notice, unchecked_sentence
from napari_al_pose.project.videos import ProjectVideo
from napari_al_pose.video import OpeningCancelledError, Verdict, known_verdict, verify
from napari_al_pose.video.index_cache import load_or_build

MOST_SECONDS = 120.0
"""Time that a command takes for checking videos, unless that is what it is for."""
_TRIAL = 4.0
"""Seconds after which it is known how long the check of a video takes."""


def check_videos(
    videos: Iterable[ProjectVideo],
    on_progress: Callable[[str], OnProgress],
    *,
    most_seconds: float = MOST_SECONDS,
) -> list[str]:
    """Check video files, the smallest first, and keep what comes out for whoever opens them next.

    Parameters
    ----------
    videos : iterable of ProjectVideo
        Those that are images or TIFF stacks are passed over, and so are those that were checked before.
    on_progress : callable
        Is given the name of a video, and returns what is called with the frames of it that are done, and all of them.
    most_seconds : float
        A video that would take longer is left unchecked, and so are all larger ones.

    Returns
    -------
    list of str
        What to tell the user.
    """
    files = {video.path: video.name for video in videos if video.path is not None and _is_unchecked(video.path)}
    end = time.monotonic() + most_seconds
    told: list[str] = []
    left = sorted(files, key=lambda path: path.stat().st_size)
    while left:
        name = files[left[0]]
        try:
            verdict = _check(left[0], on_progress(name), end)
        except AlPoseError:
            left.pop(0)  # whoever opens it says so
            continue
        if verdict is None:
            break
        left.pop(0)
        if verdict.renumbered_from >= 0:
            told.append(" ".join(renumbered_notice(name, verdict.renumbered_from)))
        if verdict.differs_at >= 0:
            told.append(forwards_sentence(name, verdict.differs_at))
    if left:
        told.append(unchecked_sentence([files[path] for path in left], most_seconds))
    return told


def _is_unchecked(path: Path) -> bool:
    if not path.is_file() or path.suffix.lower() in STACK_SUFFIXES:
        return False
    known = known_verdict(path)
    return known is None or not known.is_checked


def _check(path: Path, on_progress: OnProgress, end: float) -> Verdict | None:
    """Check one video; return None if it would take too long."""
    began, late = time.monotonic(), False

    def is_late() -> bool:
        return late or time.monotonic() > end

    def note(done: int, total: int) -> None:
        nonlocal late
        spent = time.monotonic() - began
        late = spent > _TRIAL and done > 0 and time.monotonic() + spent * (total - done) / done > end
        on_progress(done, total)

    try:
        index = load_or_build(path, cancelled=is_late)
        began = time.monotonic()
        return verify(path, index, cancelled=is_late, progress=note)
    except OpeningCancelledError:
        return None
