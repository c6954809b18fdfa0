"""Optimiser steps that recover from faults, early stopping, and the time left.

A loss that is not a number and too little memory do not end a training.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from napari_al_pose.domain import AlPoseError
from napari_al_pose.pose.animal_batch_sampler import AnimalBatchSampler
from napari_al_pose.pose.batch_sampler import BatchSampler, TrainingBatch
from napari_al_pose.pose.memory import give_back, is_out_of_memory
from napari_al_pose.pose.network import PoseNetwork

log = logging.getLogger(__name__)

LEARNING_RATE = 6e-3
BACKBONE_RATE = 0.2
"""Learning rate of the pretrained backbone relative to that of the new heads."""

WEIGHT_DECAY = 1e-3
WARM_UP = 0.2
"""Share of the steps during which the learning rate rises."""

GRADIENT_NORM = 5.0
SAFE_EVERY = 20
"""How many steps lie between two copies of the weights to go back to."""

SLOWER = 0.3
"""Factor on the learning rate after a loss that is not a number."""

TRIES = 3


PATIENCE = 3
BETTER = 0.99
STOP_AFTER = 0.5
"""A training may stop after this share of its steps, once `PATIENCE` measurements in a row don't lower the error."""


class Optimisation:
    """Trains a network step by step.

    Parameters
    ----------
    network : PoseNetwork
        On its device; changed in place.
    sampler : BatchSampler or AnimalBatchSampler
        Draws the batches.
    steps : int
        Planned steps; the learning rate depends on them.
    rate : float
        Peak learning rate of the heads relative to `LEARNING_RATE`.
    """

    def __init__(
        self, network: PoseNetwork, sampler: BatchSampler | AnimalBatchSampler, *, steps: int, rate: float = 1.0
    ) -> None:
        self._network = network
        self._sampler = sampler
        self._steps = steps
        self._rate = rate
        self._step = 0
        self.notice = ""
        self._optimiser = self._new_optimiser()
        self._safe = self.weights()

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the network's weights."""
        return {name: tensor.detach().clone() for name, tensor in self._network.state_dict().items()}

    def step(self) -> float:
        """Make one step and return its loss.

        After a loss that is not a number, go back some steps and continue at a lower rate. When memory runs out, halve
        the batch.

        Raises
        ------
        AlPoseError
            If that does not help.
        """
        for _ in range(TRIES):
            loss = self._try_step()
            if math.isfinite(loss):
                self._step += 1
                if self._step % SAFE_EVERY == 0:
                    self._safe = self.weights()
                return loss
            self._rate *= SLOWER
            log.warning("step %s: the loss is not a number; continuing with %s of the rate", self._step, SLOWER)
            self._network.load_state_dict(self._safe)
            self._optimiser = self._new_optimiser()
        raise AlPoseError(
            "Training stopped: the loss is not a number.",
            "The previous model is still in use. Check the newest labels, then train again with another seed.",
        )

    def _try_step(self) -> float:
        """Return the loss, or NaN if the loss or its gradient is not a number; then the weights are unchanged."""
        while True:
            try:
                return self._backward(self._sampler.batch())
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                self._optimiser.zero_grad(set_to_none=True)
                if self._sampler.batch_size == 1:
                    raise AlPoseError(
                        "There is too little memory to train.",
                        "Close other programs, or choose a smaller network input in the settings. "
                        "The previous model is still in use.",
                    ) from error
                self._sampler.batch_size //= 2
                self.notice = f"Memory ran out; training continued with batches of {self._sampler.batch_size}."
                log.warning("step %s: %s", self._step, self.notice)
            give_back()

    def _backward(self, batch: TrainingBatch) -> float:
        self._network.train()
        loss = batch.loss(self._network)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        trainable = [p for group in self._optimiser.param_groups for p in group["params"]]
        norm = nn.utils.clip_grad_norm_(trainable, GRADIENT_NORM)
        if not (math.isfinite(loss.item()) and math.isfinite(norm.item())):
            return math.nan
        for group, share in zip(self._optimiser.param_groups, (BACKBONE_RATE, 1.0), strict=True):
            group["lr"] = LEARNING_RATE * share * self._rate * rate_at(self._step, self._steps)
        self._optimiser.step()
        return float(loss.item())

    def _new_optimiser(self) -> torch.optim.Optimizer:
        backbone, heads = self._network.parameter_groups()
        return torch.optim.AdamW([{"params": backbone}, {"params": heads}], lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)


def rate_at(step: int, steps: int) -> float:
    """Return the learning rate of a step (from 0) relative to its peak: a linear rise, then half a cosine down."""
    warm = max(1, round(WARM_UP * steps))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm + 1) / (steps - warm + 1))))


class EarlyStopping:
    """Keeps the weights with the lowest validation error, and says when that error no longer falls.

    Parameters
    ----------
    optimisation : Optimisation
        Whose weights are kept.
    """

    def __init__(self, optimisation: Optimisation) -> None:
        self._optimisation = optimisation
        self._best = math.inf
        self._weights: dict[str, Tensor] = {}
        self._in_vain = 0

    def is_over(self, error: float, *, done: float) -> bool:
        """Record the validation error after a share ``done`` of the steps; return whether to stop."""
        if not self._weights or error < BETTER * self._best:
            self._best, self._weights, self._in_vain = error, self._optimisation.weights(), 0
            return False
        self._in_vain += 1
        return done >= STOP_AFTER and self._in_vain >= PATIENCE

    def restore(self, network: PoseNetwork) -> None:
        """Give the network its best weights."""
        if self._weights:
            network.load_state_dict(self._weights)


class StepTimer:
    """Estimates the time left from the median of the last steps.

    Parameters
    ----------
    steps : int
        Planned steps.
    """

    def __init__(self, steps: int) -> None:
        self.done = 0
        self._steps = steps
        self._seconds: list[float] = []

    @contextmanager
    def timing(self) -> Iterator[None]:
        """Time one step."""
        began = time.monotonic()
        yield
        self._seconds = [*self._seconds[-19:], time.monotonic() - began]
        self.done += 1

    def left(self) -> float:
        """Return the seconds left; call it after the first step."""
        return self.seconds_per_step * (self._steps - self.done)

    @property
    def seconds_per_step(self) -> float:
        """The median of the last steps; ask after the first."""
        return float(np.median(self._seconds))
