"""Optimiser steps that survive what goes wrong: a loss that is no number, memory that is too small."""

from __future__ import annotations

import logging
import math

import torch
from torch import Tensor, nn

from napari_al_pose.domain import AlPoseError
from napari_al_pose.pose.animal_feed import AnimalFeed
from napari_al_pose.pose.feed import Batch, Feed
from napari_al_pose.pose.memory import give_back, is_out_of_memory
from napari_al_pose.pose.network import PoseNetwork

log = logging.getLogger(__name__)

LEARNING_RATE = 6e-3
BACKBONE_RATE = 0.2
"""Learning rate of the pretrained backbone over that of the new heads."""

WEIGHT_DECAY = 1e-3
WARM_UP = 0.2
"""Share of the steps over which the learning rate rises."""

GRADIENT_NORM = 5.0
SAFE_EVERY = 20
"""Steps after which the weights are kept, to go back to."""

SLOWER = 0.3
"""What the learning rate is multiplied by after a loss that is no number."""

TRIES = 3


class Optimising:
    """Trains a network, a step at a time.

    Parameters
    ----------
    network : PoseNetwork
        On its device; changed in place.
    feed : Feed or AnimalFeed
        Where batches come from.
    steps : int
        How many there will be, for the learning rate.
    rate : float
        Peak learning rate of the heads over `LEARNING_RATE`.
    """

    def __init__(self, network: PoseNetwork, feed: Feed | AnimalFeed, *, steps: int, rate: float = 1.0) -> None:
        self._network = network
        self._feed = feed
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

        A loss that is no number takes back some steps and goes on slower; memory that is too small halves the batch.

        Raises
        ------
        AlPoseError
            If neither helps.
        """
        for _ in range(TRIES):
            loss = self._try_step()
            if math.isfinite(loss):
                self._step += 1
                if self._step % SAFE_EVERY == 0:
                    self._safe = self.weights()
                return loss
            self._rate *= SLOWER
            log.warning("step %s: the loss is no longer a number; on with %s of the learning rate", self._step, SLOWER)
            self._network.load_state_dict(self._safe)
            self._optimiser = self._new_optimiser()
        raise AlPoseError(
            "Training broke off: the loss is no longer a number.",
            "The model before is still in place. Check the newest labels, then learn again with another seed.",
        )

    def _try_step(self) -> float:
        """Return the loss, NaN if it or its gradient is no number; the weights stay as they are then."""
        while True:
            try:
                return self._backward(self._feed.batch())
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                self._optimiser.zero_grad(set_to_none=True)
                if self._feed.batch_size == 1:
                    raise AlPoseError(
                        "There is too little memory to train.",
                        "Close other programs, or choose a smaller network input in the settings. "
                        "The model before is still in place.",
                    ) from error
                self._feed.batch_size //= 2
                self.notice = f"Memory ran out; training went on with batches of {self._feed.batch_size}."
                log.warning("step %s: %s", self._step, self.notice)
            give_back()

    def _backward(self, batch: Batch) -> float:
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
    """Return the learning rate of a step (from 0) over its peak: a linear rise, then half a cosine down."""
    warm = max(1, round(WARM_UP * steps))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm + 1) / (steps - warm + 1))))
