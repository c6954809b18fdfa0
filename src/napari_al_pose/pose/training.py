"""One training, as a generator that a caller can watch, interrupt and stop between any two steps.

A training starts from the pretrained backbone or fine-tunes the previous model. From the backbone, it sets some labels
aside for the first part: they calibrate the likelihoods and are learnt from afterwards. With many labels, some are set
aside to the end and tell when to stop early. When it fine-tunes, the labels that the previous model has not seen take
that part: they show whether fine-tuning pays, and calibrate the result. Where they leave it in doubt, a short trial
runs both ways.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.pose.batch_sampler import BatchSampler
from napari_al_pose.pose.calibration import Calibration, fit_calibration
from napari_al_pose.pose.frames import LabelledFrame, check_frames, once_each
from napari_al_pose.pose.hard_negatives import find_hard_negatives
from napari_al_pose.pose.mean_teacher import MeanTeacher
from napari_al_pose.pose.model import PoseModel
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.optimisation import EarlyStopping, Optimisation, StepTimer
from napari_al_pose.pose.training_plan import TrainPlan
from napari_al_pose.pose.training_start import TrainingStart, choose_start
from napari_al_pose.pose.training_task import MOST_VALIDATED, TrainingTask, TrainTick, drawn

log = logging.getLogger(__name__)

MEASURES = 10
"""How often the error on the test frames and on the early-stopping frames is measured."""

HARD_NEGATIVES_AT = (0.4, 0.6, 0.8)
"""Shares of the steps after which hard negatives are looked for, in at most `MOST_VALIDATED`."""

UNLABELLED_FROM = 0.6
"""Share of the steps after which unlabelled frames teach as well: the network finds something, and is calibrated."""


def train(
    frames: Sequence[LabelledFrame],
    bodyparts: Sequence[str],
    settings: TrainSettings,
    *,
    initial: PoseModel | None = None,
    holdout: Sequence[LabelledFrame] = (),
    threads: int | None = None,
    plan: TrainPlan | None = None,
    animals: int = 1,
    unique_bodyparts: Sequence[str] = (),
    unlabelled: Iterable[NDArray[np.uint8]] = (),
) -> Generator[TrainTick, str | None, PoseModel]:
    """Train a model on labelled frames.

    Yields a tick before the first step, after each step, and now and then during validation. Closing the generator
    abandons the training; ``send("stop")`` ends it and keeps what was learnt. The generator returns the model (the
    value of ``StopIteration``). The same input, seed and threads give the same model on a CPU.

    Parameters
    ----------
    frames : sequence of LabelledFrame
        To learn from, of any sizes; unfinished ones too.
    bodyparts : sequence of str
        Names along the keypoint axis.
    settings : TrainSettings
        Zeros in it are chosen from the labels.
    initial : PoseModel, optional
        The previous version. It is fine-tuned in fewer steps if backbone and bodyparts are the same and it finds nearly
        all unseen labels, or finds some and is ahead after a trial. Otherwise training starts from the pretrained
        backbone.
    holdout : sequence of LabelledFrame
        To measure on, never learnt from; all of them, about `MEASURES` times.
    threads : int, optional
        Torch's threads from now on; left as they are by default.
    plan : TrainPlan, optional
        Scale, crop and steps; by default chosen from the labels. Fix it to compare trainings.
    animals : int
        Most animals in a frame; above one, the training learns from `LabelledFrame.others` as well.
    unique_bodyparts : sequence of str
        Names along the axis of `LabelledFrame.unique_xy`.
    unlabelled : iterable of uint8 array, (H, W, 3)
        Frames to learn from as well, where the network is sure (`MeanTeacher`); read when they are needed. Only with
        one animal, and once some labels have calibrated the likelihoods.

    Raises
    ------
    AlPoseError
        If the frames can't be trained on, the backbone or device is not available, or training fails twice in the same
        way: the loss is not a number even at a lower rate, or memory is too small even for a smaller batch.
    """
    check_frames(frames, len(bodyparts))
    if threads is not None:
        torch.set_num_threads(max(1, threads))
    frames, doubles = once_each(frames) if animals > 1 else (frames, "")
    task = TrainingTask(frames, bodyparts, settings, animals=animals, unique_bodyparts=unique_bodyparts)
    start = yield from choose_start(task, initial, plan)
    start.plan = replace(start.plan, notice=" ".join(filter(None, (start.plan.notice, doubles))))
    return (yield from _Training(task, holdout, unlabelled).run(start))


class _Training:
    """The steps of one training, once it is known where it starts."""

    def __init__(
        self, task: TrainingTask, holdout: Sequence[LabelledFrame], unlabelled: Iterable[NDArray[np.uint8]]
    ) -> None:
        self._task = task
        self._holdout = holdout
        self._unlabelled = unlabelled

    def run(self, start: TrainingStart) -> Generator[TrainTick, str | None, PoseModel]:
        """Train, and return the model."""
        plan, network, learnt = start.plan, start.network, list(self._task.frames)
        held = [learnt.pop(i) for i in drawn(learnt, plan.n_validation, self._task.settings.seed)]
        sampler = self._task.sampler(plan, learnt)
        optimisation = Optimisation(network, sampler, steps=plan.steps, rate=plan.rate)
        early_stopping = EarlyStopping(optimisation) if held and plan.join_at >= 1 else None
        timer = StepTimer(plan.steps)
        # Crops as large as the frame show all of it, and a network that follows the animal predicts from close by.
        misses_some = plan.window is None and max(plan.crop) < plan.long_side
        mining_steps = {round(share * plan.steps) for share in HARD_NEGATIVES_AT} if misses_some else set()
        tick = TrainTick(0, plan.steps, math.nan, fine_tuned=start.fine_tuned, notice=plan.notice)
        if self._task.request != "stop":
            self._task.request = yield tick
        step = 0
        while step < plan.steps and self._task.request != "stop":
            with timer.timing():
                loss = optimisation.step()
            step += 1
            left, notice = timer.left(), optimisation.notice or plan.notice
            tick = replace(tick, step=step, loss=loss, holdout_error=math.nan, seconds_left=left, notice=notice)
            due = step == plan.steps or step % max(1, plan.steps // MEASURES) == 0
            if self._holdout and due:
                predictions = yield from self._task.validate(network, self._holdout, plan, tick)
                tick = replace(tick, holdout_error=predictions.mean_error)
            if held and (due if early_stopping else step >= round(plan.join_at * plan.steps)):
                predictions = yield from self._task.validate(network, held, plan, tick)
                start.calibration = fit_calibration(predictions.calibration_set(self._task.reference))
                if early_stopping is None:
                    sampler.add(held)
                    learnt, held = learnt + held, []
                elif early_stopping.is_over(predictions.mean_error, done=step / plan.steps):
                    self._task.request = "stop"
            if step in mining_steps and isinstance(sampler, BatchSampler):
                yield from self._add_hard_negatives(network, sampler, learnt, plan, tick)
            if self._unlabelled and step == round(UNLABELLED_FROM * plan.steps) and isinstance(sampler, BatchSampler):
                yield from self._add_unlabelled(start, sampler, tick)
            if self._task.request != "stop":
                self._task.request = yield tick
        if early_stopping is not None:
            early_stopping.restore(network)
        return self._model(start, network, learnt)

    def _model(self, start: TrainingStart, network: PoseNetwork, learnt: Sequence[LabelledFrame]) -> PoseModel:
        """Return the trained model."""
        network.eval().requires_grad_(False)
        plan, seen_before = start.plan, start.previous.learnt if start.previous else frozenset[str]()
        return PoseModel(
            network,
            bodyparts=self._task.bodyparts,
            settings=self._task.settings_of(plan),
            long_side=plan.long_side,
            window=plan.window,
            calibration=start.calibration,
            animals=plan.animals,
            unique_bodyparts=self._task.unique_bodyparts,
            learnt=frozenset(frame.fingerprint for frame in learnt) | seen_before,
        )

    def _add_hard_negatives(
        self,
        network: PoseNetwork,
        sampler: BatchSampler,
        learnt: Sequence[LabelledFrame],
        plan: TrainPlan,
        tick: TrainTick,
    ) -> Generator[TrainTick, str | None, None]:
        """Find places that the network mistakes for the animal, and learn from them."""
        some = [learnt[i] for i in drawn(learnt, MOST_VALIDATED, self._task.settings.seed + tick.step)]
        work = find_hard_negatives(network, some, plan.long_side, max(plan.crop) / 2)
        negatives = yield from self._task.while_ticking(work, tick)
        sampler.add_hard_negatives(negatives)
        log.info("step %s: hard negatives found in %s frames", tick.step, len(negatives))

    def _add_unlabelled(
        self, start: TrainingStart, sampler: BatchSampler, tick: TrainTick
    ) -> Generator[TrainTick, str | None, None]:
        """Find the animal in unlabelled frames, and learn from them; only with calibrated likelihoods."""
        if start.calibration == Calibration():
            return
        plan, seed, rising = start.plan, self._task.settings.seed, (tick.steps - tick.step) // 2
        teacher = MeanTeacher(start.network, self._task.views(plan), start.calibration, rising=rising, seed=seed)
        for _ in teacher.find(self._unlabelled, plan.long_side, plan.window):
            if self._task.request != "stop":
                self._task.request = yield tick
            if self._task.request == "stop":
                return
        if teacher.frames:
            log.info("step %s: learning from %s frames without labels", tick.step, len(teacher.frames))
            sampler.unlabelled = teacher.batch
