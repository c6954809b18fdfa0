"""A model of ours as an ONNX file, for programs that run it live, and back.

The graph takes images at the network's scale and answers with scoremaps, positions and likelihoods; what it cannot say
is in the metadata (`OnnxFacts`): how large to make a frame, what to fill its border with, where to look.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor, nn

from napari_al_pose.domain import AlPoseError
from napari_al_pose.formats.atomic import replacing
from napari_al_pose.pose.calibration import Calibration
from napari_al_pose.pose.checkpoint import LARGEST_SIDE
from napari_al_pose.pose.geometry import CELL_CENTRE, PAD_MULTIPLE, SCOREMAP_STRIDE
from napari_al_pose.pose.model import PoseModel
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.targets import decode

KEY = "napari_al_pose"
"""The metadata entry that holds `OnnxFacts`."""

_OPSET = 17
_TRACED = 3 * PAD_MULTIPLE, 4 * PAD_MULTIPLE
_INSTALL = 'Run: pip install "napari-al-pose[onnx]"'


class OnnxFacts(BaseModel):
    """What a graph of ours does not contain itself.

    Parameters
    ----------
    bodyparts : tuple of str
        Along the channels of ``scoremaps``, and the keypoint axis of ``xy`` and ``likelihood``.
    long_side : int
        Longer side of the whole frame at the network's scale, px.
    fill : float
        Pixel value right of and below the frame, up to the next multiple of 32.
    window : (int, int), optional
        Side of what the network looks at around the animal, and longer side of the whole frame in which it looks for
        the animal, px; None if it looks at the whole frame.
    calibration : (float, float)
        Slope and shift of the likelihoods' logits; ``likelihood`` has them in it, ``scoremaps`` has not.
    network : str
    """

    model_config = ConfigDict(frozen=True)

    format_version: int = Field(default=1, ge=1, le=1)
    bodyparts: tuple[str, ...] = Field(min_length=1, max_length=500)
    long_side: int = Field(ge=1, le=LARGEST_SIDE)
    fill: float = Field(ge=0, le=255)
    window: tuple[int, int] | None = None
    calibration: tuple[float, float] = (1.0, 0.0)
    network: str = Field(max_length=100)


def write_onnx(model: PoseModel, path: Path) -> None:
    """Write a model as an ONNX file, whole or not at all.

    Its input ``images`` is float32, (N, 3, H, W), RGB from 0 to 255, H and W multiples of 32. Its outputs are
    ``scoremaps``, (N, K, H / 4, W / 4) in [0, 1]; ``xy``, (N, K, 2), pixels of the images, centres at integers; and
    ``likelihood``, (N, K).

    Raises
    ------
    AlPoseError
        If the model tells several animals apart, onnx is not installed, or the file can't be written.
    """
    if model.animals is not None:
        raise AlPoseError(
            "A model of several animals can't be written as ONNX: it looks at one animal after the other.",
            "Run it with `napari-al-pose predict`.",
        )
    with replacing(path) as temporary:
        _write_graph(model, temporary)
        _add_facts(temporary, _facts(model))


def read_facts(metadata: dict[str, str], path: Path) -> OnnxFacts | None:
    """Return what a graph of ours says in its metadata; None if it is another program's.

    Raises
    ------
    AlPoseError
        If it is damaged, or of a newer version.
    """
    if KEY not in metadata:
        return None
    try:
        return OnnxFacts.model_validate_json(metadata[KEY])
    except ValidationError as error:
        first = error.errors()[0]
        raise AlPoseError(
            f"The metadata of {path} does not fit: {first['loc']}: {first['msg']}.",
            "Export the model again, or update napari-al-pose.",
        ) from error


class OnnxNetwork(nn.Module):
    """A graph of ours in the place of the `PoseNetwork` that it was made of.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
    facts : OnnxFacts
    order : sequence of int
        The channels that are asked for.
    """

    def __init__(self, session: Any, facts: OnnxFacts, order: list[int]) -> None:
        super().__init__()
        self._session, self._order = session, order
        self.mean = facts.fill
        self.nothing = nn.Parameter(torch.zeros(()), requires_grad=False)  # a network has a parameter, on its device

    def forward(self, images: Tensor) -> Tensor:
        """Return scoremap logits; see `PoseNetwork.forward`."""
        (maps,) = self._session.run(["scoremaps"], {"images": np.ascontiguousarray(images.numpy(), np.float32)})
        return torch.from_numpy(maps[:, self._order]).logit()


class _Graph(nn.Module):
    """The network with what people who run it would have to write themselves."""

    def __init__(self, network: PoseNetwork, calibration: Calibration) -> None:
        super().__init__()
        self.network, self._calibration = network, calibration

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        scoremaps = self.network(images).sigmoid()
        cells, heights = decode(scoremaps)
        likelihood = (self._calibration.slope * heights.logit() + self._calibration.shift).sigmoid()
        return scoremaps, cells * SCOREMAP_STRIDE + CELL_CENTRE, likelihood


def _facts(model: PoseModel) -> OnnxFacts:
    return OnnxFacts(
        bodyparts=model.bodyparts,
        long_side=model.long_side,
        fill=model.network.mean,
        window=None if model.window is None else (model.window.side, model.window.search_side),
        calibration=(model.calibration.slope, model.calibration.shift),
        network=model.network_name,
    )


def _write_graph(model: PoseModel, path: Path) -> None:
    """Write the graph: traced and folded, since all it does hangs on the input's sides being multiples of 32."""
    example = torch.full((2, 3, *_TRACED), 100.0)
    network = _Graph(model.network.fused().cpu().float(), model.calibration).eval()
    free = {"images": {0: "n", 2: "h", 3: "w"}, "scoremaps": {0: "n", 2: "rows", 3: "columns"}}
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tracer about sizes that it takes for fixed, and of the exporter's age
        traced = torch.jit.freeze(torch.jit.trace(network, (example,)))
        try:
            torch.onnx.export(
                traced,
                (example,),
                path,
                dynamo=False,
                opset_version=_OPSET,
                input_names=["images"],
                output_names=["scoremaps", "xy", "likelihood"],
                dynamic_axes={**free, "xy": {0: "n"}, "likelihood": {0: "n"}},
            )
        except (ImportError, torch.onnx.OnnxExporterError) as error:
            raise AlPoseError(f"The model can't be written as ONNX: {error}", _INSTALL) from error


def _add_facts(path: Path, facts: OnnxFacts) -> None:
    """Add the metadata to a graph; bodyparts and normalisation also in the words that others read."""
    import onnx

    proto = onnx.load(path)
    plain = {"bodyparts": json.dumps(facts.bodyparts), "normalize": "none", "sigmoid": "false"}
    onnx.helper.set_model_props(proto, {KEY: facts.model_dump_json(), **plain})
    onnx.save(proto, path)
