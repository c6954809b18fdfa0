"""One training, as a generator that can be watched, interrupted and stopped between any two steps.

From the backbone, some labels are held back for the first part: on them the likelihoods are calibrated, then they teach
as well. With many labels some are held back to the end, and the training stops where they gain no more. From a model
before, the labels it has not seen are the ones held back: they tell whether it is worth carrying on, and calibrate it.
Where that is in doubt both starts are tried for some steps.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch

from napari_al_pose.domain.mirroring import is_found, mirror_order, read_pairs
from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.pose.animal_feed import AnimalFeed
from napari_al_pose.pose.asking import Said, ask
from napari_al_pose.pose.augmentation import Views
from napari_al_pose.pose.calibration import Calibration, fit_calibration
from napari_al_pose.pose.device import resolve_device
from napari_al_pose.pose.feed import Feed
from napari_al_pose.pose.frames import LabelledFrame, check_frames
from napari_al_pose.pose.metrics import reference_length
from napari_al_pose.pose.model import PoseModel
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.optimising import Optimising
from napari_al_pose.pose.plan import TrainPlan, carry_on, make_plan
from napari_al_pose.pose.rivals import find_rivals
from napari_al_pose.pose.watching import Pace, Watch

log = logging.getLogger(__name__)

MEASURES = 10
"""How often the hold-out frames, and those held back to the end, are measured."""

ASKED_FRAMES = 24
USABLE = 0.2
"""Share of unseen keypoints that a model must find to be carried on; the backbone alone finds next to none."""

SURE = 0.9
"""Share from which on it is carried on without a trial."""

TRIAL_STEPS, AHEAD = 30, 0.75
"""Steps of a trial from either start, and the largest ratio of median errors, fine-tuned over started afresh, at which
fine-tuning wins. With a smaller lead it ended behind: what few steps taught is in the way (``docs/pose.md``)."""

RIVALS_AT = (0.4, 0.6, 0.8)
"""Shares of the steps after which places that are taken for the animal are looked for, in at most `ASKED_FRAMES`."""

FULL_TURN = 90.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TrainTick:
    """Where a training is.

    Parameters
    ----------
    step, steps : int
        Optimiser steps done and planned; 0 before the first.
    loss : float
        Of the last step; NaN before the first.
    holdout_error : float
        Mean error on hold-out frames in source pixels; NaN on ticks without a measurement.
    seconds_left : float
        Negative while nobody can tell.
    carried_on : bool
        Whether it carries on with the model before.
    notice : str
        What little memory made of it, for the user; empty if nothing.
    tried, to_try : int
        Steps of a trial of where to begin, done and planned; it goes before the training's own.
    """

    step: int
    steps: int
    loss: float
    holdout_error: float = math.nan
    seconds_left: float = -1.0
    carried_on: bool = False
    notice: str = ""
    tried: int = 0
    to_try: int = 0


@dataclass(slots=True)
class _Start:
    """Where a training begins."""

    network: PoseNetwork
    plan: TrainPlan
    calibration: Calibration
    before: PoseModel | None = None

    @property
    def carried_on(self) -> bool:
        """Whether it carries on with a model before."""
        return self.before is not None


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
) -> Generator[TrainTick, str | None, PoseModel]:
    """Train a model on labelled frames.

    Yields a tick before the first step, after each step, and between parts of what is asked on the way. Closing the
    generator abandons the training; ``send("stop")`` ends it with what it has learnt. The value returned (of
    ``StopIteration``) is the model. The same input, seed and threads give the same model on a CPU.

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
        Scale, crop and steps; by default chosen from the labels. Whoever compares trainings fixes it.
    animals : int
        How many there are in a frame at most; `LabelledFrame.others` are learnt from if it is more than one.

    Raises
    ------
    AlPoseError
        If the frames can't be trained on, the backbone or device can't be had, or what goes wrong on the way
        (a loss that is no number, too little memory) does so again at a lower rate or with a smaller batch.
    """
    check_frames(frames, len(bodyparts))
    if threads is not None:
        torch.set_num_threads(max(1, threads))
    training = _Training(frames, bodyparts, settings, holdout, animals)
    start = yield from training.start(initial, plan)
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
    ) -> None:
        self._frames = frames
        self._bodyparts = tuple(bodyparts)
        self._settings = settings
        self._holdout = holdout
        self._animals = animals
        self._device = resolve_device(settings.device)
        self._reference = _reference(frames)
        self._answer: str | None = None

    def start(self, initial: PoseModel | None, fixed: TrainPlan | None) -> Generator[TrainTick, str | None, _Start]:
        """Carry on with ``initial`` if that is worth it, else begin with the backbone."""
        plan = fixed or make_plan(self._frames, self._settings, animals=self._animals)
        fits = (
            initial is not None
            and initial.bodyparts == self._bodyparts
            and initial.settings.backbone == self._settings.backbone
            and (initial.window is None) == (plan.window is None)
            and (initial.animals is None) == (plan.animals is None)
        )
        if initial is None or not fits:
            return _Start(self._network(None), plan, Calibration())
        network, calibration = self._network(initial), initial.calibration
        unseen = [frame for frame in self._frames if frame.fingerprint not in initial.learnt]
        share = len(unseen) / len(self._frames)
        warm = fixed or carry_on(plan, initial.long_side, initial.window, self._settings, new_share=share)
        # A model from before fingerprints were kept may have seen them all.
        if unseen and initial.learnt and fixed is None:
            waiting = TrainTick(0, warm.steps, math.nan)
            asking = ask(network, unseen[:ASKED_FRAMES], initial.long_side, initial.window, animals=initial.animals)
            said = yield from self._while_ticking(asking, waiting)
            given = said.answers(self._reference)
            found = float(np.average(given.found, weights=given.weights)) if len(given.found) else 1.0
            log.info("the model before finds %s of what is new", round(found, 2))
            if found < USABLE or (found < SURE and not (yield from self._is_ahead(initial, warm, plan, unseen))):
                log.info("training begins with the backbone")
                return _Start(self._network(None), plan, Calibration())
            calibration = fit_calibration(given, before=calibration)
        return _Start(network, replace(warm, held_back=0), calibration, initial)

    def _is_ahead(
        self, initial: PoseModel, warm: TrainPlan, anew: TrainPlan, unseen: Sequence[LabelledFrame]
    ) -> Generator[TrainTick, str | None, bool]:
        """Whether carrying on is clearly ahead after a trial, judged by half of the labels that are new to both."""
        judging = [
            unseen[i] for i in _drawn(unseen, min(ASKED_FRAMES, math.ceil(len(unseen) / 2)), self._settings.seed)
        ]
        rest = [frame for frame in self._frames if frame not in judging]
        if not judging or not any(frame.animals for frame in rest):
            return True
        steps = min(TRIAL_STEPS, warm.steps)
        pace, errors = Pace(2 * steps), []
        for before, plan in ((initial, warm), (None, anew)):
            network = self._network(before)
            optimising = Optimising(network, self._feed(plan, rest), steps=steps, rate=plan.rate)
            for _ in range(steps):
                if self._answer == "stop":
                    return True
                with pace.timing():
                    optimising.step()
                tick = TrainTick(0, warm.steps, math.nan, seconds_left=pace.left(), tried=pace.done, to_try=2 * steps)
                self._answer = yield tick
            said = yield from self._ask(network, judging, plan, tick)
            errors.append(said.median_error)
        log.info("after a trial the median error is %s px from the model before, %s px from the backbone", *errors)
        return self._answer == "stop" or errors[0] <= AHEAD * errors[1]

    def _feed(self, plan: TrainPlan, frames: Sequence[LabelledFrame]) -> Feed | AnimalFeed:
        """Return what batches of ``frames`` come from."""
        settings = self._settings_of(plan)
        views = Views(plan.crop, settings.rotation_degrees, _mirror(settings, self._bodyparts))
        batch_size = plan.batch_size or settings.batch_size
        feed: Feed | AnimalFeed
        if plan.animals is not None and plan.window is not None:
            feed = AnimalFeed(
                views,
                long_side=plan.long_side,
                batch_size=batch_size,
                seed=settings.seed,
                window=plan.window,
                length=plan.length,
            )
        else:
            feed = Feed(views, long_side=plan.long_side, batch_size=batch_size, seed=settings.seed, window=plan.window)
        feed.add(frames)
        return feed

    def _settings_of(self, plan: TrainPlan) -> TrainSettings:
        """Return the settings with what the plan chose of them."""
        if self._settings.rotation_degrees >= 0:
            return self._settings
        return self._settings.model_copy(update={"rotation_degrees": plan.rotation_degrees})

    def run(self, start: _Start) -> Generator[TrainTick, str | None, PoseModel]:
        """Train, and make the model."""
        plan, network, learnt = start.plan, start.network, list(self._frames)
        held = [learnt.pop(i) for i in _drawn(learnt, plan.held_back, self._settings.seed)]
        feed = self._feed(plan, learnt)
        optimising = Optimising(network, feed, steps=plan.steps, rate=plan.rate)
        watch = Watch(optimising) if held and plan.join_at >= 1 else None
        pace = Pace(plan.steps)
        # Views as large as the frame show all of it; and what follows the animal looks closely when it predicts.
        misses_some = plan.window is None and max(plan.crop) < plan.long_side
        rivals_at = {round(share * plan.steps) for share in RIVALS_AT} if misses_some else set()
        tick = TrainTick(0, plan.steps, math.nan, carried_on=start.carried_on, notice=plan.notice)
        if self._answer != "stop":
            self._answer = yield tick
        step = 0
        while step < plan.steps and self._answer != "stop":
            with pace.timing():
                loss = optimising.step()
            step += 1
            left, notice = pace.left(), optimising.notice or plan.notice
            tick = replace(tick, step=step, loss=loss, holdout_error=math.nan, seconds_left=left, notice=notice)
            due = step == plan.steps or step % max(1, plan.steps // MEASURES) == 0
            if self._holdout and due:
                said = yield from self._ask(network, self._holdout, plan, tick)
                tick = replace(tick, holdout_error=said.mean_error)
            if held and (due if watch else step >= round(plan.join_at * plan.steps)):
                said = yield from self._ask(network, held, plan, tick)
                start.calibration = fit_calibration(said.answers(self._reference))
                if watch is None:
                    feed.add(held)
                    learnt, held = learnt + held, []
                elif watch.is_over(said.mean_error, done=step / plan.steps):
                    self._answer = "stop"
            if step in rivals_at and isinstance(feed, Feed):
                yield from self._show_rivals(network, feed, learnt, plan, tick)
            if self._answer != "stop":
                self._answer = yield tick
        if watch is not None:
            watch.restore(network)
        network.eval().requires_grad_(False)
        return PoseModel(
            network,
            bodyparts=self._bodyparts,
            settings=self._settings_of(plan),
            long_side=plan.long_side,
            window=plan.window,
            calibration=start.calibration,
            animals=plan.animals,
            learnt=frozenset(frame.fingerprint for frame in learnt) | (start.before.learnt if start.before else set()),
        )

    def _show_rivals(
        self, network: PoseNetwork, feed: Feed, learnt: Sequence[LabelledFrame], plan: TrainPlan, tick: TrainTick
    ) -> Generator[TrainTick, str | None, None]:
        """Learn from places that are taken for the animal, where there are any."""
        some = [learnt[i] for i in _drawn(learnt, ASKED_FRAMES, self._settings.seed + tick.step)]
        rivals = yield from self._while_ticking(find_rivals(network, some, plan.long_side, max(plan.crop) / 2), tick)
        feed.add_rivals(rivals)
        log.info("step %s: %s frames with a place that is taken for the animal", tick.step, len(rivals))

    def _ask(
        self, network: PoseNetwork, frames: Sequence[LabelledFrame], plan: TrainPlan, tick: TrainTick
    ) -> Generator[TrainTick, str | None, Said]:
        asking = ask(network, frames, plan.long_side, plan.window, animals=plan.animals)
        return (yield from self._while_ticking(asking, tick))

    def _while_ticking(self, work: Generator[None, None, T], tick: TrainTick) -> Generator[TrainTick, str | None, T]:
        """Return what ``work`` returns; no more ticks once it was asked to stop."""
        try:
            while True:
                next(work)
                if self._answer != "stop":
                    self._answer = yield tick
        except StopIteration as end:
            return end.value

    def _network(self, initial: PoseModel | None) -> PoseNetwork:
        """Return the network to start from, its new parts drawn with the seed without touching torch's generator."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._settings.seed)
            network = PoseNetwork(
                self._settings.backbone, len(self._bodyparts), pretrained=initial is None, several=self._animals > 1
            )
        if initial is not None:
            network.load_state_dict(initial.network.state_dict())
        network.freeze_early_layers()
        return network.to(self._device).to(memory_format=torch.channels_last)


