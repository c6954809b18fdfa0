"""Keeps several ways to follow animals through a contact, until it is clear which costs least.

This is multiple hypothesis tracking (Reid 1979) of a fixed number of animals. In each frame, each hypothesis goes on
with the assignment of least cost (Kuhn 1955; scipy's ``linear_sum_assignment``) and with those in which two animals are
exchanged. Two hypotheses that gave out the same poses lately, under whatever names, have the same future. The dearer
one is given up, and by how much it is dearer says how clear the decision was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.tracking.motion import AnimalMotion

MOST = 16
"""Hypotheses that are kept."""

WORTH = 12.0
"""Extra cost (log-likelihood) from which on a hypothesis is given up."""

MEMORY = 3
"""Poses of an animal after which it makes no difference how it came there."""

IMPOSSIBLE = 1e6
"""Cost of an assignment that must not be."""

SAME_PLACE = 0.08
"""Distance, in lengths, within which two animals hardly have the same bodypart."""

TWICE = 0.9
"""How certain it is that a bodypart in the same place is another animal's."""

Costs = Callable[[AnimalMotion, NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]], NDArray[np.float64]]
"""Returns costs, (N, P), of what is expected, of poses (P, K, 2), their likelihood and whether they are sure."""


@dataclass(frozen=True, slots=True, eq=False)
class _Trail:
    """The animal of each pose of a frame, (P,), -1 for none, and the frames before it."""

    animals: NDArray[np.int64]
    before: _Trail | None

    def __iter__(self) -> Iterator[_Trail]:
        one: _Trail | None = self
        while one is not None:
            yield one
            one = one.before


@dataclass(frozen=True, slots=True, eq=False)
class _Hypothesis:
    """One way to follow the animals up to a frame.

    Parameters
    ----------
    cost : float
        The sum of all costs so far.
    motion : AnimalMotion
        What is known of the animals then.
    recent : tuple of tuple of (int, int)
        For each animal, the frame and the number of the last poses that it was given.
    trail : _Trail or None
        The assignment of each frame.
    marked : AnimalMotion or None
        What was known at the mark.
    """

    cost: float
    motion: AnimalMotion
    recent: tuple[tuple[tuple[int, int], ...], ...]
    trail: _Trail | None = None
    marked: AnimalMotion | None = None


class Hypotheses:
    """The ways to follow animals that are still worth it, the cheapest first.

    Parameters
    ----------
    motion : AnimalMotion
        What is known of the animals before the first frame.
    costs : callable
        What an assignment costs.
    """

    def __init__(self, motion: AnimalMotion, costs: Costs) -> None:
        self._alive = [_Hypothesis(0.0, motion, tuple(() for _ in motion.xy))]
        self._costs = costs
        self.margins: list[float] = []
        """By how much the next best way is dearer that parts from the best in each frame; infinite for none."""

    def mark(self) -> None:
        """Remember what is known now."""
        self._alive = [_Hypothesis(h.cost, h.motion, h.recent, h.trail, h.motion) for h in self._alive]

    def motion(self, *, marked: bool) -> AnimalMotion:
        """Return what is known of the animals after the last frame, or was at the mark."""
        best = self._alive[0]
        return best.marked if marked and best.marked is not None else best.motion

    def settle(self) -> None:
        """Give up all ways but the best."""
        best, *others = self._alive
        for one in others:
            if one.trail is not None:
                self._doubt(one.trail, best.trail, one.cost - best.cost)
        self._alive = [best]

    def path(self) -> list[NDArray[np.int64]]:
        """Return the animal of each pose of all frames."""
        trail = self._alive[0].trail
        return [] if trail is None else [one.animals for one in trail][::-1]

    def step(self, poses: NDArray[np.float64], likelihood: NDArray[np.float64], sure: NDArray[np.bool_]) -> None:
        """Go on to the next frame: poses, (P, K, 2), likelihood, (P, K), and which are surely animals, (P,)."""
        self.margins.append(float("inf"))
        frame = len(self.margins)
        expected = [one.motion.ahead(poses[sure]) for one in self._alive]
        likelihood = _once(poses, likelihood, expected[0].length)
        ways = [
            (one.cost + cost, i, animals)
            for i, one in enumerate(self._alive)
            for cost, animals in _assignments(self._costs(expected[i], poses, likelihood, sure))
        ]
        ways.sort(key=lambda way: way[0])
        kept: dict[object, _Hypothesis] = {}
        for cost, i, animals in ways:
            if cost - ways[0][0] > WORTH:
                break
            before = self._alive[i]
            recent, trail = _with(before.recent, frame, animals), _Trail(animals, before.trail)
            alike = tuple(sorted(recent))  # whatever the animals are called
            cheaper = kept.get(alike)
            if cheaper is None and len(kept) < MOST:
                found = np.flatnonzero(animals >= 0)
                motion = expected[i].updated(animals[found], poses[found], likelihood[found])
                kept[alike] = _Hypothesis(cost, motion, recent, trail, before.marked)
            else:
                dearer_than = cheaper or next(iter(kept.values()))
                self._doubt(trail, dearer_than.trail, cost - dearer_than.cost)
        self._alive = list(kept.values())

    def _doubt(self, given_up: _Trail, kept: _Trail | None, extra: float) -> None:
        """Note how much dearer a way was, in the frame in which it parted from one that is kept."""
        at = len(self.margins) - 1
        for one, two in zip(given_up, kept or (), strict=True):
            if one.before is two.before:
                self.margins[at] = min(self.margins[at], extra)
                return
            at -= 1


