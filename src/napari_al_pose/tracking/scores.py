"""How well tracks keep the animals' identities, compared with the truth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain.oks import similarity

SAME = 0.5
"""Object keypoint similarity at which a pose counts as the animal's, like intersection over union for boxes."""

THRESHOLDS = np.linspace(0.05, 0.95, 19)
"""The same, one after the other, for HOTA."""

_Compared = tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.float64]]
"""Which tracks, (T,), and animals, (M,), a frame has, and how alike their poses are, (T, M)."""


@dataclass(frozen=True, slots=True)
class TrackScores:
    """The result of `score_tracks`.

    Parameters
    ----------
    idf1 : float
        Twice the number of poses that match their animal, divided by the number of true and predicted poses, under the
        best assignment of tracks to animals (Ristani et al. 2016, arXiv:1609.01775).
    switches : int
        How often the track that follows an animal changes (Bernardin and Stiefelhagen 2008).
    mota : float
        1 minus the missed animals, false poses and switches relative to the number of true poses (the same source).
    hota : float
        How well animals are found and tracks keep to them, equally weighted: the geometric mean of both, averaged over
        the similarities from 0.05 to 0.95 at which a pose may count as the animal's (Luiten et al. 2021,
        arXiv:2009.07736).
    n_frames : int
        Frames compared.
    """

    idf1: float
    switches: int
    mota: float
    hota: float
    n_frames: int


def score_tracks(frames: Iterable[tuple[NDArray[np.floating], NDArray[np.floating]]]) -> TrackScores:
    """Compare tracks with the truth.

    Parameters
    ----------
    frames : iterable of (float array, float array)
        For each frame, the poses of the tracks, (T, K, 2), and of the animals, (M, K, 2); NaN for none. T and M are the
        same in all frames.
    """
    together: NDArray[np.int64] | None = None
    last: dict[int, int] = {}
    n_frames = n_poses = n_animals = n_hits = switches = 0
    compared: list[_Compared] = []
    for tracks, animals in frames:
        there = np.isfinite(tracks[..., 0]).any(axis=1), np.isfinite(animals[..., 0]).any(axis=1)
        alike = similarity(tracks, animals)
        compared.append((there[0], there[1], alike))
        near = (alike >= SAME) & there[0][:, None] & there[1]
        together = near.astype(np.int64) if together is None else together + near
        n_frames, n_poses, n_animals = n_frames + 1, n_poses + int(there[0].sum()), n_animals + int(there[1].sum())
        for track, animal in _correspondence(near, alike, last):
            n_hits += 1
            switches += last.get(animal, track) != track
            last[animal] = track
    if together is None or n_poses + n_animals == 0:
        return TrackScores(float("nan"), 0, float("nan"), float("nan"), n_frames)
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(-together)
    idf1 = 2 * int(together[rows, columns].sum()) / (n_poses + n_animals)
    mistakes = (n_animals - n_hits) + (n_poses - n_hits) + switches
    mota = 1 - mistakes / n_animals if n_animals else float("nan")
    return TrackScores(idf1, switches, mota, _hota(compared), n_frames)


def _hota(compared: Sequence[_Compared]) -> float:
    """Return the higher order tracking accuracy."""
    from scipy.optimize import linear_sum_assignment  # slow to import

    n_poses, n_animals = (np.sum([frame[side] for frame in compared], axis=0) for side in (0, 1))
    both = n_poses[:, None] + n_animals  # poses of each track and animal together
    # How well each track fits each animal in the whole video decides which of several alike poses is matched.
    fits = np.zeros(both.shape)
    for poses, animals, alike in compared:
        own = np.where(poses[:, None] & animals, alike, 0.0)
        union = own.sum(axis=1, keepdims=True) + own.sum(axis=0) - own
        fits += np.divide(own, union, out=np.zeros_like(own), where=union > 0)
    fits = np.divide(fits, both - fits, out=np.zeros_like(fits), where=both > fits)
    matches = np.zeros((len(THRESHOLDS), *both.shape))
    for poses, animals, alike in compared:
        tracks, known = np.flatnonzero(poses), np.flatnonzero(animals)
        own = alike[np.ix_(tracks, known)]
        rows, columns = linear_sum_assignment(-fits[np.ix_(tracks, known)] * own)
        matches[:, tracks[rows], known[columns]] += own[rows, columns] >= THRESHOLDS[:, None] - np.finfo(float).eps
    n_matches = matches.sum(axis=(1, 2))
    detected = n_matches / np.maximum(n_poses.sum() + n_animals.sum() - n_matches, 1)
    associated = (matches * (matches / np.maximum(both - matches, 1))).sum(axis=(1, 2)) / np.maximum(n_matches, 1)
    return float(np.sqrt(detected * associated).mean())


def _correspondence(near: NDArray[np.bool_], alike: NDArray[np.float64], last: dict[int, int]) -> list[tuple[int, int]]:
    """Return pairs of track and animal: first the previous frame's that still hold, then the most alike."""
    from scipy.optimize import linear_sum_assignment  # slow to import

    pairs: list[tuple[int, int]] = []
    free = near.copy()
    for animal, track in last.items():
        if free[track, animal]:
            pairs.append((track, animal))
            free[track] = free[:, animal] = False
    rows, columns = linear_sum_assignment(np.where(free, -alike, 1.0))
    return pairs + [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if free[r, c]]
