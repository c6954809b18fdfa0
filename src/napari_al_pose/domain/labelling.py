"""The rules of labelling: which bodypart comes next, what a guess may fill, which frames are labelled."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain.annotation import Annotation, FrameRole, KeypointState
from napari_al_pose.domain.confidence_threshold import Threshold, is_doubtful
from napari_al_pose.domain.frames import FrameKey
from napari_al_pose.domain.prediction import Prediction


def next_unseen(states: NDArray[np.int8], current: int) -> int | None:
    """Return the next bodypart that nobody has looked at, cycling from ``current``.

    Parameters
    ----------
    states : int8 array, (K,)
        `KeypointState` values.
    current : int
        Index of the bodypart just handled; it comes last.

    Returns
    -------
    int or None
        None if every bodypart was looked at: the frame is complete.
    """
    n = len(states)
    for offset in range(1, n + 1):
        index = (current + offset) % n
        if states[index] == KeypointState.UNSEEN:
            return index
    return None


def first_bodypart(states: NDArray[np.int8]) -> int:
    """Return the bodypart to start with in a frame: the first unseen one, otherwise the first."""
    unseen = np.flatnonzero(states == KeypointState.UNSEEN)
    return int(unseen[0]) if len(unseen) else 0


def bodypart_after_edit(before: NDArray[np.int8], after: NDArray[np.int8], current: int, edited: int) -> int:
    """Return the bodypart to select after an edit.

    Parameters
    ----------
    before, after : int8 array, (K,)
        `KeypointState` values of the frame.
    current, edited : int
        The selected bodypart, and the edited one.

    Returns
    -------
    int
        A cleared bodypart is selected again. Moving a label leaves the selection as it is, and so does any edit while
        the selected bodypart is still unseen. Otherwise the next unseen bodypart is selected; if there is none, the
        frame is complete and the selection stays.
    """
    if after[edited] == KeypointState.UNSEEN:
        return edited
    nothing_new = np.array_equal(before == KeypointState.UNSEEN, after == KeypointState.UNSEEN)
    if nothing_new or after[current] == KeypointState.UNSEEN:
        return current
    following = next_unseen(after, current)
    return current if following is None else following


def bodypart_after_undo(before: NDArray[np.int8], after: NDArray[np.int8], current: int) -> int:
    """Return the bodypart to select after an undo or redo in the same frame.

    A bodypart whose label is gone is selected again; otherwise it is as after the edit itself.
    """
    reopened = np.flatnonzero((before != KeypointState.UNSEEN) & (after == KeypointState.UNSEEN))
    return int(reopened[0]) if len(reopened) else bodypart_after_edit(before, after, current, current)


def neighbour_bodypart(current: int, delta: int, n_bodyparts: int) -> int:
    """Return the bodypart ``delta`` steps further, cycling at the ends."""
    return (current + delta) % n_bodyparts


def open_guess(prediction: Prediction | None, annotation: Annotation) -> Prediction | None:
    """Return the part of ``prediction`` that the user has not labelled yet.

    Returns
    -------
    Prediction or None
        ``xy`` is NaN and ``likelihood`` 0 for labelled bodyparts; None if nothing is left to guess.
    """
    if prediction is None or len(prediction.xy) != len(annotation.states):
        return None
    unseen = annotation.states == KeypointState.UNSEEN
    shown = unseen & np.isfinite(prediction.xy).all(axis=1)
    if not shown.any():
        return None
    xy = np.where(shown[:, None], prediction.xy, np.float32(np.nan)).astype(np.float32)
    likelihood = np.where(shown, prediction.likelihood, 0).astype(np.float32)
    return Prediction(prediction.key, prediction.model_version, xy, likelihood)


def time_to_train(n_new: int, train_after: int) -> bool:
    """Return whether ``n_new`` complete frames since the last training are enough to start the next.

    If ``train_after`` is 0, training never starts by itself.
    """
    return train_after > 0 and n_new >= train_after


# ---- poses as a whole -----------------------------------------------------------------------------


def pose_of(annotation: Annotation, bodyparts: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Return the placed keypoints of an annotation by name, for copying a pose from one frame to another."""
    return {
        name: (float(x), float(y))
        for name, (x, y), state in zip(bodyparts, annotation.xy, annotation.states, strict=True)
        if state == KeypointState.PLACED
    }


