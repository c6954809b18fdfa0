"""Keeps several ways to follow animals through a contact, until it is clear which costs least.

This is multiple hypothesis tracking (Reid 1979) of a fixed number of animals. In each frame, each hypothesis goes on
with the assignment of least cost (Kuhn 1955; scipy's ``linear_sum_assignment``) and with those in which two animals
are exchanged. Two hypotheses that gave out the same poses lately, under whatever names, have the same future. The
dearer one is given up, and by how much it is dearer says how clear the decision was. Once it is known which poses the
animals have, keypoints of poses in contact are given back in the same way (`napari_al_pose.tracking.parts`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.tracking.motion import AnimalMotion
from napari_al_pose.tracking.parts import Bones, Contacts

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

MINORITY = 0.5
"""Largest share of an animal's keypoints that come from another pose than the whole one that it has."""

_Recent = tuple[tuple[tuple[int, ...], ...], ...]

Costs = Callable[[AnimalMotion, NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]], NDArray[np.float64]]
"""Returns costs by keypoint, (N, P, K), of what is expected, of poses (P, K, 2), likelihood, and which are sure."""


@dataclass(frozen=True, slots=True, eq=False)
class _Trail:
    """The pose of each keypoint of the animals in a frame, (N, K), -1 for none, and the frames before it."""

    given: NDArray[np.int64]
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
    recent : tuple of tuple of tuple of int
        For each animal, the last frames in which it was seen, each with the numbers of its keypoints' poses.
    trail : _Trail or None
        The assignment of each frame.
    marked : AnimalMotion or None
        What was known at the mark.
    """

    cost: float
    motion: AnimalMotion
    recent: _Recent
    trail: _Trail | None = None
    marked: AnimalMotion | None = None


class Hypotheses:
    """The ways to follow animals that are still worth it, the cheapest first.

    Parameters
    ----------
    motion : AnimalMotion
        What is known of the animals before the first frame.
    bones : Bones
        What is known of their shape.
    costs : callable
        What an assignment costs.
    """

    def __init__(self, motion: AnimalMotion, bones: Bones, costs: Costs) -> None:
        self._alive = [_Hypothesis(0.0, motion, tuple(() for _ in motion.xy))]
        self._bones, self._tree = bones, bones.tree()
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

    def keep_best(self) -> None:
        """Give up all ways but the best."""
        best, *others = self._alive
        for one in others:
            if one.trail is not None:
                self._doubt(one.trail, best.trail, one.cost - best.cost)
        self._alive = [best]

    def path(self) -> list[NDArray[np.int64]]:
        """Return the pose of each keypoint of the animals, (N, K), in all frames."""
        trail = self._alive[0].trail
        return [] if trail is None else [one.given for one in trail][::-1]

    def step(
        self,
        poses: NDArray[np.float64],
        likelihood: NDArray[np.float64],
        sure: NDArray[np.bool_],
        whole: NDArray[np.int64] | None = None,
    ) -> None:
        """Go on to the next frame: poses, (P, K, 2), likelihood, (P, K), and which are surely animals, (P,).

        If it is known which whole poses the animals have, (N, K), only keypoints of these change sides.
        """
        self.margins.append(float("inf"))
        frame = len(self.margins)
        expected = [one.motion.ahead(poses[sure]) for one in self._alive]
        same = _same_place(poses, expected[0].length)
        likelihood = _once(likelihood, same)
        costs = [self._costs(one, poses, likelihood, sure) for one in expected]
        if whole is None:
            found = [_assignments(one) for one in costs]
        else:
            contacts = Contacts.between(poses, likelihood, same, self._bones, self._tree)
            found = [_alongside(one, whole, contacts) for one in costs]
        ways = [(one.cost + cost, i, given) for i, one in enumerate(self._alive) for cost, given in found[i]]
        ways.sort(key=lambda way: way[0])
        kept: dict[object, _Hypothesis] = {}
        for cost, i, given in ways:
            if cost - ways[0][0] > WORTH:
                break
            before = self._alive[i]
            recent, trail = _with(before.recent, frame, given), _Trail(given, before.trail)
            alike = tuple(sorted(recent))  # whatever the animals are called
            cheaper = kept.get(alike)
            if cheaper is None and len(kept) < MOST:
                seen = np.flatnonzero((given >= 0).any(axis=1))
                own = keypoints(poses, given[seen], np.nan), keypoints(likelihood, given[seen], 0.0)
                kept[alike] = _Hypothesis(cost, expected[i].updated(seen, *own), recent, trail, before.marked)
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


def keypoints(poses: NDArray[Any], given: NDArray[np.int64], nothing: float | NDArray[Any]) -> NDArray[Any]:
    """Return what ``poses``, (P, K, ...), say of the keypoints of animals, given the pose of each, (N, K)."""
    if not len(poses):
        poses = np.full((1, *poses.shape[1:]), nothing)
    there = given.reshape(*given.shape, *([1] * (poses.ndim - 2))) >= 0
    return np.where(there, poses[given, np.arange(given.shape[1])], nothing)


def _with(recent: _Recent, frame: int, given: NDArray[np.int64]) -> _Recent:
    longer = list(recent)
    for animal, poses in enumerate(given.tolist()):
        if max(poses) >= 0:
            longer[animal] = (*longer[animal][1 - MEMORY :], (frame, *poses))
    return tuple(longer)


def _assignments(costs: NDArray[np.float64]) -> list[tuple[float, NDArray[np.int64]]]:
    """Return the cheapest way to give poses to animals by costs, (N, P, K), and those with two animals exchanged."""
    from scipy.optimize import linear_sum_assignment  # slow to import

    of_poses = costs.sum(axis=2)
    rows, columns = linear_sum_assignment(of_poses)
    may = of_poses[rows, columns] < IMPOSSIBLE
    pose_of = np.full(len(costs), -1)  # no pose
    pose_of[rows[may]] = columns[may]
    padded = np.concatenate([of_poses, np.zeros((len(costs), 1))], axis=1)
    given = padded[:, pose_of]
    own = np.diag(given)
    extra = given + given.T - own[:, None] - own[None]
    whole, total = np.repeat(pose_of[:, None], costs.shape[2], axis=1), float(own.sum())
    ways = [(total, whole)]
    for one, two in zip(*np.nonzero(np.triu(extra < WORTH, 1)), strict=True):
        has_pose, differ = max(pose_of[one], pose_of[two]) >= 0, (of_poses[one] != of_poses[two]).any()
        if has_pose and differ:  # animals that were never seen have no names yet
            ways.append((total + float(extra[one, two]), _exchanged(whole, one, two)))
    return ways


def _alongside(
    costs: NDArray[np.float64], whole: NDArray[np.int64], contacts: Contacts
) -> list[tuple[float, NDArray[np.int64]]]:
    """Return the way that gives whole poses to animals, and those in which less than half of two poses are mixed."""
    padded = np.concatenate([costs.sum(axis=2), np.zeros((len(costs), 1))], axis=1)
    total = float(padded[np.arange(len(whole)), whole[:, 0]].sum())
    ways = [(total, whole)]
    for pair in contacts.changes:
        for more, mixed in _mixed(whole, costs, contacts, pair):
            if (mixed != whole).mean(axis=1).max() <= MINORITY:
                ways.append((total + more, mixed))
    return ways


def _mixed(
    whole: NDArray[np.int64], costs: NDArray[np.float64], contacts: Contacts, pair: tuple[int, int]
) -> list[tuple[float, NDArray[np.int64]]]:
    """Return the likeliest way to give the keypoints of two poses to their animals, and the same exchanged.

    None if these are whole poses.
    """
    animals = [np.flatnonzero(whole[:, 0] == pose) for pose in pair]
    if not all(map(len, animals)):
        return []
    one, two = (int(found[0]) for found in animals)
    p, q = pair
    extra = costs[one, q] + costs[two, p] - costs[one, p] - costs[two, q]
    more, changes = contacts.likeliest(pair, extra)
    if changes.all() or not changes.any():
        return []
    mixed = whole.copy()
    mixed[one, changes], mixed[two, changes] = q, p
    exchanged = more + float(extra[~changes].sum() - extra[changes].sum())
    return [(more, mixed), (exchanged, _exchanged(mixed, one, two))]


def _exchanged(given: NDArray[np.int64], one: int, two: int) -> NDArray[np.int64]:
    found = given.copy()
    found[[one, two]] = given[[two, one]]
    return found


def _same_place(poses: NDArray[np.float64], length: float) -> NDArray[np.float64]:
    """Return how much the bodyparts of each two poses are in the same place, from 0 to 1, (P, P, K)."""
    if np.isnan(length):
        return np.zeros((len(poses), *poses.shape[:2]))
    squares = np.nan_to_num(((poses[:, None] - poses[None]) ** 2).sum(axis=-1), nan=np.inf)
    return np.asarray(np.exp(-squares / (2 * (SAME_PLACE * length) ** 2)), np.float64)


def _once(likelihood: NDArray[np.float64], same: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the likelihood of keypoints, (P, K), less where a surer pose has the same bodypart in the same place."""
    if len(likelihood) < 2:
        return likelihood
    surer = likelihood.mean(axis=1)[None] > likelihood.mean(axis=1)[:, None]
    return np.asarray(likelihood * (1 - TWICE * (same * surer[..., None]).max(axis=1)), np.float64)
