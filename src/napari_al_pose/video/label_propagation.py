"""Propagates labels in time: from a frame to those after or before it, as long as the track holds.

Lucas and Kanade's optical flow in a pyramid (1981; Bouguet 2001), by OpenCV, tracks the points from each frame to the
next. A point tracked back must end where it began (Kalal et al. 2010). That is not enough: a point that slid onto the
background passes this test. So each point's appearance in the labelled frame, rotated and scaled like all points
together, is searched for near the tracked position and near the position that the other points imply. If it is found,
that position replaces the tracked one, so errors do not accumulate. If nothing like it is found, the point is lost. It
is found again where the other points imply, if it looks very similar there. A track ends when less than half of its
points are left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

WINDOW_SHARE, WINDOW_PX = 0.3, (15, 41)
"""Side of the compared square: relative to the animal's length, and its bounds, source pixels."""

LEVELS = 4
LOST_SHARE, LOST_PX = 0.05, 1.5
"""How far a point may end from its start after tracking there and back: in lengths, and at least in pixels."""

FEWEST_LEFT = 0.5

_ITERATIONS, _PRECISION = 30, 0.01
ANCHOR_ALIKE = 0.7
"""Correlation with the first frame above which a point is moved to the most similar position."""

LEAST_ALIKE, AGAIN_ALIKE = 0.5, 0.8
"""Correlation with the first frame below which a point is lost, and above which it is found again."""


@dataclass(frozen=True, slots=True, eq=False)
class PropagatedLabels:
    """The points in one frame.

    Parameters
    ----------
    step : int
        Number of frames from the labelled one, from 1.
    xy : float64 array, (K, 2)
        Source pixels; NaN for points that are lost or were missing.
    likelihood : float64 array, (K,)
        In [0, 1]; 0 for lost points. The least correlation with the first frame along the way.
    """

    step: int
    xy: NDArray[np.float64]
    likelihood: NDArray[np.float64]


def propagate_labels(
    first: NDArray[np.uint8], xy: NDArray[np.floating], frames: Iterable[NDArray[np.uint8]], *, anchored: bool = True
) -> Iterator[PropagatedLabels]:
    """Propagate points through frames.

    Parameters
    ----------
    first : uint8 array, (H, W, 3) or (H, W)
        The frame with the points.
    xy : float array, (K, 2)
        Source pixels; NaN for missing points.
    frames : iterable of uint8 arrays
        The following frames, one by one in either direction; each is requested only when the previous one is done.
    anchored : bool
        Whether to search for the appearance in the first frame; otherwise plain flow, there and back.

    Yields
    ------
    PropagatedLabels
        For each frame until the track is lost or the frames end.
    """
    points = np.array(xy, np.float64)
    there = np.isfinite(points).all(axis=1)
    n_first = int(there.sum())
    if not n_first:
        return
    length = max(1.0, float(np.hypot(*np.ptp(points[there], axis=0))))
    side = int(np.clip(WINDOW_SHARE * length, *WINDOW_PX)) | 1
    tracker = _Tracker(_grey(first), points, side, max(LOST_PX, LOST_SHARE * length))
    for step, frame in enumerate(frames, start=1):
        tracker.advance(_grey(frame), anchored=anchored)
        if tracker.alive.sum() < max(1.0, FEWEST_LEFT * n_first):
            return
        yield PropagatedLabels(step, tracker.points.copy(), tracker.likelihood.copy())