def _reference(frames: Sequence[LabelledFrame]) -> float:
    """Return the animal's length, px; where lone keypoints don't tell it, a quarter of the frame's longer side."""
    animals = [animal for frame in frames for animal in frame.each]
    length = reference_length(np.stack([a.xy for a in animals]), np.stack([a.states for a in animals]))
    return length if math.isfinite(length) else 0.25 * float(np.median([max(f.size) for f in frames]))


def _mirror(settings: TrainSettings, bodyparts: tuple[str, ...]) -> tuple[int, ...] | None:
    """Return what a mirror exchanges, None for no mirror.

    Pairs found by name are used where views are turned by less than a quarter: turned all the way they are different
    enough, and mirroring them as well cost a fifth of the accuracy on openfield (3.1 to 3.7 px at 30 labels).
    """
    pairs = read_pairs(settings.swap_pairs, bodyparts)
    if is_found(settings.swap_pairs) and settings.rotation_degrees >= FULL_TURN:
        return None
    return mirror_order(pairs, bodyparts)


def _drawn(frames: Sequence[LabelledFrame], count: int, seed: int) -> list[int]:
    """Return the positions, descending, of ``count`` frames with a placed keypoint."""
    placed = [i for i, frame in enumerate(frames) if frame.animals]
    drawn = np.random.default_rng(seed).permutation(placed)[:count]
    return sorted((int(i) for i in drawn), reverse=True)
