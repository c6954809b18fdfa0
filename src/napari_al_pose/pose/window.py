"""A window that follows the animal: where it is, is found in a first pass over the whole frame at a coarse scale.

Both passes are made by one network, which learns from views at both scales.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_al_pose.pose.geometry import InputGeometry, Windows, network_input, resize_frames
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.targets import decode


@dataclass(frozen=True, slots=True)
class Window:
    """What a network looks at where animals are small against the frame.

    Parameters
    ----------
    side : int
        Side of the window, network pixels, a multiple of 32.
    search_side : int
        Longer side of the whole frame in the first pass, px.
    """

    side: int
    search_side: int


def pictures(
    network: PoseNetwork, frames: NDArray[np.uint8], geometry: InputGeometry, window: Window | None
) -> tuple[Tensor, InputGeometry | Windows]:
    """Return what the network looks at in frames, and where that lies.

    Parameters
    ----------
    network : PoseNetwork
        In evaluation mode.
    frames : uint8 array, (N, H, W, 3)
        RGB, of the source size or resized already.
    geometry : InputGeometry
        Of the whole frames.
    window : Window or None
        None looks at whole frames.

    Returns
    -------
    uint8 Tensor, (N, 3, h, w)
        At the network's scale, not padded, in main memory.
    InputGeometry or Windows
    """
    images = resize_frames(frames, geometry)
    if window is None:
        return images, geometry
    windows = _search(network, images, geometry, window)
    return windows.cut(images), windows


def show(
    network: PoseNetwork, frames: NDArray[np.uint8], geometry: InputGeometry, window: Window | None
) -> tuple[Tensor, InputGeometry | Windows]:
    """Return `pictures` as the network takes them."""
    images, seen = pictures(network, frames, geometry, window)
    return network_input(images.to(next(network.parameters()).device), seen, network.mean), seen


@torch.inference_mode()
def _search(network: PoseNetwork, images: Tensor, geometry: InputGeometry, window: Window) -> Windows:
    """Find the animal in whole frames."""
    coarse = InputGeometry.fit(geometry.resized, window.search_side)
    rows, columns = coarse.cells
    small = F.interpolate(images, coarse.resized, mode="bilinear", antialias=True).to(next(network.parameters()).device)
    scoremaps = network(network_input(small, coarse, network.mean))[:, :, :rows, :columns].float().sigmoid()
    cells, likelihood = decode(scoremaps)
    uv = coarse.to_source(cells.cpu().numpy().astype(np.float64))
    return Windows.around(gather(uv, likelihood.cpu().numpy(), window.side), geometry, window.side)


def gather(uv: NDArray[np.floating], weights: NDArray[np.floating], side: int) -> NDArray[np.float64]:
    """Return for each frame the middle of what most keypoints agree on, ``(N, 2)``.

    Of the keypoints, ``uv`` (N, K, 2), the one with the greatest weight within half a ``side`` of it, both ways; of
    those the weighted mean.
    """
    near = np.abs(uv[:, :, None] - uv[:, None]).max(axis=-1) <= side / 2
    votes = near * np.maximum(weights, 1e-9)[:, None]
    chosen = votes[np.arange(len(uv)), votes.sum(axis=-1).argmax(axis=-1)]
    return (chosen[..., None] * uv).sum(axis=1) / chosen.sum(axis=1)[:, None]
