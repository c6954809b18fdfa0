"""Finds frames of a video that show the same picture: an empty cage, an animal asleep, a slide.

Image features can't tell: two codings of one picture differ as much (a cosine distance up to 0.04 was measured) as two
frames between which a small animal moves. So frames are compared as small grey pictures, cell by cell. Measured on
openfield's picture, once the change that all cells share is removed: noise of 8 grey levels, coded badly (H.264, CRF
35), changes the most different cell by up to 13 grey levels, and light that flickers by 2 % changes it by 7. An animal
of 20 x 12 pixels that creeps by 2 pixels changes it by 32 or more, and one of 24 x 12 at 1080p by 53 or more.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.ordering import key_order
from napari_al_pose.domain import FrameKey

HEIGHT, WIDTH = 72, 96
"""Cells of the small picture."""
_COARSE = 8
"""Cells a side that are merged for the first, coarse comparison."""
_OTHER = 16.0
"""Two pictures are different if their most different cell differs by at least this many grey levels."""
_COMPARED = 32
"""A frame is compared in full with this many kept frames: the most similar in the coarse comparison."""


def small_picture(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the mean grey level of each cell of a frame.

    Parameters
    ----------
    frame : uint8 array, (H, W, 3)
        RGB.

    Returns
    -------
    uint8 array, (HEIGHT, WIDTH)
    """
    from PIL import Image

    grey = Image.fromarray(np.ascontiguousarray(frame)).convert("L")
    return np.asarray(grey.resize((WIDTH, HEIGHT), Image.Resampling.BOX), np.uint8)


def drop_duplicate_frames(
    keys: Sequence[FrameKey],
    pictures: NDArray[np.uint8],
    labelled_keys: Sequence[FrameKey] = (),
    labelled_pictures: NDArray[np.uint8] | None = None,
) -> NDArray[np.int64]:
    """Leave out frames that show the same picture as an earlier or a labelled frame of their video.

    Parameters
    ----------
    keys : sequence of FrameKey, N
        In any order.
    pictures : uint8 array, (N, HEIGHT, WIDTH)
        `small_picture` of each.
    labelled_keys : sequence of FrameKey, M
        Labelled frames.
    labelled_pictures : uint8 array, (M, HEIGHT, WIDTH), optional
        Their small pictures; without them labelled frames are ignored.

    Returns
    -------
    int64 array
        The rows kept, ascending.
    """
    by_video: dict[str, list[int]] = {}
    for row in key_order(keys).tolist():
        by_video.setdefault(keys[row].video, []).append(row)
    kept: list[int] = []
    for video, rows in by_video.items():
        seen = _Seen(len(rows) + len(labelled_keys))
        if labelled_pictures is not None:
            for key, picture in zip(labelled_keys, labelled_pictures, strict=True):
                if key.video == video:
                    seen.add(picture)
        for row in rows:
            if not seen.has(pictures[row]):
                seen.add(pictures[row])
                kept.append(row)
    return np.sort(np.array(kept, np.int64))


class _Seen:
    """The different pictures of a video so far, with their coarse versions."""

    def __init__(self, most: int) -> None:
        self._pictures: list[NDArray[np.float32]] = []
        self._coarse = np.empty((most, HEIGHT // _COARSE * (WIDTH // _COARSE)), np.float32)

    def add(self, picture: NDArray[np.uint8]) -> None:
        self._coarse[len(self._pictures)] = _coarse(picture)
        self._pictures.append(picture.astype(np.float32))

    def has(self, picture: NDArray[np.uint8]) -> bool:
        n = len(self._pictures)
        apart = _most_different(self._coarse[:n] - _coarse(picture))
        near = np.flatnonzero(apart < _OTHER)
        near = near[np.argsort(apart[near], kind="stable")][:_COMPARED]
        own = picture.astype(np.float32).ravel()
        return any(_most_different(self._pictures[i].reshape(1, -1) - own)[0] < _OTHER for i in near.tolist())


def _coarse(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    cells = picture.reshape(HEIGHT // _COARSE, _COARSE, WIDTH // _COARSE, _COARSE)
    return cells.mean(axis=(1, 3), dtype=np.float32).ravel()


def _most_different(differences: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the largest absolute difference in each row, without the part that all its cells share."""
    if not len(differences):
        return np.zeros(0, np.float32)
    return np.abs(differences - np.median(differences, axis=1, keepdims=True)).max(axis=1)
