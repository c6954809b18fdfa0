"""Draws batches of random views from labelled frames, each frame once an epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_al_pose.domain import KeypointState
from napari_al_pose.pose.augmentation import Views, middle_of
from napari_al_pose.pose.frames import LabelledFrame
from napari_al_pose.pose.geometry import InputGeometry, resize_frames
from napari_al_pose.pose.hard_negatives import HardNegative
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.targets import keypoint_weights, render, scoremap_loss
from napari_al_pose.pose.window import Window

COARSE_SHARE, ELSEWHERE_SHARE = 0.25, 0.1
"""Where the network follows the animal: share of views at the scale of the first pass, and share of views from anywhere
in the frame at the scale of the second pass."""

HARD_NEGATIVE_SHARE = 0.1
"""Share of views that show a hard negative, once any are known."""

SURROUNDINGS = 3
"""Where the network follows the animal: size of the image kept around it, in crop sides; more would fill the memory."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainingBatch:
    """Views (N, 3, H, W), their keypoints (N, K, 2) in pixels of the views, and their weights (N, K)."""

    images: Tensor
    uv: Tensor
    weights: Tensor

    def loss(self, network: PoseNetwork) -> Tensor:
        """Return the loss of the network on the batch; see `scoremap_loss`."""
        device = next(network.parameters()).device
        logits = network(self.images.to(device)).float()
        rows, columns = logits.shape[-2:]
        targets = render(self.uv.to(device), rows, columns)
        return scoremap_loss(logits, targets, self.weights.to(device))

    def __add__(self, other: TrainingBatch) -> TrainingBatch:
        pairs = ((self.images, other.images), (self.uv, other.uv), (self.weights, other.weights))
        return TrainingBatch(*(torch.cat(pair) for pair in pairs))


@dataclass(frozen=True, slots=True, eq=False)
class ScaledImage:
    """A frame, or part of it, at the scale of a network pass, with its keypoints."""

    image: Tensor
    uv: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _PreparedFrame:
    """The images that views of a frame are drawn from; only ``near`` unless the network follows the animal."""

    near: ScaledImage
    weights: Tensor
    coarse: ScaledImage | None = None
    elsewhere: ScaledImage | None = None


