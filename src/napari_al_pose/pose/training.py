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
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from napari_al_pose.domain.mirroring import is_found, mirror_order, read_pairs
from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.pose.animal_batch_sampler import AnimalBatchSampler
from napari_al_pose.pose.augmentation import Views
from napari_al_pose.pose.batch_sampler import BatchSampler
from napari_al_pose.pose.calibration import Calibration, fit_calibration
from napari_al_pose.pose.device import resolve_device
from napari_al_pose.pose.frames import LabelledFrame, check_frames, once_each
from napari_al_pose.pose.hard_negatives import find_hard_negatives
from napari_al_pose.pose.mean_teacher import MeanTeacher
from napari_al_pose.pose.metrics import reference_length
from napari_al_pose.pose.model import PoseModel
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.optimisation import EarlyStopping, Optimisation, StepTimer
from napari_al_pose.pose.training_plan import TrainPlan, fine_tuning_plan, make_plan
from napari_al_pose.pose.unique_bodyparts import usual_places
from napari_al_pose.pose.validation import ValidationPredictions, validate

log = logging.getLogger(__name__)

MEASURES = 10
"""How often the error on the test frames and on the early-stopping frames is measured."""

ASKED_FRAMES = 24
"""Most frames that one validation or one search for hard negatives looks at."""

USABLE = 0.2
"""Share of unseen keypoints that a model must find to be fine-tuned; a bare backbone finds next to none."""

SURE = 0.9
"""Share from which a model is fine-tuned without a trial."""

TRIAL_STEPS, AHEAD = 30, 0.75
"""Steps of a trial either way, and the largest ratio of median errors, fine-tuned over started afresh, at which
fine-tuning wins. Models with a smaller lead ended behind, because what few steps taught them is in the way
(``docs/pose.md``)."""

HARD_NEGATIVES_AT = (0.4, 0.6, 0.8)
"""Shares of the steps after which hard negatives are looked for, in at most `ASKED_FRAMES`."""

UNLABELLED_FROM = 0.6
"""Share of the steps after which unlabelled frames teach as well: the network finds something, and is calibrated."""

FULL_TURN = 90.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TrainTick:
    """How far a training is.

    Parameters
    ----------
    step, steps : int
        Optimiser steps done and planned; 0 before the first.
    loss : float
        Of the last step; NaN before the first.
    holdout_error : float
        Mean error on hold-out frames in source pixels; NaN on ticks without a measurement.
    seconds_left : float
        Of all steps that follow, those after a trial as well; negative while it is unknown.
    fine_tuned : bool
        Whether the training fine-tunes the previous model.
    notice : str
        What had to be reduced because memory is short, and which labels are left out, for the user; empty if nothing.
    tried, to_try : int
        Steps done and planned of the trial that decides where to start; it runs before the training's own steps.
        The first half of them fine-tunes, the second starts over; ``loss`` is that of the step.
    """

    step: int
    steps: int
    loss: float
    holdout_error: float = math.nan
    seconds_left: float = -1.0
    fine_tuned: bool = False
    notice: str = ""
    tried: int = 0
    to_try: int = 0


@dataclass(slots=True)
class _Start:
    """What a training starts from."""

    network: PoseNetwork
    plan: TrainPlan
    calibration: Calibration
    previous: PoseModel | None = None

    @property
    def fine_tuned(self) -> bool:
        """Whether the training fine-tunes the previous model."""
        return self.previous is not None


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
    training = _Training(frames, bodyparts, settings, holdout, animals, unique_bodyparts, unlabelled)
    start = yield from training.start(initial, plan)
    start.plan = replace(start.plan, notice=" ".join(filter(None, (start.plan.notice, doubles))))
    return (yield from training.run(start))


