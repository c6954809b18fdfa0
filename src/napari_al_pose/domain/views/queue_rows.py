"""What the queue panel shows."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from napari_al_pose.domain.annotation import Annotation, FrameRole
from napari_al_pose.domain.asked_bodyparts import asked_bodyparts, is_whole_frame
from napari_al_pose.domain.confidence_threshold import Thresholds
from napari_al_pose.domain.frames import FrameKey
from napari_al_pose.domain.prediction import Prediction
from napari_al_pose.domain.skeleton import SINGLE_INDIVIDUAL
from napari_al_pose.domain.suggestion import Suggestion
from napari_al_pose.domain.views.formatting import duration, number, time_left
from napari_al_pose.domain.wording import counted


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One line of the queue panel.

    Parameters
    ----------
    key : FrameKey
    title, detail : str
        The video, and the frame number in words.
    score : str
        The score as text; "random" for a hold-out frame and for others that were drawn, which nobody scored.
    fraction : float
        The score's length as a bar, in [0, 1] of the best in the queue.
    is_done, is_holdout, is_current : bool
        Needs no more labels; drawn to measure the error on; in front of the user.
    tooltip : str
    """

    key: FrameKey
    title: str
    detail: str
    score: str
    fraction: float
    is_done: bool
    is_holdout: bool
    is_current: bool
    tooltip: str


@dataclass(frozen=True, slots=True, eq=False)
class AskedBodyparts:
    """What is known of the bodyparts that a queue of bodyparts asks for.

    Parameters
    ----------
    predictions : mapping of FrameKey to Prediction
        By the newest model.
    thresholds : Thresholds
        Likelihoods from which its guesses are believed.
    individual : str
        Name of the animal. How much is asked of frames with several is not told.
    """

    predictions: Mapping[FrameKey, Prediction]
    thresholds: Thresholds
    individual: str = SINGLE_INDIVIDUAL

    def words(self, row: int, suggestion: Suggestion) -> str:
        """Return how much of a frame is asked for; "" if that is not known yet."""
        guess = self.predictions.get(suggestion.key)
        if is_whole_frame(row, suggestion.role):
            return "whole frame"
        if guess is None or len(guess.poses[0]) != 1:
            return ""
        unlabelled = Annotation.empty(guess.key, len(guess.xy), self.individual)
        n = len(asked_bodyparts(unlabelled, guess, self.thresholds.for_bodyparts(len(guess.xy))))
        return counted(n, "bodypart") if n else "none in doubt"


def queue_rows(
    suggestions: Sequence[Suggestion],
    done: Collection[FrameKey],
    current: FrameKey | None,
    holdout: Collection[FrameKey] = (),
    *,
    asked: AskedBodyparts | None = None,
) -> tuple[QueueRow, ...]:
    """Return one row per suggestion, in the queue's order.

    ``holdout`` are labelled frames marked as such; ``asked`` is given where only some bodyparts are asked for.
    """
    finite = [s.score for s in suggestions if math.isfinite(s.score)]
    low, high = min([0.0, *finite]), max(finite, default=0.0)
    return tuple(
        _row(
            s,
            low,
            high,
            is_done=s.key in done,
            is_current=s.key == current,
            is_holdout=s.role is FrameRole.HOLDOUT or s.key in holdout,
            asked="" if asked is None else asked.words(i, s),
        )
        for i, s in enumerate(suggestions)
    )


def queue_progress(rows: Sequence[QueueRow]) -> str:
    """Return how far the user is: "3 of 20 done"."""
    return f"{sum(row.is_done for row in rows)} of {len(rows)} done" if rows else ""


def queue_empty_text(
    *, engine_state: str, model_version: int, busy: bool, why: str = "", has_videos: bool = True
) -> str:
    """Return what an empty queue says, which is always what happens or what to do next.

    ``why`` is what the last ranking said of choosing nothing, ``has_videos`` whether there is anything to choose from.
    """
    if not has_videos:
        return "The project's videos and images can't be found.\nPut them back and open it again, or add a video."
    if engine_state in ("off", "dead"):
        return "No suggestions: the engine is not running.\nRestart it below. You can label meanwhile."
    if engine_state in ("starting", "working") or busy:
        return "Choosing frames worth labelling…\nYou can label any frame meanwhile."
    if why:
        return why
    if model_version == 0:
        return "No frames chosen yet.\nChoose a strategy above to get a first batch."
    return "The queue is done.\nPress Train to train on your labels and get new frames."


