"""Labelled frames as batches of random views, each frame once an epoch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_al_pose.domain import KeypointState
from napari_al_pose.pose.augmentation import Views
from napari_al_pose.pose.frames import LabelledFrame
from napari_al_pose.pose.geometry import InputGeometry, resize_frames
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.rivals import Rival
from napari_al_pose.pose.targets import keypoint_weights, render, scoremap_loss
from napari_al_pose.pose.window import Window

COARSE_SHARE, ELSEWHERE_SHARE = 0.25, 0.1
"""Where the network follows the animal: share of the views at the scale of the first pass, and of those from anywhere
in the frame at the scale of the second."""

RIVAL_SHARE = 0.1
"""Share of the views around places that were taken for the animal, where any are known."""

SURROUNDINGS = 3
"""Sides kept around the animal then, in crop sides: more would fill the memory with frames."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Views (N, 3, H, W), their keypoints (N, K, 2) in pixels of the views, and states (N, K)."""

    images: Tensor
    uv: Tensor
    states: Tensor

    def loss(self, network: PoseNetwork) -> Tensor:
        """Return how far the network is from what the views teach; see `scoremap_loss`."""
        device = next(network.parameters()).device
        logits = network(self.images.to(device)).float()
        rows, columns = logits.shape[-2:]
        targets = render(self.uv.to(device), rows, columns)
        return scoremap_loss(logits, targets, keypoint_weights(self.states.to(device)))


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A frame, or a part of it, at a scale of the network's."""

    image: Tensor
    uv: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    """What views of a labelled frame are drawn from; more than ``near`` where the network follows the animal."""

    near: Picture
    states: Tensor
    coarse: Picture | None = None
    elsewhere: Picture | None = None


class Feed:
    """Draws batches for ever.

    Parameters
    ----------
    views : Views
        How each view is drawn.
    long_side : int
        The network's scale.
    batch_size : int
        Views of a batch; may be changed between two.
    seed : int
    window : Window, optional
        How the network follows the animal.
    """

    def __init__(
        self, views: Views, *, long_side: int, batch_size: int, seed: int, window: Window | None = None
    ) -> None:
        self.batch_size = batch_size
        self._views = views
        self._long_side = long_side
        self._window = window
        self._rng = np.random.default_rng(seed)
        self._frames: list[_Prepared] = []
        self._waiting: list[int] = []
        self._rivals: list[tuple[_Prepared, NDArray[np.float64]]] = []

    def add(self, frames: Iterable[LabelledFrame]) -> None:
        """Draw from these as well from now on; what has no labels at all is left out."""
        self._frames += [self._prepare(frame) for frame in frames if frame.states.any()]
        self._waiting = []

    def add_rivals(self, rivals: Iterable[Rival]) -> None:
        """Show these places as well from now on; see `napari_al_pose.pose.rivals`."""
        for frame, xy in rivals:
            geometry = InputGeometry.fit(frame.size, self._long_side)
            self._rivals.append((self._prepare(frame), geometry.to_network(xy)))

    def batch(self) -> Batch:
        """Return the next views."""
        images, uvs, states = [], [], []
        for _ in range(self.batch_size):
            chosen, around = self._next()
            picture = self._picture(chosen)
            image, uv = self._views.draw(
                picture.image, picture.uv, self._rng, anywhere=picture is chosen.elsewhere, around=around
            )
            images.append(image)
            uvs.append(torch.from_numpy(uv))
            states.append(chosen.states)
        return Batch(torch.stack(images), torch.stack(uvs).float(), torch.stack(states))

    def _next(self) -> tuple[_Prepared, NDArray[np.float64] | None]:
        """Return the next frame and, if it is not its animal that is to be shown, what is."""
        if self._rivals and self._rng.random() < RIVAL_SHARE:
            return self._rivals[int(self._rng.integers(len(self._rivals)))]
        self._waiting = self._waiting or [int(i) for i in self._rng.permutation(len(self._frames))]
        return self._frames[self._waiting.pop()], None

    def _picture(self, frame: _Prepared) -> Picture:
        if frame.coarse is None or frame.elsewhere is None:
            return frame.near
        chance = self._rng.random()
        if chance < COARSE_SHARE:
            return frame.coarse
        return frame.elsewhere if chance < COARSE_SHARE + ELSEWHERE_SHARE else frame.near

    def _prepare(self, frame: LabelledFrame) -> _Prepared:
        whole, states = scaled(frame, self._long_side), torch.from_numpy(np.asarray(frame.states, np.int64))
        if self._window is None:
            return _Prepared(whole, states)
        placed = whole.uv[np.isfinite(whole.uv[:, 0])]
        sides = np.array(whole.image.shape[:-3:-1])
        somewhere = self._rng.uniform(0, sides)
        middle = (placed.min(axis=0) + placed.max(axis=0)) / 2 if len(placed) else somewhere
        reach = SURROUNDINGS * max(self._views.crop)
        return _Prepared(
            part_of(whole, middle, reach),
            states,
            scaled(frame, self._window.search_side),
            part_of(whole, somewhere, reach),
        )


def scaled(frame: LabelledFrame, long_side: int, also: NDArray[np.float64] | None = None) -> Picture:
    """Return a frame at a scale, with its keypoints and, behind them, ``also``, (n, 2), source pixels."""
    geometry = InputGeometry.fit(frame.size, long_side)
    uv = keypoints_in(frame, geometry)
    if also is not None:
        uv = np.concatenate([uv, geometry.to_network(also)])
    return Picture(resize_frames(frame.image[None], geometry)[0], uv)


def keypoints_in(frame: LabelledFrame, geometry: InputGeometry) -> NDArray[np.float64]:
    """Return the placed keypoints, (K, 2), in network pixels; NaN for the others."""
    uv = geometry.to_network(frame.xy)
    uv[frame.states != KeypointState.PLACED] = np.nan
    return uv


def part_of(whole: Picture, middle: NDArray[np.float64], side: int) -> Picture:
    """Return what lies within a square of ``side`` around ``middle``, as far as the picture goes."""
    height, width = whole.image.shape[-2:]
    last = np.maximum(np.array([width, height]) - side, 0)
    left, top = np.clip(np.round(middle - side / 2), 0, last).astype(int).tolist()
    image = whole.image[:, top : top + side, left : left + side].clone()
    return Picture(image, whole.uv - (left, top))
