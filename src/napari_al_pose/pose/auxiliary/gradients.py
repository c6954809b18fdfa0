"""Lengths of the gradients if a frame had another frame's scoremaps; see `napari_al_pose.acquisition.strategies.egl`.

The loss is the mean squared error of scoremaps, including the sigmoids.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from napari_al_pose.pose.auxiliary.activations import ActivationProbe, Activations


@torch.inference_mode()
def last_layer_gradient_lengths(
    activations: Activations, others: Sequence[Sequence[Tensor]]
) -> list[NDArray[np.float64]]:
    """Return the squared lengths of the last layer's gradients.

    In closed form: with residuals ``r`` (K, cells) and features ``f`` (C, cells) the gradient of the weights is ``r
    f^T`` and that of the biases is the sum of ``r``.

    Parameters
    ----------
    activations : Activations
        Of ``n`` frames.
    others : sequence, n, of sequences of Tensor (K, h, w)
        For each frame, the scoremaps to compare with; they are resized if their size differs.
    """
    result = []
    for maps, features, targets in zip(activations.scoremaps, activations.features.float(), others, strict=True):
        k, rows, columns = maps.shape
        wanted = _resized(targets, (rows, columns))
        residual = 2 / (k * rows * columns) * (maps - wanted) * maps * (1 - maps)
        weights = torch.einsum("jkhw,chw->jkc", residual, features)
        biases = residual.sum(dim=(2, 3))
        result.append((weights.square().sum(dim=(1, 2)) + biases.square().sum(dim=1)).double().cpu().numpy())
    return result


def full_gradient_lengths(
    view: ActivationProbe, frames: NDArray[np.uint8], others: Sequence[Sequence[Tensor]]
) -> list[NDArray[np.float64]]:
    """Return the squared lengths of the gradients of all convolutions and linear layers, with one backward pass a pair.

    The parameters are those of `last_layer_gradient_lengths`, except for the uint8 ``frames`` (n, H, W, 3).
    """
    network = copy.deepcopy(view.model.network).eval().requires_grad_(False)
    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    parameters = [parameter.requires_grad_(True) for layer in layers for parameter in layer.parameters()]
    images, seen = view.input(frames)
    rows, columns = seen.cells
    result = []
    for image, targets in zip(images, others, strict=True):
        maps = network(image[None])[0, :, :rows, :columns].float().sigmoid()
        lengths = []
        for wanted in _resized(targets, (rows, columns)).clone():
            gradients = torch.autograd.grad(F.mse_loss(maps, wanted), parameters, retain_graph=True)
            lengths.append(sum(float(gradient.square().sum()) for gradient in gradients))
        result.append(np.array(lengths))
    return result


def _resized(maps: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
    """Return maps ``(K, h, w)`` of any sizes as ``(J, K, *size)``."""
    return torch.stack(
        [
            m if m.shape[1:] == size else F.interpolate(m[None], size, mode="bilinear")[0]
            for m in map(Tensor.float, maps)
        ]
    )
