"""The network's pass over frames: as fast as the processor allows, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from napari_al_pose.pose import efficientnet
from napari_al_pose.pose.geometry import InputGeometry, resize_frames
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.targets import decode

_PIXELS_AT_ONCE = 8 * 512 * 512
"""Network pixels of one pass on a GPU: bounds its memory to some hundred megabytes."""

Chunk = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32] | None]


class Forward:
    """A network made ready for prediction alone: BatchNorms folded, in half precision where the processor has it.

    On a processor each core takes images of its own, one at a time: their maps stay in its cache and no core waits
    for another, which is 1.5 to 2.5 times as fast as all cores on one batch. bfloat16 is used for the default trunk
    where there are matrix units for it (AMX), and takes 0.7 of the time there.

    Parameters
    ----------
    network : PoseNetwork
        Left as it is.
    """

    def __init__(self, network: PoseNetwork) -> None:
        fused = network.fused().to(memory_format=torch.channels_last)
        self._device = next(fused.parameters()).device
        half = self._device.type == "cpu" and isinstance(fused.trunk, efficientnet.Pyramid) and has_matrix_units()
        self._network = fused.half_precision() if half else fused

    def __call__(self, frames: NDArray[np.uint8], geometry: InputGeometry, *, with_scoremaps: bool) -> list[Chunk]:
        """Return positions, raw likelihoods and raw scoremaps of frames of one size, in their order."""
        if self._device.type != "cpu":
            at_once = max(1, min(8, _PIXELS_AT_ONCE // (geometry.padded[0] * geometry.padded[1])))
            return [
                predict_chunk(self._network, part, geometry, with_scoremaps=with_scoremaps)
                for part in _parts(frames, at_once)
            ]
        workers = min(torch.get_num_threads(), len(frames))
        if workers <= 1:
            return [
                predict_chunk(self._network, part, geometry, with_scoremaps=with_scoremaps)
                for part in _parts(frames, 1)
            ]
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            jobs = [
                pool.submit(predict_chunk, self._network, part, geometry, with_scoremaps=with_scoremaps)
                for part in _parts(frames, 1)
            ]
            return [job.result() for job in jobs]


def has_matrix_units() -> bool:
    """Whether this processor multiplies bfloat16 matrices in hardware, as far as torch can tell."""
    if not hasattr(torch.cpu, "get_capabilities"):  # torch 2.8
        return False
    return bool(torch.cpu.get_capabilities().get("amx_bf16", False))


def _parts(frames: NDArray[np.uint8], size: int) -> Iterator[NDArray[np.uint8]]:
    for start in range(0, len(frames), size):
        yield frames[start : start + size]


@torch.inference_mode()
def predict_chunk(
    network: PoseNetwork, frames: NDArray[np.uint8], geometry: InputGeometry, *, with_scoremaps: bool
) -> Chunk:
    """Return source positions, likelihoods and scoremaps of frames that fit into memory at once."""
    device = next(network.parameters()).device
    images = resize_frames(frames, geometry).to(device)
    (height, width), (padded_height, padded_width) = geometry.resized, geometry.padded
    # Filled with the mean, which becomes zero: what the network's own padding looks like.
    images = F.pad(images.float(), (0, padded_width - width, 0, padded_height - height), value=network.mean)
    rows, columns = geometry.cells
    scoremaps = network(images)[:, :, :rows, :columns].float().sigmoid()
    cells, likelihood = decode(scoremaps)
    xy = geometry.grid.to_source(cells.cpu().numpy().astype(np.float64)).astype(np.float32)
    maps = scoremaps.cpu().numpy() if with_scoremaps else None
    return xy, likelihood.cpu().numpy(), maps
