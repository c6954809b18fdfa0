"""Several animals: where two may be mixed up, and where their number is unusual.

``identity`` asks what it would cost to exchange two animals between a frame and its neighbours. A cost is one less the
object keypoint similarity of two poses, plus half their distance in animal lengths. If the cheapest exchange costs next
to nothing, the animals touch or cross, and tracks are mixed up there. Without a neighbouring frame, the two poses of
the frame itself are compared.

``animal_count`` asks how far the number of animals that a model believes in (the sum of its scores) is from the number
that it finds in most frames. An animal may have been missed, hidden, or found twice.

Cost: one pass of the network a frame; ``identity`` two or three.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.extras import Extra
from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.strategy import Explanation, Requires, ScoreContext
from napari_al_pose.domain.oks import similarity

_FAR_COST, _FARTHEST = 0.5, 4.0
_TOUCH = 0.25
"""Lengths between the nearest keypoints of two animals that touch: keypoints lie within the outline."""

_BELIEVED = 0.5
"""Score from which on an animal is believed to be there."""


def exchange_costs(
    own: NDArray[np.floating], beside: NDArray[np.floating], length: float
) -> dict[tuple[int, int], float]:
    """Return how much more it costs to exchange two animals than to keep them, for each pair that both frames show.

    Parameters
    ----------
    own, beside : float array, (A, K, 2)
        Poses in a frame and in a neighbouring one, animals in the same order; NaN where there is none.
    length : float
        Of an animal, px.
    """
    alike = similarity(beside, own)
    middles = [np.array([_middle(pose) for pose in poses]) for poses in (beside, own)]
    gaps = np.hypot(*np.moveaxis(middles[0][:, None] - middles[1][None], -1, 0))
    costs = 1 - alike + _FAR_COST * np.clip(np.nan_to_num(gaps / length, nan=_FARTHEST), 0, _FARTHEST)
    there = [a for a in range(len(own)) if np.isfinite(middles[0][a]).all() and np.isfinite(middles[1][a]).all()]
    return {
        (a, b): float(costs[a, b] + costs[b, a] - costs[a, a] - costs[b, b])
        for a, b in itertools.combinations(there, 2)
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityDoubt:
    """Rank frames by how easily two of their animals can be confused."""

    name: str = "identity"
    title: str = "Which animal is which"
    summary: str = "Frames in which animals touch or cross, so that they could be exchanged"
    family: Family = Family.DOUBT
    requires: Requires = Requires.PREDICTIONS
    needs: frozenset[Extra] = frozenset({Extra.ANIMALS_XY})
    wants: frozenset[Extra] = frozenset({Extra.NEIGHBOUR_XY})
    cost: str = "two or three passes of the network a frame"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return exp(-c) for the least cost c of an exchange, ``(N,)``, in [0, 1]; NaN with fewer than two animals."""
        scores = np.full(len(context.keys), np.nan)
        length = _length(context.extra_of(Extra.ANIMALS_XY))
        for row in range(len(scores)):
            costs = _cheapest(context, row, length)
            if costs is not None:
                scores[row] = np.exp(-max(costs[0], 0.0))
        return scores

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Say how near the two animals are that are exchanged most easily."""
        poses = np.asarray(context.extra_of(Extra.ANIMALS_XY), np.float64)
        length = _length(poses)
        costs = _cheapest(context, index, length)
        if costs is None:
            return Explanation(sentence="fewer than two animals are found")
        one, other = (poses[index, animal] for animal in costs[1])
        gaps = np.hypot(*np.moveaxis(one[:, None] - other[None], -1, 0))
        nearest = float(np.nanmin(gaps)) / length
        where = "two animals touch" if nearest < _TOUCH else f"two animals are {nearest:.1f} body lengths apart"
        return Explanation(sentence=f"{where}, and it is unclear which is which" if costs[0] < 1 else where)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnimalCount:
    """Rank frames by how unusual their number of animals is."""

    name: str = "animal_count"
    title: str = "Unexpected number of animals"
    summary: str = "Frames in which more or fewer animals are found than in most"
    family: Family = Family.DOUBT
    requires: Requires = Requires.PREDICTIONS
    needs: frozenset[Extra] = frozenset({Extra.ANIMALS_XY, Extra.ANIMAL_SCORES})
    cost: str = "one pass of the network a frame"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return the difference between the sum of the animals' scores and their usual number, ``(N,)``."""
        scores = np.nan_to_num(np.asarray(context.extra_of(Extra.ANIMAL_SCORES), np.float64))
        return np.abs(scores.sum(axis=1) - usual_number(scores))

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Say how many are found, and how many as a rule."""
        scores = np.nan_to_num(np.asarray(context.extra_of(Extra.ANIMAL_SCORES), np.float64))
        found, usual = int((scores[index] >= _BELIEVED).sum()), usual_number(scores)
        if found != usual:
            return Explanation(sentence=f"{found} found; {usual} in most frames")
        doubted = scores[index, int(np.abs(scores[index] - _BELIEVED).argmin())]
        return Explanation(sentence=f"{found} found, as in most frames; the least sure has {doubted:.2f}")


def usual_number(scores: NDArray[np.floating]) -> int:
    """Return the most frequent number of animals, from scores (N, A); the larger of two equally frequent ones."""
    counts = np.bincount((scores >= _BELIEVED).sum(axis=1), minlength=1)
    return len(counts) - 1 - int(counts[::-1].argmax())


def _cheapest(context: ScoreContext, row: int, length: float) -> tuple[float, tuple[int, int]] | None:
    """Return the least cost of an exchange and the pair; None with fewer than two animals."""
    own = np.asarray(context.extra_of(Extra.ANIMALS_XY)[row], np.float64)
    beside = context.extra.get(Extra.NEIGHBOUR_XY)
    found: list[tuple[float, tuple[int, int]]] = []
    if beside is not None and beside.ndim == 5:
        for side in range(2):
            found += [(cost, pair) for pair, cost in exchange_costs(own, beside[row, :, side], length).items()]
    if not found:
        found = [(cost, pair) for pair, cost in exchange_costs(own, own, length).items()]
    return min(found, default=None)


def _length(poses: NDArray[np.floating]) -> float:
    """Return the median length of poses (N, A, K, 2), px: the diagonal of the box around each."""
    flat = np.asarray(poses, np.float64).reshape(-1, *poses.shape[2:])
    flat = flat[np.isfinite(flat[..., 0]).any(axis=1)]
    if not len(flat):
        return 1.0
    sides = np.nanmax(flat, axis=1) - np.nanmin(flat, axis=1)
    return max(float(np.median(np.hypot(*sides.T))), 1.0)


def _middle(pose: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the median of the keypoints of a pose, (2,); NaN without any."""
    seen = np.isfinite(pose[:, 0])
    return np.median(pose[seen], axis=0) if seen.any() else np.full(2, np.nan)
