"""Reads DeepLabCut's ``CollectedData_<scorer>.h5`` and ``.csv`` in every form met in the wild."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from napari_al_pose.domain import SINGLE_INDIVIDUAL, AlPoseError
from napari_al_pose.domain.file_names import IMAGE_SUFFIXES, frame_number, numbered_images, plain
from napari_al_pose.domain.wording import counted
from napari_al_pose.formats.annotation_table import AnnotationTable, annotation_table
from napari_al_pose.formats.deeplabcut_tables import read_table

__all__ = [
    "IMAGE_SUFFIXES",
    "AnnotationTable",
    "image_files",
    "image_name",
    "image_names",
    "is_annotation_file",
    "read_annotation_file",
    "read_annotation_points",
    "read_annotations",
    "tables_passed_over",
]


def is_annotation_file(path: Path | str) -> bool:
    """Return whether ``path`` is named like one of DeepLabCut's label files; the file is not opened."""
    return re.fullmatch(r"CollectedData_.+\.(h5|csv)", os.path.basename(path)) is not None


def read_annotation_points(path: Path) -> AnnotationTable:
    """Read one label file on its own, whatever its scorer, bodyparts and individuals.

    Raises
    ------
    AlPoseError
        If it is not a readable DeepLabCut table.
    """
    return annotation_table(read_table(path), path)


def read_annotation_file(path: Path, *, scorer: str, individuals: Sequence[str]) -> AnnotationTable:
    """Read one label file for a project, like `read_annotations` reads the one that counts."""
    return _fit_individuals(annotation_table(read_table(path), path, scorer=scorer), individuals)


def read_annotations(folder: Path, *, scorer: str, individuals: Sequence[str]) -> AnnotationTable:
    """Read the labels in a folder of ``labeled-data``; return an empty table if it has none.

    The ``.h5`` counts, as in DeepLabCut; the ``.csv`` is read if there is no ``.h5`` or it is damaged. A file of
    another scorer is read if it is the only one.

    Parameters
    ----------
    folder : Path
        ``labeled-data/<video>``.
    scorer : str
        Of the project.
    individuals : sequence of str
        Of the project's skeleton; ``("",)`` for a single animal.

    Raises
    ------
    AlPoseError
        If there are files and none can be read, or if they hold several animals and the project one, or the reverse.
    """
    h5, notices = _annotation_file(folder, scorer)
    damaged = None
    try:
        table = read_table(h5) if h5.is_file() else None
    except AlPoseError as error:
        if not h5.with_suffix(".csv").is_file():
            raise
        damaged = h5
        notices.append(f"{error.message} The labels were read from {h5.with_suffix('.csv').name} beside it.")
        table = None
    path = h5 if table is not None else h5.with_suffix(".csv")
    if table is None:
        if not path.is_file():
            return AnnotationTable(notices=tuple(notices))
        table = read_table(path)
    found = annotation_table(table, path, scorer=scorer)
    found = _fit_individuals(found, individuals)
    name = plain(folder.name)
    for video in sorted({video for video, _ in found.rows} - {name}):
        notices.append(f"{path} has rows of another video ({video}); they are kept there and not shown.")
    unnumbered = [image for video, image in found.rows if video == name and frame_number(image) is None]
    if unnumbered:
        more = f" and {counted(len(unnumbered) - 1, 'more row')}" if len(unnumbered) > 1 else ""
        kept = "are" if more else "is"
        notices.append(f"{path}: {unnumbered[0]!r}{more} without a frame number {kept} kept there and not shown.")
    return replace(found, path=path, notices=(*notices, *found.notices), damaged=damaged)


