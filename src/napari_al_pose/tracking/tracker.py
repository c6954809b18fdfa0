"""Follows a fixed number of animals through a video, in constant memory.

Frames are given one by one. Which animal is which is decided for many at once, and frames beyond those may be given
to look ahead: a contact at the end of a part is then judged by what comes after it. See
`napari_al_pose.tracking.hypotheses` for how, and `napari_al_pose.tracking.motion` for what an assignment costs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain.oks import similarity
from napari_al_pose.tracking.hypotheses import IMPOSSIBLE, Hypotheses
from napari_al_pose.tracking.motion import AnimalMotion

AHEAD = 200
"""Frames of look-ahead that are enough for nearly every contact."""

SURE = 0.3
"""Mean likelihood above which a pose counts as an animal's; others are assigned only to an animal expected there."""

EXPECTED = 0.1
"""Least similarity to the predicted pose at which an unsure pose is accepted."""

CLEAR = 5.0
"""Extra cost (log-likelihood) of the next best way to follow the animals at which a decision is about clear."""


@dataclass(frozen=True, slots=True, eq=False)
class Assigned:
    """The assignment of the poses of F frames.

    Parameters
    ----------
    animals : int64 array, (F, A)
        The animal of each pose; -1 for none.
    margins : float64 array, (F,)
        How clear it is that the animals go on this way from each frame and not exchanged: near 0, the identities could
        as well be the other way round; from 1 on, it is about clear; infinite if nothing else came into question.
    """

    animals: NDArray[np.int64]
    margins: NDArray[np.float64]


class Tracker:
    """Follows ``n`` animals through a video.

    Parameters
    ----------
    n : int
        Number of animals. A frame never holds more.
    n_bodyparts : int
    """

    def __init__(self, n: int, n_bodyparts: int) -> None:
        self._motion = AnimalMotion.unknown(n, n_bodyparts)
        self._hypotheses = Hypotheses(self._motion, _costs)
        self._places: list[tuple[NDArray[np.int64], int]] = []
        self._n_marked: int | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of animals and of bodyparts."""
        return self._motion.xy.shape[0], self._motion.xy.shape[1]

    def step(self, xy: NDArray[np.floating], likelihood: NDArray[np.floating]) -> None:
        """Take the next frame.

        Parameters
        ----------
        xy : float array, (A, K, 2)
            Poses in any order, at most one for each animal; NaN for missing positions.
        likelihood : float array, (A, K)
            Of their keypoints.
        """
        there = np.flatnonzero(np.isfinite(xy[..., 0]).any(axis=1))
        poses, sure = np.asarray(xy[there], np.float64), likelihood[there].mean(axis=1) >= SURE
        self._places.append((there, len(xy)))
        self._hypotheses.step(poses, np.asarray(likelihood[there], np.float64), sure)

    def mark(self) -> None:
        """Note that the frames from here on are only looked at, and will be given again."""
        self._n_marked = len(self._places)
        self._hypotheses.mark()

    def decide(self) -> Assigned:
        """Return the assignment of all frames since the last decision, up to the mark if there is one."""
        n = len(self._places) if self._n_marked is None else self._n_marked
        self._hypotheses.settle()
        path = list(self._hypotheses.path())[:n]
        most = max((size for _, size in self._places), default=0)
        animals = np.full((n, most), -1)
        for row, (there, _), found in zip(animals, self._places, path, strict=False):
            row[there] = found
        margins = np.array(self._hypotheses.margins[:n], np.float64) / CLEAR
        self._motion = self._hypotheses.motion(marked=self._n_marked is not None)
        self._begin()
        return Assigned(animals, margins)

    def follow(self, frames: Iterable[tuple[NDArray[np.floating], NDArray[np.floating]]]) -> Assigned:
        """Take frames, each as in `step`, and decide them."""
        for xy, likelihood in frames:
            self.step(xy, likelihood)
        return self.decide()

    def state(self) -> dict[str, Any]:
        """Return the state after the last decision, to continue from, in a form for JSON."""
        return self._motion.state()

    @classmethod
    def resume(cls, state: dict[str, Any]) -> Tracker:
        """Return a tracker that continues from a `state`."""
        motion = AnimalMotion.of_state(state)
        tracker = cls(*motion.xy.shape[:2])
        tracker._motion = motion
        tracker._begin()
        return tracker

    def _begin(self) -> None:
        self._hypotheses = Hypotheses(self._motion, _costs)
        self._places, self._n_marked = [], None


def _costs(
    expected: AnimalMotion, poses: NDArray[np.float64], likelihood: NDArray[np.float64], sure: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the cost of each pose for each animal, (N, P)."""
    costs = expected.costs(poses, likelihood)
    if not sure.all():
        near = similarity(poses[~sure], expected.xy).T >= EXPECTED
        costs[:, ~sure] = np.where(near, costs[:, ~sure], IMPOSSIBLE)
    return costs
