"""What labels say of guesses: how likely a guess for each bodypart has to be before it is believed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import Annotation, FrameKey, FrameRole, KeypointState, Prediction
from napari_al_pose.domain.asked_bodyparts import scarcity
from napari_al_pose.domain.confidence_threshold import EVEN_CHANCE
from napari_al_pose.domain.individuals import assign_poses
from napari_al_pose.engine.labels import by_frame, known_labels
from napari_al_pose.pose.calibration import bodypart_thresholds
from napari_al_pose.pose.evaluation import LabelledPredictions
from napari_al_pose.pose.metrics import reference_length
from napari_al_pose.project import Project

_Row = tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating], NDArray[np.integer]]
"""Predicted positions (K, 2), likelihoods (K,), annotated positions (K, 2) and states (K,) of one animal."""


def measured_thresholds(project: Project, holdout: LabelledPredictions | None) -> tuple[float, ...]:
    """Return, for each bodypart, the likelihood from which a guess is believed.

    It is then more often right than wrong. Of bodyparts with fewer labels than others it must be surer.

    Parameters
    ----------
    project : Project
        Tells what earlier models guessed of frames that were labelled afterwards.
    holdout : LabelledPredictions or None
        What the new model says of hold-out frames.

    Returns
    -------
    tuple of float
        Empty where no guess has been answered yet.
    """
    rows = [*_answered(project), *(zip(*holdout, strict=True) if holdout is not None else ())]
    if not rows:
        return ()
    predicted, likelihood, annotated, states = (np.stack(column) for column in zip(*rows, strict=True))
    # A frame with two labels is no measure of the animal's length; there are few complete ones where only bodyparts
    # are asked for, but test frames are.
    whole = (states != KeypointState.UNSEEN).all(axis=1)
    measurable = whole if whole.any() else np.ones(len(states), bool)
    length = reference_length(annotated[measurable], states[measurable])
    chances = 1 - (1 - EVEN_CHANCE) / scarcity((states != KeypointState.UNSEEN).sum(axis=0))
    return bodypart_thresholds(likelihood, predicted, annotated, states, chances=chances, reference_px=length)


def guesses_before(project: Project, keys: Set[FrameKey]) -> dict[FrameKey, Prediction]:
    """Return the last guess for each labelled frame by a model that was trained before it was labelled.

    A labelled frame that a version has predictions for was labelled after that version was trained. Frames of which no
    version has any are left out.
    """
    found: dict[FrameKey, Prediction] = {}
    for version in project.models.versions():
        output = project.predictions.load(version)
        found |= {key: output[key] for key in keys & output.keys()}
    return found


def paired(
    prediction: Prediction, animals: Sequence[Annotation]
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32], Annotation]]:
    """Yield pose, likelihoods and labels of each animal that was guessed, (K, 2) and (K,)."""
    poses, likelihood = prediction.poses
    slots = [0] if len(poses) == 1 else assign_poses(poses, animals)
    for animal, slot in zip(animals, slots, strict=False):
        if slot >= 0 and len(animal.states) == poses.shape[1]:
            yield poses[slot], likelihood[slot], animal


def _answered(project: Project) -> Iterator[_Row]:
    labels = by_frame(a for a in known_labels(project) if a.role is not FrameRole.HOLDOUT and not a.is_empty)
    for key, guess in sorted(guesses_before(project, labels.keys()).items(), key=lambda one: one[0]):
        for pose, likelihood, animal in paired(guess, labels[key]):
            yield pose, likelihood, animal.xy, animal.states
