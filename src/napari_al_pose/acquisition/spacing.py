"""Keeps the frames of a batch apart in time."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from napari_al_pose.domain import FrameKey

UNKNOWN_FPS = 30.0


class Spacing:
    """The frames taken so far, and how near to them another one may be.

    A frame is too near if less than ``max(5 frames, 0.5 s)`` lie between it and a taken frame of its video.

    Parameters
    ----------
    taken : collection of FrameKey
    fps : mapping of str to float
        Frames per second of each video; 30 for a video that is not named.
    """

    def __init__(self, taken: Collection[FrameKey], fps: Mapping[str, float]) -> None:
        self._fps = fps
        self._halvings = 0
        self._taken: dict[str, list[int]] = {}
        for key in taken:
            self.add(key)

    def gap(self, video: str) -> int:
        """Return the least distance in ``video``, in frames; 0 after it was halved often enough."""
        full = max(5, round(0.5 * self._fps.get(video, UNKNOWN_FPS)))
        return full >> self._halvings

    def fits(self, key: FrameKey) -> bool:
        """Return whether ``key`` is far enough from every taken frame; a taken frame itself never is."""
        frames = self._taken.get(key.video, [])
        gap = max(1, self.gap(key.video))
        after = bisect.bisect_left(frames, key.frame)
        near = frames[max(0, after - 1) : after + 1]
        return all(abs(key.frame - frame) >= gap for frame in near)

    def add(self, key: FrameKey) -> None:
        """Take ``key``."""
        bisect.insort(self._taken.setdefault(key.video, []), key.frame)

    def relax(self) -> None:
        """Halve every gap."""
        self._halvings += 1

    def relaxed(self, videos: Iterable[str]) -> bool:
        """Return whether no gap of more than one frame is left in ``videos``."""
        return all(self.gap(video) <= 1 for video in videos)


def take_spaced(
    keys: Sequence[FrameKey],
    preferred: Iterable[int],
    n: int,
    *,
    spacing: Spacing,
    others: Sequence[int] = (),
    room: Mapping[str, int] | None = None,
) -> list[int]:
    """Take ``n`` rows in the preferred order as far as they fit, then from ``others``, with ever smaller gaps.

    Parameters
    ----------
    keys : sequence of FrameKey
        The pool.
    preferred, others : iterable of int
        Rows of ``keys``; ``others`` may repeat some of ``preferred``.
    n : int
        Rows wanted.
    spacing : Spacing
        Records what is chosen; its gaps are halved where necessary.
    room : mapping of str to int, optional
        Most frames from each video; unlimited by default.

    Returns
    -------
    list of int
        ``n`` rows; fewer if there are no more.
    """
    left = Counter(key.video for key in keys) if room is None else Counter(room)
    picks = _take_fitting(keys, preferred, n, spacing, left)
    videos = {key.video for key in keys}
    while len(picks) < n:
        picks += _take_fitting(keys, others, n - len(picks), spacing, left)
        if len(picks) == n or spacing.relaxed(videos):
            break
        spacing.relax()
    return picks


def _take_fitting(
    keys: Sequence[FrameKey], rows: Iterable[int], n: int, spacing: Spacing, left: Counter[str]
) -> list[int]:
    picks: list[int] = []
    for row in rows:
        if len(picks) == n:
            break
        if left[keys[row].video] > 0 and spacing.fits(keys[row]):
            spacing.add(keys[row])
            left[keys[row].video] -= 1
            picks.append(row)
    return picks
