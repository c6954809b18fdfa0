"""Models exported as ONNX whose output is a scoremap per bodypart.

One input: images, (N, 3, H, W) or (N, H, W, 3), float. One of the outputs: scoremaps, (N, K, h, w) or (N, h, w, K), a
channel for each bodypart that the model knows. The file's metadata, or `OnnxOptions`, supply what the file itself does
not say.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch.nn import functional as F

from napari_al_pose.domain import AlPoseError, ScoremapGrid
from napari_al_pose.pose.animals import Animals
from napari_al_pose.pose.foreign.exported_model import ExportedModel
from napari_al_pose.pose.foreign.ordering import blank, bodypart_order, in_our_words, indices
from napari_al_pose.pose.geometry import PAD_MULTIPLE, InputGeometry, resize_frames
from napari_al_pose.pose.model import PoseBatch, check_frames
from napari_al_pose.pose.onnx_file import read_facts
from napari_al_pose.pose.targets import decode

_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_STD = np.array([0.229, 0.224, 0.225], np.float32)
_REFUSALS = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NotImplemented", "RuntimeException")
_MAX_BYTES = 2**31 - 1
_HINT = "Export the model again with one image input and a scoremap per bodypart as output."


class OnnxOptions(BaseModel):
    """Options that an ONNX file does not contain.

    Parameters
    ----------
    bodyparts : tuple of str
        Names of the output's channels.
    normalize : {"imagenet", "unit", "none"}
        ImageNet's mean and deviation, [0, 1], or pixel values from 0 to 255.
    sigmoid : bool
        Whether the output is logits.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    bodyparts: tuple[str, ...] = Field(min_length=1, max_length=500)
    normalize: Literal["imagenet", "unit", "none"] = "imagenet"
    sigmoid: bool = False


