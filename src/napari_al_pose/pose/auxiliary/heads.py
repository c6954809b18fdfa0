"""Auxiliary networks: small ones on the pose network's activations, trained after it.

No gradient reaches the pose network, and it stays in evaluation mode, so not even its running averages change. Each
labelled frame is seen in several rotated, shifted and disturbed copies of the whole frame, like frames of the pool.

The losses are those of `napari_al_pose.acquisition.strategies.learning_loss`, ``aleatoric`` and ``vl4pose``; each is a
mean over its input.
"""

from __future__ import annotations

import enum
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from napari_al_pose.domain import KeypointState
from napari_al_pose.pose.augmentation import cut, disturb
from napari_al_pose.pose.auxiliary.activations import ActivationProbe, Activations
from napari_al_pose.pose.frames import LabelledFrame
from napari_al_pose.pose.geometry import CELL_CENTRE, SCOREMAP_STRIDE, InputGeometry
from napari_al_pose.pose.targets import render
from napari_al_pose.pose.training_plan import FULL_ROTATION

VIEWS = 4
STEPS = 400
BATCH = 32
_RATE = 1e-3
_SHIFT = 0.1
"""Largest shift of a copy, in sides of the frame."""

LOG_VARIANCES = (-6.0, 10.0)
_LEAST = 1e-12


class HeadKind(enum.Enum):
    """What an auxiliary network predicts, and its loss."""

    LEARNING_LOSS = "learning_loss"
    LEARNING_LOSS_PP = "learning_loss_pp"
    ALEATORIC = "aleatoric"
    LINKS = "links"

    def outputs(self, n_bodyparts: int, n_links: int) -> int:
        """Return how many numbers it predicts for a frame."""
        return {HeadKind.ALEATORIC: n_bodyparts, HeadKind.LINKS: 2 * n_links}.get(self, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """Copies of labelled frames as an auxiliary network sees them, with the true values for each.

    Parameters
    ----------
    pooled : half Tensor, (n, C, 16, 16)
        Features.
    loss : Tensor, (n,)
        Squared error of the scoremaps, summed over a map, averaged over placed bodyparts.
    squared : Tensor, (n, K)
        Squared errors of the predicted positions, in animal sizes.
    placed : Tensor, (n, K)
        1 where a bodypart is placed and in view.
    length, linked : Tensor, (n, links)
        Lengths of links in animal sizes; 1 where both ends are placed.
    """

    pooled: Tensor
    loss: Tensor
    squared: Tensor
    placed: Tensor
    length: Tensor
    linked: Tensor


class AuxiliaryHead(nn.Module):
    """Two strided convolutions, an average and two linear layers: after AL4Pose, with the paper's average."""

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 64, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(64, 32),
            nn.ReLU(),
        )
        self.last = nn.Linear(32, outputs)

    def forward(self, pooled: Tensor) -> Tensor:
        """Return ``(n, outputs)`` of pooled features ``(n, C, 16, 16)``."""
        return self.last(self.layers(pooled))

    @torch.no_grad()
    def predict(self, activations: Activations) -> NDArray[np.float32]:
        """Return ``(n, outputs)``."""
        return self(activations.pooled().float().clone()).cpu().numpy()


def make_lesson(
    view: ActivationProbe,
    frames: Sequence[LabelledFrame],
    links: Sequence[tuple[int, int]],
    *,
    size: float,
    seed: int = 0,
) -> Generator[int, None, Lesson]:
    """Compute the activations for copies of labelled frames; yield how many frames are done.

    Parameters
    ----------
    view : ActivationProbe
        Of the pose model, which does not change.
    frames : sequence of LabelledFrame
        The pose model's training frames, at least one.
    links : sequence of (int, int)
        The skeleton's.
    size : float
        The animal's, source pixels.
    seed : int
        Of the copies.
    """
    rng = np.random.default_rng(seed)
    parts = []
    for done, frame in enumerate(frames):
        parts.append(_lesson(view, frame, links, size, rng))
        yield done + 1
    return Lesson(*(torch.cat([getattr(part, name) for part in parts]) for name in Lesson.__slots__))


