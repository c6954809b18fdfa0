"""What the window knows of the engine's jobs, as values that each reply moves on."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

from napari_al_pose.domain.views.pose_export import exported_sentence
from napari_al_pose.engine.messages import (
    Adopted,
    Cancelled,
    Died,
    Failed,
    Finished,
    Job,
    OfJob,
    PosesExported,
    Progress,
    Reply,
    Train,
    Trained,
    TrainStep,
    TrialStep,
)

COMPARING = "testing whether to start over"
"""The stage in which both starts are compared."""

AFTERWARDS_SECONDS = 15.0
"""What follows a training (looking at the pool, choosing frames) takes, until one was timed."""
SHARE = 0.25
"""How far a new estimate moves the end: steps differ in length by more than that, and the eye follows the number."""

SHORTEST_SECONDS = 0.5
"""A job that takes longer than was foreseen says nothing rather than "0 s left"."""
LEAST = 0.25
"""Share of a new estimate that is shown at the least: "0 s left" must not stand beside steps that are still to come."""


@dataclass(frozen=True, slots=True)
class TrainingView:
    """The engine's long job: training (with the scoring and ranking after it), or ranking alone.

    Parameters
    ----------
    kind : str
        ``"train"``, ``"rank"``, ``"adopt"``; empty while no long job runs.
    job : int
        The job's number; 0 while none runs.
    stage : str
        What it is doing, in words: ``"training"``, ``"scoring candidate frames"``...; empty while none runs.
    step, steps : int
        Optimiser steps of the last or running training.
    losses : tuple of (int, float)
        ``(step, loss)`` of the last or running training; stays after it, for the plot.
    holdout : tuple of (int, float)
        ``(step, mean error in source pixels)`` on the hold-out frames.
    trial : tuple of (int, float)
        ``(step, loss)`` of the trial of both starts; the second half of ``trial_steps`` is that of starting over.
    trial_steps : int
    part_left, seconds_left : float
        Seconds until the stage, and the whole job, ends; negative while nobody can tell. See `RoundClock`.
    has_trained : bool
        Whether the job's model is on disk.
    done, total : int
        Progress of the stage; ``total`` 0 while unknown.
    sentence : str
        The last thing that happened, for the user: "Training cancelled, the old model stays."
    """

    kind: str = ""
    job: int = 0
    stage: str = ""
    step: int = 0
    steps: int = 0
    losses: tuple[tuple[int, float], ...] = ()
    holdout: tuple[tuple[int, float], ...] = ()
    trial: tuple[tuple[int, float], ...] = ()
    trial_steps: int = 0
    part_left: float = -1.0
    seconds_left: float = -1.0
    has_trained: bool = False
    done: int = 0
    total: int = 0
    sentence: str = ""

    @property
    def running(self) -> bool:
        """Whether a training (or the ranking that ends it) runs."""
        return self.kind == "train"

    @property
    def busy(self) -> bool:
        """Whether any long job runs."""
        return bool(self.kind)

    @property
    def is_trying(self) -> bool:
        """Whether both starts are being compared: nothing of that is kept."""
        return self.kind == "train" and self.stage == COMPARING

    @property
    def can_stop_and_keep(self) -> bool:
        """Whether there is something learnt and not yet kept."""
        return self.kind == "train" and self.stage == "training"


def started(view: TrainingView, request: Job) -> TrainingView:
    """Return the view with the job that was asked for running; a new training starts with empty curves."""
    if isinstance(request, Train):
        view = TrainingView()
    return replace(
        view,
        kind=request.kind,
        job=request.job,
        stage=request.doing,
        part_left=-1.0,
        seconds_left=-1.0,
        has_trained=False,
        done=0,
        total=0,
        sentence="",
    )


def ended(view: TrainingView, sentence: str) -> TrainingView:
    """Return the view with no job running; the curves stay."""
    return replace(
        view, kind="", job=0, stage="", part_left=-1.0, seconds_left=-1.0, done=0, total=0, sentence=sentence
    )


def advanced(view: TrainingView, reply: Reply) -> TrainingView:
    """Return the view after ``reply``; replies of other jobs change nothing."""
    if isinstance(reply, Died):
        return ended(
            view, "The training ended with the engine; the previous model stays in use." if view.running else ""
        )
    if not view.busy or not isinstance(reply, OfJob) or reply.job != view.job:
        return view
    match reply:
        case TrainStep():
            return _after_step(view, reply)
        case Progress():
            return replace(view, stage=reply.stage, done=reply.done, total=reply.total, part_left=reply.seconds_left)
        case TrialStep():
            return replace(
                view,
                stage=COMPARING,
                trial=(*view.trial, (reply.step, reply.loss)),
                trial_steps=reply.steps,
                part_left=reply.seconds_left,
                done=reply.step,
                total=reply.steps,
            )
        case Trained():
            return replace(
                view,
                stage="scoring candidate frames",
                holdout=_ended_at(view, reply),
                has_trained=True,
                done=0,
                total=0,
                part_left=-1.0,
                sentence=_trained_sentence(reply),
            )
        case Adopted():
            return replace(
                view,
                stage="scoring candidate frames",
                done=0,
                total=0,
                part_left=-1.0,
                sentence=f"Model {reply.model_version} is the {reply.network} trained by another program.",
            )
        case Finished():
            return ended(view, view.sentence)
        case Cancelled():
            kept = "Training cancelled; the previous model stays in use." if view.kind == "train" else "Cancelled."
            return ended(view, kept)
        case Failed():
            return ended(
                view, "The training ended with the engine; the previous model stays in use." if view.running else ""
            )
    return view


def _after_step(view: TrainingView, reply: TrainStep) -> TrainingView:
    losses, holdout = view.losses, view.holdout
    if math.isfinite(reply.loss):
        losses = (*losses, (reply.step, reply.loss))
    if math.isfinite(reply.holdout_error):
        holdout = (*holdout, (reply.step, reply.holdout_error))
    return replace(
        view,
        stage="training",
        step=reply.step,
        steps=reply.steps,
        losses=losses,
        holdout=holdout,
        part_left=reply.seconds_left,
        done=reply.step,
        total=reply.steps,
    )


def _ended_at(view: TrainingView, reply: Trained) -> tuple[tuple[int, float], ...]:
    """Return the error curve with the kept model's error at its end; that may be the model of an earlier step."""
    error = reply.round.holdout
    before = tuple((step, value) for step, value in view.holdout if step < view.step)
    return view.holdout if error is None or not math.isfinite(error.mean) else (*before, (view.step, error.mean))