def tables_passed_over(folder: Path, *, scorer: str) -> list[Path]:
    """Return the ``.csv`` files in a folder that begin as DeepLabCut's label files do and are not read.

    Their names are others, or are those of another scorer beside the scorer's own. DeepLabCut's ``machinelabels`` are
    predictions.
    """
    try:
        names = sorted(name for name in os.listdir(folder) if name.lower().endswith(".csv") and name[0] != ".")
    except OSError:
        return []  # whoever reads its labels says so
    has_own = any((folder / f"CollectedData_{scorer}{suffix}").is_file() for suffix in (".h5", ".csv"))
    return [
        folder / name
        for name in names
        if not name.startswith("machinelabels")
        and name != f"CollectedData_{scorer}.csv"
        and (has_own or not is_annotation_file(name))
        and _begins_as_labels(folder / name)
    ]


def _begins_as_labels(path: Path) -> bool:
    with suppress(OSError), path.open("rb") as file:
        return file.read(16).lstrip(b'\xef\xbb\xbf"').startswith(b"scorer")
    return False


def image_name(
    folder: Path, number: int, n_frames: int, *, rows: Iterable[str] = (), images: Collection[str] | None = None
) -> str:
    """Return DeepLabCut's name for the extracted image of a frame.

    It is the existing image, whatever its digits. Otherwise it is ``img<number>.png`` with as many digits as the images
    in the folder or the ``rows`` of its table have, or else the last frame number of the video. ``images`` are those in
    the folder, if they were listed already.

    Examples
    --------
    >>> image_name(Path("nowhere"), 7, 2330)
    'img0007.png'
    """
    images = image_names(folder) if images is None else images
    present = numbered_images(images, {number})[0].get(number)
    if present is not None:
        return present
    matches = (re.fullmatch(r"img(\d+)\.\w+", image) for image in (*images, *rows))
    width = next((len(match.group(1)) for match in matches if match), max(1, len(str(n_frames - 1))))
    return f"img{number:0{width}d}.png"


def image_files(folder: Path) -> list[Path]:
    """Return the images in a folder, by name; empty if there is no such folder."""
    return [folder / name for name in image_names(folder)]


def image_names(folder: Path) -> list[str]:
    """Return the names of the images in a folder, sorted; for many images a hundred times faster than paths."""
    if not folder.is_dir():
        return []
    names = (name for name in os.listdir(folder) if not name.startswith("."))
    return sorted(name for name in names if name.lower().endswith(IMAGE_SUFFIXES))


def _annotation_file(folder: Path, scorer: str) -> tuple[Path, list[str]]:
    """Return the ``.h5`` to read, whether it exists or not, and notices."""
    own = folder / f"CollectedData_{scorer}.h5"
    if own.is_file() or own.with_suffix(".csv").is_file() or not folder.is_dir():
        return own, []
    others = sorted({path.with_suffix(".h5") for path in folder.iterdir() if is_annotation_file(path)})
    if not others:
        return own, []
    names = ", ".join(path.stem for path in others)
    if len(others) > 1:
        return own, [f"{folder} has labels of several scorers ({names}) and none of {scorer}; none was read."]
    return others[0], [f"{folder} has labels of another scorer ({names}); they were read, and belong to {scorer} now."]


def _fit_individuals(table: AnnotationTable, individuals: Sequence[str]) -> AnnotationTable:
    """Read a file with one named animal as a single-animal one; refuse what does not fit."""
    in_file = {individual for individual, _ in table.columns}
    single = tuple(individuals) == (SINGLE_INDIVIDUAL,)
    if single == (in_file == {SINGLE_INDIVIDUAL}):
        return table
    if single and len(in_file) == 1:
        columns = tuple((SINGLE_INDIVIDUAL, bodypart) for _, bodypart in table.columns)
        notice = f"{table.path} names the individual {in_file.pop()!r}; it was read as the only animal."
        return replace(table, columns=columns, notices=(*table.notices, notice))
    if single:
        raise AlPoseError(
            f"{table.path} holds several individuals ({', '.join(sorted(in_file))}), but config.yaml says one animal.",
            "Set 'multianimalproject: true' and list 'individuals:' in config.yaml, or move the file away.",
        )
    raise AlPoseError(
        f"{table.path} holds one unnamed animal, but config.yaml says several.",
        "Set 'multianimalproject: false' in config.yaml, or convert the file with DeepLabCut.",
    )
