"""Early stopping: keep the best weights, and end a training that no longer gains anything."""

from __future__ import annotations

import math

from torch import Tensor

from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.optimisation import Optimisation

PATIENCE = 3
BETTER = 0.99
STOP_AFTER = 0.5
"""A training may stop after this share of its steps, once `PATIENCE` measurements in a row don't lower the error."""


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
