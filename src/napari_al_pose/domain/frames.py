"""The key of a frame, the interface of a source of frames, and which of them is due while it plays."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, order=True)
class FrameKey:
    """One frame of one video.

    Parameters
    ----------
    video : str
        The video's name in the project: its file name without the extension, as DeepLabCut names it.
    frame : int
        Frame number in the full video, from 0, as in DeepLabCut's ``img<NNNN>.png``.
    """

    video: str
    frame: int

    def __str__(self) -> str:
        """Return its name in messages."""
        return f"frame {self.frame} of {self.video}"


class FrameSource(Protocol):
    """A video, or a folder of images standing in for one.

    Positions run from 0 to ``len(source) - 1``; *numbers* are frame numbers of the full video. In a video file both are
    the same, while a folder of extracted images has only some numbers. All methods may be called from several threads.
    """

    @property
    def name(self) -> str:
        """The video's name in the project."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """``(n_frames, height, width, 3)``."""

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """Always ``uint8``."""

    @property
    def fps(self) -> float:
        """Frames per second; 30.0 if unknown."""

    @property
    def keyframes(self) -> NDArray[np.int64]:
        """Positions that decode without any other frame, ascending; all of them for images."""

    def __len__(self) -> int: ...

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        """NumPy indexing; ``source[i]`` is the i-th displayed frame, RGB ``(height, width, 3)``."""

    def number(self, position: int) -> int:
        """Return the frame number at ``position``."""

    def position(self, number: int) -> int:
        """Return the position of frame ``number``; raise KeyError if the source has no such frame."""

    def seconds(self, position: int) -> float:
        """Return when a frame is shown, in seconds after the first one; NaN if unknown."""

    def close(self) -> None:
        """Release files and threads; reading afterwards raises an error."""


def due_position(seconds: Callable[[int], float], start: int, elapsed: float, n_frames: int) -> int:
    """Return the position of the frame to show ``elapsed`` seconds after ``start`` when a video plays at its own speed.

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