@dataclass(frozen=True, slots=True)
class QueueEnd:
    """What follows once no frame of the queue is left to label.

    Parameters
    ----------
    sentence : str
        For the strip above the canvas; ``{learn}`` stands for the key that starts a training.
    short : str
        The same in the place of the button for the next frame, where a third of the words fits.
    """

    sentence: str
    short: str


def queue_end(
    *,
    engine_state: str,
    job: str,
    will_train: bool,
    seconds_left: float,
    read_only: bool = False,
    n_trainable: int = 1,
    why_empty: str = "",
) -> QueueEnd:
    """Return what follows the last frame of the queue: what happens, or what to do.

    Parameters
    ----------
    engine_state : str
        "off", "starting", "ready", "working" or "dead".
    job : str
        The engine's long job: "train", "rank"...; "" for none.
    will_train : bool
        Whether a training follows the present job by itself.
    seconds_left : float
        Of that job; negative while nobody can tell.
    read_only : bool
        Whether nothing can be trained here.
    n_trainable : int
        Labelled frames that are no test frames.
    why_empty : str
        What the last ranking said of choosing nothing; "" if it chose frames.
    """
    if read_only:
        return _queue_done("This project is read-only here, so no new frames follow.", "Read-only: no new frames")
    if engine_state in ("off", "dead"):
        return _queue_done("Restart the engine to train.", "Restart the engine to train")
    if job == "train":
        training = f"Training, about {duration(seconds_left)}" if time_left(seconds_left) else "Training"
        return _queue_done(f"{training}; new frames follow.", f"{training}…")
    if will_train:
        return _queue_done("Training starts soon; new frames follow.", "Training starts soon…")
    if job in ("rank", "adopt"):
        return _queue_done("Choosing new frames…", "Choosing new frames…")
    if why_empty:
        return _queue_done(why_empty, "Nothing is left to choose")
    if n_trainable == 0:
        return _queue_done("Label another frame, to have one to train on.", "Label another frame")
    return _queue_done("Press {learn} to train; new frames follow.", "Press {learn} to train")


def _queue_done(sentence: str, short: str) -> QueueEnd:
    return QueueEnd(f"Queue done. {sentence}", short)


def _row(
    suggestion: Suggestion, low: float, high: float, *, is_done: bool, is_current: bool, is_holdout: bool, asked: str
) -> QueueRow:
    scored = math.isfinite(suggestion.score) and not is_holdout
    fraction = min(1.0, max(0.0, (suggestion.score - low) / (high - low))) if scored and high > low else 0.0
    return QueueRow(
        key=suggestion.key,
        title=suggestion.key.video,
        detail=f"frame {suggestion.key.frame}" + (f", {asked}" if asked else ""),
        score=_score_text(suggestion, scored=scored, is_holdout=is_holdout),
        fraction=fraction,
        is_done=is_done,
        is_holdout=is_holdout,
        is_current=is_current,
        tooltip=_tooltip(suggestion, is_done=is_done, is_holdout=is_holdout),
    )


def _score_text(suggestion: Suggestion, *, scored: bool, is_holdout: bool) -> str:
    if is_holdout or (not scored and suggestion.strategy == "random"):
        return "random"
    return number(suggestion.score) if scored else ""


def _tooltip(suggestion: Suggestion, *, is_done: bool, is_holdout: bool) -> str:
    lines = [f"{suggestion.key.video}, frame {suggestion.key.frame}"]
    if is_holdout:
        lines.append("Test frame: drawn at random to measure the error, never used for training.")
    elif suggestion.sentence:
        lines.append(suggestion.sentence)
    origin = f"model {suggestion.model_version}" if suggestion.model_version else "no model yet"
    lines.append(f"Chosen by {suggestion.strategy}, {origin}.")
    if is_done:
        lines.append("Done.")
    return "\n".join(lines)
