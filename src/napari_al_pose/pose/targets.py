"""Target scoremaps, the loss against them, and the positions of their peaks."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_al_pose.domain import KeypointState
from napari_al_pose.pose.geometry import CELL_CENTRE, SCOREMAP_STRIDE

SIGMA_CELLS = 1.0
"""Standard deviation of a target peak. Wider peaks run together where ears are close."""

NOT_VISIBLE_WEIGHT = 0.5
"""Weight of "not visible" for an empty map: people use it for what is hidden and for what they can't make out."""

TAKEN_WEIGHT = 0.5
"""Weight of a guess that somebody took as it is: it is as wrong as the model was, as far as the eye lets pass
(``docs/results/effort-development.md``)."""

_LOG_FLOOR = 1e-9


def render(uv: Tensor, rows: int, columns: int) -> Tensor:
    """Return Gaussian target maps.

    Parameters
    ----------
    uv : float Tensor, (..., 2)
        Network pixels, x then y; NaN gives an empty map.
    rows : int
        Height of the map.
    columns : int
        Its width.

    Returns
    -------
    Tensor, (..., rows, columns)
        In [0, 1].
    """
    cells = (uv - CELL_CENTRE) / SCOREMAP_STRIDE
    across = torch.arange(columns, device=uv.device) - cells[..., 0, None]
    down = torch.arange(rows, device=uv.device) - cells[..., 1, None]
    scale = -1 / (2 * SIGMA_CELLS**2)
    peaks = torch.exp(scale * down**2)[..., :, None] * torch.exp(scale * across**2)[..., None, :]
    return torch.nan_to_num(peaks, nan=0.0)


def keypoint_weights(states: Tensor, taken: Tensor | None = None) -> Tensor:
    """Return the weight of each keypoint by its `KeypointState`; 0 if nobody looked at it.

    ``taken`` says which are a model's guesses that were taken as they are.
    """
    weights = torch.zeros(states.shape, dtype=torch.float32, device=states.device)
    weights[states == int(KeypointState.PLACED)] = 1.0
    weights[states == int(KeypointState.NOT_VISIBLE)] = NOT_VISIBLE_WEIGHT
    return weights if taken is None else torch.where(taken, TAKEN_WEIGHT * weights, weights)


def scoremap_loss(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Return the cross-entropy above its minimum, summed over each map and averaged over keypoints.

    Parameters
    ----------
    logits : Tensor, (N, K, h, w)
        Output of the network.
    targets : Tensor, (N, K, h, w)
        From `render`.
    weights : Tensor, (N, K)
        From `keypoint_weights`.
    """
    excess = pixel_loss(logits, targets)
    return (excess.sum(dim=(2, 3)) * weights).sum() / weights.sum().clamp(min=1.0)


def pixel_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the cross-entropy of each pixel above its minimum."""
    entropy = torch.special.entr(targets) + torch.special.entr(1 - targets)
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="none") - entropy


def decode(scoremaps: Tensor) -> tuple[Tensor, Tensor]:
    """Find the highest peak of each map with subcell precision.

    Fit a parabola through the logarithms of the highest cell and its neighbours, in each direction; this is exact for a
    Gaussian (Zhang et al. 2020, arXiv:1910.06278, without the smoothing).

    Parameters
    ----------
    scoremaps : Tensor, (N, K, h, w)
        In [0, 1].

    Returns
    -------
    cells : Tensor, (N, K, 2)
        Column and row, fractional.
    likelihood : Tensor, (N, K)
        Height of the peak.
    """
    _, _, rows, columns = scoremaps.shape
    flat = scoremaps.flatten(2)
    likelihood, index = flat.max(dim=2)
    row, column = index // columns, index % columns
    logs = flat.clamp(min=_LOG_FLOOR).log()
    x = column + _vertex(logs, index, column, step=1, length=columns)
    y = row + _vertex(logs, index, row, step=columns, length=rows)
    return torch.stack([x, y], dim=-1), likelihood


def _vertex(logs: Tensor, index: Tensor, position: Tensor, *, step: int, length: int) -> Tensor:
    """Return where, in (-0.5, 0.5) of a cell, the parabola peaks; 0 at the map's border."""
    inside = (position > 0) & (position < length - 1)
    before = torch.where(inside, index - step, index)
    after = torch.where(inside, index + step, index)
    a, b, c = (logs.gather(2, i[..., None])[..., 0] for i in (before, index, after))
    curvature = 2 * b - a - c
    offset = 0.5 * (c - a) / curvature.clamp(min=1e-6)
    return torch.where(inside & (curvature > 1e-6), offset.clamp(-0.5, 0.5), torch.zeros_like(offset))