def _trained_sentence(reply: Trained) -> str:
    outcome = reply.round
    how = "stopped early and kept" if reply.stopped_early else "trained"
    sentence = f"Model {outcome.number} {how} on {outcome.n_train} frames."
    if outcome.holdout is not None:
        sentence += f" Mean error {outcome.holdout.mean:.1f} px on {outcome.holdout.n_frames} test frames."
    return sentence


class RoundClock:
    """Adds to a part's own estimate what the parts after it took last time, and smooths the sum."""

    def __init__(self) -> None:
        self._job = 0
        self._ends_at = math.nan
        self._trained_at = math.nan
        self._afterwards = AFTERWARDS_SECONDS

    def timed(self, view: TrainingView, now: float) -> TrainingView:
        """Return the view with the time left for the whole job in place of that of its part.

        Parameters
        ----------
        view : TrainingView
            Just moved on by a reply of the engine.
        now : float
            Seconds, of a clock that never goes back.
        """
        if view.job != self._job:
            if math.isfinite(self._trained_at):
                self._afterwards = max(1.0, now - self._trained_at)
            self._job, self._ends_at, self._trained_at = view.job, math.nan, math.nan
        if not view.busy:
            return view
        if view.has_trained and math.isnan(self._trained_at):
            self._trained_at = now
        left = self._left(view, now)
        if left < 0 and not view.running:
            self._ends_at = math.nan  # a part nobody can time yet, of a job whose other parts are not known
        if left >= 0:
            end = now + left
            smoothed = end if math.isnan(self._ends_at) else self._ends_at + SHARE * (end - self._ends_at)
            self._ends_at = max(smoothed, now + LEAST * left)
        left = self._ends_at - now
        return replace(view, seconds_left=left if left >= SHORTEST_SECONDS else -1.0)  # not a number: nobody can tell

    def _left(self, view: TrainingView, now: float) -> float:
        """Return what this part and those after it take by what is known now; negative while nobody can tell."""
        part = view.part_left
        if not view.running:
            return part
        if not view.has_trained:
            # Before the first step, a part only knows its own end, and the training is the longest by far.
            is_timed = part >= 0 and bool(view.steps or view.trial_steps)
            return part + self._afterwards if is_timed else -1.0
        return max(part, self._afterwards - (now - self._trained_at), 0.0)


STOPPED = "Stopped. Finished predictions are kept: export again to continue."


@dataclass(frozen=True, slots=True)
class ExportView:
    """The export that runs, or what came of the last one.

    Parameters
    ----------
    job : int
        The job's number; 0 while none runs.
    stage : str
        What it is doing, in words.
    done, total : int
        Progress of the stage; ``total`` 0 while unknown.
    seconds_left : float
        Negative while nobody can tell.
    sentence : str
        How the last export ended, for the user.
    folder : str
        Where its files are; empty where they lie in several, or there are none.
    failed : bool
        Whether it ended in an error.
    """

    job: int = 0
    stage: str = ""
    done: int = 0
    total: int = 0
    seconds_left: float = -1.0
    sentence: str = ""
    folder: str = ""
    failed: bool = False

    @property
    def busy(self) -> bool:
        """Whether an export runs."""
        return self.job > 0


def advanced_export(view: ExportView, reply: Reply) -> ExportView:
    """Return the view after ``reply``; replies of other jobs change nothing."""
    if isinstance(reply, Died):
        return ExportView(sentence=STOPPED) if view.busy else view
    if not view.busy or not isinstance(reply, OfJob) or reply.job != view.job:
        return view
    match reply:
        case Progress():
            return replace(view, stage=reply.stage, done=reply.done, total=reply.total, seconds_left=reply.seconds_left)
        case PosesExported():
            sentence = exported_sentence(len(reply.videos), reply.paths)
            folders = {str(Path(path).parent) for path in reply.paths}
            folder = folders.pop() if len(folders) == 1 else ""
            return replace(view, sentence=f"{sentence} {reply.notice}".strip(), folder=folder)
        case Finished():
            return ExportView(sentence=view.sentence, folder=view.folder)
        case Cancelled():
            return ExportView(sentence=STOPPED)
        case Failed():
            return ExportView(sentence=f"{reply.message} {reply.hint}".strip(), failed=True)
    return view
