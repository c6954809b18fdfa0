"""Which frame is due when a video plays at its own speed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable


def due_position(seconds: Callable[[int], float], start: int, elapsed: float, n_frames: int) -> int:
    """Return the position of the frame to show ``elapsed`` seconds after ``start``.

    Parameters
    ----------
    seconds : callable
        Time of the frame at a position, ascending; frames need not be equally spaced.
    start : int
        Position where playing began.
    elapsed : float
        Seconds since then.
    n_frames : int
        Length of the video; the last frame stays on screen.
    """
    now = seconds(start) + elapsed
    return max(start, bisect_right(range(n_frames), now, lo=start, key=seconds) - 1)
