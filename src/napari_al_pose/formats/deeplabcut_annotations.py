"""DeepLabCut's ``CollectedData_<scorer>.h5`` and ``.csv``: reads every form met in the wild, writes one."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import SINGLE_INDIVIDUAL, AlPoseError
from napari_al_pose.domain.file_names import IMAGE_SUFFIXES, frame_number, numbered_images, plain
from napari_al_pose.formats.annotation_table import AnnotationTable, annotation_table
from napari_al_pose.formats.atomic import make_folder, replacing
from napari_al_pose.formats.deeplabcut_config import UNIQUE_INDIVIDUAL
from napari_al_pose.formats.deeplabcut_tables import read_table
from napari_al_pose.formats.hdf import write_frame

logger = logging.getLogger(__name__)

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
    "rename_columns",
    "write_annotations",
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
        notices.append(f"{path} has rows of another video ({video or 'unnamed'}); they are kept there and not shown.")
    unnumbered = [image for video, image in found.rows if video == name and frame_number(image) is None]
    if unnumbered:
        more = f" and {len(unnumbered) - 1} more rows" if len(unnumbered) > 1 else ""
        notices.append(f"{path}: {unnumbered[0]!r}{more} without a frame number are kept there and not shown.")
    return replace(found, path=path, notices=(*notices, *found.notices), damaged=damaged)


def write_annotations(
    folder: Path,
    *,
    scorer: str,
    bodyparts: Sequence[str],
    individuals: Sequence[str],
    frames: Mapping[str, NDArray[np.float64]],
    remove: Collection[str] = (),
    unique_bodyparts: Sequence[str] = (),
    present: AnnotationTable | None = None,
    guard: Callable[[Path, Path], None] | None = None,
) -> AnnotationTable:
    """Write labels into ``CollectedData_<scorer>.h5`` and ``.csv``; other rows and columns stay.

    Each file is written beside the old one, read back, compared, and then moved into place, the ``.h5``, which counts,
    last: as long as it is unchanged, everything can be done again. A damaged ``.h5`` is kept as ``.h5.damaged``.

    Parameters
    ----------
    folder : Path
        ``labeled-data/<video>``; created if absent.
    scorer, bodyparts, individuals
        Of the project; they give the columns and their order. ``("",)`` for a single animal.
    frames : mapping of str to float64 array, (individuals, bodyparts, 2)
        New values by image name, in pixels of the extracted image, NaN for not visible.
    remove : collection of str
        Image names whose rows are removed.
    unique_bodyparts : sequence of str
        For a multi-animal project: bodyparts of no individual, whose columns DeepLabCut expects.
    present : AnnotationTable, optional
        The present content of the files; by default they are read.
    guard : callable, optional
        Called with a file and with what is about to replace it; what it raises leaves the file as it is.

    Returns
    -------
    AnnotationTable
        The new content of the files.

    Raises
    ------
    AlPoseError
        If the present files can't be read, or the new ones can't be written. They are unchanged then.
    """
    if present is None:
        present = read_annotations(folder, scorer=scorer, individuals=individuals)
    wanted = [(individual, bodypart) for individual in individuals for bodypart in bodyparts]
    others = dict.fromkeys([*((UNIQUE_INDIVIDUAL, bodypart) for bodypart in unique_bodyparts), *present.columns])
    columns = (*wanted, *(column for column in others if column not in wanted))
    values = dict(zip(present.rows, _rearranged(present, columns), strict=True))
    video = plain(folder.name)
    for image in remove:
        values.pop((video, image), None)
    for image, points in frames.items():
        row = (video, image)
        values.setdefault(row, np.full((len(columns), 2), np.nan))[: len(wanted)] = points.reshape(-1, 2)
    rows = tuple(sorted(values))
    xy = np.array([values[row] for row in rows], np.float64).reshape(len(rows), len(columns), 2)
    h5 = folder / f"CollectedData_{scorer}.h5"
    make_folder(folder)
    if present.damaged == h5:
        os.replace(h5, h5.with_suffix(".h5.damaged"))
    table = AnnotationTable(rows, columns, xy, h5)
    for path in (h5.with_suffix(".csv"), h5):
        _write(table, path, scorer, guard)
    return table


def rename_columns(
    folder: Path,
    *,
    scorer: str,
    bodyparts: Sequence[str],
    individuals: Sequence[str],
    renamed: Mapping[str, str],
    removed: Collection[str],
) -> None:
    """Give the columns of ``CollectedData_<scorer>`` the names and the order of other bodyparts; rows stay.

    Does nothing if there is no such file, and removes files without any column left. Columns of new bodyparts are added
    with their first labels: an empty one would say "not visible".

    Parameters
    ----------
    folder : Path
        ``labeled-data/<video>``.
    scorer : str
        Of the project.
    bodyparts, individuals : sequence of str
        The new ones, in their order.
    renamed : mapping of str to str
        New names by old ones.
    removed : collection of str
        Bodyparts, by their old names, whose columns are removed.

    Raises
    ------
    AlPoseError
        As for `write_annotations`.
    """
    h5 = folder / f"CollectedData_{scorer}.h5"
    if not h5.is_file() and not h5.with_suffix(".csv").is_file():
        return
    present = read_annotations(folder, scorer=scorer, individuals=individuals)
    wanted = [(individual, bodypart) for individual in individuals for bodypart in bodyparts]
    names = {i: (column[0], renamed.get(column[1], column[1])) for i, column in enumerate(present.columns)}
    kept = [i for i, (_, bodypart) in enumerate(present.columns) if bodypart not in removed]
    kept.sort(key=lambda i: wanted.index(names[i]) if names[i] in wanted else len(wanted))
    columns = tuple(names[i] for i in kept)
    if kept == list(range(len(present.columns))) and columns == present.columns:
        return
    table = AnnotationTable(present.rows, columns, present.xy[:, kept], h5)
    for path in (h5.with_suffix(".csv"), h5):  # the .h5 last: as long as it is unchanged, this can be done again
        if kept:
            _write(table, path, scorer)
        else:
            path.unlink(missing_ok=True)


def image_name(folder: Path, number: int, n_frames: int, *, rows: Iterable[str] = ()) -> str:
    """Return DeepLabCut's name for the extracted image of a frame.

    It is the existing image, whatever its digits. Otherwise it is ``img<number>.png`` with as many digits as the images
    in the folder or the ``rows`` of its table have, or else the last frame number of the video.

    Examples
    --------
    >>> image_name(Path("nowhere"), 7, 2330)
    'img0007.png'
    """
    images = image_names(folder)
    present = numbered_images(images)[0].get(number)
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


def _rearranged(table: AnnotationTable, columns: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
    """Return the points of all rows for other columns, which include all of the table's."""
    made = np.full((len(table.rows), len(columns), 2), np.nan)
    made[:, [columns.index(column) for column in table.columns]] = table.xy
    return made


