"""How far the predictions of a whole video lie from its labels: frame by frame, and bodypart by bodypart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import Annotation, FrameRole, KeypointState
from napari_al_pose.domain.individuals import assign_poses
from napari_al_pose.project.label_store import LabelStore
from napari_al_pose.project.video_predictions import VideoRun


@dataclass(frozen=True, slots=True)
class RunErrors:
    """Distances between labels and predictions, px.

    Parameters
    ----------
    frames : tuple of (int, float)
        Row of the predictions, and the mean over all that is labelled there and was found.
    bodyparts : tuple of (str, float, int)
        Bodypart, median distance and number of labels it was measured on; the worst comes first.
    n_frames : int
        Frames that ``bodyparts`` were measured on.
    is_test : bool
        Whether these are test frames, which no model learns from; else a model may have learned from them.
    """

    frames: tuple[tuple[int, float], ...] = ()
    bodyparts: tuple[tuple[str, float, int], ...] = ()
    n_frames: int = 0
    is_test: bool = False


def run_errors(run: VideoRun, labels: LabelStore, individuals: Sequence[str]) -> RunErrors:
    """Compare a run with the labels of its video; each animal with the pose it lies on, whoever that is said to be.

    Parameters
    ----------
    run : VideoRun
        The predictions.
    labels : LabelStore
        Of the same project.
    individuals : sequence of str
        The project's.
    """
    by_frame: dict[int, dict[str, Annotation]] = {}
    for annotation in labels.annotations(run.header.video):
        by_frame.setdefault(annotation.key.frame, {})[annotation.individual] = annotation
    frames, found = list[tuple[int, float]](), dict[bool, list[NDArray[np.float64]]]({True: [], False: []})
    for number, known in sorted(by_frame.items()):
        row, prediction = run.row(number), run.prediction(number)
        if row is None or prediction is None:
            continue
        gaps = _gaps(prediction.poses[0], [known[who] for who in individuals if who in known])
        if np.isfinite(gaps).any():
            frames.append((row, float(np.nanmean(gaps))))
            found[any(one.role is FrameRole.HOLDOUT for one in known.values())].append(gaps)
    is_test = bool(found[True])
    if not frames:
        return RunErrors()
    distances = np.concatenate(found[is_test])
    measured = [
        (name, float(np.nanmedian(column)), int(np.isfinite(column).sum()))
        for name, column in zip(run.header.bodyparts, distances.T, strict=True)
        if np.isfinite(column).any()
    ]
    worst_first = tuple(sorted(measured, key=lambda one: -one[1]))
    return RunErrors(tuple(frames), worst_first, len(found[is_test]), is_test)


def _gaps(poses: NDArray[np.float32], annotations: Sequence[Annotation]) -> NDArray[np.float64]:
    """Return the distance of each label to the prediction, (animals, K) px; NaN where there is none."""
    gaps = np.full((len(annotations), poses.shape[1]), np.nan)
    slots = assign_poses(poses, annotations) if len(poses) > 1 else [0] * len(annotations)
    for animal, (annotation, slot) in enumerate(zip(annotations, slots, strict=True)):
        placed = annotation.states == KeypointState.PLACED
        if slot >= 0 and placed.any():
            gaps[animal, placed] = np.hypot(*(poses[slot][placed] - annotation.xy[placed]).T)
    return gaps
