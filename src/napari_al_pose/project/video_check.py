"""Checks videos that nobody has checked yet: are their frames numbered right, and do jumps lead to the right ones?"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Generator, Iterable
from pathlib import Path

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.file_names import STACK_SUFFIXES
from napari_al_pose.domain.views.video_check import renumbered_notice
from napari_al_pose.project.videos import ProjectVideo
from napari_al_pose.video import Verdict, known_verdict, verify
from napari_al_pose.video.index_cache import load_or_build

MOST_SECONDS = 120.0
"""Time that a command takes for checking videos, unless that is what it is for."""
_TRIAL = 4.0
"""Seconds after which it is known how long the check of a video takes."""

Steps = Generator[tuple[str, int, int], None, list[str]]
"""Yields what is being done, how much is done, and how much there is; returns what to tell the user."""


def check_videos(videos: Iterable[ProjectVideo], *, most_seconds: float = MOST_SECONDS) -> Steps:
    """Check video files, the smallest first, and keep what comes out for whoever opens them next.

    Parameters
    ----------
    videos : iterable of ProjectVideo
        Those that are images or TIFF stacks are passed over, and so are those that were checked before.
    most_seconds : float
        A video that would take longer is left unchecked, and so are all larger ones.
    """
    files = {video.path: video.name for video in videos if video.path is not None and _is_unchecked(video.path)}
    end = time.monotonic() + most_seconds
    told: list[str] = []
    left = sorted(files, key=lambda path: path.stat().st_size)
    while left:
        path = left[0]
        try:
            verdict = yield from _check(path, f"Checking {files[path]}", end)
        except AlPoseError:
            left.pop(0)  # whoever opens it says so
            continue
        if verdict is None:
            break
        left.pop(0)
        told += _sentences(files[path], verdict)
    if left:
        told.append(_unchecked([files[path] for path in left], most_seconds))
    return told


def _is_unchecked(path: Path) -> bool:
    if not path.is_file() or path.suffix.lower() in STACK_SUFFIXES:
        return False
    known = known_verdict(path)
    return known is None or not (known.n_compared or known.remedy)


def _check(path: Path, stage: str, end: float) -> Generator[tuple[str, int, int], None, Verdict | None]:
    """Check one video; return None if it would take too long."""
    steps: queue.SimpleQueue[tuple[int, int] | Verdict | BaseException | None] = queue.SimpleQueue()
    gives_up = threading.Event()

    def run() -> None:
        try:
            index = load_or_build(path, cancelled=gives_up.is_set)
            steps.put((0, len(index)))
            steps.put(verify(path, index, cancelled=gives_up.is_set, progress=lambda *step: steps.put(step)))
        except BaseException as error:  # noqa: BLE001  it is raised by the caller's thread
            steps.put(error)

    thread = threading.Thread(target=run, name=f"check: {path.name}", daemon=True)
    thread.start()
    began = 0.0
    try:
        while True:
            try:
                step = steps.get(timeout=1)
            except queue.Empty:
                step = (0, 0)
            if isinstance(step, BaseException):
                raise step
            if not isinstance(step, tuple):
                return step
            now, (done, total) = time.monotonic(), step
            began = began or now
            if now > end or (now - began > _TRIAL and done and now + (now - began) * (total - done) / done > end):
                return None
            if total:
                yield stage, done, total
    finally:
        gives_up.set()
        thread.join()


def _sentences(name: str, verdict: Verdict) -> list[str]:
    told = []
    if verdict.renumbered_from >= 0:
        told.append(" ".join(renumbered_notice(name, verdict.renumbered_from)))
    if verdict.differs_at >= 0:
        told.append(
            f"{name}: frame {verdict.differs_at} looks different when jumped to than when played to. The video is "
            "decoded from its first frame on, which is exact but slow; the window can make an exact copy that is fast."
        )
    return told


def _unchecked(names: list[str], seconds: float) -> str:
    several = f"{names[0]} was" if len(names) == 1 else f"{len(names)} videos ({', '.join(names)}) were"
    return (
        f"{several} not checked for damage and wrong jumps, as that takes more than {seconds / 60:.0f} minutes: "
        "napari-al-pose check does it once for all commands."
    )
