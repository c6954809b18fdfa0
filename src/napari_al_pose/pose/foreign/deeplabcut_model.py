"""A DeepLabCut 3 snapshot as a model of the project: it gives the same poses as DeepLabCut, and its scoremaps."""

from __future__ import annotations

import pickle
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import Tensor
from torch.nn import functional as F

from napari_al_pose.domain import AlPoseError, ScoremapGrid
from napari_al_pose.pose.animals import Animals
from napari_al_pose.pose.device import resolve_device
from napari_al_pose.pose.foreign.deeplabcut_config import CONFIG_NAME, BinHead, Snapshot, read_config
from napari_al_pose.pose.foreign.deeplabcut_decoding import Decoded, decode_output
from napari_al_pose.pose.foreign.deeplabcut_network import DeepLabCutNetwork
from napari_al_pose.pose.foreign.ordering import blank, bodypart_order, in_our_words, indices
from napari_al_pose.pose.foreign.rtmpose_network import RtmPoseNetwork
from napari_al_pose.pose.foreign.superanimal import recognise
from napari_al_pose.pose.foreign.top_down import Looks, TopDownSearch
from napari_al_pose.pose.memory import with_what_there_is
from napari_al_pose.pose.model import PoseBatch, check_frames

FORMAT = "napari-al-pose copy of a DeepLabCut snapshot"

_HINT = (
    "Choose a snapshot that DeepLabCut 3 wrote (dlc-models-pytorch/.../train/snapshot-*.pt), or a file of SuperAnimal "
    "weights (superanimal_*.pt)."
)
_PIXELS_AT_ONCE = 2 * 640 * 480
"""Pixels of one forward pass, whose maps then take some hundred megabytes."""

Network = DeepLabCutNetwork | RtmPoseNetwork


