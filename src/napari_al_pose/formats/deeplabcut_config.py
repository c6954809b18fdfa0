"""DeepLabCut's ``config.yaml``: read it, or write a new one."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from napari_al_pose.domain import AlPoseError
from napari_al_pose.formats.atomic import replacing
from napari_al_pose.formats.names import is_safe_name

UNIQUE_INDIVIDUAL = "single"
"""The individual under which DeepLabCut files bodyparts that belong to no animal."""

PCUTOFF = 0.6
"""DeepLabCut's default."""

Crop = tuple[int, int, int, int]
"""``(x1, x2, y1, y2)`` in pixels of the full video, as in ``video_sets``; x2 and y2 excluded."""


@dataclass(frozen=True, slots=True)
class VideoSet:
    """One entry of ``video_sets``: a path as some computer once wrote it, and the crop of extracted frames."""

    path: str
    crop: Crop | None = None


@dataclass(frozen=True, slots=True)
class DeepLabCutConfig:
    """What this project needs of a ``config.yaml``.

    Parameters
    ----------
    path : Path
        The file.
    task, scorer, date : str
        ``date`` is DeepLabCut's short form, such as ``Oct30``; "" where the file has none.
    bodyparts : tuple of str
        In labelling order; of a multi-animal project those every individual has.
    skeleton : tuple of (str, str)
        Links between known bodyparts.
    individuals : tuple of str
        Empty in a single-animal project.
    multianimal : bool
    unique_bodyparts : tuple of str
        Multi-animal only: bodyparts that belong to no individual.
    video_sets : tuple of VideoSet
    pcutoff : float
        Likelihood below which DeepLabCut takes a prediction for no point.
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
    video_sets: Sequence[VideoSet] = (),
    project_path: Path | None = None,
) -> None:
    """Write the ``config.yaml`` of a new project, with every key DeepLabCut expects.

    ``individuals`` make it a multi-animal one. ``project_path`` is where the project will be found, the folder of
    ``path`` unless given.
    """
    document = _yaml().load(_TEMPLATE)
    document["Task"] = task
    document["scorer"] = scorer
    document["date"] = date
    document["project_path"] = str((project_path or path.parent).absolute())
    document["bodyparts"] = list(bodyparts)
    if individuals:
        document["multianimalproject"] = True
        place = list(document).index("bodyparts")
        entries = {"individuals": individuals, "uniquebodyparts": (), "multianimalbodyparts": bodyparts}
        for offset, (field, names) in enumerate(entries.items()):
            document.insert(place + offset, field, list(names))
        document["bodyparts"] = "MULTI!"
        document["default_track_method"] = "ellipse"
    document["skeleton"] = [list(link) for link in skeleton]
    document["video_sets"] = {video.path: {"crop": crop_text(video.crop)} for video in video_sets}
    dump_config(document, path)


def _yaml() -> YAML:
    """Return a YAML reader and writer that keeps comments, order and quotes and makes no Python objects."""
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 4096  # long video paths stay on one line
    return yaml


def load_config(path: Path) -> Any:
    """Return the document at ``path`` for changing and `dump_config`.

    Raises
    ------
    AlPoseError
        If there is no such file, or it is no YAML document.
    """
    if not path.is_file():
        raise AlPoseError(
            f"There is no file {path}.", "Choose the config.yaml of a DeepLabCut project, or the folder it lies in."
        )
    try:
        document = _yaml().load(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise AlPoseError(f"{path} is not a text file in UTF-8.", "Choose a DeepLabCut config.yaml.") from error
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark is not None else ""
        raise AlPoseError(
            f"{path} is not valid YAML{where}: {getattr(error, 'problem', None) or 'it cannot be parsed'}.",
            "Correct that line in a text editor and open the project again.",
        ) from error
    except OSError as error:
        raise AlPoseError(f"{path} could not be read: {error.strerror}.", "See that you may read it.") from error
    if not isinstance(document, dict):
        raise AlPoseError(
            f"Expected a DeepLabCut config.yaml with 'bodyparts:' and 'scorer:', got {path} with neither.",
            "Choose the config.yaml of a DeepLabCut project.",
        )
    return document


def dump_config(document: Any, path: Path) -> None:
    """Write a document, whole or not at all."""
    text = io.StringIO()
    _yaml().dump(document, text)
    with replacing(path) as temporary:
        temporary.write_bytes(text.getvalue().encode("utf-8"))


def is_multianimal(document: Any) -> bool:
    """Return whether the document is of a multi-animal project; old files have nothing there for "no"."""
    return document.get("multianimalproject") is True


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
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated or "" in names:
        wrong = f"{repeated[0]!r} twice" if repeated else "an empty name"
        raise AlPoseError(f"{path} lists {wrong} under '{field}:'.", "Give each its own name.")
    return tuple(names)


def _links(document: Any) -> tuple[tuple[str, str], ...]:
    """Return the pairs in ``skeleton``; DeepLabCut's own templates hold things that are none, which draw nothing."""
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
    """Return a crop as ``config.yaml`` has it; empty for None."""
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