def _write(table: AnnotationTable, path: Path, scorer: str, guard: Callable[[Path, Path], None] | None = None) -> None:
    import pandas as pd

    single = all(individual == SINGLE_INDIVIDUAL for individual, _ in table.columns)
    columns = list(_column_labels(table.columns, scorer, single=single))
    names = ["scorer", "bodyparts", "coords"] if single else ["scorer", "individuals", "bodyparts", "coords"]
    folder = path.parent.name  # as spelt on disk: DeepLabCut builds a path from it

    def folder_name(row: tuple[str, str]) -> str:
        return folder if row[0] == plain(folder) else row[0]

    frame = pd.DataFrame(
        table.xy.reshape(len(table.rows), 2 * len(table.columns)).astype(np.float64),
        index=pd.MultiIndex.from_arrays(
            [["labeled-data"] * len(table.rows), [*map(folder_name, table.rows)], [image for _, image in table.rows]]
        ),
        columns=pd.MultiIndex.from_tuples(columns, names=names),
    )
    with replacing(path) as temporary:
        if path.suffix == ".csv":
            frame.to_csv(temporary, lineterminator="\n")
        else:
            write_frame(frame, temporary)
        written = annotation_table(read_table(temporary), path, scorer=scorer)
        same_labels = written.rows == table.rows and written.columns == table.columns
        if not same_labels or not np.array_equal(written.xy, table.xy, equal_nan=True):
            raise AlPoseError(
                f"{path} read back differently from what was written; the file in place was left as it was.",
                "Check the disk. The labels themselves are safe in al-pose/labels.sqlite.",
            )
        if guard is not None:
            guard(path, temporary)


def _column_labels(columns: Sequence[tuple[str, str]], scorer: str, *, single: bool) -> Iterator[tuple[str, ...]]:
    for individual, bodypart in columns:
        for axis in "xy":
            yield (scorer, bodypart, axis) if single else (scorer, individual, bodypart, axis)
