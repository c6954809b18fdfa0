"""The key of a frame, and the interface of a source of frames."""

from __future__ import annotations

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
