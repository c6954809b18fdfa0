"""Follows identities from one frame to the next, in constant memory.

Each animal's position is predicted at constant velocity, and the poses of a frame are assigned to the animals at the
least total cost (Kuhn 1955; scipy's ``linear_sum_assignment``). The cost of a pose is 1 minus its object keypoint
similarity, plus its distance in lengths of the animal, because far away the similarity is 0 for all. An animal that is
not found is expected where it would be; whoever appears later takes the place that costs least. This closes gaps and
joins pieces as long as the number of animals stays the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain.oks import similarity

SURE = 0.3
"""Mean likelihood above which a pose counts as an animal's; others are assigned only to an animal expected there."""

EXPECTED = 0.1
"""Least similarity to the predicted pose at which an unsure pose is accepted."""

FAR_COST, FARTHEST = 0.5, 4.0
"""Cost of one length of the animal between a pose and its predicted position, and the most lengths that count."""

NEW_COST = 1.5
"""Cost of an animal that was never seen before: that of a pose one length off."""

STEADY = 0.6
"""Share of the velocity that is kept from frame to frame."""

MOVES_ON, SLOWS = 5, 0.7
"""For how many frames a lost animal keeps moving, and the factor on its velocity in each."""

REACH_GROWS = 0.1
"""How much farther away an animal may be, at the same cost, for each frame in which it was not found."""

LONG_GONE = 50
"""Number of frames after which its reach stops growing."""


@dataclass(frozen=True, slots=True, eq=False)
class Assigned:
    """The assignment of one frame's poses.

    Parameters
    ----------
    animals : int64 array, (A,)
        The animal of each pose; -1 for none.
    margin : float
        Extra cost of the cheapest exchange of two animals: near 0, the identities could as well be the other way round;
        infinite without two animals that were seen before.
    """

    animals: NDArray[np.int64]
    margin: float


