"""Assigns the poses that a model found in a frame to the individuals of the project."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain.annotation import Annotation, KeypointState
from napari_al_pose.domain.oks import similarity
from napari_al_pose.domain.prediction import Prediction

NEAR = 0.6
"""Labels this far from a pose on average, in lengths of the pose, may still belong to the same animal."""


SAME_ANIMAL = 0.1
"""Similarity from which on two poses in one frame, by two models, are of the same animal."""


def guesses_for(
    prediction: Prediction | None,
    annotations: Sequence[Annotation],
    followed: Prediction | None = None,
    *,
    chosen: int = -1,
) -> tuple[Prediction | None, ...]:
    """Return a model's prediction for each individual; None where no pose is left for it.

    Each individual with labels takes the pose they lie on, whatever the model called it. The poses that are left go to
    the individuals without labels: to the one that was followed there, or that the model names, if it has no labels.
    What is still left goes to them in order; where animals were followed, an animal that was followed as no individual
    (its track was split off) is offered to the one that is being labelled, and to no other. So it does not matter in
    which order animals are labelled, and a label elsewhere moves the guess to another animal.

    Parameters
    ----------
    prediction : Prediction or None
        Of the frame.
    annotations : sequence of Annotation
        Labels of all individuals in the frame, in the order of the project's list; empty ones too.
    followed : Prediction or None
        The same frame in the tracks of the whole video, in the order of the individuals.
    chosen : int
        The individual that is being labelled; -1 for none.
    """
    if prediction is None or prediction.animals_xy is None:
        return tuple(prediction if individual == 0 else None for individual in range(len(annotations)))
    slots = assign_poses(prediction.animals_xy, annotations, followed, chosen=chosen)
    return tuple(None if slot < 0 else prediction.of(slot) for slot in slots)


def assign_poses(
    poses: NDArray[np.floating],
    annotations: Sequence[Annotation],
    followed: Prediction | None = None,
    *,
    chosen: int = -1,
) -> list[int]:
    """Return which of the poses, (A, K, 2), is each individual's; -1 for none. See `guesses_for`."""
    there = np.isfinite(poses[..., 0]).any(axis=1)
    assigned = [-1] * len(annotations)
    free = set(np.flatnonzero(there).tolist())
    for _, individual, slot in sorted(_gaps(poses, annotations)):
        if assigned[individual] < 0 and slot in free:
            assigned[individual] = slot
            free.remove(slot)
    open_ones = [i for i, annotation in enumerate(annotations) if assigned[i] < 0 and annotation.is_empty]
    named = _named(poses, followed)
    for individual in open_ones:
        slot = next((slot for slot in sorted(free) if named[slot] == individual), -1)
        if slot >= 0:
            assigned[individual] = slot
            free.remove(slot)
    waiting = [i for i in open_ones if assigned[i] < 0 and (followed is None or i == chosen)]
    for individual, slot in zip(waiting, sorted(free), strict=False):
        assigned[individual] = slot
    return assigned


def _named(poses: NDArray[np.floating], followed: Prediction | None) -> list[int]:
    """Return which individual each pose is by the tracks, or by the model's own order; -1 where the tracks say none."""
    tracks = None if followed is None else followed.animals_xy
    if tracks is None or tracks.shape[1:] != poses.shape[1:]:
        return list(range(len(poses)))
    alike = similarity(poses, tracks)
    named = [-1] * len(poses)
    for pair in np.argsort(-alike, axis=None, kind="stable").tolist():
        slot, track = divmod(pair, alike.shape[1])
        if alike[slot, track] >= SAME_ANIMAL and named[slot] < 0 and track not in named:
            named[slot] = track
    return named


def _gaps(poses: NDArray[np.floating], annotations: Sequence[Annotation]) -> list[tuple[float, int, int]]:
    """Return mean distance in pose lengths, individual and pose, for labels that lie on a pose."""
    found = []
    for individual, annotation in enumerate(annotations):
        placed = annotation.states == KeypointState.PLACED
        if not placed.any():
            continue
        for slot, pose in enumerate(poses):
            seen = np.isfinite(pose[:, 0])
            both = placed & seen
            if both.any():
                length = max(float(np.hypot(*np.ptp(pose[seen], axis=0))), 1.0)
                gap = float(np.hypot(*(pose[both] - annotation.xy[both]).T).mean()) / length
                if gap <= NEAR:
                    found.append((gap, individual, slot))
    return found
