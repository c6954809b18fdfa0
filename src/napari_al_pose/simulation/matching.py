"""A model's predictions for the points of frames; several animals are matched with poses first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import KeypointState
from napari_al_pose.pose.matching import match
from napari_al_pose.simulation.dataset import Dataset
from napari_al_pose.simulation.learner import Output


@dataclass(frozen=True, slots=True, eq=False)
class Guesses:
    """A model's guesses for the P points of n frames.

    Parameters
    ----------
    xy : float array, (n, P, 2)
        Pixels of the data set's images; NaN for animals that were not found.
    likelihood : float array, (n, P)
        0 for these.
    extra : int64 array, (n,)
        Poses that are no animal, in frames in which every animal is known.
    slots : int64 array, (n, A)
        Which of the poses is each animal's; -1 for none.
    """

    xy: NDArray[np.floating]
    likelihood: NDArray[np.floating]
    extra: NDArray[np.int64]
    slots: NDArray[np.int64]


def guesses_of(dataset: Dataset, rows: Sequence[int], output: Output) -> Guesses:
    """Return what was said of some rows of a data set, poses matched with animals as for every error we report.

    Which name a model gives an animal counts for nothing.
    """
    if output.animals is None:
        zeros = np.zeros(len(rows), np.int64)
        return Guesses(output.xy, output.likelihood, zeros, zeros[:, None])
    slots, extra = _matched(dataset, rows, output.animals.xy)
    xy, likelihood = _of_slots(output.animals.xy, slots), _of_slots(output.animals.likelihood, slots)
    return Guesses(xy, np.nan_to_num(likelihood), extra, slots)


def matched_points(dataset: Dataset, rows: Sequence[int], xy: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the points, (n, P, 2), of poses (n, S, K, 2) found in some rows; NaN for animals that were missed."""
    return _of_slots(xy, _matched(dataset, rows, xy)[0])


def _matched(
    dataset: Dataset, rows: Sequence[int], xy: NDArray[np.floating]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which of the poses is each animal's, (n, A), and how many are no animal's, (n,)."""
    known, states = dataset.by_animal(dataset.xy[list(rows)]), dataset.by_animal(dataset.states[list(rows)])
    slots, extra = np.full(known.shape[:2], -1), np.zeros(len(rows), np.int64)
    for i, poses in enumerate(xy):
        there = np.flatnonzero((states[i] == KeypointState.PLACED).any(axis=1))
        found = np.flatnonzero(np.isfinite(poses[..., 0]).any(axis=1))
        which, _ = match(poses[found], known[i, there])
        slots[i, there[which >= 0]] = found[which[which >= 0]]
        if (states[i] != KeypointState.UNSEEN).any(axis=1).all():
            extra[i] = len(found) - int((which >= 0).sum())
    return slots, extra


def _of_slots(values: NDArray[np.floating], slots: NDArray[np.int64]) -> NDArray[np.floating]:
    """Return what is said of each animal, (n, S, K, ...), as points (n, P, ...); NaN for those without a pose."""
    n, a = slots.shape
    chosen = values[np.arange(n)[:, None], np.maximum(slots, 0)]
    chosen[slots < 0] = np.nan
    return chosen.reshape(n, a * values.shape[2], *values.shape[3:])