class Tracker:
    """Follows ``n`` animals through a video.

    Parameters
    ----------
    n : int
        Number of animals. A frame never holds more.
    n_bodyparts : int
    """

    def __init__(self, n: int, n_bodyparts: int) -> None:
        self._xy = np.full((n, n_bodyparts, 2), np.nan)
        self._velocity = np.zeros((n, 2))
        self._gone = np.full(n, -1)
        """Frames since it was found; -1 for never."""
        self._length = float("nan")

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of animals and of bodyparts."""
        return self._xy.shape[0], self._xy.shape[1]

    def step(self, xy: NDArray[np.floating], likelihood: NDArray[np.floating]) -> Assigned:
        """Process the next frame.

        Parameters
        ----------
        xy : float array, (A, K, 2)
            Poses in any order, at most one for each animal; NaN for missing positions.
        likelihood : float array, (A, K)
            Of their keypoints.
        """
        poses = np.asarray(xy, np.float64)
        there = np.isfinite(poses[..., 0]).any(axis=1)
        sure = there & (likelihood.mean(axis=1) >= SURE)
        self._measure(poses[sure])
        animals = np.full(len(poses), -1)
        costs = self._costs(poses)
        self._assign(animals, np.flatnonzero(sure), costs)
        margin = _margin(animals, costs, self._gone >= 0)
        unsure = np.flatnonzero(there & ~sure)
        if len(unsure):
            alike = similarity(poses[unsure], self._expected()).T >= EXPECTED
            self._assign(animals, unsure, costs, allowed=alike)
        self._move(poses, animals)
        return Assigned(animals, margin)

    def state(self) -> dict[str, Any]:
        """Return the state to continue from, in a form for JSON."""
        return {
            "xy": np.where(np.isfinite(self._xy), self._xy, -1e9).tolist(),
            "velocity": self._velocity.tolist(),
            "gone": self._gone.tolist(),
            "length": None if np.isnan(self._length) else self._length,
        }

    @classmethod
    def resume(cls, state: dict[str, Any]) -> Tracker:
        """Return a tracker that continues from a `state`."""
        xy = np.array(state["xy"], np.float64)
        tracker = cls(len(xy), xy.shape[1])
        tracker._xy = np.where(xy > -1e9, xy, np.nan)
        tracker._velocity = np.array(state["velocity"], np.float64)
        tracker._gone = np.array(state["gone"], np.int64)
        tracker._length = float("nan") if state["length"] is None else float(state["length"])
        return tracker

    def _measure(self, poses: NDArray[np.float64]) -> None:
        """Update the animals' length."""
        if len(poses):
            sides = np.nanmax(poses, axis=1) - np.nanmin(poses, axis=1)
            length = max(float(np.median(np.hypot(*sides.T))), 1.0)
            self._length = length if np.isnan(self._length) else 0.95 * self._length + 0.05 * length

    def _expected(self) -> NDArray[np.float64]:
        """Return the predicted positions of the animals."""
        steps = np.clip(self._gone + 1, 1, MOVES_ON)
        ahead = (1 - SLOWS**steps) / (1 - SLOWS)
        return self._xy + (self._velocity * ahead[:, None])[:, None]

    def _costs(self, poses: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the cost of each pose for each animal, (n, A)."""
        known = self._gone >= 0
        expected = self._expected()
        alike = similarity(poses, expected).T
        gaps = np.hypot(*np.moveaxis(_middle(poses)[None] - _middle(expected)[:, None], -1, 0))
        reach = self._length * (1 + REACH_GROWS * np.clip(self._gone, 0, LONG_GONE))
        far = np.clip(np.nan_to_num(gaps / reach[:, None], nan=FARTHEST), 0, FARTHEST)
        return np.where(known[:, None], 1 - alike + FAR_COST * far, NEW_COST)

    def _assign(
        self,
        animals: NDArray[np.int64],
        which: NDArray[np.int64],
        costs: NDArray[np.float64],
        *,
        allowed: NDArray[np.bool_] | None = None,
    ) -> None:
        """Give the poses ``which`` to the animals that have none yet, in place."""
        from scipy.optimize import linear_sum_assignment  # slow to import

        free = np.setdiff1d(np.arange(len(costs)), animals)
        among = costs[np.ix_(free, which)]
        may = np.ones(among.shape, bool) if allowed is None else allowed[free]
        rows, columns = linear_sum_assignment(np.where(may, among, 1e6))
        for row, column in zip(rows, columns, strict=True):
            if may[row, column]:
                animals[which[column]] = free[row]

    def _move(self, poses: NDArray[np.float64], animals: NDArray[np.int64]) -> None:
        """Move the animals to where they were found."""
        self._gone[self._gone >= 0] += 1
        for pose, animal in zip(poses, animals, strict=True):
            if animal < 0:
                continue
            before, gone = self._xy[animal], int(self._gone[animal])
            shift = np.zeros(2)
            both = np.isfinite(before[:, 0]) & np.isfinite(pose[:, 0])
            if gone >= 0 and both.any():
                shift = np.median(pose[both] - before[both], axis=0)
                moved = shift / max(gone, 1)
                self._velocity[animal] = STEADY * self._velocity[animal] + (1 - STEADY) * moved
            # A bodypart that is not found moves along with the others.
            self._xy[animal] = np.where(np.isfinite(pose), pose, before + shift)
            self._gone[animal] = 0


def _middle(poses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the medians of the keypoints of poses, (n, 2); NaN for a pose without any."""
    ordered = np.sort(poses, axis=1)
    n = np.isfinite(ordered[..., 0]).sum(axis=1)
    middle = np.take_along_axis(ordered, np.maximum((n - 1) // 2, 0)[:, None, None], axis=1)[:, 0]
    return np.asarray(middle, np.float64)


def _margin(animals: NDArray[np.int64], costs: NDArray[np.float64], known: NDArray[np.bool_]) -> float:
    """Return the extra cost of the cheapest exchange of two animals that were seen before."""
    poses = np.flatnonzero((animals >= 0) & known[animals])
    if len(poses) < 2:
        return float("inf")
    chosen = costs[np.ix_(animals[poses], poses)]
    own = np.diag(chosen)
    exchanged = chosen + chosen.T - own[:, None] - own[None]
    np.fill_diagonal(exchanged, np.inf)
    return float(exchanged.min())
