"""Runs the network over frames: as fast as the processor allows, in bounded memory."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from napari_al_pose.domain import ScoremapGrid
from napari_al_pose.pose import efficientnet
from napari_al_pose.pose.animals import AnimalPoses, Animals, predict_animals
from napari_al_pose.pose.geometry import InputGeometry, resize_frames
from napari_al_pose.pose.memory import usable_bytes, with_what_there_is
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.targets import decode
from napari_al_pose.pose.window import Window, show

_MOST_AT_ONCE, _PIXELS_AT_ONCE = 8, 8 * 512 * 512
"""Most frames, and network pixels, in one pass on a GPU; more is not faster."""


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Positions, raw likelihoods and raw scoremaps (if requested) of some frames, and where the scoremaps lie.

    With several animals these are the surest animal's, and ``animals`` holds all.
    """

    xy: NDArray[np.float32]
    likelihood: NDArray[np.float32]
    scoremaps: NDArray[np.float32] | None
    grids: tuple[ScoremapGrid, ...]
    animals: AnimalPoses | None = None


class Forward:
    """A network prepared for prediction: BatchNorms are folded, and weights are in half precision where that is faster.

    On a CPU each core takes one image at a time. The maps stay in its cache and no core waits for another, which is 1.5
    to 2.5 times as fast as all cores on one batch. The default backbone runs in bfloat16 on processors with matrix
    units for it (AMX), which takes 0.7 of the time.

    Parameters
    ----------
    network : PoseNetwork
        Not changed.
    window : Window, optional
        What the network looks at; by default the whole frame.
    animals : Animals, optional
        How many animals it looks for; by default one.
    """

    def __init__(self, network: PoseNetwork, window: Window | None = None, animals: Animals | None = None) -> None:
        fused = network.fused().to(memory_format=torch.channels_last)
        self._device = next(fused.parameters()).device
        half = (
            self._device.type == "cpu"
            and isinstance(fused.backbone, efficientnet.EfficientNetPyramid)
            and has_matrix_units()
        )
        self._network = fused.half_precision() if half else fused
        self._window = window
        self._animals = animals
        self._most = sys.maxsize
        """How many frames fit into memory at once; unlimited until memory runs out."""

    def __call__(self, frames: NDArray[np.uint8], geometry: InputGeometry, *, with_scoremaps: bool) -> list[Chunk]:
        """Return the predictions for frames of one size, in their order.

        Raises
        ------
        AlPoseError
            If memory does not suffice for a single frame.
        """
        wanted = self._at_once(len(frames), geometry)
        chunks, at_once = with_what_there_is(
            lambda n: self._pass(frames, geometry, n, with_scoremaps=with_scoremaps), wanted
        )
        if at_once < wanted:
            self._most = at_once
        return chunks

    @property
    def notice(self) -> str:
        """What the network does to save memory; empty if memory suffices."""
        return "" if self._most == sys.maxsize else f"little memory: {self._most} at once"

    def _at_once(self, n: int, geometry: InputGeometry) -> int:
        """Return how many of ``n`` frames to process at the same time."""
        seen = geometry if self._window is None else InputGeometry.fit(geometry.resized, self._window.search_side)
        pixels = seen.padded[0] * seen.padded[1]
        fitting = usable_bytes(self._device.type) // (pixels * self._network.memory.predicting)
        if self._device.type == "cpu":
            most = torch.get_num_threads()
        else:
            most = min(_MOST_AT_ONCE, _PIXELS_AT_ONCE // pixels)
        return max(1, min(n, self._most, most, fitting))

    def _pass(
        self, frames: NDArray[np.uint8], geometry: InputGeometry, at_once: int, *, with_scoremaps: bool
    ) -> list[Chunk]:
        def look(part: NDArray[np.uint8]) -> Chunk:
            return predict_chunk(
                self._network, part, geometry, self._window, with_scoremaps=with_scoremaps, animals=self._animals
            )

        if self._device.type != "cpu":
            return [look(part) for part in _parts(frames, at_once)]
        if at_once == 1:
            return [look(part) for part in _parts(frames, 1)]
        with ThreadPoolExecutor(at_once, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            jobs = [pool.submit(look, part) for part in _parts(frames, 1)]
            return [job.result() for job in jobs]


def has_matrix_units() -> bool:
    """Return whether this processor multiplies bfloat16 matrices in hardware, as far as torch can tell."""
    if not hasattr(torch.cpu, "get_capabilities"):  # torch 2.8
        return False
    return bool(torch.cpu.get_capabilities().get("amx_bf16", False))


def _parts(frames: NDArray[np.uint8], size: int) -> Iterator[NDArray[np.uint8]]:
    for start in range(0, len(frames), size):
        yield frames[start : start + size]


@torch.inference_mode()
def predict_chunk(
    network: PoseNetwork,
    frames: NDArray[np.uint8],
    geometry: InputGeometry,
    window: Window | None,
    *,
    with_scoremaps: bool,
    animals: Animals | None = None,
) -> Chunk:
    """Return source positions, likelihoods, scoremaps and their grids for frames that fit into memory at once."""
    if animals is not None and window is not None:
        images = resize_frames(frames, geometry)
        found = predict_animals(network, images, geometry, window, animals, with_scoremaps=with_scoremaps)
        first = None if found.scoremaps is None else found.scoremaps[:, 0]
        return Chunk(found.xy[:, 0], found.likelihood[:, 0], first, tuple(g[0] for g in found.grids), found)
    images, seen = show(network, frames, geometry, window)
    rows, columns = seen.cells
    scoremaps = network(images)[:, :, :rows, :columns].float().sigmoid()
    cells, likelihood = decode(scoremaps)
    xy = seen.to_source(cells.cpu().numpy().astype(np.float64)).astype(np.float32)
    maps = scoremaps.cpu().numpy() if with_scoremaps else None
    return Chunk(xy, likelihood.cpu().numpy(), maps, seen.grids(len(frames)))
