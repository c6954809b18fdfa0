"""How well identities are kept, against the truth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from napari_al_pose.domain.oks import similarity

SAME = 0.5
"""Object keypoint similarity from which on a pose counts as the animal's, as intersection over union does for boxes."""


@dataclass(frozen=True, slots=True)
class TrackScores:
    """What `score_tracks` found.

    Parameters
    ----------
    idf1 : float
        Twice the poses that are where their animal is over all poses there are and all that were given, with the one
        assignment of tracks to animals that makes it greatest (Ristani et al. 2016, arXiv:1609.01775).
    switches : int
        How often an animal is another track's than when it was found last (Bernardin and Stiefelhagen 2008).
    mota : float
        1 less missed animals, false poses and switches over the animals there are (the same).
    n_frames : int
        Frames compared.
    """

    idf1: float
    switches: int
    mota: float
    n_frames: int


def score_tracks(frames: Iterable[tuple[NDArray[np.floating], NDArray[np.floating]]]) -> TrackScores:
    """Compare tracks with the truth.

    Parameters
    ----------
    frames : iterable of (float array, float array)
        Of each frame the poses of the tracks, (T, K, 2), and of the animals, (M, K, 2); NaN where there is none. The
        numbers of tracks and animals are the same in all frames.
    """
    together: NDArray[np.int64] | None = None
    last: dict[int, int] = {}
    n_frames = n_poses = n_animals = n_hits = switches = 0
    for tracks, animals in frames:
        there = np.isfinite(tracks[..., 0]).any(axis=1), np.isfinite(animals[..., 0]).any(axis=1)
        near = (similarity(tracks, animals) >= SAME) & there[0][:, None] & there[1]
        together = near.astype(np.int64) if together is None else together + near
        n_frames, n_poses, n_animals = n_frames + 1, n_poses + int(there[0].sum()), n_animals + int(there[1].sum())
        for track, animal in _correspondence(near, similarity(tracks, animals), last):
            n_hits += 1
            switches += last.get(animal, track) != track
            last[animal] = track
    if together is None or n_poses + n_animals == 0:
        return TrackScores(float("nan"), 0, float("nan"), n_frames)
    rows, columns = linear_sum_assignment(-together)
    idf1 = 2 * int(together[rows, columns].sum()) / (n_poses + n_animals)
    mistakes = (n_animals - n_hits) + (n_poses - n_hits) + switches
    mota = 1 - mistakes / n_animals if n_animals else float("nan")
    return TrackScores(idf1, switches, mota, n_frames)


def _correspondence(near: NDArray[np.bool_], alike: NDArray[np.float64], last: dict[int, int]) -> list[tuple[int, int]]:
    """Return pairs of track and animal: those of the frame before that still hold, then the most alike."""
    pairs: list[tuple[int, int]] = []
    free = near.copy()
    for animal, track in last.items():
        if free[track, animal]:
            pairs.append((track, animal))
            free[track] = free[:, animal] = False
    rows, columns = linear_sum_assignment(np.where(free, -alike, 1.0))
    return pairs + [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if free[r, c]]
