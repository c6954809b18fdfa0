"""The guess drawn over a frame: the model's prediction, updated with every label that the frame gets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain.annotation import Annotation, KeypointState
from napari_al_pose.domain.evidence import Evidence
from napari_al_pose.domain.labelling import open_guess
from napari_al_pose.domain.pose_inference import infer_pose
from napari_al_pose.domain.pose_prior import PosePrior, fit_prior
from napari_al_pose.domain.prediction import Prediction

MOST_POSES = 300
"""A prior is fitted on at most this many labelled poses, evenly spread; more take longer and add little."""


def prior_of(annotations: list[Annotation]) -> PosePrior | None:
    """Fit the pose prior to a project's labels; None if there are too few."""
    every = -(-len(annotations) // MOST_POSES) if annotations else 1
    poses = [annotation.xy for annotation in annotations[::every]]
    return fit_prior(np.array(poses)) if poses else None


def frame_guess(
    prediction: Prediction | None, annotation: Annotation, *, prior: PosePrior | None, evidence: Evidence | None
) -> Prediction | None:
    """Return the guess for what is not labelled yet.

    It depends only on the arguments, so undoing a label also undoes what followed from it.

    Parameters
    ----------
    prediction : Prediction or None
        The model's prediction for the frame.
    annotation : Annotation
        The labels in it.
    prior : PosePrior or None
        What poses look like; without it, or without ``evidence``, the prediction stays as it is.
    evidence : Evidence or None
        The peaks of the frame's scoremaps.

    Returns
    -------
    Prediction or None
        As from `labelling.open_guess`.
    """
    if prediction is None or prior is None or evidence is None:
        return open_guess(prediction, annotation)
    n = len(annotation.states)
    if not (len(prediction.xy) == len(evidence.xy) == prior.n_bodyparts == n):
        return open_guess(prediction, annotation)
    clicked = np.asarray(annotation.states == KeypointState.PLACED)
    xy: NDArray[np.float64] = np.where(clicked[:, None], annotation.xy, prediction.xy)
    open_ = np.asarray(annotation.states == KeypointState.UNSEEN)
    mended = infer_pose(prior, evidence, xy=xy, clicked=clicked, open_=open_)
    return open_guess(replace(prediction, xy=mended.xy.astype(np.float32)), annotation)


def with_carried(guess: Prediction | None, carried: Prediction | None) -> Prediction | None:
    """Return a guess in which propagated points replace those that the model is less sure of.

    Both are as from `frame_guess`; either may be None.
    """
    if guess is None or carried is None or len(guess.xy) != len(carried.xy):
        return guess or carried
    there = np.isfinite(carried.xy).all(axis=1)
    better = there & ((guess.likelihood < carried.likelihood) | ~np.isfinite(guess.xy).all(axis=1))
    xy = np.where(better[:, None], carried.xy, guess.xy).astype(np.float32)
    likelihood = np.where(better, carried.likelihood, guess.likelihood).astype(np.float32)
    return replace(guess, xy=xy, likelihood=likelihood)
