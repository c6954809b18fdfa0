"""A DeepLabCut 3 snapshot as a model of the project: it gives the same poses as DeepLabCut, and its scoremaps."""

from __future__ import annotations

import pickle
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import Tensor
from torch.nn import functional as F

from napari_al_pose.domain import AlPoseError, ScoremapGrid
from napari_al_pose.pose.animals import Animals
from napari_al_pose.pose.device import resolve_device
from napari_al_pose.pose.foreign.deeplabcut_config import CONFIG_NAME, Snapshot, read_config
from napari_al_pose.pose.foreign.deeplabcut_network import DeepLabCutNetwork
from napari_al_pose.pose.foreign.ordering import bodypart_order, in_our_words
from napari_al_pose.pose.memory import with_what_there_is
from napari_al_pose.pose.model import PoseBatch, check_frames

FORMAT = "napari-al-pose copy of a DeepLabCut snapshot"

_HINT = "Choose a snapshot that DeepLabCut 3 wrote (dlc-models-pytorch/.../train/snapshot-*.pt)."
_PIXELS_AT_ONCE = 2 * 640 * 480
"""Pixels of one forward pass, whose maps then take some hundred megabytes."""


class DeepLabCutModel:
    """Predicts with a network that DeepLabCut trained.

    Parameters
    ----------
    network : DeepLabCutNetwork
        On its device.
    snapshot : Snapshot
        What DeepLabCut stored with it.
    bodyparts : tuple of str
        The project's bodyparts, in the order of every keypoint axis; the network must know all of them.

    Raises
    ------
    AlPoseError
        If the network does not know one of them.
    """

    animals: Animals | None = None
    file_name = "deeplabcut.pt"

    def __init__(self, network: DeepLabCutNetwork, *, snapshot: Snapshot, bodyparts: tuple[str, ...]) -> None:
        self.network = network
        self.bodyparts = bodyparts
        self._snapshot = snapshot
        self._order = bodypart_order(bodyparts, snapshot.bodyparts)
        stride = snapshot.stride
        self._most = sys.maxsize
        self.grid = ScoremapGrid(stride, stride, stride / 2, stride / 2)

    @property
    def network_name(self) -> str:
        """DeepLabCut's name of the network."""
        return self._snapshot.net_type or self._snapshot.backbone.model_name

    @property
    def pad_to(self) -> tuple[int, int]:
        """Height and width are padded to multiples of this."""
        return self._snapshot.pad_to

    @property
    def notice(self) -> str:
        """What predictions do to save memory; empty if memory suffices."""
        return "" if self._most == sys.maxsize else f"little memory: {self._most} at once"

    def input_size_for(self, height: int, width: int) -> tuple[int, int]:
        """Return the frames' own size: DeepLabCut predicts at full resolution."""
        return height, width

    def predict(
        self, frames: NDArray[np.uint8], *, source: tuple[int, int] | None = None, with_scoremaps: bool = True
    ) -> PoseBatch:
        """Predict the pose in each frame; see `PoseModel.predict`. Scoremaps are clipped to [0, 1]."""
        check_frames(frames)
        height, width = frames.shape[1:3]
        wanted = max(1, min(self._most, _PIXELS_AT_ONCE // max(1, height * width), len(frames)))

        def look(n: int) -> list[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32] | None]]:
            starts = range(0, max(len(frames), 1), n)
            return [self._predict(frames[start : start + n], with_scoremaps=with_scoremaps) for start in starts]

        chunks, at_once = with_what_there_is(look, wanted)
        if at_once < wanted:
            self._most = at_once
        xy, likelihood = (np.concatenate([chunk[i] for chunk in chunks]) for i in (0, 1))
        maps = [chunk[2] for chunk in chunks if chunk[2] is not None]
        return PoseBatch(xy, likelihood, np.concatenate(maps) if maps else None, (self.grid,) * len(frames))

    @torch.inference_mode()
    def _predict(
        self, frames: NDArray[np.uint8], *, with_scoremaps: bool
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32] | None]:
        decoding = self._snapshot.head.predictor
        device = next(self.network.parameters()).device
        images = torch.tensor(frames, device=device).permute(0, 3, 1, 2).float()
        maps, offsets = self.network(self._padded(images))
        maps = (maps.sigmoid() if decoding.apply_sigmoid else maps)[:, self._order]
        n, k, rows, columns = maps.shape
        top = maps.flatten(2)
        best = top.argmax(2) if n else top.new_zeros((0, k), dtype=torch.int64)
        likelihood = top.gather(2, best[:, :, None])[:, :, 0]
        cells = torch.stack([best % columns, best // columns], dim=-1).float()
        xy = (cells + 0.5) * self._snapshot.stride
        if decoding.location_refinement and offsets is not None:
            offsets = offsets.reshape(n, offsets.shape[1] // 2, 2, rows * columns)[:, self._order]
            at = best[:, :, None, None].expand(-1, -1, 2, 1)
            xy = xy + offsets.gather(3, at)[..., 0] * decoding.locref_std
        shown = maps.clamp(0, 1).cpu().numpy() if with_scoremaps else None
        return xy.cpu().numpy(), likelihood.clamp(0, 1).cpu().numpy(), shown

    def _padded(self, images: Tensor) -> Tensor:
        """Return images padded to sides that the network can halve; DeepLabCut mirrors the border too, at random
        sides."""
        bottom, right = (-side % unit for side, unit in zip(images.shape[-2:], self._snapshot.pad_to, strict=True))
        mode = "reflect" if bottom < images.shape[-2] and right < images.shape[-1] else "replicate"
        return F.pad(images, (0, right, 0, bottom), mode=mode) if bottom or right else images

    def save(self, path: Path) -> None:
        """Write the model to one file, in a folder that is moved into place when it is whole."""
        content = {
            "format": FORMAT,
            "snapshot": self._snapshot.model_dump(mode="json"),
            "bodyparts": list(self.bodyparts),
            "state": {name: tensor.detach().cpu() for name, tensor in self.network.state_dict().items()},
        }
        torch.save(content, path)

    @classmethod
    def load(cls, path: Path, device: str = "auto") -> DeepLabCutModel:
        """Read a file that `save` wrote.

        Raises
        ------
        AlPoseError
            If the file is missing, damaged or not a model, or the device can't be used.
        """
        content = _read(path)
        try:
            if content["format"] != FORMAT:
                raise KeyError("format")
            snapshot = Snapshot.model_validate(content["snapshot"])
            bodyparts = tuple(str(name) for name in content["bodyparts"])
            state = content["state"]
        except (KeyError, TypeError, ValidationError) as error:
            raise AlPoseError(f"The model {path} is damaged, or not a model.", "Choose another version.") from error
        return cls(_build(snapshot, state, path, device), snapshot=snapshot, bodyparts=bodyparts)


def read_snapshot(
    path: Path,
    bodyparts: Sequence[str],
    *,
    device: str = "auto",
    chosen: Mapping[str, str] = MappingProxyType({}),
) -> DeepLabCutModel:
    """Read a snapshot that DeepLabCut 3 wrote.

    Parameters
    ----------
    path : Path
        ``snapshot-*.pt``, beside its ``pytorch_config.yaml``.
    bodyparts : sequence of str
        The project's.
    device : str
        "auto", "cpu", "cuda" or "mps".
    chosen : mapping of str to str
        Which of the network's bodyparts are the project's; see `in_our_words`.

    Raises
    ------
    AlPoseError
        If it can't be read, is of an unsupported kind, or knows other bodyparts.
    """
    snapshot = read_config(path.with_name(CONFIG_NAME))
    words = in_our_words(bodyparts, snapshot.bodyparts, chosen)
    snapshot = snapshot.model_copy(update={"bodyparts": words})
    bodypart_order(bodyparts, snapshot.bodyparts)  # before the large file is read
    state = _read(path).get("model")
    return DeepLabCutModel(_build(snapshot, state, path, device), snapshot=snapshot, bodyparts=tuple(bodyparts))


def _build(snapshot: Snapshot, state: Any, path: Path, device: str) -> DeepLabCutNetwork:
    network = DeepLabCutNetwork(snapshot)
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise AlPoseError(f"Expected the weights of a network in {path}, got something else.", _HINT)
    try:
        network.load_state_dict(state)
    except (RuntimeError, TypeError) as error:
        raise AlPoseError(f"The weights in {path} do not fit what {CONFIG_NAME} describes.", _HINT) from error
    return network.to(resolve_device(device)).eval().requires_grad_(False)


def _read(path: Path) -> dict[str, Any]:
    """Return a file's content as data; nothing in it is executed."""
    if not path.is_file():
        raise AlPoseError(f"There is no file {path}.", _HINT)
    if not zipfile.is_zipfile(path):
        raise AlPoseError(f"{path} is damaged, or not a snapshot.", _HINT)
    try:
        with torch.serialization.safe_globals(_numpy_numbers()):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, LookupError, TypeError, pickle.UnpicklingError) as error:
        raise AlPoseError(f"{path} is damaged, or it holds more than numbers and is not opened.", _HINT) from error
    if not isinstance(content, dict):
        raise AlPoseError(f"{path} is not a snapshot.", _HINT)
    return content


def _numpy_numbers() -> list[Any]:
    """Return the numpy types that early snapshots hold besides tensors: their losses, under old and new names."""
    core: Any = getattr(np, "_core", None) or np.core  # numpy 1 has it there
    scalar = core.multiarray.scalar
    names = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
    return [np.dtype, np.dtypes.Float64DType, np.dtypes.Float32DType, *((scalar, name) for name in names)]
