"""The label formats, and how to tell which one a file has."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.file_names import is_config
from napari_al_pose.formats import coco, deeplabcut_labels, lightning_pose, lsp, mpii, sleap
from napari_al_pose.formats.capabilities import Capabilities
from napari_al_pose.formats.deeplabcut import is_annotation_file
from napari_al_pose.formats.deeplabcut_tables import table_lines
from napari_al_pose.formats.label_set import LabelReader, LabelSet

Write = Callable[[LabelSet, Path], None]


@dataclass(frozen=True, slots=True)
class LabelFormat:
    """One format.

    Parameters
    ----------
    name : str
        Its name on the command line.
    title : str
        Its name in the window.
    capabilities : Capabilities
        What it can hold.
    read : LabelReader
    write : callable or None
        Writes one beside the pictures; None for a project folder.
    file : str
        Name of the label file in an exported folder; "" if the output is that file itself.
    patterns : tuple of str
        File name patterns for the window.
    images : str
        Where images go in an exported folder, with ``{video}``; "" if the format refers to the videos.
    needs_images : bool
        Whether the format can't hold a frame without an image.
    about : str
        Describes the output, for the window.
    """

    name: str
    title: str
    capabilities: Capabilities
    read: LabelReader
    write: Write | None
    file: str
    patterns: tuple[str, ...]
    images: str = ""
    needs_images: bool = False
    about: str = ""


FORMATS = (
    LabelFormat(
        "deeplabcut",
        "DeepLabCut",
        deeplabcut_labels.CAPABILITIES,
        deeplabcut_labels.read_collected_data,
        None,
        "config.yaml",
        ("config.yaml", "CollectedData_*.h5", "CollectedData_*.csv"),
        images="labeled-data/{video}",
        about="A new project folder with config.yaml, CollectedData and images; videos are linked.",
    ),
    LabelFormat(
        "sleap",
        "SLEAP",
        sleap.CAPABILITIES,
        sleap.read_sleap,
        sleap.write_sleap,
        "",
        ("*.slp",),
        about="One .slp file that refers to the videos where they are.",
    ),
    LabelFormat(
        "lightning-pose",
        "Lightning Pose",
        lightning_pose.CAPABILITIES,
        lightning_pose.read_lightning_pose,
        lightning_pose.write_lightning_pose,
        lightning_pose.FILE,
        ("*.csv",),
        images="labeled-data/{video}",
        about="A folder with CollectedData.csv, with its visible column, and images.",
    ),
    LabelFormat(
        "coco",
        "COCO keypoints",
        coco.CAPABILITIES,
        coco.read_coco,
        coco.write_coco,
        coco.FILE,
        ("*.json",),
        images="images/{video}",
        needs_images=True,
        about="A folder with annotations.json and images.",
    ),
    LabelFormat(
        "mpii",
        "MPII",
        mpii.CAPABILITIES,
        mpii.read_mpii,
        mpii.write_mpii,
        mpii.FILE,
        ("*.json",),
        images="images/{video}",
        needs_images=True,
        about="A folder with mpii.json (16 joints of people) and images.",
    ),
    LabelFormat(
        "lsp",
        "Leeds Sports Pose",
        lsp.CAPABILITIES,
        lsp.read_lsp,
        lsp.write_lsp,
        lsp.FILE,
        ("*.mat",),
        images="images",
        needs_images=True,
        about="A folder with joints.mat (14 joints of one person) and numbered images.",
    ),
)


def format_named(name: str) -> LabelFormat:
    """Return a format by name; raise AlPoseError with the list if there is none."""
    for known in FORMATS:
        if known.name == name:
            return known
    raise AlPoseError(f"Unknown format {name!r}.", f"Choose from: {', '.join(known.name for known in FORMATS)}.")


def find_labels(source: Path) -> Path:
    """Return ``source`` if it is a label file, or the one label file in it if it is a folder.

    Raises
    ------
    AlPoseError
        If there is none, or more than one.
    """
    if not source.is_dir():
        if not source.is_file():
            raise AlPoseError(f"There is no file {source}.", "Choose a file of labels or a project folder.")
        return source
    known = [source / written.file for written in FORMATS if written.file and (source / written.file).is_file()]
    found = known[:1] or sorted([*source.glob("*.slp"), *source.glob("CollectedData_*.h5"), *source.glob("*.json")])
    if len(found) != 1:
        listed = f" (there are {', '.join(path.name for path in found[:4])})" if found else ""
        raise AlPoseError(f"Expected one file of labels in {source}{listed}.", "Name the file itself.")
    return found[0]


def detect_format(path: Path) -> LabelFormat:
    """Return the format of a label file, by its name and its first bytes.

    Raises
    ------
    AlPoseError
        If it has no known format.
    """
    suffix = path.suffix.lower()
    if is_config(path) or suffix == ".h5":
        return format_named("deeplabcut")
    if suffix == ".csv":
        return format_named(_csv_format(path))
    if suffix == ".json":
        return format_named("mpii" if _head(path).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[") else "coco")
    for known in FORMATS:
        if f"*{suffix}" in known.patterns:
            return known
    raise AlPoseError(
        f"{path} has no known format.",
        "Expected a config.yaml, or a file that ends in .h5, .csv, .slp, .json or .mat.",
    )


def _csv_format(path: Path) -> str:
    """Return which of two programs wrote a table: they share three header lines, and one allows several animals."""
    try:
        _, lines = table_lines(b"\n".join(_head(path).split(b"\n")[:8]))
    except (UnicodeDecodeError, csv.Error):
        lines = []  # whoever reads it says what is wrong
    header = {line[0].strip(): {cell.strip() for cell in line[1:]} for line in lines[:4]}
    coordinates = header.get("coords", set())
    if "visible" in coordinates:
        return "lightning-pose"
    several = "individuals" in header
    return "deeplabcut" if several or "likelihood" in coordinates or is_annotation_file(path) else "lightning-pose"


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(200_000)
    except OSError as error:
        raise AlPoseError(f"{path} could not be read: {error.strerror}.", "Check that you may read it.") from error