class OnnxModel:
    """Predicts with a network that another program exported.

    Parameters
    ----------
    content : bytes
        The ONNX file; read from memory, so that it can't refer to other files.
    options : OnnxOptions
    bodyparts : tuple of str
        The project's bodyparts. The model says nothing of those it does not know.

    Raises
    ------
    AlPoseError
        If it is not such a model, or onnxruntime is not installed.
    """

    animals: Animals | None = None
    is_slow = False
    file_name = "model.onnx"
    network_name = "onnx"

    def __init__(self, content: bytes, *, options: OnnxOptions, bodyparts: tuple[str, ...]) -> None:
        self.bodyparts = bodyparts
        self._options = options
        self._content = content
        self._order = bodypart_order(bodyparts, options.bodyparts)
        self._session = _session(content)
        (image,) = self._session.get_inputs()
        self._channels_last = image.shape[3] == 3 and image.shape[1] != 3
        sides = image.shape[1:3] if self._channels_last else image.shape[2:4]
        height, width = (side if isinstance(side, int) else None for side in sides)
        self._fixed = (height, width) if height and width else None
        self._output, self._maps_last = _scoremap_output(self._session, len(options.bodyparts))

    @property
    def notice(self) -> str:
        """Nothing: frames are processed one by one."""
        return ""

    def input_size_for(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and width that frames of ``height`` by ``width`` are resized to."""
        return self._geometry(height, width).resized

    def predict(
        self, frames: NDArray[np.uint8], *, source: tuple[int, int] | None = None, with_scoremaps: bool = True
    ) -> PoseBatch:
        """Predict the pose in each frame; see `PoseModel.predict`."""
        check_frames(frames)
        height, width = source or (frames.shape[1], frames.shape[2])
        geometry = self._geometry(height, width)
        k = len(self.bodyparts)
        xy, likelihood = np.empty((len(frames), k, 2), np.float32), np.empty((len(frames), k), np.float32)
        grids, shown = list[ScoremapGrid](), []
        for i in range(len(frames)):
            found, grid = self._scoremaps(frames[i : i + 1], geometry)
            grids.append(grid)
            cells, heights = decode(found)
            xy[i] = grid.to_source(cells[0].numpy().astype(np.float64))
            likelihood[i] = heights[0].numpy()
            if with_scoremaps:
                shown.append(found.numpy())
        empty = np.empty((0, k, 1, 1), np.float32)
        maps = (np.concatenate(shown) if shown else empty) if with_scoremaps else None
        blank(self._order, xy, likelihood, maps)
        return PoseBatch(xy, likelihood, maps, tuple(grids))

    def _geometry(self, height: int, width: int) -> InputGeometry:
        if self._fixed is None:
            return InputGeometry((height, width), (height, width))
        scale = min(self._fixed[0] / height, self._fixed[1] / width)
        return InputGeometry((height, width), (max(1, round(height * scale)), max(1, round(width * scale))))

    def _scoremaps(self, frame: NDArray[np.uint8], geometry: InputGeometry) -> tuple[torch.Tensor, ScoremapGrid]:
        """Return the maps that lie on the image, (1, K, h, w) in [0, 1], and where their cells lie."""
        height, width = geometry.resized
        full = self._fixed or (height + -height % PAD_MULTIPLE, width + -width % PAD_MULTIPLE)
        image = F.pad(resize_frames(frame, geometry).float(), (0, full[1] - width, 0, full[0] - height)).numpy()
        if self._options.normalize != "none":
            image /= 255
        if self._options.normalize == "imagenet":
            image = (image - _MEAN[:, None, None]) / _STD[:, None, None]
        image = image.transpose(0, 2, 3, 1) if self._channels_last else image
        (maps,) = self._session.run([self._output], {self._session.get_inputs()[0].name: np.ascontiguousarray(image)})
        if self._maps_last:
            maps = maps.transpose(0, 3, 1, 2)
        found = torch.from_numpy(maps[:, indices(self._order)].astype(np.float32))
        found = (found.sigmoid() if self._options.sigmoid else found).clamp(0, 1)
        stride_y, stride_x = full[0] / found.shape[2], full[1] / found.shape[3]
        scale_y, scale_x = height / geometry.source[0], width / geometry.source[1]
        grid = ScoremapGrid(
            stride_x / scale_x, stride_y / scale_y, stride_x / 2 / scale_x - 0.5, stride_y / 2 / scale_y - 0.5
        )
        rows, columns = int(np.ceil(height / stride_y)), int(np.ceil(width / stride_x))
        return found[:, :, :rows, :columns], grid

    def save(self, path: Path) -> None:
        """Write the model and what was said of it, side by side."""
        path.write_bytes(self._content)
        options = self._options.model_dump(mode="json") | {"project_bodyparts": list(self.bodyparts)}
        path.with_suffix(".json").write_text(json.dumps(options, indent=1), encoding="utf-8")


def load_onnx(path: Path) -> OnnxModel | ExportedModel:
    """Read what `OnnxModel.save` or `ExportedModel.save` wrote.

    Raises
    ------
    AlPoseError
        If a file is missing or damaged, or onnxruntime is not installed.
    """
    try:
        overrides = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        bodyparts = tuple(str(name) for name in overrides["project_bodyparts"])
        return read_onnx(path, bodyparts, overrides=overrides, partial=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AlPoseError(f"The model {path} is damaged, or not a model.", "Choose another version.") from error


def read_onnx(
    path: Path,
    bodyparts: Sequence[str],
    *,
    overrides: dict[str, Any] | None = None,
    chosen: Mapping[str, str] = MappingProxyType({}),
    partial: bool = False,
) -> OnnxModel | ExportedModel:
    """Read an ONNX file; one that this program exported needs nothing said of it.

    Parameters
    ----------
    path : Path
        An ``.onnx`` file.
    bodyparts : sequence of str
        The project's.
    overrides : dict
        Fields of `OnnxOptions` that override the file's metadata. If neither names the bodyparts, they are the
        project's.
    chosen : mapping of str to str
        Which of the network's bodyparts are the project's; see `in_our_words`.
    partial : bool
        Whether it may lack some of the project's bodyparts.

    Raises
    ------
    AlPoseError
        If it can't be read, is not such a model, or knows other bodyparts.
    """
    content = _content(path)
    session = _session(content)
    metadata = dict(session.get_modelmeta().custom_metadata_map)
    if facts := read_facts(metadata, path):
        known = tuple((overrides or {}).get("bodyparts") or facts.bodyparts)
        facts = facts.model_copy(update={"bodyparts": in_our_words(bodyparts, known, chosen, partial=partial)})
        return ExportedModel(content, session, facts, tuple(bodyparts))
    if "bodyparts" in metadata:
        metadata["bodyparts"] = _names(metadata["bodyparts"])
    try:
        options = OnnxOptions.model_validate({"bodyparts": tuple(bodyparts), **metadata, **(overrides or {})})
    except ValidationError as error:
        first = error.errors()[0]
        raise AlPoseError(f"The metadata of {path} does not fit: {first['loc']}: {first['msg']}.", _HINT) from error
    words = in_our_words(bodyparts, options.bodyparts, chosen, partial=partial)
    return OnnxModel(content, options=options.model_copy(update={"bodyparts": words}), bodyparts=tuple(bodyparts))


def describe_onnx(path: Path, bodyparts: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Return the name of an ONNX file's network and the bodyparts it knows: ``bodyparts`` if it names none.

    Raises
    ------
    AlPoseError
        If it can't be read, or is no such model.
    """
    metadata = dict(_session(_content(path)).get_modelmeta().custom_metadata_map)
    if facts := read_facts(metadata, path):
        return facts.network, facts.bodyparts
    return OnnxModel.network_name, tuple(_names(metadata["bodyparts"])) if "bodyparts" in metadata else tuple(bodyparts)


def _names(text: str) -> list[str]:
    """Return names written as a JSON list or with commas between them."""
    try:
        names = json.loads(text)
    except ValueError:
        names = text.split(",")
    return [str(name).strip() for name in names] if isinstance(names, list) else [str(names)]


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise AlPoseError(f"{path} is larger than 2 GB, which is not supported.", _HINT)
        return path.read_bytes()
    except OSError as error:
        raise AlPoseError(f"{path} can't be read: {error.strerror}.", "Choose an .onnx file.") from error


def _session(content: bytes) -> Any:
    try:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as faults
    except ImportError as error:
        raise AlPoseError(
            "ONNX models need the package onnxruntime.", 'Run: pip install "napari-al-pose[onnx]"'
        ) from error
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = torch.get_num_threads()
    settings.log_severity_level = 3
    refused = tuple(getattr(faults, name) for name in _REFUSALS)
    try:
        session = onnxruntime.InferenceSession(content, settings, providers=["CPUExecutionProvider"])
    except refused as error:
        raise AlPoseError(f"The ONNX model can't be run: {str(error).splitlines()[0]}", _HINT) from error
    inputs = session.get_inputs()
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or 3 not in (inputs[0].shape[1], inputs[0].shape[3]):
        raise AlPoseError("Expected one input of colour images, (N, 3, H, W) or (N, H, W, 3), in the model.", _HINT)
    return session


def _scoremap_output(session: Any, n_bodyparts: int) -> tuple[str, bool]:
    """Return the name of the output with a map per bodypart, and whether its channels come last."""
    for output in session.get_outputs():
        if len(output.shape) == 4 and output.shape[1] == n_bodyparts:
            return output.name, False
        if len(output.shape) == 4 and output.shape[3] == n_bodyparts:
            return output.name, True
    shapes = ", ".join(str(tuple(output.shape)) for output in session.get_outputs())
    raise AlPoseError(f"Expected an output with {n_bodyparts} scoremaps in the ONNX model, got {shapes}.", _HINT)
