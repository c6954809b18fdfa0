"""What the training panel says: what to press, how far it is, whether more labels help."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from napari_al_pose.domain.suggestion import ErrorSummary, Round
from napari_al_pose.domain.views.formatting import number, time_left
from napari_al_pose.domain.wording import counted

LITTLE_CHANGE = 0.05
"""A drop of the error by less than this share over two rounds is called little."""

WIDE_INTERVAL = 0.25
"""An interval whose half width exceeds this share of the mean can't tell a small gain from none."""


SMALL_GAP = 0.08
"""Likelihoods this close to the share that is right, on average, are taken at their word."""


@dataclass(frozen=True, slots=True)
class TrainView:
    """State of the button *Train*.

    Parameters
    ----------
    text : str
        Beside the button: how many new frames there are, or what is in the way.
    done, total : int
        New complete frames, and how many start a training by themselves; total 0 draws no bar.
    can_train, can_restart : bool
        Which buttons work.
    """

    text: str
    done: int
    total: int
    can_train: bool
    can_restart: bool


@dataclass(frozen=True, slots=True)
class ErrorCurve:
    """Mean hold-out error in source pixels against labelled frames, with its 95 % interval.

    ``rounds`` numbers the rounds; ``labels`` may also be other efforts than frames.
    """

    labels: tuple[float, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    rounds: tuple[int, ...] = ()


def train_view(
    *, engine_state: str, busy: bool, read_only: bool, n_new: int, n_trainable: int, n_complete: int, train_after: int
) -> TrainView:
    """Return what the button *Train* offers.

    Parameters
    ----------
    engine_state : str
        "off", "starting", "ready", "working" or "dead".
    busy : bool
        Whether a training or another long job runs.
    read_only : bool
        Whether the project is open elsewhere or can't be written.
    n_new : int
        Complete frames since the last training.
    n_trainable : int
        Complete frames a model may be trained on: all but those to measure on.
    n_complete : int
        With those.
    train_after : int
        New complete frames after which training starts by itself; 0 never does.
    """
    up = engine_state in ("ready", "working")
    text = _train_text(engine_state, read_only, n_new, n_trainable, n_complete, train_after)
    return TrainView(
        text=text,
        done=min(n_new, train_after) if train_after else 0,
        total=train_after if up else 0,
        can_train=up and not busy and not read_only and n_trainable > 0,
        can_restart=engine_state in ("off", "dead"),
    )


def _train_text(
    engine_state: str, read_only: bool, n_new: int, n_trainable: int, n_complete: int, train_after: int
) -> str:
    if read_only:
        return "Read-only: nothing can be trained here"
    if engine_state == "dead":
        return "The engine stopped; labels are safe"
    if engine_state == "off":
        return "The engine is not running"
    if engine_state == "starting":
        return "The engine is starting…"
    if n_trainable == 0:
        return "Only test frames are labelled so far" if n_complete else "Label a frame completely to start"
    if train_after and n_new >= train_after:
        return f"{counted(n_new, 'new frame')} to train on"
    if train_after:
        return f"{n_new} of {counted(train_after, 'new frame')}"
    return f"{counted(n_new, 'new frame')} since the last training"


FEW_LABELS = 10
"""Complete frames from which a first training is worth its time where none is due by itself."""


def labels_to_offer(n_trainable: int, n_complete: int, train_after: int) -> int:
    """Return how many labelled frames a project came with that a first training is offered for; 0 for none.

    Parameters
    ----------
    n_trainable, n_complete : int
        Complete frames to train on, and all of them: some are kept to measure on.
    train_after : int
        New frames after which training starts by itself: with fewer, there is nothing to offer.
    """
    return n_complete if n_trainable >= (train_after or FEW_LABELS) else 0


def training_sentence(*, stage: str, step: int, steps: int, done: int, total: int, seconds_left: float) -> str:
    """Return the progress bar's text: "Training, step 40 of 150, 25 s left"."""
    parts = [stage[:1].upper() + stage[1:] if stage else "Working"]
    if steps > 0 and stage.lower().startswith("train"):
        parts.append(f"step {step} of {steps}")
    elif total > 1:
        parts.append(f"{done} of {total}")
    left = time_left(seconds_left)
    return ", ".join([*parts, left] if left else parts)


@dataclass(frozen=True, slots=True)
class StopView:
    """The buttons that end a long job.

    Parameters
    ----------
    shows_keep : bool
        Whether "Stop and keep" has a place: while a model is being trained.
    cancel, tooltip : str
        What the other button says and means.
    keep_tooltip : str
        What "Stop and keep" does, or why it waits.
    """

    shows_keep: bool
    cancel: str
    tooltip: str
    keep_tooltip: str = ""


NO_TEST_FRAMES = "No error yet: it is measured on test frames. Label those that the queue brings."
NEXT_IS_MEASURED = "No error yet: the next model is measured on your test frames."

KEEP = "End now and use the model as it is"
NOTHING_TO_KEEP = "Nothing to keep yet: this only tests which start is better. Training follows."


def stop_view(*, kind: str, has_trained: bool, is_trying: bool = False) -> StopView:
    """Return how the long job ``kind`` ("train", "rank", "adopt", "map", "predict") can be ended.

    ``has_trained`` says that the training's model is already on disk and only the queue is still being ranked;
    ``is_trying``, that both starts of the training are being compared.
    """
    if kind == "train" and not has_trained:
        keep = NOTHING_TO_KEEP if is_trying else KEEP
        return StopView(True, "Cancel and discard", "End now; the previous model stays in use", keep)
    if kind == "predict":
        return StopView(False, "Cancel", "End now and write nothing")
    if kind == "map":
        return StopView(False, "Cancel the map", "End now; the queue stays as it is")
    if kind == "adopt":
        return StopView(False, "Cancel", "End now; the queue stays as it is")
    return StopView(False, "Cancel the ranking", "End now; the queue stays as it is")


def error_curve(rounds: Sequence[Round]) -> ErrorCurve:
    """Return the rounds that were measured as one curve."""
    measured = [(r, r.holdout) for r in rounds if r.holdout is not None and math.isfinite(r.holdout.mean)]
    return ErrorCurve(
        labels=tuple(one.n_train for one, _ in measured),
        mean=tuple(error.mean for _, error in measured),
        low=tuple(_or_mean(error.low, error) for _, error in measured),
        high=tuple(_or_mean(error.high, error) for _, error in measured),
        rounds=tuple(one.number for one, _ in measured),
    )


def learning_verdict(rounds: Sequence[Round]) -> str:
    """Return in plain words whether more labels help.

    The last measured round is compared with the one two before it (or the first): a gain or loss larger than the
    last interval's half width counts as real; a change under 5 % that a narrow interval (half width within a
    quarter of the mean) could have shown counts as little; anything else can't be told apart yet.
    """
    measured = [r.holdout for r in rounds if r.holdout is not None and math.isfinite(r.holdout.mean)]
    if not rounds:
        return "The error on test frames appears here after the first round."
    if not measured:
        return NO_TEST_FRAMES
    last = measured[-1]
    state = f"{last.mean:.1f} px mean error on {counted(last.n_frames, 'test frame')}."
    if len(measured) < 3:
        return f"{state} A trend shows after three rounds."
    return f"{state} {_trend(measured[-3], last)}"


def bodypart_errors(rounds: Sequence[Round]) -> tuple[str, ...]:
    """Return the newest model's error of each bodypart on test frames, the worst first: "tail tip 21.3 px"."""
    last = rounds[-1].holdout if rounds else None
    errors = () if last is None else last.per_bodypart
    return tuple(f"{name} {number(error)} px" for name, error in sorted(errors, key=lambda each: (-each[1], each[0])))


@dataclass(frozen=True, slots=True)
class ReliabilityView:
    """How often keypoints of each likelihood are right: a curve, and what it means in a sentence."""

    likelihoods: tuple[float, ...]
    found: tuple[float, ...]
    sentence: str


def reliability_view(rounds: Sequence[Round]) -> ReliabilityView:
    """Return the newest model's reliability on hold-out frames."""
    if not rounds:
        return ReliabilityView((), (), "How far you can trust likelihoods appears here after the first round.")
    reliability = rounds[-1].reliability
    if reliability is None:
        return ReliabilityView((), (), "Label a test frame to check the likelihoods on.")
    n_keypoints = sum(n for _, _, n in reliability.bins)
    likelihood = sum(value * n for value, _, n in reliability.bins) / n_keypoints
    found = sum(value * n for _, value, n in reliability.bins) / n_keypoints
    gap = reliability.expected_error
    words = "right as often as they say" if gap <= SMALL_GAP else "too careful" if found > likelihood else "too sure"
    return ReliabilityView(
        tuple(value for value, _, _ in reliability.bins),
        tuple(value for _, value, _ in reliability.bins),
        f"Likelihoods are {words}: {100 * gap:.0f} % off on average, on {counted(n_keypoints, 'test keypoint')}.",
    )


def model_line(rounds: Sequence[Round]) -> str:
    """Return the newest model and how good it is: "Model 3: error 11.1 px"; before there is a model, nothing."""
    if not rounds:
        return ""
    last = rounds[-1]
    if last.holdout is not None and math.isfinite(last.holdout.mean):
        return f"Model {last.number}: error {last.holdout.mean:.1f} px"
    return f"Model {last.number}, from {counted(last.n_train, 'frame')}" if last.n_train else f"Model {last.number}"


def model_sentence(rounds: Sequence[Round]) -> str:
    """Return what the newest model sees and where it began: "Model 3 sees 384 x 288 px, continued from model 2".

    Or, where it follows the animal: "Model 3 looks at a 320 px window around the animal, at scale 0.5, ...".
    """
    if not rounds or rounds[-1].input_size == (0, 0):
        return ""
    last = rounds[-1]
    height, width = last.input_size
    anew = "started over" if len(rounds) > 1 else "trained from the start"
    begun = f"continued from model {last.started_from}" if last.started_from else anew
    if last.window:
        seen = f"looks at a {last.window} px window around the animal, at scale {last.scale:.2g}"
        return f"Model {last.number} {seen}, {begun}"
    return f"Model {last.number} sees {width} × {height} px, {begun}"


def _trend(before: ErrorSummary, last: ErrorSummary) -> str:
    half_width = (last.high - last.low) / 2
    gain = before.mean - last.mean
    if not math.isfinite(half_width):
        return "Too few test frames to tell more."
    if gain > half_width:
        return "Still improving: more labels help."
    if -gain > half_width:
        return "The error rose: check the newest labels."
    if gain < LITTLE_CHANGE * before.mean and half_width <= WIDE_INTERVAL * last.mean:
        return "More labels change little."
    return "Too uncertain to tell: label more test frames."


def _or_mean(bound: float, error: ErrorSummary) -> float:
    return bound if math.isfinite(bound) else error.mean
