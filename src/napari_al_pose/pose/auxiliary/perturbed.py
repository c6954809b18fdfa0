"""Poses of the same frames under perturbation: with channels dropped, or rotated and scaled."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_al_pose.pose.augmentation import cut
from napari_al_pose.pose.auxiliary.activations import ActivationProbe, Activations, to_source
from napari_al_pose.pose.geometry import CELL_CENTRE, SCOREMAP_STRIDE, InputGeometry, Windows
from napari_al_pose.pose.targets import decode

DROPOUT_PASSES = 10
_DROPPED = 0.1
_TURNS = ((15.0, 1.0), (-15.0, 1.0), (0.0, 0.8), (0.0, 1.25))
"""Degrees and scales of the copies."""


@torch.inference_mode()
def dropout_poses(view: ActivationProbe, activations: Activations) -> NDArray[np.float32]:
    """Return poses with a tenth of the last features' channels dropped, ``(n, 10, K, 2)``, source pixels.

    The ten sets of channels are the same for every frame, so frames can be compared and the result does not depend on
    their order.
    """
    channels = activations.features.shape[1]
    generator = torch.Generator().manual_seed(0)
    kept = (torch.rand((DROPOUT_PASSES, channels), generator=generator) >= _DROPPED).float() / (1 - _DROPPED)
    poses = []
    for mask in kept.to(activations.features.device):
        logits = view.last(activations.features * mask[None, :, None, None])
        poses.append(decode(logits.float().sigmoid())[0])
    return to_source(torch.stack(poses, dim=1), activations.geometry)


def turned_poses(view: ActivationProbe, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return poses of the frames ``(n, H, W, 3)`` and their rotated copies, ``(n, 5, K, 2)``, source pixels."""
    images, geometry = view.pictures(frames)
    poses = [view.look(frames).xy]
    poses += [_turned(view, images, geometry, angle, scale) for angle, scale in _TURNS]
    return np.stack(poses, axis=1)


def _turned(
    view: ActivationProbe, images: Tensor, geometry: InputGeometry | Windows, angle: float, scale: float
) -> NDArray[np.float32]:
    height, width = geometry.resized
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    # Three points determine where the rotation takes every other point.
    marks = np.array([[0.0, 0.0], [width, 0.0], [0.0, height]])
    copies = []
    for image in images.cpu():
        copy, moved = cut(image, marks, centre=centre, angle=angle, scale=scale, size=geometry.padded)
        copies.append(copy)
    device = next(view.network.parameters()).device
    whole = InputGeometry(geometry.padded, geometry.padded)
    seen = view.look_at_images(torch.stack(copies).to(device), whole)
    uv = seen.cells.cpu().numpy().astype(np.float64) * SCOREMAP_STRIDE + CELL_CENTRE
    back = np.linalg.solve(np.c_[moved, np.ones(3)], marks)
    uv = np.concatenate([uv, np.ones((*uv.shape[:2], 1))], axis=-1) @ back
    return geometry.to_source((uv - CELL_CENTRE) / SCOREMAP_STRIDE).astype(np.float32)
