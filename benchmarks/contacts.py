"""How well animals are followed through contacts, without a network: true poses of drawn mice, made wrong in contact.

Nothing is learnt or drawn as a picture, so twenty worlds take a minute. `benchmarks.animal_tracks` measures on poses
that a network finds.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Figure
from napari_al_pose.samples.footage import Footage
from napari_al_pose.samples.pair import PAIR_SCENES
from napari_al_pose.tracking import TrackScores, follow, keypoints, score_tracks

N_FRAMES, WORLDS = 600, range(100, 120)

LENGTH, TOUCH = 120.0, 0.8
"""Of a mouse, px, and the distance of the middles, in lengths, within which poses are mixed up."""

WRONG, WRONG_OF_MIXED = 0.125, 0.6
"""Share of keypoints in contact that lie on the other mouse: of any pose, and of one that is mixed."""

MIXED, NOT_FOUND = (0.6, 0.25, 0.04), 0.25
"""Share of poses that are mixed: of a mouse with less than 40 % and 70 % of its keypoints in sight, and of others; and
the share of these that are not found at all."""


def figures(data: Path | None) -> Iterator[Figure]:
    """Measure on twenty worlds; ``data`` is not needed."""
    scores, seconds = zip(*(_followed(seed) for seed in WORLDS), strict=True)
    idf1 = [one.idf1 for one in scores]
    setting = {"by_world": [round(one, 3) for one in idf1], "mota": float(np.mean([one.mota for one in scores]))}
    yield Figure("contacts.idf1", float(np.mean(idf1)), "IDF1, mean", ">= 0.95", setting=setting)
    yield Figure("contacts.switches", float(np.mean([one.switches for one in scores])), "switches a world")
    yield Figure("contacts.following", 1e3 * sum(seconds) / len(WORLDS) / N_FRAMES, "ms a frame")


def _followed(seed: int) -> tuple[TrackScores, float]:
    truth = mice(seed)
    poses, likelihood = found_in(truth, seed)
    began = time.perf_counter()
    given = follow(poses, likelihood).given
    seconds = time.perf_counter() - began
    return score_tracks(zip(in_tracks(poses, given), truth, strict=True)), seconds


def mice(seed: int) -> NDArray[np.float64]:
    """Return where the bodyparts of two white mice are, (N, 2, K, 2); NaN where they cannot be seen."""
    return Footage(PAIR_SCENES[1], N_FRAMES, np.random.default_rng(seed), n_mice=2).truths()


def found_in(truth: NDArray[np.float64], seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what a network would find of the truth, (N, 2, K, 2): poses in any order, and likelihoods, (N, 2, K).

    Of what is wrong, half is known to be unsure.
    """
    rng = np.random.default_rng(seed)
    n, a, k, _ = truth.shape
    seen = np.isfinite(truth[..., 0])
    middle = np.nan_to_num(truth).sum(axis=2) / np.maximum(seen.sum(axis=2), 1)[..., None]
    contact = (np.hypot(*(middle[:, 0] - middle[:, 1]).T) < TOUCH * LENGTH)[:, None]
    poses = truth + rng.normal(0, 2, truth.shape) * np.where(contact, 2, 1)[..., None, None]
    other = poses[:, ::-1] + rng.normal(0, 3, truth.shape)
    share = seen.mean(axis=2)
    mixed = contact & (rng.random((n, a)) < np.select([share < 0.4, share < 0.7], MIXED[:2], MIXED[2]))
    wrong = contact[..., None] & (rng.random((n, a, k)) < np.where(mixed, WRONG_OF_MIXED, WRONG)[..., None])
    poses = np.where((wrong | (~seen & contact[..., None]))[..., None], other, poses)
    likelihood = np.where(seen, 0.9, 0.3) * np.where(wrong & (rng.random((n, a, k)) < 0.5), 0.3, 1.0)
    poses[mixed & (rng.random((n, a)) < NOT_FOUND)] = np.nan
    order = rng.permuted(np.tile([0, 1], (n, 1)), axis=1)
    poses = np.take_along_axis(poses, order[..., None, None], axis=1)
    likelihood = np.take_along_axis(likelihood, order[..., None], axis=1)
    return poses, np.where(np.isfinite(poses[..., 0]), likelihood, 0.0)


def in_tracks(poses: NDArray[np.float64], given: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return poses, (N, A, K, 2), as they are given to the animals, (N, A, K)."""
    return np.stack([keypoints(*frame, nothing=np.nan) for frame in zip(poses, given, strict=True)])
