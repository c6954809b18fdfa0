"""The loop's suggestions, and the outcome of a round."""

from __future__ import annotations

from dataclasses import dataclass

from napari_al_pose.domain.annotation import FrameRole
from napari_al_pose.domain.excluded_labels import ExcludedLabels
from napari_al_pose.domain.frames import FrameKey


@dataclass(frozen=True, slots=True)
class BodypartReason:
    """How one bodypart contributes to a frame's score.

    Parameters
    ----------
    bodypart : str
    score : float
        The bodypart's share, in the strategy's own unit.
    peaks : tuple of (float, float, float)
        ``(x, y, height)`` in source pixels, highest first; empty if the strategy uses no scoremaps.
    """

    bodypart: str
    score: float
    peaks: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A frame suggested for labelling.

    Parameters
    ----------
    key : FrameKey
    score : float
        Higher means label sooner; NaN if the strategy gave none.
    strategy : str
        Name of the strategy that chose it; stored with the label as its provenance.
    role : FrameRole
        ``HOLDOUT`` for frames drawn at random to measure the error on.
    model_version : int
        The model the score came from; 0 before there is one.
    reasons : tuple of BodypartReason
    sentence : str
        The reason in one sentence.
    """

    key: FrameKey
    score: float
    strategy: str
    role: FrameRole = FrameRole.TRAIN
    model_version: int = 0
    reasons: tuple[BodypartReason, ...] = ()
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class ErrorSummary:
    """Error over a set of labelled frames, in source pixels.

    ``low`` and ``high`` bound the mean error (95 % bootstrap over frames); NaN with fewer than two frames.
    ``per_bodypart`` is the mean error of each bodypart with a label; empty in rounds of older versions.
    """

    mean: float
    median: float
    low: float
    high: float
    n_frames: int
    per_bodypart: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Reliability:
    """How well likelihoods match reality, on keypoints that the model did not learn from.

    Parameters
    ----------
    bins : tuple of (float, float, int)
        Mean likelihood, share of keypoints found in the right place, and their number; ascending.
    expected_error : float
        Mean difference between the two, weighted by number (expected calibration error), in [0, 1].
    """

    bins: tuple[tuple[float, float, int], ...]
    expected_error: float


@dataclass(frozen=True, slots=True)
class Round:
    """One round of the loop: what a model was trained on and how good it is.

    Parameters
    ----------
    number : int
        From 1; also the version of the resulting model.
    labels_revision : int
        Revision of the label store at the training.
    n_train, n_holdout : int
        Numbers of training and hold-out frames.
    strategy : str
        The strategy that ranked the queue afterwards.
    holdout : ErrorSummary or None
    finished_at : str
        ISO 8601, UTC.
    train_seconds : float
    steps : int
    reliability : Reliability or None
        Of the likelihoods, on the hold-out frames.
    started_from : int
        The model version that was fine-tuned; 0 for the pretrained backbone.
    input_size : (int, int)
        Height and width of the network's input; (0, 0) in rounds of older versions.
    window : int
        Side of the window that follows the animal, source px; 0 if the network sees the whole frame.
    scale : float
        Network pixels per source pixel; 0 in rounds of older versions.
    left_out : tuple of ExcludedLabels
        Labelled frames that it did not learn from, with the reason.
    thresholds : tuple of (str, float)
        For each bodypart, the likelihood from which a guess is believed, in [0, 1]; () if no guess has been answered by
        a label, and in rounds of older versions.
    """

    number: int
    labels_revision: int
    n_train: int
    n_holdout: int
    strategy: str
    holdout: ErrorSummary | None
    finished_at: str
    train_seconds: float
    steps: int
    reliability: Reliability | None = None
    started_from: int = 0
    input_size: tuple[int, int] = (0, 0)
    window: int = 0
    scale: float = 0.0
    left_out: tuple[ExcludedLabels, ...] = ()
    thresholds: tuple[tuple[str, float], ...] = ()
