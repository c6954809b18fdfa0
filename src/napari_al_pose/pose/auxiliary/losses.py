"""Losses of auxiliary networks; each is a mean over its input.

The definitions are those of `napari_al_pose.acquisition.strategies.learning_loss`, ``aleatoric`` and ``vl4pose``.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

LOG_VARIANCES = (-6.0, 10.0)
_LEAST = 1e-12


def learning_loss(expected: Tensor, true: Tensor) -> Tensor:
    """Return Yoo & Kweon's hinge with margin 1 over pairs ``(n, 2)`` of expected and true losses."""
    sign = torch.sign(true[:, 0] - true[:, 1])
    return F.relu(1 - sign * (expected[:, 0] - expected[:, 1])).mean()


def learning_loss_pp(expected: Tensor, true: Tensor) -> Tensor:
    """Return LearningLoss++'s divergence over pairs ``(n, 2)`` of expected and true losses."""
    shares = (true + _LEAST) / (true + _LEAST).sum(dim=1, keepdim=True)
    return F.kl_div(F.log_softmax(expected, dim=1), shares, reduction="batchmean")


def position_likelihood(squared: Tensor, log_variance: Tensor, mask: Tensor) -> Tensor:
    """Return the negative log-likelihood of squared errors in two dimensions, all ``(n, K)``, where ``mask`` is 1."""
    s = log_variance.clamp(*LOG_VARIANCES)
    return ((0.5 * squared * torch.exp(-s) + s) * mask).sum() / mask.sum().clamp(min=1)


def length_likelihood(length: Tensor, mean: Tensor, log_variance: Tensor, mask: Tensor) -> Tensor:
    """Return the negative log-likelihood of lengths, all ``(n, links)``, where ``mask`` is 1."""
    s = log_variance.clamp(-6.0, 6.0)
    return ((0.5 * (length - mean) ** 2 * torch.exp(-s) + 0.5 * s) * mask).sum() / mask.sum().clamp(min=1)
