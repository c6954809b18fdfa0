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

Batch = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    """A frame at the network's scale."""

    image: Tensor
    uv: NDArray[np.float64]
    states: Tensor


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
    """

    def __init__(self, views: Views, *, long_side: int, batch_size: int, seed: int) -> None:
        self.batch_size = batch_size
        self._views = views
        self._long_side = long_side
        self._rng = np.random.default_rng(seed)
        self._frames: list[_Prepared] = []
        self._waiting: list[int] = []

    def add(self, frames: Iterable[LabelledFrame]) -> None:
        """Draw from these as well from now on; what has no labels at all is left out."""
        self._frames += [_prepare(frame, self._long_side) for frame in frames if frame.states.any()]
        self._waiting = []

    def batch(self) -> Batch:
        """Return views (N, 3, H, W), keypoints (N, K, 2) and states (N, K)."""
        images, uvs, states = [], [], []
        for _ in range(self.batch_size):
            self._waiting = self._waiting or [int(i) for i in self._rng.permutation(len(self._frames))]
            chosen = self._frames[self._waiting.pop()]
            image, uv = self._views.draw(chosen.image, chosen.uv, self._rng)
            images.append(image)
            uvs.append(torch.from_numpy(uv))
            states.append(chosen.states)
        return torch.stack(images), torch.stack(uvs).float(), torch.stack(states)


def _prepare(frame: LabelledFrame, long_side: int) -> _Prepared:
    geometry = InputGeometry.fit(frame.size, long_side)
    uv = geometry.to_network(frame.xy)
    uv[frame.states != KeypointState.PLACED] = np.nan
    image = resize_frames(frame.image[None], geometry)[0]
    return _Prepared(image, uv, torch.from_numpy(np.asarray(frame.states, np.int64)))
