"""Smooths the poses of a whole video; the raw ones are kept beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

MEDIAN_WINDOW = 5
"""Frames, as in DeepLabCut's `filterpredictions`."""
ACCELERATION_RATIO = 0.3
"""Standard deviation of the acceleration (px / frame^2) relative to that of a position with likelihood 1 (px)."""
_CHUNK = 2048
_MARGIN = {"median": MEDIAN_WINDOW // 2, "kalman": 200}
"""Frames on either side of a chunk that are read too; frames farther away do not change the result noticeably."""

Rows = Callable[[int, int], NDArray[np.float32]]
"""Returns rows ``first`` up to but not including ``stop`` of ``(N, K, 3)``: x, y, likelihood."""


def smoothed(rows: Rows, n_frames: int, *, method: str, cutoff: float) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield ``(first row, rows)`` through a video with smoothed x and y, in bounded memory.

    Parameters
    ----------
    rows : callable
        Returns raw rows.
    n_frames : int
        Number of frames.
    method : str
        "median" (over `MEDIAN_WINDOW` frames) or "kalman" (see `kalman_smoother`).
    cutoff : float
        Likelihood below which the Kalman smoother ignores a position.
    """
    margin = _MARGIN[method]
    for first in range(0, n_frames, _CHUNK):
        stop = min(first + _CHUNK, n_frames)
        before = max(first - margin, 0)
        values = rows(before, min(stop + margin, n_frames))
        xy = running_median(values[..., :2]) if method == "median" else kalman_smoother(values, cutoff=cutoff)
        kept = values[first - before : stop - before].copy()
        kept[..., :2] = xy[first - before : stop - before]
        yield first, kept


def running_median(xy: NDArray[np.floating], window: int = MEDIAN_WINDOW) -> NDArray[np.float64]:
    """Return the running median of each coordinate over ``window`` frames; the ends repeat the last frame.

    A frame without a position stays without one, and does not count in the medians of others.
    """
    import pandas as pd

    half = window // 2
    padded = np.pad(np.asarray(xy, np.float64), [(half, half)] + [(0, 0)] * (xy.ndim - 1), mode="edge")
    columns = pd.DataFrame(padded.reshape(len(padded), -1))
    medians = columns.rolling(window, center=True, min_periods=1).median().to_numpy()
    return np.where(np.isfinite(xy), medians[half : half + len(xy)].reshape(xy.shape), np.nan)


def kalman_smoother(values: NDArray[np.floating], *, cutoff: float) -> NDArray[np.float64]:
    """Return positions smoothed forwards and backwards (Rauch, Tung and Striebel 1965) at nearly constant velocity.

    The variance of a position is the inverse square of its likelihood. Positions below ``cutoff`` are ignored, and the
    motion continues through the gap. Before the first and after the last used position the result is empty.

    Parameters
    ----------
    values : float array, (N, K, 3)
        x, y, likelihood.
    cutoff : float
        Likelihood.

    Returns
    -------
    float64 array, (N, K, 2)
    """
    xy, likelihood = np.asarray(values[..., :2], np.float64), np.asarray(values[..., 2], np.float64)
    n = len(xy)
    seen = np.isfinite(xy).all(axis=-1) & (likelihood >= max(cutoff, 1e-3))
    noise = 1 / np.maximum(likelihood, 1e-3) ** 2
    states, covariances, ahead = _filter_forward(xy, seen, noise)
    _smooth_back(states, covariances, ahead)
    first = np.where(seen.any(0), seen.argmax(0), n)
    last = np.where(seen.any(0), n - 1 - seen[::-1].argmax(0), -1)
    frames = np.arange(n)[:, None]
    return np.where(((frames >= first) & (frames <= last))[..., None], states[0], np.nan)


def _filter_forward(
    xy: NDArray[np.float64], seen: NDArray[np.bool_], noise: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return states ``(2, N, K, 2)``, positions and velocities, their covariances ``(N, 3, K)`` and predicted ones.

    The three covariances are of the position, of both, and of the velocity; x and y share them.
    """
    n, k = seen.shape
    states = np.zeros((2, n, k, 2))
    covariances = np.zeros((n, 3, k))
    ahead = np.zeros((n, 3, k))
    started = np.zeros(k, bool)
    position, velocity = np.zeros((k, 2)), np.zeros((k, 2))
    a, b, c = np.full(k, 1e6), np.zeros(k), np.full(k, 1e2)
    q = ACCELERATION_RATIO**2
    for t in range(n):
        if t:
            position = position + velocity
            a, b, c = a + 2 * b + c + q / 4, b + c + q / 2, c + q
        ahead[t] = a, b, c
        begins = seen[t] & ~started
        if begins.any():
            position, velocity = np.where(begins[:, None], xy[t], position), np.where(begins[:, None], 0.0, velocity)
            a, b, c = np.where(begins, noise[t], a), np.where(begins, 0.0, b), np.where(begins, 1e2, c)
            started |= begins
        updates = seen[t] & ~begins
        gain = np.where(updates, 1 / (a + noise[t]), 0.0)
        residual = np.where(updates[:, None], xy[t] - position, 0.0)
        position, velocity = position + (gain * a)[:, None] * residual, velocity + (gain * b)[:, None] * residual
        a, b, c = a - gain * a * a, b - gain * a * b, c - gain * b * b
        states[:, t], covariances[t] = (position, velocity), (a, b, c)
    return states, covariances, ahead


def _smooth_back(states: NDArray[np.float64], covariances: NDArray[np.float64], ahead: NDArray[np.float64]) -> None:
    """Pass information from later frames to earlier ones, in place."""
    positions, velocities = states
    for t in range(len(positions) - 2, -1, -1):
        a, b, c = covariances[t]
        pa, pb, pc = ahead[t + 1]
        determinant = np.maximum(pa * pc - pb * pb, 1e-12)
        # Gain = P F' P_ahead^-1 with F = [[1, 1], [0, 1]].
        top, bottom = a + b, b + c
        g11, g12 = (top * pc - b * pb) / determinant, (b * pa - top * pb) / determinant
        g21, g22 = (bottom * pc - c * pb) / determinant, (c * pa - bottom * pb) / determinant
        dp = positions[t + 1] - (positions[t] + velocities[t])
        dv = velocities[t + 1] - velocities[t]
        positions[t] += g11[:, None] * dp + g12[:, None] * dv
        velocities[t] += g21[:, None] * dp + g22[:, None] * dv
