"""DeepLabCut's ``config.yaml``: reads it, or writes a new one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_al_pose.domain import AlPoseError
from napari_al_pose.formats.names import is_safe_name
from napari_al_pose.formats.yaml_document import dump_yaml, load_yaml, parse_yaml

PCUTOFF = 0.6
"""DeepLabCut's default."""

Crop = tuple[int, int, int, int]
"""``(x1, x2, y1, y2)`` in pixels of the full video, as in ``video_sets``; x2 and y2 excluded."""


@dataclass(frozen=True, slots=True)
class VideoSet:
    """One entry of ``video_sets``: a path written on some computer, and the crop of extracted frames."""

    path: str
    crop: Crop | None = None


@dataclass(frozen=True, slots=True)
class DeepLabCutConfig:
    """The parts of a ``config.yaml`` that this project needs.

    Parameters
    ----------
    path : Path
        The file.
    task, scorer, date : str
        ``date`` is DeepLabCut's short form, such as ``Oct30``; "" if the file has none.
    bodyparts : tuple of str
        In labelling order; for a multi-animal project those of every individual.
    skeleton : tuple of (str, str)
        Links between known bodyparts.
    individuals : tuple of str
        Empty in a single-animal project.
    multianimal : bool
    unique_bodyparts : tuple of str
        Multi-animal only: bodyparts that belong to no individual.
    identity : bool
        Multi-animal only: whether the individuals' names are kept from frame to frame (animals with marks).
    video_sets : tuple of VideoSet
    pcutoff : float
        Likelihood below which DeepLabCut ignores a prediction.
    """

    path: Path
    task: str
    scorer: str
    date: str
    bodyparts: tuple[str, ...]
    skeleton: tuple[tuple[str, str], ...] = ()
    individuals: tuple[str, ...] = ()
    multianimal: bool = False
    unique_bodyparts: tuple[str, ...] = ()
    identity: bool = False
    video_sets: tuple[VideoSet, ...] = ()
    pcutoff: float = PCUTOFF


def read_config(path: Path) -> DeepLabCutConfig:
    """Read a DeepLabCut ``config.yaml``.

    Raises
    ------
    AlPoseError
        If there is no such file, it is not YAML, or scorer or bodyparts are missing or malformed.
    """
    document = load_config(path)
    _refuse_other_files(document, path)
    multianimal = is_multianimal(document)
    scorer = _text(document.get("scorer"))
    if not is_safe_name(scorer):
        raise AlPoseError(
            f"{path} names no usable scorer (got {scorer!r}).",
            "Write one name after 'scorer:', without slashes; it is part of the file names of the labels.",
        )
    return DeepLabCutConfig(
        path=path,
        task=_text(document.get("Task")),
        scorer=scorer,
        date=_text(document.get("date")),
        bodyparts=_names(document, "multianimalbodyparts" if multianimal else "bodyparts", path),
        skeleton=_links(document),
        individuals=_names(document, "individuals", path) if multianimal else (),
        multianimal=multianimal,
        unique_bodyparts=_names(document, "uniquebodyparts", path, required=False) if multianimal else (),
        identity=multianimal and _text(document.get("identity")).casefold() == "true",
        video_sets=_video_sets(document),
        pcutoff=_share(document.get("pcutoff"), PCUTOFF),
    )


def write_new_config(
    path: Path,
    *,
    task: str,
    scorer: str,
    date: str,
    bodyparts: Sequence[str],
    skeleton: Sequence[tuple[str, str]] = (),
    individuals: Sequence[str] = (),
    unique_bodyparts: Sequence[str] = (),
    video_sets: Sequence[VideoSet] = (),
    project_path: Path | None = None,
) -> None:
    """Write the ``config.yaml`` of a new project, with every key DeepLabCut expects.

    ``individuals`` make it a multi-animal project, which may have ``unique_bodyparts``. ``project_path`` is where the
    project will be found, by default the folder of ``path``.
    """
    document = parse_yaml(_TEMPLATE)
    document["Task"] = task
    document["scorer"] = scorer
    document["date"] = date
    document["project_path"] = str((project_path or path.parent).absolute())
    document["bodyparts"] = list(bodyparts)
    if individuals:
        document["multianimalproject"] = True
        place = list(document).index("bodyparts")
        entries = {"individuals": individuals, "uniquebodyparts": unique_bodyparts, "multianimalbodyparts": bodyparts}
        for offset, (field, names) in enumerate(entries.items()):
            document.insert(place + offset, field, list(names))
        document["bodyparts"] = "MULTI!"
        document["default_track_method"] = "ellipse"
    document["skeleton"] = [list(link) for link in skeleton]
    document["video_sets"] = {video.path: {"crop": crop_text(video.crop)} for video in video_sets}
    dump_yaml(document, path)


def load_config(path: Path) -> Any:
    """Return the document at ``path`` for editing and `dump_yaml`.

    Raises
    ------
    AlPoseError
        If there is no such file, or it is not a YAML document with entries.
    """
    if not path.is_file():
        raise AlPoseError(
            f"There is no file {path}.", "Choose the config.yaml of a DeepLabCut project, or the folder it lies in."
        )
    document = load_yaml(path)
    if not isinstance(document, dict):
        raise AlPoseError(
            f"Expected a DeepLabCut config.yaml with 'bodyparts:' and 'scorer:', got {path} with neither.",
            "Choose the config.yaml of a DeepLabCut project.",
        )
    return document


def is_multianimal(document: Any) -> bool:
    """Return whether the document belongs to a multi-animal project; old files have no entry for "no"."""
    return _text(document.get("multianimalproject")).casefold() == "true"


