"""Suspicious labels: a model that never saw them predicts something else, with confidence.

What they are and how they are found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain.annotation import Annotation, KeypointState
from napari_al_pose.domain.frames import FrameKey
from napari_al_pose.domain.prediction import Prediction
from napari_al_pose.domain.skeleton import SINGLE_INDIVIDUAL

FAR_LENGTHS = 0.15
"""Smallest distance, in lengths of the animal, at which a label is far."""

FAR_ERRORS = 4.0
"""A far label is also at least this many times the model's usual error at that bodypart away."""

SURE = 0.3
"""Predictions with a lower likelihood are ignored."""

SWAP_GAIN = 0.5
"""Left and right look swapped if exchanging them at least halves the distance to the prediction."""

_SAME_PLACE_PX = 0.01
"""Largest distance at which a label counts as not moved."""


@dataclass(frozen=True, slots=True)
class LabelCheck:
    """One suspicious label.

    Parameters
    ----------
    key : FrameKey
    bodypart : str
        For a swap, the left one.
    kind : {"far", "swapped"}
        Far from the prediction, or left and right exchanged.
    x, y : float
        The label as it was, source pixels.
    distance : float
        Between label and prediction, source pixels.
    likelihood : float
        Of the prediction, in [0, 1].
    individual : str
        The individual that the label belongs to.
    seen : (float, float) or None
        Where the model sees the bodypart, source pixels; None in checks that earlier versions stored.
    counterpart : str
        For a swap, the right bodypart; otherwise empty.
    """

    key: FrameKey
    bodypart: str
    kind: Literal["far", "swapped"]
    x: float
    y: float
    distance: float
    likelihood: float
    individual: str = SINGLE_INDIVIDUAL
    seen: tuple[float, float] | None = None
    counterpart: str = ""


def find_checks(
    labels: Sequence[Annotation],
    predictions: Mapping[FrameKey, Prediction],
    bodyparts: Sequence[str],
    pairs: Sequence[tuple[str, str]],
    *,
    limit: int = 20,
) -> tuple[LabelCheck, ...]:
    """Return the suspicious labels, the most suspicious first.

    The order is by the distance between label and prediction, in lengths of the animal, times the likelihood.

    Parameters
    ----------
    labels : sequence of Annotation
        Of one individual per frame.
    predictions : mapping of FrameKey to Prediction
        By models that did not learn from the frame; frames without one are skipped.
    bodyparts : sequence of str
        Names along the keypoint axis.
    pairs : sequence of (str, str)
        Left and right bodyparts.
    limit : int
        The most labels to return.
    """
    judged = [label for label in labels if label.key in predictions]
    if not judged:
        return ()
    length = _animal_length(judged)
    distances = np.stack([_distances(label, predictions[label.key].xy) for label in judged])
    usual = np.array(
        [np.median(column[np.isfinite(column)]) if np.isfinite(column).any() else 0 for column in distances.T]
    )
    found: list[LabelCheck] = []
    for label, apart in zip(judged, distances, strict=True):
        predicted = predictions[label.key]
        swaps = _swaps(label, predicted, bodyparts, pairs, length)
        swapped = {name for check in swaps for pair in pairs if check.bodypart == pair[0] for name in pair}
        found += swaps
        for k, name in enumerate(bodyparts):
            far = apart[k] > max(FAR_LENGTHS * length, FAR_ERRORS * usual[k])
            if far and predicted.likelihood[k] >= SURE and name not in swapped:
                found.append(_check(label, predicted, k, name, "far", float(apart[k])))
    found.sort(key=lambda check: (-check.distance * check.likelihood, check.key, check.bodypart))
    return tuple(found[:limit])


def points_of_model(
    check: LabelCheck, annotation: Annotation, bodyparts: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """Return the labels as the model would have them: the bodypart moved, or two exchanged; {} if that is not known.

    Parameters
    ----------
    check : LabelCheck
        What was found.
    annotation : Annotation
        The labels of its individual in its frame.
    bodyparts : sequence of str
        Names along the keypoint axis.
    """
    if not check.counterpart:
        return {} if check.seen is None else {check.bodypart: check.seen}
    names = check.bodypart, check.counterpart
    if any(name not in bodyparts for name in names):
        return {}
    a, b = (annotation.xy[list(bodyparts).index(name)] for name in names)
    if not np.isfinite([*a, *b]).all():
        return {}
    return {names[0]: (float(b[0]), float(b[1])), names[1]: (float(a[0]), float(a[1]))}


def is_in_place(check: LabelCheck, annotation: Annotation, bodyparts: Sequence[str]) -> bool:
    """Return whether a label is still where it was when it was found."""
    if check.bodypart not in bodyparts:
        return False
    k = list(bodyparts).index(check.bodypart)
    placed = annotation.states[k] == KeypointState.PLACED
    return bool(placed and np.abs(annotation.xy[k] - (check.x, check.y)).max() <= _SAME_PLACE_PX)


def can_take(check: LabelCheck) -> bool:
    """Return whether it is known what the model would have in the label's place."""
    return check.seen is not None or bool(check.counterpart)


def _swaps(
    label: Annotation, predicted: Prediction, bodyparts: Sequence[str], pairs: Sequence[tuple[str, str]], length: float
) -> list[LabelCheck]:
    checks = []
    for left, right in pairs:
        a, b = (list(bodyparts).index(name) for name in (left, right))
        if not (label.states[[a, b]] == KeypointState.PLACED).all() or min(predicted.likelihood[[a, b]]) < SURE:
            continue
        as_is = _distance(label.xy[a], predicted.xy[a]) + _distance(label.xy[b], predicted.xy[b])
        exchanged = _distance(label.xy[a], predicted.xy[b]) + _distance(label.xy[b], predicted.xy[a])
        if exchanged < SWAP_GAIN * as_is and as_is > FAR_LENGTHS * length:
            checks.append(_check(label, predicted, a, left, "swapped", as_is / 2, counterpart=right))
    return checks


def _check(
    label: Annotation,
    predicted: Prediction,
    k: int,
    name: str,
    kind: Literal["far", "swapped"],
    distance: float,
    *,
    counterpart: str = "",
) -> LabelCheck:
    x, y = (float(value) for value in label.xy[k])
    seen_x, seen_y = (float(value) for value in predicted.xy[k])
    return LabelCheck(
        label.key,
        name,
        kind,
        x,
        y,
        distance,
        float(predicted.likelihood[k]),
        label.individual,
        (seen_x, seen_y),
        counterpart,
    )


def _distances(label: Annotation, xy: NDArray[np.floating]) -> NDArray[np.float64]:
    apart = np.linalg.norm(label.xy - xy, axis=1)
    return np.where(label.states == KeypointState.PLACED, apart, np.nan)


def _distance(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    return float(np.hypot(*(a - b)))


def _animal_length(labels: Sequence[Annotation]) -> float:
    """Return the median diagonal of the placed keypoints' bounding boxes, px; 0 if no frame has two keypoints."""
    placed = [label.xy[label.states == KeypointState.PLACED] for label in labels]
    lengths = [float(np.hypot(*np.ptp(xy, axis=0))) for xy in placed if len(xy) >= 2]
    return float(np.median(lengths)) if lengths else 0.0
