"""A window that follows the animal: a first pass over the whole frame at a coarse scale finds it.

One network makes both passes; it learns from views at both scales.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_al_pose.pose.geometry import InputGeometry, Windows, network_input, resize_frames
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.targets import decode

PLACES, RIVAL = 3, 0.3
"""How many places are looked at closely, and the least votes of each relative to the first place. At the coarse scale,
something that resembles a head can outvote the other end of the animal; at the fine scale it does not."""


@dataclass(frozen=True, slots=True)
class Window:
    """What a network looks at if animals are small in the frame.

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
    """Return what the network looks at in frames, and where that lies in them.

    Parameters
    ----------
    network : PoseNetwork
        In evaluation mode.
    frames : uint8 array, (N, H, W, 3)
        RGB, at the source size or resized already.
    geometry : InputGeometry
        Of the whole frames.
    window : Window or None
        None for whole frames.

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
    """Return `pictures` in the form the network expects."""
    images, seen = pictures(network, frames, geometry, window)
    return network_input(images.to(next(network.parameters()).device), seen, network.mean), seen


@torch.inference_mode()
def _search(network: PoseNetwork, images: Tensor, geometry: InputGeometry, window: Window) -> Windows:
    """Find the animal in whole frames; where keypoints disagree, look closely at each place they name."""
    coarse = InputGeometry.fit(geometry.resized, window.search_side)
    small = F.interpolate(images, coarse.resized, mode="bilinear", antialias=True)
    cells, likelihood = _peaks(network, small, coarse)
    uv = coarse.to_source(cells.astype(np.float64))
    middles, votes = places(uv, likelihood, window.side)
    found = [Windows.around(middles[:, place], geometry, window.side) for place in range(PLACES)]
    asked = votes >= RIVAL * votes[:, :1]
    frames, at = np.nonzero(asked & asked[:, 1:].any(axis=1, keepdims=True))
    if not len(frames):
        return found[0]
    cuts = torch.stack([windows.cut(images) for windows in found])[torch.from_numpy(at), torch.from_numpy(frames)]
    seen = np.zeros(votes.shape, np.float32)
    seen[frames, at] = _peaks(network, cuts, found[0])[1].sum(axis=1)
    corners = np.stack([windows.corners for windows in found])
    return replace(found[0], corners=corners[seen.argmax(axis=1), np.arange(len(images))])


def _peaks(
    network: PoseNetwork, images: Tensor, seen: InputGeometry | Windows
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return cells (N, K, 2) and heights (N, K) of the highest peaks."""
    rows, columns = seen.cells
    given = network_input(images.to(next(network.parameters()).device), seen, network.mean)
    cells, likelihood = decode(network(given)[:, :, :rows, :columns].float().sigmoid())
    return cells.cpu().numpy(), likelihood.cpu().numpy()


def places(
    uv: NDArray[np.floating], weights: NDArray[np.floating], side: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where the animal may be in each frame, the likeliest of `PLACES` first.

    The first place is where most keypoints agree. Of the keypoints ``uv``, (N, K, 2), take the one with the greatest
    weight within half a ``side`` of it both ways, and average those weighted. The next place is found in the same way
    from the remaining keypoints.

    Returns
    -------
    middles : float64 array, (N, PLACES, 2)
    votes : float64 array, (N, PLACES)
        The weight that agrees; 0 if no keypoint is left.
    """
    near = np.abs(uv[:, :, None] - uv[:, None]).max(axis=-1) <= side / 2
    left, rows = np.maximum(np.asarray(weights, np.float64), 1e-9), np.arange(len(uv))
    middles, votes = np.zeros((len(uv), PLACES, 2)), np.zeros((len(uv), PLACES))
    for place in range(PLACES):
        best = (near * left[:, None]).sum(axis=-1).argmax(axis=-1)
        chosen = near[rows, best] * left
        votes[:, place] = chosen.sum(axis=1)
        middles[:, place] = (chosen[..., None] * uv).sum(axis=1) / np.maximum(votes[:, place, None], 1e-12)
        left = np.where(near[rows, best], 0.0, left)
    return middles, votes
