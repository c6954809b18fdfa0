"""Which frame is due when a video plays at its own speed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable


def due_position(seconds: Callable[[int], float], start: int, elapsed: float, n_frames: int) -> int:
    """Return the frame that is shown ``elapsed`` seconds after ``start``.

    Parameters
    ----------
    seconds : callable
        When the frame at a position is shown, ascending; frames need not be equally far apart.
    start : int
        Position where playing began.
    elapsed : float
        Seconds since.
    n_frames : int
        Length of the video; its last frame stays.
    """
    now = seconds(start) + elapsed
    return max(start, bisect_right(range(n_frames), now, lo=start, key=seconds) - 1)
