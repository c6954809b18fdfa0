"""How well several animals are found: which were missed, what is no animal, and how far poses are off.

Beside them, how far unique bodyparts are off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import Reliability
from napari_al_pose.domain.oks import similarity
from napari_al_pose.pose.animals import AnimalPoses
from napari_al_pose.pose.calibration import reliability_of
from napari_al_pose.pose.frames import LabelledFrame
from napari_al_pose.pose.matching import matched
from napari_al_pose.pose.metrics import OKS_THRESHOLDS, ErrorReport, average_precision, error_report


def animal_report(
    poses: Sequence[AnimalPoses],
    frames: Sequence[LabelledFrame],
    bodyparts: Sequence[str],
    *,
    between: tuple[int, int] | None = None,
) -> tuple[ErrorReport, Reliability | None]:
    """Return the errors of the animals that were found, how many were not, and how far likelihoods can be believed.

    Parameters
    ----------
    poses : sequence of AnimalPoses
        Of one frame each.
    frames : sequence of LabelledFrame
        The same frames.
    bodyparts : sequence of str
        Names along the keypoint axis.
    between : (int, int), optional
        The two keypoints whose distance is the reference length; by default the bounding box's diagonal.
    """
    pairs = [matched(one.xy[0], one.likelihood[0], frame) for one, frame in zip(poses, frames, strict=True)]
    animals = [animal for frame in frames for animal in frame.animals]
    predicted, likelihood = (np.concatenate([pair[i] for pair in pairs]) for i in (0, 1))
    found = np.isfinite(predicted[..., 0]).any(axis=1)
    known, states = np.stack([one.xy for one in animals]), np.stack([one.states for one in animals])
    report = error_report(
        predicted[found],
        known[found],
        states[found],
        bodyparts,
        likelihood=likelihood[found],
        videos=[animal.video for animal, is_found in zip(animals, found, strict=True) if is_found],
        between=between,
    )
    precision, recall = animals_precision_and_recall(poses, frames)
    report = replace(
        report,
        oks_map=precision,
        oks_mar=recall,
        missed=float((~found).mean()),
        extra=sum(pair[2] for pair in pairs) / len(animals),
    )
    return report, reliability_of(likelihood, predicted, known, states)


def unique_report(
    poses: Sequence[AnimalPoses], frames: Sequence[LabelledFrame], bodyparts: Sequence[str]
) -> ErrorReport | None:
    """Return the errors of unique bodyparts; None if none is labelled in these frames, or the model knows none.

    Parameters
    ----------
    poses : sequence of AnimalPoses
        Of one frame each.
    frames : sequence of LabelledFrame
        The same frames.
    bodyparts : sequence of str
        Names along the axis of the unique bodyparts.
    """
    known = [
        (one.unique.xy[0], frame.unique_xy, frame.unique_states, frame.video)
        for one, frame in zip(poses, frames, strict=True)
        if one.unique is not None and frame.unique_xy is not None and frame.unique_states is not None
    ]
    if not known:
        return None
    predicted, annotated, states, videos = zip(*known, strict=True)
    return error_report(np.stack(predicted), np.stack(annotated), np.stack(states), bodyparts, videos=videos)


def animals_precision_and_recall(poses: Sequence[AnimalPoses], frames: Sequence[LabelledFrame]) -> tuple[float, float]:
    """Return the means over thresholds of object keypoint similarity of COCO's average precision and largest recall.

    Poses are taken by their score, the surest first; each is the animal it is most like among those that no surer pose
    has taken. In frames with animals that nobody labelled, poses that are none of the labelled are left out.
    """
    hits: list[NDArray[np.bool_]] = []
    scores: list[float] = []
    for one, frame in zip(poses, frames, strict=True):
        found = np.isfinite(one.xy[0, ..., 0]).any(axis=1)
        xy, score = one.xy[0][found], one.score[0][found]
        order = np.argsort(-score, kind="stable")
        known = np.stack([animal.xy for animal in frame.animals]) if frame.animals else np.empty((0, *xy.shape[1:]))
        of_frame = _hits(similarity(xy[order], known))
        for hit, value in zip(of_frame, score[order], strict=True):
            if frame.every_animal or hit.any():
                hits.append(hit)
                scores.append(float(value))
    n_animals = sum(len(frame.animals) for frame in frames)
    table = np.stack(hits)[np.argsort(-np.array(scores), kind="stable")].T if hits else np.empty((10, 0), bool)
    if not n_animals:
        return float("nan"), float("nan")
    return average_precision(table, n_animals), float((table.sum(axis=1) / n_animals).mean())


def _hits(alike: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return whether each pose, the surest first, is an animal at each threshold, (P, T)."""
    hits = np.zeros((len(alike), len(OKS_THRESHOLDS)), bool)
    for t, threshold in enumerate(OKS_THRESHOLDS):
        free = np.ones(alike.shape[1], bool)
        for i, row in enumerate(alike):
            left = np.where(free, row, -1.0)
            best = int(left.argmax()) if len(left) else -1
            if best >= 0 and left[best] >= threshold:
                free[best], hits[i, t] = False, True
    return hits
