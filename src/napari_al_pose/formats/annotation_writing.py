"""Writes DeepLabCut's ``CollectedData_<scorer>.h5`` and ``.csv``, in the one form that its newest version writes."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import SINGLE_INDIVIDUAL, UNIQUE_INDIVIDUAL, AlPoseError
from napari_al_pose.domain.file_names import plain
from napari_al_pose.formats.annotation_table import AnnotationTable, annotation_table
from napari_al_pose.formats.atomic import make_folder, replacing
from napari_al_pose.formats.deeplabcut_annotations import read_annotations
from napari_al_pose.formats.deeplabcut_tables import parse_csv, read_table
from napari_al_pose.formats.hdf import write_frame

if TYPE_CHECKING:
    import pandas as pd

Guard = Callable[[Path, Path], None]


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
    guard: Guard | None = None,
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
    frames : mapping of str to float64 array, (individuals, bodyparts, 2) or (n, 2)
        New values by image name, in pixels of the extracted image, NaN for not visible: of every bodypart of every
        individual, then of the unique bodyparts.
    remove : collection of str
        Image names whose rows are removed.
    unique_bodyparts : sequence of str
        For a multi-animal project: bodyparts of no individual.
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
    wanted += [(UNIQUE_INDIVIDUAL, bodypart) for bodypart in unique_bodyparts]
    columns = (*wanted, *(column for column in present.columns if column not in wanted))
    video, h5 = plain(folder.name), folder / f"CollectedData_{scorer}.h5"
    places = {row: place for place, row in enumerate(present.rows)}
    for image in remove:
        places.pop((video, image), None)
    new = [(video, image) for image in frames if (video, image) not in places]
    places |= {row: place for place, row in enumerate(new, len(present.rows))}
    xy = np.concatenate([_rearranged(present, columns), np.full((len(new), len(columns), 2), np.nan)])
    known = present.lines if present.lines and columns == present.columns else [""] * len(present.rows)
    lines = [*known, *[""] * len(new)]
    for image, points in frames.items():
        place = places[video, image]
        xy[place, : len(wanted)] = points.reshape(-1, 2)
        lines[place] = ""
    rows = tuple(sorted(places))
    order = [places[row] for row in rows]
    made = AnnotationTable(rows, columns, xy[order], h5, lines=tuple(lines[place] for place in order))
    make_folder(folder)
    if present.damaged == h5:
        os.replace(h5, h5.with_suffix(".h5.damaged"))
    return _write_both(made, scorer, guard)


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
    if kept:
        _write_both(AnnotationTable(present.rows, columns, present.xy[:, kept], h5), scorer)
    else:
        for path in (h5.with_suffix(".csv"), h5):
            path.unlink(missing_ok=True)


def with_lines(table: AnnotationTable, *, scorer: str) -> AnnotationTable:
    """Return a table with the text of all its rows, so that writing a changed one makes only the text that changes.

    Raises
    ------
    AlPoseError
        If the text does not read back as the table.
    """
    path = table.path
    missing = [place for place, line in enumerate(table.lines or [""] * len(table.rows)) if not line]
    if path is None or not missing:
        return table
    part = AnnotationTable(tuple(table.rows[place] for place in missing), table.columns, table.xy[missing], path)
    text = str(_data_frame(part, scorer).to_csv(None, header=False, lineterminator="\n"))
    content = (_header(table, scorer) + text).encode("utf-8")
    _check_same(annotation_table(parse_csv(content, path), path, scorer=scorer), part)
    lines = list(table.lines or [""] * len(table.rows))
    for place, line in zip(missing, text.split("\n")[:-1], strict=True):
        lines[place] = line
    return replace(table, lines=tuple(lines))


def _write_both(table: AnnotationTable, scorer: str, guard: Guard | None = None) -> AnnotationTable:
    """Write ``.csv`` and ``.h5``; the latter last: as long as it is unchanged, this can be done again."""
    table, h5 = with_lines(table, scorer=scorer), table.path
    if h5 is None:
        raise ValueError("a table without a path")
    with _replacing(h5.with_suffix(".csv"), guard) as temporary:
        content = "".join([_header(table, scorer), *(f"{line}\n" for line in table.lines)]).encode("utf-8")
        temporary.write_bytes(content)
        if temporary.read_bytes() != content:
            raise _read_back_differently(h5.with_suffix(".csv"))
    with _replacing(h5, guard) as temporary:
        write_frame(_data_frame(table, scorer), temporary)
        _check_same(annotation_table(read_table(temporary), h5, scorer=scorer), table)
    return table


@contextmanager
def _replacing(path: Path, guard: Guard | None) -> Iterator[Path]:
    with replacing(path) as temporary:
        yield temporary
        if guard is not None:
            guard(path, temporary)


def _check_same(read: AnnotationTable, table: AnnotationTable) -> None:
    same_labels = read.rows == table.rows and read.columns == table.columns
    if not same_labels or not np.array_equal(read.xy, table.xy, equal_nan=True):
        raise _read_back_differently(read.path)


def _read_back_differently(path: Path | None) -> AlPoseError:
    return AlPoseError(
        f"{path} read back differently from what was written; the file in place was left as it was.",
        "Check the disk. The labels themselves are safe in al-pose/labels.sqlite.",
    )


def _rearranged(table: AnnotationTable, columns: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
    """Return the points of all rows for other columns, which include all of the table's."""
    made = np.full((len(table.rows), len(columns), 2), np.nan)
    made[:, [columns.index(column) for column in table.columns]] = table.xy
    return made


def _header(table: AnnotationTable, scorer: str) -> str:
    empty = AnnotationTable((), table.columns, table.xy[:0], table.path)
    return str(_data_frame(empty, scorer).to_csv(None, lineterminator="\n"))


def _data_frame(table: AnnotationTable, scorer: str) -> pd.DataFrame:
    """Return the table as DeepLabCut has it in pandas."""
    import pandas as pd

    if table.path is None:
        raise ValueError("a table without a path")
    single = all(individual == SINGLE_INDIVIDUAL for individual, _ in table.columns)
    columns = list(_column_labels(table.columns, scorer, single=single))
    names = ["scorer", "bodyparts", "coords"] if single else ["scorer", "individuals", "bodyparts", "coords"]
    folder = table.path.parent.name  # as spelt on disk: DeepLabCut builds a path from it
    videos = [folder if video == plain(folder) else video for video, _ in table.rows]
    levels = [["labeled-data"], sorted(set(videos)), sorted({image for _, image in table.rows})]
    codes = [[0] * len(table.rows), _codes(videos, levels[1]), _codes([image for _, image in table.rows], levels[2])]
    return pd.DataFrame(
        table.xy.reshape(len(table.rows), 2 * len(table.columns)).astype(np.float64),
        # Quicker than from the names of all rows, which pandas would sort and compare.
        index=pd.MultiIndex(levels, codes),
        columns=pd.MultiIndex.from_tuples(columns, names=names),
    )


def _codes(names: Sequence[str], level: Sequence[str]) -> list[int]:
    places = {name: place for place, name in enumerate(level)}
    return [places[name] for name in names]


def _column_labels(columns: Sequence[tuple[str, str]], scorer: str, *, single: bool) -> Iterator[tuple[str, ...]]:
    for individual, bodypart in columns:
        for axis in "xy":
            yield (scorer, bodypart, axis) if single else (scorer, individual, bodypart, axis)
