"""What a training is watched by: how long it will take, and whether it still gains anything."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from torch import Tensor

from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.optimising import Optimising

PATIENCE = 3
BETTER = 0.99
STOP_AFTER = 0.5
"""A training stops after this share of its steps, when so many measurements in a row don't lower the error."""


class Watch:
    """Keeps the weights that were best on labels held back to the end, and says when nothing is gained any more.

    Parameters
    ----------
    optimising : Optimising
        Whose weights are kept.
    """

    def __init__(self, optimising: Optimising) -> None:
        self._optimising = optimising
        self._best = math.inf
        self._weights: dict[str, Tensor] = {}
        self._in_vain = 0

    def is_over(self, error: float, *, done: float) -> bool:
        """Note a measurement after this share of the steps."""
        if not self._weights or error < BETTER * self._best:
            self._best, self._weights, self._in_vain = error, self._optimising.weights(), 0
            return False
        self._in_vain += 1
        return done >= STOP_AFTER and self._in_vain >= PATIENCE

    def restore(self, network: PoseNetwork) -> None:
        """Give the network its best weights."""
        if self._weights:
            network.load_state_dict(self._weights)


class Pace:
    """Tells how long the rest will take, from the median of the last steps.

    Parameters
    ----------
    steps : int
        How many there will be.
    """

    def __init__(self, steps: int) -> None:
        self.done = 0
        self._steps = steps
        self._seconds: list[float] = []

    @contextmanager
    def timing(self) -> Iterator[None]:
        """Note how long a step takes."""
        began = time.monotonic()
        yield
        self._seconds = [*self._seconds[-19:], time.monotonic() - began]
        self.done += 1

    def left(self) -> float:
        """Return how long the steps that are left will take, s; to be asked after the first."""
        return float(np.median(self._seconds)) * (self._steps - self.done)