class BatchSampler:
    """Draws batches without end.

    Parameters
    ----------
    views : Views
        Draws each view.
    long_side : int
        The network's scale.
    batch_size : int
        Views in a batch; may change between batches.
    seed : int
    window : Window, optional
        Passed if the network follows the animal.
    """

    def __init__(
        self, views: Views, *, long_side: int, batch_size: int, seed: int, window: Window | None = None
    ) -> None:
        self.batch_size = batch_size
        self._views = views
        self._long_side = long_side
        self._window = window
        self._rng = np.random.default_rng(seed)
        self._frames: list[_PreparedFrame] = []
        self._waiting: list[int] = []
        self._negatives: list[tuple[_PreparedFrame, NDArray[np.float64]]] = []
        self.unlabelled: Callable[[int], TrainingBatch] | None = None
        """Draws so many views of unlabelled frames, half as many as a batch has of labelled ones; None for none."""

    def add(self, frames: Iterable[LabelledFrame]) -> None:
        """Draw from these frames too from now on; leave out those without any label."""
        self._frames += [self._prepare(frame) for frame in frames if frame.states.any()]
        self._waiting = []

    def add_hard_negatives(self, negatives: Iterable[HardNegative]) -> None:
        """Show these places too from now on; see `napari_al_pose.pose.hard_negatives`."""
        for frame, xy in negatives:
            geometry = InputGeometry.fit(frame.size, self._long_side)
            self._negatives.append((self._prepare(frame), geometry.to_network(xy)))

    def batch(self) -> TrainingBatch:
        """Return the next batch."""
        labelled = self._labelled()
        return labelled if self.unlabelled is None else labelled + self.unlabelled(self.batch_size // 2)

    def _labelled(self) -> TrainingBatch:
        images, uvs, weights = [], [], []
        for _ in range(self.batch_size):
            chosen, around = self._next()
            source, mirrored = self._scaled_image(chosen), self._views.draw_mirrored(self._rng)
            elsewhere = source is chosen.elsewhere
            image, uv = self._views.draw(
                source.image, source.uv, self._rng, anywhere=elsewhere, around=around, mirrored=mirrored
            )
            images.append(image)
            uvs.append(torch.from_numpy(uv))
            weights.append(self._views.in_view(chosen.weights, mirrored=mirrored))
        return TrainingBatch(torch.stack(images), torch.stack(uvs).float(), torch.stack(weights))

    def _next(self) -> tuple[_PreparedFrame, NDArray[np.float64] | None]:
        """Return the next frame and the place to show in it; None for its animal."""
        if self._negatives and self._rng.random() < HARD_NEGATIVE_SHARE:
            return self._negatives[int(self._rng.integers(len(self._negatives)))]
        self._waiting = self._waiting or [int(i) for i in self._rng.permutation(len(self._frames))]
        return self._frames[self._waiting.pop()], None

    def _scaled_image(self, frame: _PreparedFrame) -> ScaledImage:
        if frame.coarse is None or frame.elsewhere is None:
            return frame.near
        chance = self._rng.random()
        if chance < COARSE_SHARE:
            return frame.coarse
        return frame.elsewhere if chance < COARSE_SHARE + ELSEWHERE_SHARE else frame.near

    def _prepare(self, frame: LabelledFrame) -> _PreparedFrame:
        whole, weights = scaled(frame, self._long_side), weights_of(frame)
        if self._window is None:
            return _PreparedFrame(whole, weights)
        placed = whole.uv[np.isfinite(whole.uv[:, 0])]
        sides = np.array(whole.image.shape[:-3:-1])
        somewhere = self._rng.uniform(0, sides)
        middle = middle_of(whole.uv) if len(placed) else somewhere
        reach = SURROUNDINGS * max(self._views.crop)
        return _PreparedFrame(
            part_of(whole, middle, reach),
            weights,
            scaled(frame, self._window.search_side),
            part_of(whole, somewhere, reach),
        )


def weights_of(frame: LabelledFrame) -> Tensor:
    """Return the weight of each keypoint of an animal, (K,)."""
    taken = np.zeros(len(frame.states), bool) if frame.taken is None else frame.taken
    return keypoint_weights(torch.from_numpy(np.asarray(frame.states, np.int64)), torch.from_numpy(taken))


def scaled(frame: LabelledFrame, long_side: int, also: NDArray[np.float64] | None = None) -> ScaledImage:
    """Return a frame scaled to ``long_side``, with its keypoints followed by ``also``, (n, 2), source pixels."""
    geometry = InputGeometry.fit(frame.size, long_side)
    uv = keypoints_in(frame, geometry)
    if also is not None:
        uv = np.concatenate([uv, geometry.to_network(also)])
    return ScaledImage(resize_frames(frame.image[None], geometry)[0], uv)


def keypoints_in(frame: LabelledFrame, geometry: InputGeometry) -> NDArray[np.float64]:
    """Return the placed keypoints, (K, 2), in network pixels; NaN for the others."""
    uv = geometry.to_network(frame.xy)
    uv[frame.states != KeypointState.PLACED] = np.nan
    return uv


def part_of(whole: ScaledImage, middle: NDArray[np.float64], side: int) -> ScaledImage:
    """Return the square of ``side`` around ``middle``, clipped to the image."""
    height, width = whole.image.shape[-2:]
    last = np.maximum(np.array([width, height]) - side, 0)
    left, top = np.clip(np.round(middle - side / 2), 0, last).astype(int).tolist()
    image = whole.image[:, top : top + side, left : left + side].clone()
    return ScaledImage(image, whole.uv - (left, top))
