"""Assigns the poses that a model found in a frame to the individuals of the project."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain.annotation import Annotation, KeypointState
from napari_al_pose.domain.prediction import Prediction

NEAR = 0.6
"""Labels this far from a pose on average, in lengths of the pose, may still belong to the same animal."""


def guess_for(prediction: Prediction | None, individual: int, annotations: Sequence[Annotation]) -> Prediction | None:
    """Return the model's pose for one individual; None if no pose is left for it.

    Each individual with labels takes the pose they lie on, whatever the model called it. The remaining poses go to the
    individuals without labels: to the one that the model names, if it has no labels, otherwise in order. So the order
    of labelling animals does not matter, and a label elsewhere moves the guess to another animal.

    Parameters
    ----------
    prediction : Prediction or None
        Of the frame.
    individual : int
        Index of the individual in the project's list.
    annotations : sequence of Annotation
        Labels of all individuals in the frame, in the order of the project's list, including empty ones.
    """
    if prediction is None or prediction.animals_xy is None:
        return prediction if individual == 0 else None
    slot = assign_poses(prediction.animals_xy, annotations)[individual]
    return None if slot < 0 else prediction.of(slot)


def assign_poses(poses: NDArray[np.floating], annotations: Sequence[Annotation]) -> list[int]:
    """Return the index of each individual's pose among (A, K, 2); -1 for none. See `guess_for`."""
    there = np.isfinite(poses[..., 0]).any(axis=1)
    assigned = [-1] * len(annotations)
    free = set(np.flatnonzero(there).tolist())
    for _, individual, slot in sorted(_gaps(poses, annotations)):
        if assigned[individual] < 0 and slot in free:
            assigned[individual] = slot
            free.remove(slot)
    open_ones = [i for i, annotation in enumerate(annotations) if assigned[i] < 0 and annotation.is_empty]
    for individual in open_ones:
        if individual in free:
            assigned[individual] = individual
            free.remove(individual)
    for individual, slot in zip([i for i in open_ones if assigned[i] < 0], sorted(free), strict=False):
        assigned[individual] = slot
    return assigned


def _gaps(poses: NDArray[np.floating], annotations: Sequence[Annotation]) -> list[tuple[float, int, int]]:
    """Return mean distance in pose lengths, individual and pose, for labels that lie on a pose."""
    found = []
    for individual, annotation in enumerate(annotations):
        placed = annotation.states == KeypointState.PLACED
        for slot, pose in enumerate(poses):
            seen = np.isfinite(pose[:, 0])
            both = placed & seen
            if both.any():
                length = max(float(np.hypot(*np.ptp(pose[seen], axis=0))), 1.0)
                gap = float(np.hypot(*(pose[both] - annotation.xy[both]).T).mean()) / length
                if gap <= NEAR:
                    found.append((gap, individual, slot))
    return found