class _Training:
    """The parts of one `train`."""

    def __init__(
        self,
        frames: Sequence[LabelledFrame],
        bodyparts: Sequence[str],
        settings: TrainSettings,
        holdout: Sequence[LabelledFrame],
        animals: int,
        unique_bodyparts: Sequence[str],
        unlabelled: Iterable[NDArray[np.uint8]],
    ) -> None:
        self._frames = frames
        self._unique_bodyparts = tuple(unique_bodyparts)
        self._bodyparts = tuple(bodyparts)
        self._settings = settings
        self._holdout = holdout
        self._animals = animals
        self._unlabelled = unlabelled
        self._device = resolve_device(settings.device)
        self._reference = _reference(frames)
        self._request: str | None = None

    def start(self, initial: PoseModel | None, fixed: TrainPlan | None) -> Generator[TrainTick, str | None, _Start]:
        """Fine-tune ``initial`` if that pays, or start from the pretrained backbone."""
        plan = fixed or make_plan(
            self._frames, self._settings, animals=self._animals, n_unique=len(self._unique_bodyparts)
        )
        fits = (
            initial is not None
            and (initial.bodyparts, initial.unique_bodyparts) == (self._bodyparts, self._unique_bodyparts)
            and initial.settings.backbone == self._settings.backbone
            and (initial.window is None) == (plan.window is None)
            and (initial.animals is None) == (plan.animals is None)
        )
        if initial is None or not fits:
            return _Start(self._network(None), plan, Calibration())
        network, calibration = self._network(initial), initial.calibration
        unseen = [frame for frame in self._frames if frame.fingerprint not in initial.learnt]
        share = len(unseen) / len(self._frames)
        shorter = fixed or fine_tuning_plan(plan, initial.long_side, initial.window, self._settings, new_share=share)
        # Early models kept no fingerprints: such a model may have seen all of the labels.
        if unseen and initial.learnt and fixed is None:
            waiting = TrainTick(0, shorter.steps, math.nan)
            some = unseen[:ASKED_FRAMES]
            work = validate(network, some, initial.long_side, initial.window, animals=initial.animals)
            predictions = yield from self._while_ticking(work, waiting)
            given = predictions.calibration_set(self._reference)
            found = float(np.average(given.found, weights=given.weights)) if len(given.found) else 1.0
            log.info("the previous model finds %s of the new labels", round(found, 2))
            if found < USABLE or (found < SURE and not (yield from self._is_ahead(initial, shorter, plan, unseen))):
                log.info("training starts from the pretrained backbone")
                return _Start(self._network(None), plan, Calibration())
            calibration = fit_calibration(given, before=calibration)
        return _Start(network, replace(shorter, n_validation=0), calibration, initial)

    def _is_ahead(
        self, initial: PoseModel, shorter: TrainPlan, full: TrainPlan, unseen: Sequence[LabelledFrame]
    ) -> Generator[TrainTick, str | None, bool]:
        """Return whether fine-tuning is clearly ahead after a trial, measured on half of the labels new to both."""
        count = min(ASKED_FRAMES, math.ceil(len(unseen) / 2))
        judging = [unseen[i] for i in _drawn(unseen, count, self._settings.seed)]
        rest = [frame for frame in self._frames if frame not in judging]
        if not judging or not any(frame.animals for frame in rest):
            return True
        steps = min(TRIAL_STEPS, shorter.steps)
        timer, errors = StepTimer(2 * steps), []
        for previous, plan in ((initial, shorter), (None, full)):
            network = self._network(previous)
            optimisation = Optimisation(network, self._sampler(plan, rest), steps=steps, rate=plan.rate)
            for _ in range(steps):
                if self._request == "stop":
                    return True
                with timer.timing():
                    loss = optimisation.step()
                left = timer.left() + timer.seconds_per_step * shorter.steps
                tick = TrainTick(0, shorter.steps, loss, seconds_left=left, tried=timer.done, to_try=2 * steps)
                self._request = yield tick
            predictions = yield from self._validate(network, judging, plan, tick)
            errors.append(predictions.median_error)
        log.info("after the trial the median error is %s px fine-tuned and %s px from the backbone", *errors)
        return self._request == "stop" or errors[0] <= AHEAD * errors[1]

    def _sampler(self, plan: TrainPlan, frames: Sequence[LabelledFrame]) -> BatchSampler | AnimalBatchSampler:
        """Return the sampler that draws batches of ``frames``."""
        views, settings = self._views(plan), self._settings
        batch_size, seed = plan.batch_size or settings.batch_size, settings.seed
        sampler: BatchSampler | AnimalBatchSampler
        if plan.animals is not None and plan.window is not None:
            sampler = AnimalBatchSampler(
                views,
                long_side=plan.long_side,
                batch_size=batch_size,
                seed=seed,
                window=plan.window,
                length=plan.length,
                n_unique=len(self._unique_bodyparts),
            )
        else:
            sampler = BatchSampler(
                views, long_side=plan.long_side, batch_size=batch_size, seed=seed, window=plan.window
            )
        sampler.add(frames)
        return sampler

    def _views(self, plan: TrainPlan) -> Views:
        settings = self._settings_of(plan)
        return Views(plan.crop, settings.rotation_degrees, _mirror(settings, self._bodyparts))

    def _settings_of(self, plan: TrainPlan) -> TrainSettings:
        """Return the settings, with the rotation that the plan chose."""
        if self._settings.rotation_degrees >= 0:
            return self._settings
        return self._settings.model_copy(update={"rotation_degrees": plan.rotation_degrees})

    def run(self, start: _Start) -> Generator[TrainTick, str | None, PoseModel]:
        """Train, and return the model."""
        plan, network, learnt = start.plan, start.network, list(self._frames)
        held = [learnt.pop(i) for i in _drawn(learnt, plan.n_validation, self._settings.seed)]
        sampler = self._sampler(plan, learnt)
        optimisation = Optimisation(network, sampler, steps=plan.steps, rate=plan.rate)
        early_stopping = EarlyStopping(optimisation) if held and plan.join_at >= 1 else None
        timer = StepTimer(plan.steps)
        # Crops as large as the frame show all of it, and a network that follows the animal predicts from close by.
        misses_some = plan.window is None and max(plan.crop) < plan.long_side
        mining_steps = {round(share * plan.steps) for share in HARD_NEGATIVES_AT} if misses_some else set()
        tick = TrainTick(0, plan.steps, math.nan, fine_tuned=start.fine_tuned, notice=plan.notice)
        if self._request != "stop":
            self._request = yield tick
        step = 0
        while step < plan.steps and self._request != "stop":
            with timer.timing():
                loss = optimisation.step()
            step += 1
            left, notice = timer.left(), optimisation.notice or plan.notice
            tick = replace(tick, step=step, loss=loss, holdout_error=math.nan, seconds_left=left, notice=notice)
            due = step == plan.steps or step % max(1, plan.steps // MEASURES) == 0
            if self._holdout and due:
                predictions = yield from self._validate(network, self._holdout, plan, tick)
                tick = replace(tick, holdout_error=predictions.mean_error)
            if held and (due if early_stopping else step >= round(plan.join_at * plan.steps)):
                predictions = yield from self._validate(network, held, plan, tick)
                start.calibration = fit_calibration(predictions.calibration_set(self._reference))
                if early_stopping is None:
                    sampler.add(held)
                    learnt, held = learnt + held, []
                elif early_stopping.is_over(predictions.mean_error, done=step / plan.steps):
                    self._request = "stop"
            if step in mining_steps and isinstance(sampler, BatchSampler):
                yield from self._add_hard_negatives(network, sampler, learnt, plan, tick)
            if self._unlabelled and step == round(UNLABELLED_FROM * plan.steps) and isinstance(sampler, BatchSampler):
                yield from self._add_unlabelled(start, sampler, tick)
            if self._request != "stop":
                self._request = yield tick
        if early_stopping is not None:
            early_stopping.restore(network)
        return self._model(start, network, learnt)

    def _model(self, start: _Start, network: PoseNetwork, learnt: Sequence[LabelledFrame]) -> PoseModel:
        """Return the trained model."""
        network.eval().requires_grad_(False)
        plan, seen_before = start.plan, start.previous.learnt if start.previous else frozenset[str]()
        return PoseModel(
            network,
            bodyparts=self._bodyparts,
            settings=self._settings_of(plan),
            long_side=plan.long_side,
            window=plan.window,
            calibration=start.calibration,
            animals=plan.animals,
            unique_bodyparts=self._unique_bodyparts,
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
        some = [learnt[i] for i in _drawn(learnt, ASKED_FRAMES, self._settings.seed + tick.step)]
        work = find_hard_negatives(network, some, plan.long_side, max(plan.crop) / 2)
        negatives = yield from self._while_ticking(work, tick)
        sampler.add_hard_negatives(negatives)
        log.info("step %s: hard negatives found in %s frames", tick.step, len(negatives))

    def _add_unlabelled(
        self, start: _Start, sampler: BatchSampler, tick: TrainTick
    ) -> Generator[TrainTick, str | None, None]:
        """Find the animal in unlabelled frames, and learn from them; only with calibrated likelihoods."""
        if start.calibration == Calibration():
            return
        plan, seed, rising = start.plan, self._settings.seed, (tick.steps - tick.step) // 2
        teacher = MeanTeacher(start.network, self._views(plan), start.calibration, rising=rising, seed=seed)
        for _ in teacher.find(self._unlabelled, plan.long_side, plan.window):
            if self._request != "stop":
                self._request = yield tick
            if self._request == "stop":
                return
        if teacher.frames:
            log.info("step %s: learning from %s frames without labels", tick.step, len(teacher.frames))
            sampler.unlabelled = teacher.batch

    def _validate(
        self, network: PoseNetwork, frames: Sequence[LabelledFrame], plan: TrainPlan, tick: TrainTick
    ) -> Generator[TrainTick, str | None, ValidationPredictions]:
        work = validate(network, frames, plan.long_side, plan.window, animals=plan.animals)
        return (yield from self._while_ticking(work, tick))

    def _while_ticking(self, work: Generator[None, None, T], tick: TrainTick) -> Generator[TrainTick, str | None, T]:
        """Return what ``work`` returns; send no more ticks once the caller has asked to stop."""
        try:
            while True:
                next(work)
                if self._request != "stop":
                    self._request = yield tick
        except StopIteration as end:
            return end.value

    def _network(self, initial: PoseModel | None) -> PoseNetwork:
        """Return the network to start from.

        Its new parts are drawn with the settings' seed, and torch's global generator is left alone.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._settings.seed)
            network = PoseNetwork(
                self._settings.backbone,
                len(self._bodyparts),
                pretrained=initial is None,
                several=self._animals > 1 or bool(self._unique_bodyparts),
                n_unique=len(self._unique_bodyparts),
            )
        if initial is not None:
            network.load_state_dict(initial.network.state_dict())
        if network.n_unique:
            network.get_buffer("places").copy_(usual_places(self._frames, network.n_unique))
        network.freeze_early_layers()
        return network.to(self._device).to(memory_format=torch.channels_last)


def _reference(frames: Sequence[LabelledFrame]) -> float:
    """Return the animal's length, px; a quarter of the frame's longer side where single keypoints don't tell it."""
    animals = [animal for frame in frames for animal in frame.each]
    length = reference_length(np.stack([a.xy for a in animals]), np.stack([a.states for a in animals]))
    return length if math.isfinite(length) else 0.25 * float(np.median([max(f.size) for f in frames]))


def _mirror(settings: TrainSettings, bodyparts: tuple[str, ...]) -> tuple[int, ...] | None:
    """Return the order of bodyparts in a mirror image; None for no mirroring.

    Pairs found by name are used only where views are turned by less than a quarter. Views turned all the way differ
    enough already: mirroring them as well cost a fifth of the accuracy on openfield (3.1 to 3.7 px at 30 labels).
    """
    pairs = read_pairs(settings.swap_pairs, bodyparts)
    if is_found(settings.swap_pairs) and settings.rotation_degrees >= FULL_TURN:
        return None
    return mirror_order(pairs, bodyparts)


def _drawn(frames: Sequence[LabelledFrame], count: int, seed: int) -> list[int]:
    """Return the positions, descending, of ``count`` frames with a placed keypoint, drawn at random."""
    placed = [i for i, frame in enumerate(frames) if frame.animals]
    drawn = np.random.default_rng(seed).permutation(placed)[:count]
    return sorted((int(i) for i in drawn), reverse=True)