class DeepLabCutModel:
    """Predicts with a network that DeepLabCut trained.

    Parameters
    ----------
    network : DeepLabCutNetwork or RtmPoseNetwork
        On its device.
    snapshot : Snapshot
        What DeepLabCut stored with it.
    bodyparts : tuple of str
        The project's bodyparts, in the order of every keypoint axis. The model says nothing of those it does not know.
    """

    animals: Animals | None = None
    is_slow = True
    file_name = "deeplabcut.pt"

    def __init__(self, network: Network, *, snapshot: Snapshot, bodyparts: tuple[str, ...]) -> None:
        self.network = network
        self.bodyparts = bodyparts
        self._snapshot = snapshot
        self._order = bodypart_order(bodyparts, snapshot.bodyparts)
        self._most = sys.maxsize
        self._search = None if snapshot.crop is None else TopDownSearch(self._decoded, snapshot.crop)

    @property
    def network_name(self) -> str:
        """DeepLabCut's name of the network."""
        return self._snapshot.net_type or self._snapshot.backbone.model_name

    @property
    def pad_to(self) -> tuple[int, int]:
        """Height and width are padded to multiples of this."""
        return self._snapshot.pad_to

    @property
    def search(self) -> TopDownSearch | None:
        """How a top-down network finds the animal; None for one that looks at whole frames."""
        return self._search

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
        at, n = indices(self._order), len(frames)
        decoded: Decoded | Looks
        if not n:
            decoded = _nothing(len(self._snapshot.bodyparts))
        elif self._search is None:
            decoded = self._decoded(frames)
        else:
            decoded = self._search.find(frames)
        corners, scales = (
            (decoded.offset, decoded.scale) if isinstance(decoded, Looks) else (np.zeros((n, 2)), np.ones((n, 2)))
        )
        xy, likelihood = decoded.xy[:, at], decoded.likelihood[:, at]
        maps = decoded.maps[:, at] if with_scoremaps else None
        blank(self._order, xy, likelihood, maps)
        return PoseBatch(xy, likelihood, maps, tuple(self._grid(*where) for where in zip(corners, scales, strict=True)))

    def _grid(self, corner: NDArray[np.floating], scale: NDArray[np.floating]) -> ScoremapGrid:
        """Return where the cells lie of an image that begins at ``corner`` and has pixels ``scale`` times as large."""
        (x, y), (stride_x, stride_y) = corner.tolist(), (scale * self._snapshot.stride).tolist()
        return ScoremapGrid(stride_x, stride_y, x + stride_x / 2, y + stride_y / 2)

    def _decoded(self, images: NDArray[np.uint8]) -> Decoded:
        """Return the poses in images of one size, as many at once as memory allows."""
        height, width = images.shape[1:3]
        wanted = max(1, min(self._most, _PIXELS_AT_ONCE // max(1, height * width), len(images)))

        def look(n: int) -> list[Decoded]:
            return [self._forward(images[start : start + n]) for start in range(0, max(len(images), 1), n)]

        parts, at_once = with_what_there_is(look, wanted)
        if at_once < wanted:
            self._most = at_once
        if len(parts) == 1:
            return parts[0]
        return Decoded(
            np.concatenate([part.xy for part in parts]),
            np.concatenate([part.likelihood for part in parts]),
            np.concatenate([part.maps for part in parts]),
        )

    @torch.inference_mode()
    def _forward(self, images: NDArray[np.uint8]) -> Decoded:
        device = next(self.network.parameters()).device
        inputs = torch.tensor(images, device=device).permute(0, 3, 1, 2).float()
        return decode_output(self.network(self._padded(inputs)), self._snapshot)

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


def _nothing(n_parts: int) -> Decoded:
    """Return the poses in no frame."""
    shapes = ((0, n_parts, 2), (0, n_parts), (0, n_parts, 1, 1))
    return Decoded(*(np.empty(shape, np.float32) for shape in shapes))


def read_snapshot(
    path: Path,
    bodyparts: Sequence[str],
    *,
    device: str = "auto",
    chosen: Mapping[str, str] = MappingProxyType({}),
    partial: bool = False,
) -> DeepLabCutModel:
    """Read a snapshot that DeepLabCut 3 wrote, or a file of SuperAnimal weights.

    Parameters
    ----------
    path : Path
        ``snapshot-*.pt``, beside its ``pytorch_config.yaml``; SuperAnimal weights need none.
    bodyparts : sequence of str
        The project's.
    device : str
        "auto", "cpu", "cuda" or "mps".
    chosen : mapping of str to str
        Which of the network's bodyparts are the project's; see `in_our_words`.
    partial : bool
        Whether it may lack some of the project's bodyparts.

    Raises
    ------
    AlPoseError
        If it can't be read, is of an unsupported kind, or knows other bodyparts.
    """
    snapshot, state = _described(path)
    words = in_our_words(bodyparts, snapshot.bodyparts, chosen, partial=partial)  # before the large file is read
    snapshot = snapshot.model_copy(update={"bodyparts": words})
    state = _read(path).get("model") if state is None else state
    return DeepLabCutModel(_build(snapshot, state, path, device), snapshot=snapshot, bodyparts=tuple(bodyparts))


def describe_snapshot(path: Path) -> tuple[str, tuple[str, ...]]:
    """Return the name of a snapshot's network, and the bodyparts it knows.

    Raises
    ------
    AlPoseError
        As `read_snapshot` does.
    """
    snapshot, _ = _described(path)
    return snapshot.net_type or snapshot.backbone.model_name, snapshot.bodyparts


def _described(path: Path) -> tuple[Snapshot, Any]:
    """Return what describes a snapshot, and its weights if they had to be read for that."""
    config = path.with_name(CONFIG_NAME)
    if config.exists():
        return read_config(config), None
    state = _read(path).get("model")
    known = recognise(state) if _is_state(state) else None
    if known is None:
        raise AlPoseError(
            f"There is no {CONFIG_NAME} beside {path}, and its weights are not those of a SuperAnimal network.",
            f"Keep the snapshot in the folder where DeepLabCut wrote it, beside {CONFIG_NAME}.",
        )
    return known, state


def _is_state(state: Any) -> TypeGuard[dict[str, Tensor]]:
    return isinstance(state, dict) and all(isinstance(value, Tensor) for value in state.values())


def network_of(snapshot: Snapshot) -> Network:
    """Return the network that a snapshot describes, with random weights."""
    return RtmPoseNetwork(snapshot) if isinstance(snapshot.head, BinHead) else DeepLabCutNetwork(snapshot)


def _build(snapshot: Snapshot, state: Any, path: Path, device: str) -> Network:
    if not _is_state(state):
        raise AlPoseError(f"Expected the weights of a network in {path}, got something else.", _HINT)
    network = network_of(snapshot)
    try:
        network.load_state_dict(state)
    except (RuntimeError, TypeError) as error:
        described = CONFIG_NAME if path.with_name(CONFIG_NAME).exists() else "the network that they seem to belong to"
        raise AlPoseError(f"The weights in {path} do not fit {described}.", _HINT) from error
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