def pasted(
    pose: Mapping[str, tuple[float, float]], annotation: Annotation, bodyparts: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """Return the part of ``pose`` that fills bodyparts nobody has looked at; labels are never replaced."""
    unseen = {name for name, state in zip(bodyparts, annotation.states, strict=True) if state == KeypointState.UNSEEN}
    return {name: point for name, point in pose.items() if name in unseen}


def borrowed_guess(pose: Mapping[str, tuple[float, float]], key: FrameKey, bodyparts: Sequence[str]) -> Prediction:
    """Return the pose of another frame as a guess for ``key``, with model version 0, since no model made it."""
    xy = np.array([pose.get(name, (np.nan, np.nan)) for name in bodyparts], np.float32)
    likelihood = np.where(np.isfinite(xy).all(axis=1), np.float32(1), np.float32(0))
    return Prediction(key, 0, xy, likelihood)


def pose_to_move(annotation: Annotation, guess: Prediction | None) -> NDArray[np.float64]:
    """Return the points that move with the whole pose, ``(K, 2)``; NaN for the others.

    These are the labels. In a frame without any, the guess moves and becomes labels. So a half-labelled frame never
    gets labels that nobody confirmed.
    """
    if (annotation.states == KeypointState.PLACED).any() or guess is None:
        return annotation.xy.copy()
    return guess.xy.astype(float)


def shift_inside(xy: NDArray[np.floating], by: tuple[float, float], height: int, width: int) -> NDArray[np.float64]:
    """Return ``(K, 2)`` points moved by ``by``, but no farther than all stay in the image; NaN stays NaN."""
    there = np.isfinite(xy).all(axis=1)
    moved = np.array(xy, float)
    if there.any():
        low, high = moved[there].min(axis=0), moved[there].max(axis=0)
        room_back, room_on = np.minimum(0.0, -low), np.maximum(0.0, np.array([width - 1, height - 1]) - high)
        moved[there] += np.clip(np.asarray(by, float), room_back, room_on)
    return moved


# ---- ways through the frames ----------------------------------------------------------------------


def neighbour_key(keys: Sequence[FrameKey], current: FrameKey, delta: int) -> FrameKey | None:
    """Return the first of the sorted ``keys`` after (``delta`` > 0) or before ``current``; None if there is none."""
    index = bisect_right(keys, current) if delta > 0 else bisect_left(keys, current) - 1
    return keys[index] if 0 <= index < len(keys) else None


def unlabelled_frames(
    *,
    queued: Sequence[FrameKey],
    begun: Collection[FrameKey],
    images: Sequence[FrameKey],
    complete: Collection[FrameKey],
) -> list[FrameKey]:
    """Return the incomplete frames that wait for labels, sorted: suggested, begun, or extracted as images.

    Parameters
    ----------
    queued, begun : collection of FrameKey
        The queue's frames, and those with some labels.
    images : sequence of FrameKey
        Frames of a folder of extracted images. Frames of a video are not listed, since any could be labelled.
    complete : collection of FrameKey
        Frames that no longer wait.
    """
    return sorted({*queued, *begun, *images} - set(complete))


def loop_step(n_frames: int, index: int, bodypart: int, n_bodyparts: int) -> tuple[int, int] | None:
    """Return the frame and the bodypart that follow in loop mode, as indices.

    Next comes the next frame with the same bodypart; after the last frame, the first one with the next bodypart; None
    after the last bodypart in the last frame.
    """
    if index + 1 < n_frames:
        return index + 1, bodypart
    return (0, bodypart + 1) if bodypart + 1 < n_bodyparts else None


def accepted_points(
    guesses: Mapping[str, Prediction | None],
    bodyparts_of: Callable[[str], Sequence[str]],
    thresholds: Mapping[str, Threshold],
) -> dict[tuple[str, str], tuple[float, float] | None]:
    """Return where the guesses are, by individual and bodypart; None for a bodypart that may not be visible.

    Parameters
    ----------
    guesses : mapping of str to Prediction or None
        Of each individual; NaN for what is labelled already.
    bodyparts_of : callable
        Returns the bodyparts of an individual.
    thresholds : mapping of str to float, or to float array, (K,)
        Likelihood from which guesses for each individual are believed.
    """
    found: dict[tuple[str, str], tuple[float, float] | None] = {}
    for who, guess in guesses.items():
        if guess is None:
            continue
        points = zip(bodyparts_of(who), guess.xy.tolist(), is_doubtful(guess, thresholds[who]), strict=True)
        for name, (x, y), doubted in points:
            if doubted:
                found[who, name] = None
            elif math.isfinite(x) and math.isfinite(y):
                found[who, name] = (x, y)
    return found


class LabelTally:
    """Sets of frames that the header, the queue and the timeline count and draw.

    Counting from the label store would read every label at each click; a click changes one frame.

    Parameters
    ----------
    annotations : iterable of Annotation
        All annotations there are, one for each individual in a frame.
    """

    def __init__(self, annotations: Iterable[Annotation] = ()) -> None:
        self.labelled: set[FrameKey] = set()
        self.complete: set[FrameKey] = set()
        self.holdout: set[FrameKey] = set()
        self._begun_or_complete: set[FrameKey] = set()
        frames: dict[FrameKey, list[Annotation]] = {}
        for annotation in annotations:
            frames.setdefault(annotation.key, []).append(annotation)
        for of_frame in frames.values():
            self.update(*of_frame)

    def done(self, ask: str) -> set[FrameKey]:
        """Return the frames that need no more labels.

        Parameters
        ----------
        ask : {"frames", "bodyparts"}
            What the queue asks for. Whole frames are done once they are complete; where only doubtful bodyparts are
            asked for, one label is enough, but for test frames.
        """
        return self.complete if ask == "frames" else self._begun_or_complete

    def n_trainable(self, ask: str) -> int:
        """Return the number of frames that are `done` and that a model may be trained on."""
        done = self.done(ask)
        return len(done) - sum(key in done for key in self.holdout)

    def update(self, *annotations: Annotation) -> None:
        """Take over the present state of one frame: the annotations of all its individuals.

        A frame is complete if at least one individual is labelled, and none is labelled partly.
        """
        begun = [annotation for annotation in annotations if not annotation.is_empty]
        key = annotations[0].key
        self._put(self.labelled, key, member=bool(begun))
        complete = bool(begun) and all(annotation.is_complete for annotation in begun)
        holdout = any(annotation.role is FrameRole.HOLDOUT for annotation in begun)
        self._put(self.complete, key, member=complete)
        self._put(self.holdout, key, member=holdout)
        self._put(self._begun_or_complete, key, member=complete or (bool(begun) and not holdout))

    @staticmethod
    def _put(frames: set[FrameKey], key: FrameKey, *, member: bool) -> None:
        if member:
            frames.add(key)
        else:
            frames.discard(key)