class _Tracker:
    """Points in the newest frame, and which of them are left."""

    def __init__(self, first: NDArray[np.uint8], xy: NDArray[np.float64], side: int, tolerance: float) -> None:
        self._first, self._from, self._before = first, xy.copy(), first
        self._side, self._tolerance = side, tolerance
        self.points = xy.copy()
        self.alive: NDArray[np.bool_] = np.asarray(np.isfinite(xy).all(axis=1))
        self.likelihood = self.alive.astype(np.float64)

    def advance(self, frame: NDArray[np.uint8], *, anchored: bool) -> None:
        """Continue to the next frame."""
        rows = np.flatnonzero(self.alive)
        ahead, off = _there_and_back(self._before, frame, self.points[rows], self.points[rows], self._side)
        kept = off <= self._tolerance
        points, alike = np.full_like(self.points, np.nan), np.zeros(len(self.points))
        points[rows[kept]], alike[rows[kept]] = ahead[kept], 1.0
        if anchored and kept.any():
            points, alike = self._anchored(frame, points)
        height, width = frame.shape
        with np.errstate(invalid="ignore"):
            inside = np.asarray((points >= 0).all(axis=1) & (points <= (width - 1, height - 1)).all(axis=1))
        self.alive = inside
        self.points = np.where(inside[:, None], points, np.nan)
        self.likelihood = np.where(inside, np.minimum(np.maximum(self.likelihood, 0.0), alike), 0.0)
        self._before = frame

    def _anchored(
        self, frame: NDArray[np.uint8], tracked: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return where the first frame's points are, searching near the tracked and the implied positions.

        Also return how similar the two frames are there. A lost point is found again where they are very similar.
        """
        there = np.asarray(np.isfinite(tracked).all(axis=1))
        linear, shift = _similarity(self._from[there], tracked[there])
        told = self._from @ linear.T + shift
        found, alike = np.full_like(tracked, np.nan), np.zeros(len(tracked))
        for k in np.flatnonzero(np.isfinite(told).all(axis=1)).tolist():
            template = _turned(self._first, self._from[k], linear, self._side)
            least = LEAST_ALIKE if there[k] else AGAIN_ALIKE
            for about in [tracked[k], told[k]] if there[k] else [told[k]]:
                at, correlation = _sought(frame, template, about)
                if correlation > max(alike[k], least):
                    alike[k] = correlation
                    found[k] = at if correlation >= ANCHOR_ALIKE else about
        return found, alike


def _similarity(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return matrix and shift that map points ``a`` onto ``b``; badly fitting points count less."""
    one, other = (points @ np.array([1, 1j]) for points in (a, b))
    weights = np.ones(len(a))
    turn, move = 1.0 + 0j, 0j
    for _ in range(5):
        total = weights.sum()
        middle, aim = (weights * one).sum() / total, (weights * other).sum() / total
        spread = (weights * np.abs(one - middle) ** 2).sum()
        if spread < 1e-9:
            return np.eye(2), b.mean(axis=0) - a.mean(axis=0)
        turn = (weights * np.conj(one - middle) * (other - aim)).sum() / spread
        move = aim - turn * middle
        off = np.abs(turn * one + move - other)
        weights = 1 / (off + max(1.0, float(np.median(off))))
    return np.array([[turn.real, -turn.imag], [turn.imag, turn.real]]), np.array([move.real, move.imag])


def _turned(
    image: NDArray[np.uint8], at: NDArray[np.float64], linear: NDArray[np.float64], side: int
) -> NDArray[np.uint8]:
    """Return the square around a point of the first frame, transformed by a similarity."""
    cv2 = _cv2()
    back = np.linalg.inv(linear)
    centre = np.array([(side - 1) / 2] * 2)
    matrix = np.hstack([back, (at - back @ centre)[:, None]])
    turned: NDArray[np.uint8] = cv2.warpAffine(
        image, matrix, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    return turned


def _sought(
    frame: NDArray[np.uint8], template: NDArray[np.uint8], about: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Return the position near a point where a frame is most similar to a template, and the correlation there."""
    cv2 = _cv2()
    reach = max(2, len(template) // 4)
    size = len(template) + 2 * reach
    window = cv2.getRectSubPix(frame, (size, size), (float(about[0]), float(about[1])))
    score = cv2.matchTemplate(window, template, cv2.TM_CCOEFF_NORMED)
    score = np.nan_to_num(score, nan=-1.0, posinf=-1.0, neginf=-1.0)
    row, column = divmod(int(score.argmax()), score.shape[1])
    offset = np.array([column, row], float) - reach
    for axis, (r, c) in enumerate(((0, 1), (1, 0))):
        if 0 < row < score.shape[0] - 1 and 0 < column < score.shape[1] - 1:
            before, here, after = score[row - r, column - c], score[row, column], score[row + r, column + c]
            curve = 2 * here - before - after
            offset[axis] += np.clip(0.5 * (after - before) / curve, -0.5, 0.5) if curve > 1e-6 else 0.0
    return about + offset, float(score[row, column])


def _there_and_back(
    before: NDArray[np.uint8],
    after: NDArray[np.uint8],
    xy: NDArray[np.float64],
    about: NDArray[np.float64],
    side: int,
    *,
    levels: int = LEVELS,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Track points (n, 2), searching from ``about``; return their positions, and how far off they are after going
    back."""
    cv2 = _cv2()
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _ITERATIONS, _PRECISION)
    how = {"winSize": (side, side), "maxLevel": levels, "criteria": criteria, "flags": cv2.OPTFLOW_USE_INITIAL_FLOW}
    start, guess = (points.astype(np.float32).reshape(-1, 1, 2) for points in (xy, about))
    ahead, found, _ = cv2.calcOpticalFlowPyrLK(before, after, start, guess.copy(), **how)
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(after, before, ahead, start.copy(), **how)
    off = np.hypot(*(back - start).reshape(-1, 2).astype(np.float64).T)
    good = (found.reshape(-1) == 1) & (found_back.reshape(-1) == 1)
    return ahead.reshape(-1, 2).astype(np.float64), np.where(good, off, np.inf)


def _grey(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if frame.ndim == 2:
        return np.ascontiguousarray(frame)
    cv2 = _cv2()
    grey: NDArray[np.uint8] = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY)
    return grey


def _cv2() -> Any:
    """Return OpenCV, imported on first use, which takes a tenth of a second."""
    import cv2

    return cv2