def _refuse_other_files(document: Any, path: Path) -> None:
    """Refuse documents of another kind, and say what to choose instead."""
    if "num_cameras" in document or "camera_names" in document:
        cameras = [_text(v) for k, v in document.items() if str(k).startswith("config_file_") and _text(v)]
        listed = f": {', '.join(cameras[:4])}" if cameras else ""
        raise AlPoseError(
            f"{path} belongs to a 3-D project of DeepLabCut, which joins the projects of several cameras and has no "
            "labels of its own.",
            f"Open the config.yaml of one of its cameras{listed}.",
        )
    if "all_joints_names" in document or ("net_type" in document and "scorer" not in document):
        raise AlPoseError(
            f"{path} describes a network of DeepLabCut, not a project.",
            "Choose the config.yaml at the top of the project folder.",
        )
    known = {"scorer", "bodyparts", "multianimalbodyparts", "video_sets"}
    if not known & set(document):
        raise AlPoseError(
            f"Expected a DeepLabCut config.yaml with 'bodyparts:' and 'scorer:', got {path} with neither.",
            "Choose the config.yaml of a DeepLabCut project.",
        )
    if _text(document.get("bodyparts")) == "MULTI!" and not is_multianimal(document):
        raise AlPoseError(
            f"{path} says 'bodyparts: MULTI!', as projects of several animals do, but not 'multianimalproject: true'.",
            "Write 'multianimalproject: true' in it. Its bodyparts are those under 'multianimalbodyparts:'.",
        )


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, (list, dict)) else str(value).strip()


def _share(value: Any, default: float) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= 1 else default


def _names(document: Any, field: str, path: Path, *, required: bool = True) -> tuple[str, ...]:
    value = document.get(field)
    if value in (None, "") and not required:
        return ()
    names = [_text(item) for item in value] if isinstance(value, list) else []
    if (required and not names) or not isinstance(value, list):
        raise AlPoseError(
            f"{path} lists no {field} (got {'nothing' if value is None else repr(value)}).",
            f"List them under '{field}:', one '- name' a line.",
        )
    repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if repeated:
        raise AlPoseError(
            f"{path} lists {repeated[0]!r} {_times(names.count(repeated[0]))} under '{field}:'"
            f"{_lines_of(value, names, repeated[0])}.",
            f"Remove all but one of them. If two different {field} are meant, labels cannot tell them apart by that "
            "name: give the other one a new name and label it again.",
        )
    if "" in names:
        raise AlPoseError(
            f"{path} lists an empty name under '{field}:'{_lines_of(value, names, '')}.",
            "Remove it, or give it a name.",
        )
    return tuple(names)


def _times(count: int) -> str:
    return "twice" if count == 2 else f"{count} times"


def _lines_of(value: Any, names: Sequence[str], name: str) -> str:
    """Return the lines of the file on which a name of a list stands."""
    try:
        lines = [value.lc.item(i)[0] + 1 for i, other in enumerate(names) if other == name]
    except (AttributeError, KeyError, TypeError):
        return ""
    return f" (line {', '.join(map(str, dict.fromkeys(lines)))})" if lines else ""


def _links(document: Any) -> tuple[tuple[str, str], ...]:
    """Return the pairs in ``skeleton``; DeepLabCut's own templates also hold other things, which draw nothing."""
    value = document.get("skeleton")
    if not isinstance(value, list):
        return ()
    return tuple((_text(pair[0]), _text(pair[1])) for pair in value if isinstance(pair, list) and len(pair) == 2)


def _video_sets(document: Any) -> tuple[VideoSet, ...]:
    value = document.get("video_sets")
    if not isinstance(value, dict):
        return ()
    return tuple(VideoSet(_text(path), _crop(entry)) for path, entry in value.items())


def _crop(entry: Any) -> Crop | None:
    text = _text(entry.get("crop")) if isinstance(entry, dict) else ""
    numbers = [int(number) for number in re.findall(r"-?\d+", text)]
    if len(numbers) != 4:
        return None
    x1, x2, y1, y2 = numbers
    return (x1, x2, y1, y2) if 0 <= x1 < x2 and 0 <= y1 < y2 else None


def crop_text(crop: Crop | None) -> str:
    """Return a crop in the form of ``config.yaml``; empty for None."""
    return ", ".join(str(number) for number in crop) if crop else ""


_TEMPLATE = """\
# Project definitions (do not edit)
Task:
scorer:
date:
multianimalproject: false
identity:


# Project path (change when moving around)
project_path:


# Default DeepLabCut engine to use for shuffle creation (either pytorch or tensorflow)
engine: pytorch


# Annotation data set configuration (and individual video cropping parameters)
video_sets:
bodyparts:


# Fraction of video to start/stop when extracting frames for labeling/refinement
start: 0
stop: 1
numframes2pick: 20


# Plotting configuration
skeleton: []
skeleton_color: black
pcutoff: 0.6
dotsize: 12
alphavalue: 0.7
colormap: rainbow


# Training,Evaluation and Analysis configuration
TrainingFraction:
- 0.95
iteration: 0
default_net_type: resnet_50
default_augmenter: default
snapshotindex: -1
detector_snapshotindex: -1
batch_size: 8
detector_batch_size: 1


# Cropping Parameters (for analysis and outlier frame detection)
cropping: false
#if cropping is true for analysis, then set the values here:
x1: 0
x2: 640
y1: 277
y2: 624


# Refinement configuration (parameters from annotation dataset configuration also relevant in this stage)
corner2move2:
- 50
- 50
move2corner: true


# Conversion tables to fine-tune SuperAnimal weights
SuperAnimalConversionTables:
"""
