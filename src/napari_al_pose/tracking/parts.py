"""Finds which keypoints of two poses in contact have each other's animal.

Of animals that touch, a network may give poses that have each other's heads or tails. Which keypoints change sides is
the likeliest labelling of a tree of bodyparts (pictorial structures; Felzenszwalb and Huttenlocher 2005): each keypoint
says how well it fits either animal, and each bone of the tree whether it has its usual length, which is learnt from
frames in which animals are apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

ENOUGH = 10
"""Poses in which a bone must be seen before its length counts as known."""

SURE = 0.5
"""Likelihood of both ends from which on a bone is learnt from."""

AROUND = 0.3
"""By how much the boxes of animals that touch may be apart, in their sides."""

DEVIATION = 0.15
"""Least standard deviation of the length of a bone, relative to its mean."""

STRAIN, MOST_STRAIN = 0.3, 6.0
"""Weight of the log-likelihood of a bone's length, and the most that this is: mistakes in contact last for some frames,
and hidden keypoints are guessed at wrong distances."""

CHANGE = 2.0
"""Cost of a bone whose ends come from different poses, unless these have one of the ends in the same place."""


@dataclass(frozen=True, slots=True, eq=False)
class Bones:
    """How far the bodyparts of an animal are from each other.

    Parameters
    ----------
    sums : float64 array, (3, K, K)
        In how many poses each two were seen, and the sums of their distances and of the squares of these.
    """

    sums: NDArray[np.float64]

    @classmethod
    def unknown(cls, n_bodyparts: int) -> Self:
        """Return what is known before any frame."""
        return cls(np.zeros((3, n_bodyparts, n_bodyparts)))

    def seen(self, poses: NDArray[np.floating], likelihood: NDArray[np.floating]) -> Bones:
        """Return what is known after more frames: poses, (F, A, K, 2), and likelihoods, (F, A, K)."""
        alone = ~touching(poses).any(axis=2)
        own = np.asarray(poses, np.float64)[alone]
        distances, sure = _distances(own, own), _both(likelihood[alone], likelihood[alone]) >= SURE
        may = sure & np.isfinite(distances)
        return Bones(self.sums + np.stack([np.where(may, distances**power, 0.0).sum(axis=0) for power in range(3)]))

    @property
    def _mean(self) -> NDArray[np.float64]:
        return np.asarray(self.sums[1] / np.maximum(self.sums[0], 1), np.float64)

    @property
    def _is_known(self) -> NDArray[np.bool_]:
        return np.asarray(self.sums[0] >= ENOUGH, np.bool_)

    def tree(self) -> list[tuple[int, int]]:
        """Return the shortest tree that joins all bodyparts (Prim 1957): parent and child of each bone, parents first.

        Bones of unknown length join it last. Empty if that is all of them.
        """
        known = self._is_known
        if not known[~np.eye(len(known), dtype=bool)].any():
            return []
        mean = np.where(known, self._mean, np.inf)
        inside, outside = [0], list(range(1, len(mean)))
        bones: list[tuple[int, int]] = []
        while outside:
            at = int(np.argmin(mean[np.ix_(inside, outside)]))
            bones.append((inside[at // len(outside)], outside.pop(at % len(outside))))
            inside.append(bones[-1][1])
        return bones

    def changes(
        self, poses: NDArray[np.float64], likelihood: NDArray[np.float64], same: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return by how much each bone costs more, (K, K), if its ends come from different ones of two poses.

        ``same``, (K,), says how much these have a bodypart in the same place.
        """
        crossed, other = poses[::-1], likelihood[::-1]
        mixed = self._strain(_distances(poses, crossed), _both(likelihood, other))
        change = CHANGE * (1 - same)[:, None] * (1 - same)
        return change + STRAIN * (mixed - self._strain(_distances(poses, poses), _both(likelihood, likelihood)))

    def _strain(self, distances: NDArray[np.float64], likelihood: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how unlikely the lengths of bones are, summed over the first axis."""
        mean, square = self._mean, self.sums[2] / np.maximum(self.sums[0], 1)
        deviation = np.sqrt(np.maximum(square - mean**2, (DEVIATION * mean) ** 2))
        off = np.where(self._is_known, np.nan_to_num((distances - mean) / np.maximum(deviation, 1e-9)), 0.0)
        return np.asarray((likelihood * np.minimum(off**2 / 2, MOST_STRAIN)).sum(axis=0), np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Contacts:
    """The poses of a frame that may be mixed.

    Parameters
    ----------
    tree : sequence of (int, int)
        Parent and child of each bone.
    changes : mapping of (int, int) to float64 array, (K, K)
        What `Bones.changes` says of each two poses.
    """

    tree: Sequence[tuple[int, int]]
    changes: Mapping[tuple[int, int], NDArray[np.float64]]

    @classmethod
    def between(
        cls,
        poses: NDArray[np.float64],
        likelihood: NDArray[np.float64],
        same: NDArray[np.float64],
        bones: Bones,
        tree: Sequence[tuple[int, int]],
    ) -> Contacts:
        """Return those between poses, (P, K, 2).

        ``same``, (P, P, K), says how much each two have a bodypart in the same place; ``tree`` is that of the bones.
        """
        pairs = np.argwhere(np.triu(touching(poses[None])[0])).tolist() if tree else []
        changes = {
            (one, two): bones.changes(poses[[one, two]], likelihood[[one, two]], same[one, two]) for one, two in pairs
        }
        return cls(tree, changes)

    def likeliest(self, pair: tuple[int, int], extra: NDArray[np.float64]) -> tuple[float, NDArray[np.bool_]]:
        """Return the least extra cost of two poses and which keypoints change sides then, (K,).

        ``extra``, (K,), says what each costs more if it does.
        """
        changes = self.changes[min(pair), max(pair)].tolist()
        best = [[0.0, more] for more in extra.tolist()]  # of a bodypart and what hangs on it, if it stays or changes
        same: dict[int, list[bool]] = {}
        for parent, child in reversed(self.tree):
            ways = [(best[child][side], best[child][1 - side] + changes[parent][child]) for side in (0, 1)]
            same[child] = [along <= across for along, across in ways]
            best[parent] = [cost + min(way) for cost, way in zip(best[parent], ways, strict=True)]
        root = best[0]
        sides = np.zeros(len(extra), np.bool_)
        sides[0] = root[1] < root[0]
        for parent, child in self.tree:
            sides[child] = sides[parent] == same[child][int(sides[parent])]
        return min(root), sides


def touching(poses: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return which of the animals in frames, (F, A, K, 2), are so near that their boxes touch, (F, A, A)."""
    there = np.isfinite(poses)
    low = np.where(there, poses, np.inf).min(axis=2)
    high = np.where(there, poses, -np.inf).max(axis=2)
    around = AROUND * np.maximum(high - low, 0.0).max(axis=-1, keepdims=True)
    low, high = low - around, high + around
    touch = ((low[:, :, None] <= high[:, None]) & (low[:, None] <= high[:, :, None])).all(axis=-1)
    return np.asarray(touch & ~np.eye(touch.shape[1], dtype=bool), np.bool_)


def _distances(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far each keypoint of poses, (P, K, 2), is from each of others, (P, K, K)."""
    return np.asarray(np.hypot(*np.moveaxis(one[:, :, None] - other[:, None], -1, 0)), np.float64)


def _both(one: NDArray[np.floating], other: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how sure two keypoints are, (P, K, K)."""
    return np.minimum(one[:, :, None], other[:, None]).astype(np.float64)