def _with(
    recent: tuple[tuple[tuple[int, int], ...], ...], frame: int, animals: NDArray[np.int64]
) -> tuple[tuple[tuple[int, int], ...], ...]:
    longer = list(recent)
    for pose, animal in enumerate(animals.tolist()):
        if animal >= 0:
            longer[animal] = (*longer[animal][1 - MEMORY :], (frame, pose))
    return tuple(longer)


def _assignments(costs: NDArray[np.float64]) -> list[tuple[float, NDArray[np.int64]]]:
    """Return the cheapest assignment of animals to poses by costs, (N, P), and those in which two are exchanged."""
    from scipy.optimize import linear_sum_assignment  # slow to import

    n, p = costs.shape
    rows, columns = linear_sum_assignment(costs)
    may = costs[rows, columns] < IMPOSSIBLE
    pose_of = np.full(n, p)  # the last column is no pose
    pose_of[rows[may]] = columns[may]
    padded = np.concatenate([costs, np.zeros((n, 1))], axis=1)
    given = padded[:, pose_of]
    own = np.diag(given)
    total = float(own.sum())
    extra = given + given.T - own[:, None] - own[None]
    ways = [(0.0, pose_of)]
    for one, two in zip(*np.nonzero(np.triu(extra < WORTH, 1)), strict=True):
        has_pose, differ = min(pose_of[one], pose_of[two]) < p, (costs[one] != costs[two]).any()
        if has_pose and differ:  # animals that were never seen have no names yet
            exchanged = pose_of.copy()
            exchanged[[one, two]] = pose_of[[two, one]]
            ways.append((float(extra[one, two]), exchanged))
    return [(total + more, _by_pose(poses, p)) for more, poses in ways]


def _by_pose(pose_of: NDArray[np.int64], p: int) -> NDArray[np.int64]:
    """Return the animal of each of P poses, given the pose of each animal."""
    animals = np.full(p + 1, -1)
    animals[pose_of] = np.arange(len(pose_of))
    return animals[:p]


def _once(poses: NDArray[np.float64], likelihood: NDArray[np.float64], length: float) -> NDArray[np.float64]:
    """Return the likelihood of keypoints, (P, K), less where a surer pose has the same bodypart in the same place."""
    if len(poses) < 2 or np.isnan(length):
        return likelihood
    squares = np.nan_to_num(((poses[:, None] - poses[None]) ** 2).sum(axis=-1), nan=np.inf)
    near = np.exp(-squares / (2 * (SAME_PLACE * length) ** 2))
    surer = likelihood.mean(axis=1)[None] > likelihood.mean(axis=1)[:, None]
    return np.asarray(likelihood * (1 - TWICE * (near * surer[..., None]).max(axis=1)), np.float64)
