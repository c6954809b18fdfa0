"""A model of ours that comes back from an ONNX file: it predicts the same, but can't be trained further."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.pose.animals import Animals
from napari_al_pose.pose.calibration import Calibration
from napari_al_pose.pose.foreign.ordering import blank, bodypart_order, indices
from napari_al_pose.pose.forward import predict_chunk
from napari_al_pose.pose.geometry import InputGeometry
from napari_al_pose.pose.model import PoseBatch, as_batch, check_frames
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.onnx_file import OnnxFacts, OnnxNetwork
from napari_al_pose.pose.window import Window


class ExportedModel:
    """Predicts with a graph that `napari_al_pose.pose.onnx_file.write_onnx` wrote.

    Parameters
    ----------
    content : bytes
        The ONNX file.
    session : onnxruntime.InferenceSession
        Made of it.
    facts : OnnxFacts
    bodyparts : tuple of str
        The project's. The model says nothing of those it does not know.
    """

    is_slow = False
    file_name = "model.onnx"
    animals: Animals | None = None

    def __init__(self, content: bytes, session: Any, facts: OnnxFacts, bodyparts: tuple[str, ...]) -> None:
        self.bodyparts = bodyparts
        self._content, self._facts = content, facts
        self._order = bodypart_order(bodyparts, facts.bodyparts)
        network = OnnxNetwork(session, facts, indices(self._order))
        self._network = cast("PoseNetwork", network)
        self._window = None if facts.window is None else Window(*facts.window)

    @property
    def network_name(self) -> str:
        """The backbone's name, for scorers."""
        return self._facts.network

    @property
    def notice(self) -> str:
        """Nothing: frames are looked at one by one."""
        return ""

    def input_size_for(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width to which frames of ``height`` by ``width`` are resized."""
        return InputGeometry.fit((height, width), self._facts.long_side).resized

    def predict(
        self, frames: NDArray[np.uint8], *, source: tuple[int, int] | None = None, with_scoremaps: bool = True
    ) -> PoseBatch:
        """Predict the pose in each frame; see `PoseModel.predict`."""
        check_frames(frames)
        geometry = InputGeometry.fit(source or (frames.shape[1], frames.shape[2]), self._facts.long_side)
        chunks = [
            predict_chunk(self._network, frames[i : i + 1], geometry, self._window, with_scoremaps=with_scoremaps)
            for i in range(len(frames))
        ]
        if chunks:
            batch = as_batch(chunks, Calibration(*self._facts.calibration))
            blank(self._order, batch.xy, batch.likelihood, batch.scoremaps)
            return batch
        k = len(self.bodyparts)
        maps = np.empty((0, k, 1, 1), np.float32) if with_scoremaps else None
        return PoseBatch(np.empty((0, k, 2), np.float32), np.empty((0, k), np.float32), maps, ())

    def save(self, path: Path) -> None:
        """Write the model and which bodyparts are asked of it, side by side."""
        path.write_bytes(self._content)
        batch = {"bodyparts": list(self._facts.bodyparts), "project_bodyparts": list(self.bodyparts)}
        path.with_suffix(".json").write_text(json.dumps(batch, indent=1), encoding="utf-8")
