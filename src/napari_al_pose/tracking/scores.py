"""How well tracks keep the animals' identities, compared with the truth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain.oks import similarity

SAME = 0.5
"""Object keypoint similarity at which a pose counts as the animal's, like intersection over union for boxes."""


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
        For each frame, the poses of the tracks, (T, K, 2), and of the animals, (M, K, 2); NaN for none. T and M are the
        same in all frames.
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
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(-together)
    idf1 = 2 * int(together[rows, columns].sum()) / (n_poses + n_animals)
    mistakes = (n_animals - n_hits) + (n_poses - n_hits) + switches
    mota = 1 - mistakes / n_animals if n_animals else float("nan")
    return TrackScores(idf1, switches, mota, n_frames)


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
