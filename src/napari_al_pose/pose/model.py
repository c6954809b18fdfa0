"""A trained model: predicts poses, goes to a file and comes back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from napari_al_pose.domain import AlPoseError, ScoremapGrid
from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.pose.checkpoint import read_checkpoint, write_checkpoint
from napari_al_pose.pose.device import resolve_device
from napari_al_pose.pose.geometry import InputGeometry, resize_frames
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.targets import decode

_PIXELS_AT_ONCE = 8 * 512 * 512
"""Network pixels of one forward pass: bounds its memory to some hundred megabytes."""


@dataclass(frozen=True, slots=True, eq=False)
class PoseBatch:
    """What a model says about N frames of one size.

    Parameters
    ----------
    xy : float32 array, (N, K, 2)
        Source pixels, x then y, pixel centres at integers.
    likelihood : float32 array, (N, K)
        Height of the scoremap at the pose, in [0, 1].
    scoremaps : float32 array, (N, K, h, w), or None
        In [0, 1].
    grid : ScoremapGrid
        Where the scoremap cells lie.
    """

    xy: NDArray[np.float32]
    likelihood: NDArray[np.float32]
    scoremaps: NDArray[np.float32] | None
    grid: ScoremapGrid


class PoseModel:
    """A network with what is needed to use it. Made by `train` or `PoseModel.load`; it does not change.

    Parameters
    ----------
    network : PoseNetwork
        On its device.
    bodyparts : tuple of str
        The order of every keypoint axis.
    settings : TrainSettings
        What it was trained with.
    long_side : int
        Longer side of the images the network sees, px.
    """

    def __init__(
        self, network: PoseNetwork, *, bodyparts: tuple[str, ...], settings: TrainSettings, long_side: int
    ) -> None:
        self.network = network
        self.bodyparts = bodyparts
        self.settings = settings
        self.long_side = long_side
        self._fused: PoseNetwork | None = None

    @property
    def device(self) -> str:
        """Where the network runs."""
        return next(self.network.parameters()).device.type

    def input_size_for(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width to which frames of ``height`` by ``width`` are resized."""
        return InputGeometry.fit((height, width), self.long_side).resized

    def predict(
        self, frames: NDArray[np.uint8], *, source: tuple[int, int] | None = None, with_scoremaps: bool = True
    ) -> PoseBatch:
        """Predict the pose in each frame.

        Parameters
        ----------
        frames : uint8 array, (N, H, W, 3)
            RGB; any N, in bounded memory.
        source : (int, int), optional
            Height and width of the video, for frames that were scaled to `input_size_for` it while they were decoded.
        with_scoremaps : bool
            False leaves them out, which saves memory and time.
        """
        _check(frames)
        if self._fused is None:
            self._fused = self.network.fused().to(memory_format=torch.channels_last)
        geometry = InputGeometry.fit(source or (frames.shape[1], frames.shape[2]), self.long_side)
        at_once = max(1, min(8, _PIXELS_AT_ONCE // (geometry.padded[0] * geometry.padded[1])))
        chunks = [
            predict_chunk(self._fused, frames[start : start + at_once], geometry, with_scoremaps=with_scoremaps)
            for start in range(0, len(frames), at_once)
        ]
        if not chunks:
            return self._empty(geometry, with_scoremaps=with_scoremaps)
        xy, likelihood = (np.concatenate([chunk[i] for chunk in chunks]) for i in (0, 1))
        maps = [chunk[2] for chunk in chunks if chunk[2] is not None]
        return PoseBatch(xy, likelihood, np.concatenate(maps) if maps else None, geometry.grid)

    def _empty(self, geometry: InputGeometry, *, with_scoremaps: bool) -> PoseBatch:
        k = len(self.bodyparts)
        maps = np.empty((0, k, *geometry.cells), np.float32) if with_scoremaps else None
        return PoseBatch(np.empty((0, k, 2), np.float32), np.empty((0, k), np.float32), maps, geometry.grid)

    def save(self, path: Path) -> None:
        """Write the model to one file, whole or not at all; AlPoseError if it can't be written."""
        state = {name: tensor.detach().cpu() for name, tensor in self.network.state_dict().items()}
        write_checkpoint(
            Path(path), bodyparts=self.bodyparts, settings=self.settings, long_side=self.long_side, state=state
        )

    @classmethod
    def load(cls, path: Path, device: str = "auto") -> PoseModel:
        """Read a model file.

        Raises
        ------
        AlPoseError
            If the file is missing, damaged or not a model, or the device can't be used.
        """
        content = read_checkpoint(Path(path))
        settings: TrainSettings = content["settings"]
        bodyparts = tuple(content["bodyparts"])
        network = PoseNetwork(settings.trunk, len(bodyparts), pretrained=False)
        try:
            network.load_state_dict(content["state"])
        except (RuntimeError, TypeError, AttributeError) as error:
            raise AlPoseError(
                f"The model {path} does not fit the network {settings.trunk!r}.",
                "Choose another model version, or learn once more.",
            ) from error
        network = network.to(resolve_device(device)).eval()
        return cls(network, bodyparts=bodyparts, settings=settings, long_side=content["long_side"])


def _check(frames: NDArray[np.uint8]) -> None:
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8:
        raise AlPoseError(
            f"Expected 8-bit RGB frames (N, H, W, 3), got {frames.dtype} of shape {frames.shape}.",
            "Convert the video to 8-bit colour.",
        )


@torch.inference_mode()
def predict_chunk(
    network: PoseNetwork, frames: NDArray[np.uint8], geometry: InputGeometry, *, with_scoremaps: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32] | None]:
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
