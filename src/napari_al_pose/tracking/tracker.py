"""Follows a fixed number of animals through a video, in constant memory.

Frames are given one by one. Which animal is which is decided for many at once, and frames beyond those may be given
to look ahead: a contact at the end of a part is then judged by what comes after it. See
`napari_al_pose.tracking.hypotheses` for how, and `napari_al_pose.tracking.motion` for what an assignment costs.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain.oks import similarity
from napari_al_pose.domain.steps import finish
from napari_al_pose.tracking.hypotheses import IMPOSSIBLE, Hypotheses
from napari_al_pose.tracking.motion import AnimalMotion
from napari_al_pose.tracking.parts import Bones

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
    given : int64 array, (F, N, K)
        The pose from which each animal has each keypoint; -1 for none.
    margins : float64 array, (F,)
        How clear it is that the animals go on this way from each frame and not exchanged: near 0, the identities could
        as well be the other way round; from 1 on, it is about clear; infinite if nothing else came into question.
    """

    given: NDArray[np.int64]
    margins: NDArray[np.float64]


class Tracker:
    """Follows ``n`` animals through a video.

    Parameters
    ----------
    n : int
        Number of animals. A frame never holds more.
    bones : Bones
        What is known of their shape. If nothing is, poses are taken as they are.
    """

    def __init__(self, n: int, bones: Bones) -> None:
        self._motion = self._motion_of_parts = AnimalMotion.unknown(n, len(bones.sums[0]))
        self._bones = bones
        self._hypotheses = Hypotheses(self._motion, bones, _costs)
        self._places: list[NDArray[np.int64]] = []
        self._frames: list[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]] = []
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
        frame = poses, np.asarray(likelihood[there], np.float64), sure
        self._places.append(there)
        self._frames.append(frame)
        self._hypotheses.step(*frame)

    def mark(self) -> None:
        """Note that the frames from here on are only looked at, and will be given again."""
        self._n_marked = len(self._places)
        self._hypotheses.mark()

    def decide(self) -> Assigned:
        """Return the assignment of all frames since the last decision, up to the mark if there is one."""
        return finish(self.decide_in_steps())

    def decide_in_steps(self) -> Generator[int, None, Assigned]:
        """Do what `decide` does, and yield 1 for each frame on the way, those after the mark included."""
        n = len(self._places) if self._n_marked is None else self._n_marked
        self._hypotheses.keep_best()
        parts = yield from self._parts_given_back()
        given = np.full((n, *self.shape), -1)
        for row, there, found in zip(given, self._places, parts.path(), strict=False):
            row[found >= 0] = there[found[found >= 0]]
        margins = np.array(self._hypotheses.margins[:n], np.float64) / CLEAR
        marked = self._n_marked is not None
        self._motion, self._motion_of_parts = self._hypotheses.motion(marked=marked), parts.motion(marked=marked)
        self._begin()
        return Assigned(given, margins)

    def state(self) -> dict[str, Any]:
        """Return the state after the last decision, to continue from, in a form for JSON."""
        return {
            "whole": self._motion.state(),
            "parts": self._motion_of_parts.state(),
            "bones": self._bones.sums.tolist(),
        }

    @classmethod
    def resume(cls, state: dict[str, Any]) -> Tracker:
        """Return a tracker that continues from a `state`."""
        motion, of_parts = (AnimalMotion.of_state(state[name]) for name in ("whole", "parts"))
        tracker = cls(len(motion.xy), Bones(np.array(state["bones"], np.float64)))
        tracker._motion, tracker._motion_of_parts = motion, of_parts
        tracker._begin()
        return tracker

    def _begin(self) -> None:
        self._hypotheses = Hypotheses(self._motion, self._bones, _costs)
        self._places, self._frames, self._n_marked = [], [], None

    def _parts_given_back(self) -> Generator[int, None, Hypotheses]:
        """Go through the frames again: it is decided which whole poses the animals have."""
        parts = Hypotheses(self._motion_of_parts, self._bones, _costs)
        for i, (frame, whole) in enumerate(zip(self._frames, self._hypotheses.path(), strict=True)):
            if i == self._n_marked:
                parts.mark()
            parts.step(*frame, whole)
            yield 1
        parts.keep_best()
        return parts


def follow(poses: NDArray[np.floating], likelihood: NDArray[np.floating]) -> Assigned:
    """Follow animals through frames that are all there: poses, (F, A, K, 2), and likelihoods, (F, A, K)."""
    tracker = Tracker(poses.shape[1], Bones.unknown(poses.shape[2]).seen(poses, likelihood))
    for frame in zip(poses, likelihood, strict=True):
        tracker.step(*frame)
    return tracker.decide()


def _costs(
    expected: AnimalMotion, poses: NDArray[np.float64], likelihood: NDArray[np.float64], sure: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the cost of each keypoint of each pose for each animal, (N, P, K)."""
    costs = expected.costs(poses, likelihood)
    if not sure.all():
        near = similarity(poses[~sure], expected.xy).T >= EXPECTED
        costs[:, ~sure] = np.where(near[..., None], costs[:, ~sure], IMPOSSIBLE)
    return costs
