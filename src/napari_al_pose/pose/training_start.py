"""Where a training starts: from the previous model, or afresh from the pretrained backbone.

Labels that the previous model has not seen tell: it is fine-tuned if it finds nearly all of them. If it finds some, a
short trial runs both ways.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_al_pose.pose.calibration import Calibration, fit_calibration
from napari_al_pose.pose.frames import LabelledFrame
from napari_al_pose.pose.model import PoseModel
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.optimisation import Optimisation, StepTimer
from napari_al_pose.pose.training_plan import TrainPlan, fine_tuning_plan, make_plan
from napari_al_pose.pose.training_task import MOST_VALIDATED, TrainingTask, TrainTick, drawn
from napari_al_pose.pose.validation import validate

log = logging.getLogger(__name__)

USABLE = 0.2
"""Share of unseen keypoints that a model must find to be fine-tuned; a bare backbone finds next to none."""

SURE = 0.9
"""Share from which a model is fine-tuned without a trial."""

TRIAL_STEPS, AHEAD = 30, 0.75
"""Steps of a trial either way, and the largest ratio of median errors, fine-tuned over started afresh, at which
fine-tuning wins. Models with a smaller lead ended behind, because what few steps taught them is in the way
(``docs/pose.md``)."""


@dataclass(slots=True)
class TrainingStart:
    """What a training starts from."""

    network: PoseNetwork
    plan: TrainPlan
    calibration: Calibration
    previous: PoseModel | None = None

    @property
    def fine_tuned(self) -> bool:
        """Whether the training fine-tunes the previous model."""
        return self.previous is not None


def choose_start(
    task: TrainingTask, initial: PoseModel | None, fixed: TrainPlan | None
) -> Generator[TrainTick, str | None, TrainingStart]:
    """Fine-tune ``initial`` if that pays, or start from the pretrained backbone.

    Parameters
    ----------
    task : TrainingTask
        What is to be learnt.
    initial : PoseModel or None
        The previous version.
    fixed : TrainPlan or None
        The caller's plan; with one, there is no trial.
    """
    plan = fixed or make_plan(task.frames, task.settings, animals=task.animals, n_unique=len(task.unique_bodyparts))
    fits = (
        initial is not None
        and (initial.bodyparts, initial.unique_bodyparts) == (task.bodyparts, task.unique_bodyparts)
        and initial.settings.backbone == task.settings.backbone
        and (initial.window is None) == (plan.window is None)
        and (initial.animals is None) == (plan.animals is None)
    )
    if initial is None or not fits:
        return TrainingStart(task.network(None), plan, Calibration())
    network, calibration = task.network(initial), initial.calibration
    unseen = [frame for frame in task.frames if frame.fingerprint not in initial.learnt]
    share = len(unseen) / len(task.frames)
    shorter = fixed or fine_tuning_plan(plan, initial.long_side, initial.window, task.settings, new_share=share)
    # Early models kept no fingerprints: such a model may have seen all of the labels.
    if unseen and initial.learnt and fixed is None:
        waiting = TrainTick(0, shorter.steps, math.nan)
        some = unseen[:MOST_VALIDATED]
        work = validate(network, some, initial.long_side, initial.window, animals=initial.animals)
        predictions = yield from task.while_ticking(work, waiting)
        given = predictions.calibration_set(task.reference)
        found = float(np.average(given.found, weights=given.weights)) if len(given.found) else 1.0
        log.info("the previous model finds %s of the new labels", round(found, 2))
        if found < USABLE or (found < SURE and not (yield from _is_ahead(task, initial, shorter, plan, unseen))):
            log.info("training starts from the pretrained backbone")
            return TrainingStart(task.network(None), plan, Calibration())
        calibration = fit_calibration(given, before=calibration)
    return TrainingStart(network, replace(shorter, n_validation=0), calibration, initial)


def _is_ahead(
    task: TrainingTask, initial: PoseModel, shorter: TrainPlan, full: TrainPlan, unseen: Sequence[LabelledFrame]
) -> Generator[TrainTick, str | None, bool]:
    """Return whether fine-tuning is clearly ahead after a trial, measured on half of the labels new to both."""
    count = min(MOST_VALIDATED, math.ceil(len(unseen) / 2))
    judging = [unseen[i] for i in drawn(unseen, count, task.settings.seed)]
    rest = [frame for frame in task.frames if frame not in judging]
    if not judging or not any(frame.animals for frame in rest):
        return True
    steps = min(TRIAL_STEPS, shorter.steps)
    timer, errors = StepTimer(2 * steps), []
    for previous, plan in ((initial, shorter), (None, full)):
        network = task.network(previous)
        optimisation = Optimisation(network, task.sampler(plan, rest), steps=steps, rate=plan.rate)
        for _ in range(steps):
            if task.request == "stop":
                return True
            with timer.timing():
                loss = optimisation.step()
            # The longer of both trainings may follow: it is better that time is left over than that it grows.
            left = timer.left() + timer.seconds_per_step * max(shorter.steps, full.steps)
            tick = TrainTick(0, shorter.steps, loss, seconds_left=left, tried=timer.done, to_try=2 * steps)
            task.request = yield tick
        predictions = yield from task.validate(network, judging, plan, tick)
        errors.append(predictions.median_error)
    log.info("after the trial the median error is %s px fine-tuned and %s px from the backbone", *errors)
    return task.request == "stop" or errors[0] <= AHEAD * errors[1]
