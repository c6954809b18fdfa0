"""Models from and for other programs: adopts theirs as versions of the project's own, writes ours as ONNX."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from napari_al_pose.domain import AlPoseError
from napari_al_pose.pose.model import PoseModel
from napari_al_pose.pose.predictor import Predictor, load_predictor
from napari_al_pose.project import Project

log = logging.getLogger(__name__)

_SNAPSHOTS = (".pt", ".pth")


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a model of another program knows.

    Parameters
    ----------
    network : str
    bodyparts : tuple of str
        In its own words.
    suggested : dict of str to str
        By the project's bodypart, the model's of the same name; nothing ("") where there is none.
    """

    network: str
    bodyparts: tuple[str, ...]
    suggested: dict[str, str]


def read_model(
    path: Path,
    bodyparts: tuple[str, ...],
    *,
    device: str,
    overrides: dict[str, Any] | None = None,
    chosen: Mapping[str, str] = MappingProxyType({}),
    partial: bool = False,
) -> Predictor:
    """Read a DeepLabCut 3 snapshot, SuperAnimal weights or an ONNX file.

    Raises
    ------
    AlPoseError
        If it is none of these, is not supported here, or does not know all ``bodyparts`` (any, if ``partial``).
    """
    if path.suffix == ".onnx":
        from napari_al_pose.pose.foreign.onnx_model import read_onnx

        return read_onnx(path, bodyparts, overrides=overrides, chosen=chosen, partial=partial)
    if path.suffix in _SNAPSHOTS:
        from napari_al_pose.pose.foreign.deeplabcut_model import read_snapshot

        return read_snapshot(path, bodyparts, device=device, chosen=chosen, partial=partial)
    raise _no_model(path)


def describe_model(path: Path, bodyparts: tuple[str, ...]) -> ModelFacts:
    """Return what a file of another program's model knows, without making it the project's.

    Raises
    ------
    AlPoseError
        If it can't be read, or is not supported here.
    """
    from napari_al_pose.pose.foreign.ordering import suggested_mapping

    if path.suffix == ".onnx":
        from napari_al_pose.pose.foreign.onnx_model import describe_onnx

        network, known = describe_onnx(path, bodyparts)
    elif path.suffix in _SNAPSHOTS:
        from napari_al_pose.pose.foreign.deeplabcut_model import describe_snapshot

        network, known = describe_snapshot(path)
    else:
        raise _no_model(path)
    return ModelFacts(network, known, suggested_mapping(bodyparts, known))


def _no_model(path: Path) -> AlPoseError:
    return AlPoseError(
        f"Expected a snapshot (.pt) of DeepLabCut 3 or an ONNX model (.onnx), got {path.name}.",
        "Choose another file. Predictions of other programs are added as predictions, not as models.",
    )


def adopt(
    project: Project,
    path: Path,
    *,
    device: str = "auto",
    overrides: dict[str, Any] | None = None,
    chosen: Mapping[str, str] = MappingProxyType({}),
    partial: bool = False,
) -> str:
    """Copy another program's model into the project as its newest version, and return the network's name.

    The project keeps its own copy, so the original may be moved or trained further.

    Parameters
    ----------
    project : Project
        Open for writing.
    path : Path
        A snapshot of DeepLabCut 3, SuperAnimal weights or an ONNX file.
    device : str
        "auto", "cpu", "cuda" or "mps".
    overrides : dict
        What an ONNX file does not say about itself; see `napari_al_pose.pose.foreign.onnx_model.OnnxOptions`.
    chosen : mapping of str to str
        By the project's bodypart, the model's, or nothing where its guess is not wanted; those whose names differ in
        case and signs alone need none.
    partial : bool
        Whether the model may lack some of the project's bodyparts. It says nothing of these.

    Raises
    ------
    AlPoseError
        If the model can't be used, or the project can't be written.
    """
    bodyparts = project.skeleton.bodyparts
    model = read_model(path, bodyparts, device=device, overrides=overrides, chosen=chosen, partial=partial)
    with project.models.new_folder() as folder:
        model.save(folder / model.file_name)
    log.info("%s is model %s now", path, project.models.latest())
    return model.network_name


def export_onnx(project: Project, path: Path) -> int:
    """Write the newest model as an ONNX file; return its version.

    Raises
    ------
    AlPoseError
        If there is none, another program trained it, the file has another suffix, or it can't be written.
    """
    version = project.models.latest()
    if not version:
        raise AlPoseError("There is no model yet.", "Train one first: napari-al-pose train PROJECT.")
    if path.suffix != ".onnx":
        raise AlPoseError(f"Expected a file that ends in .onnx, got {path.name}.", "Give it that suffix.")
    if not path.absolute().parent.is_dir():
        raise AlPoseError(f"There is no folder {path.absolute().parent}.", "Make it first, or choose another one.")
    from napari_al_pose.pose.onnx_file import write_onnx

    model = load_predictor(project.models.checkpoint(version), "cpu")
    if not isinstance(model, PoseModel):
        raise AlPoseError(
            f"Model {version} was trained by another program.", "Export it there, or train a model here first."
        )
    write_onnx(model, path)
    return version