def train_head(kind: HeadKind, lesson: Lesson, *, seed: int = 0) -> Generator[int, None, AuxiliaryHead]:
    """Train an auxiliary network for `STEPS` steps; yield how many are done.

    ``seed`` determines the weights and the batches.
    """
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = AuxiliaryHead(lesson.pooled.shape[1], kind.outputs(lesson.placed.shape[1], lesson.length.shape[1]))
    if kind is HeadKind.ALEATORIC:
        # Start from the likeliest constant: from far above it, all steps would be spent on coming down.
        mean = (lesson.squared * lesson.placed).sum() / lesson.placed.sum().clamp(min=1)
        nn.init.constant_(head.last.bias, float(torch.log(0.5 * mean + 1e-6)))
    head = head.to(lesson.pooled.device)
    optimiser = torch.optim.AdamW(head.parameters(), lr=_RATE, weight_decay=1e-3)
    for step in range(STEPS):
        rows = torch.from_numpy(rng.integers(0, len(lesson.loss), BATCH))
        loss = _loss(kind, head(lesson.pooled[rows].float()), lesson, rows)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(head.parameters(), 5.0)
        optimiser.step()
        yield step + 1
    return head.eval().requires_grad_(False)


def _loss(kind: HeadKind, output: Tensor, lesson: Lesson, rows: Tensor) -> Tensor:
    if kind is HeadKind.ALEATORIC:
        return position_likelihood(lesson.squared[rows], output, lesson.placed[rows])
    if kind is HeadKind.LINKS:
        mean, log_variance = output.unflatten(1, (-1, 2)).unbind(dim=2)
        return length_likelihood(lesson.length[rows], mean, log_variance, lesson.linked[rows])
    # Row i is paired with row i + n / 2.
    expected, true = output[:, 0].reshape(2, -1).T, lesson.loss[rows].reshape(2, -1).T
    pairwise = learning_loss if kind is HeadKind.LEARNING_LOSS else learning_loss_pp
    return pairwise(expected, true)


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


def _lesson(
    view: ActivationProbe, frame: LabelledFrame, links: Sequence[tuple[int, int]], size: float, rng: np.random.Generator
) -> Lesson:
    """Make the copies of one frame and record their true values."""
    images, geometry = view.pictures(frame.image[None])
    image, uv = images[0], geometry.to_network(frame.xy[None])[0]
    uv[frame.states != KeypointState.PLACED] = np.nan
    sides = np.array([geometry.resized[1], geometry.resized[0]], np.float64)
    degrees = view.model.settings.rotation_degrees
    rotation = degrees if degrees >= 0 else FULL_ROTATION  # a training stores its choice there
    copies, moved = [], []
    for _ in range(VIEWS):
        centre = (sides - 1) / 2 + rng.uniform(-_SHIFT, _SHIFT, 2) * sides
        angle = float(rng.uniform(-rotation, rotation))
        copy, points = cut(image, uv, centre=centre, angle=angle, scale=1.0, size=geometry.padded)
        copies.append(disturb(copy, rng))
        moved.append(torch.from_numpy(points))
    device = next(view.network.parameters()).device
    whole = InputGeometry(geometry.padded, geometry.padded)
    seen = view.look_at_images(torch.stack(copies).to(device), whole)
    true = torch.stack(moved).float().to(device)
    return _truth(seen, true, links, size * float(geometry.scale_xy.mean()))


def _truth(seen: Activations, uv: Tensor, links: Sequence[tuple[int, int]], size: float) -> Lesson:
    """Compare predictions for copies with their true keypoints, ``(n, K, 2)`` network pixels."""
    rows, columns = seen.scoremaps.shape[2:]
    corner = torch.tensor([columns, rows], device=uv.device) * SCOREMAP_STRIDE
    placed = (torch.isfinite(uv).all(dim=2) & (uv >= 0).all(dim=2) & (uv < corner).all(dim=2)).float()
    apart = (seen.scoremaps.clone() - render(uv, rows, columns)).square().sum(dim=(2, 3))
    found = seen.cells.clone() * SCOREMAP_STRIDE + CELL_CENTRE
    known = torch.nan_to_num(uv)
    u, v = [list(ends) for ends in zip(*links, strict=True)] if links else ([], [])
    return Lesson(
        pooled=seen.pooled().clone().half(),
        loss=(apart * placed).sum(dim=1) / placed.sum(dim=1).clamp(min=1),
        squared=(found - known).square().sum(dim=2) / size**2,
        placed=placed,
        length=(known[:, u] - known[:, v]).norm(dim=2) / size,
        linked=placed[:, u] * placed[:, v],
    )
