"""How well each model predicted the frames that were labelled next; dynamic strategies use it as a weight."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.reliability import agreement, agreement_by_bodypart, update
from napari_al_pose.domain import Annotation, FrameKey, Prediction
from napari_al_pose.domain.individuals import assign_poses
from napari_al_pose.engine.labels import by_frame, known_labels
from napari_al_pose.project import Project


def measured_reliability(project: Project) -> float:
    """Return the reliability after the batches labelled so far, in [0, 1]; 0 before the second round."""
    reliability = 0.0
    for predicted, annotated in _batches(project):
        reliability = update(reliability, agreement(predicted, annotated))
    return reliability


def bodypart_quality(project: Project) -> NDArray[np.float64]:
    """Return the reliability of each bodypart, ``(K,)``."""
    quality = np.zeros(project.skeleton.n_bodyparts)
    for predicted, annotated in _batches(project):
        measured = agreement_by_bodypart(predicted, annotated)
        known = np.isfinite(measured)
        quality[known] = 0.5 * quality[known] + 0.5 * measured[known]
    return quality


def _batches(project: Project) -> Iterator[tuple[NDArray[np.floating], NDArray[np.floating]]]:
    """Yield for each batch labelled what the model before had predicted and what was annotated, ``(n, K, 2)`` each.

    A labelled frame that version v has predictions for was labelled after v was trained; if v + 1 has none, it was
    labelled before v + 1 looked at the pool, and so belongs to the batch between the two.
    """
    labels = by_frame(a for a in known_labels(project) if a.is_complete)
    outputs = [project.predictions.load(version) for version in project.models.versions()]
    for i, output in enumerate(outputs):
        later: dict[FrameKey, Prediction] = outputs[i + 1] if i + 1 < len(outputs) else {}
        batch = [key for key in labels if key in output and key not in later]
        pairs = [pair for key in batch for pair in _pairs(output[key], labels[key])]
        if pairs:
            predicted, annotated = (np.stack(side) for side in zip(*pairs, strict=True))
            yield predicted, annotated


def _pairs(
    prediction: Prediction, animals: list[Annotation]
) -> Iterator[tuple[NDArray[np.floating], NDArray[np.floating]]]:
    """Yield what was said of each animal and what was annotated; what said nothing of it is passed over."""
    poses, _ = prediction.poses
    if len(poses) == 1:
        yield poses[0], animals[0].xy
        return
    for animal, slot in zip(animals, assign_poses(poses, animals), strict=True):
        if slot >= 0:
            yield poses[slot], animal.xy
