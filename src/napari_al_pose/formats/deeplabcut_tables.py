"""Reads all forms of DeepLabCut's coordinate tables into one."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import SINGLE_INDIVIDUAL, AlPoseError
from napari_al_pose.domain.file_names import frame_number, plain
from napari_al_pose.formats.hdf import read_hdf_table
from napari_al_pose.formats.names import is_safe_name

__all__ = ["COORDINATES", "RawTable", "frame_number", "parse_csv", "read_table", "row_location", "table_lines"]

COORDINATES = ("x", "y", "likelihood")

_EMPTY = frozenset(["", "#N/A", "#NA", "N/A", "NA", "n/a", "NULL", "null", "None", "NaN", "nan", "-NaN", "-nan"])
"""What stands for no number, as in pandas."""
_FIRST_CELL = re.compile(r'"?scorer"?([,;\t])')
_DECIMAL_COMMA = re.compile(r"-?\d*,\d+")

_NAMELESS = re.compile(r"(Unnamed: \d+_level_\d+)?\s*")
"""What stands in a header for no name: nothing, or what pandas makes of nothing."""

_LEVELS = {3: ("scorer", "bodyparts", "coords"), 4: ("scorer", "individuals", "bodyparts", "coords")}


@dataclass(frozen=True, slots=True, eq=False)
class RawTable:
    """A table of coordinates as stored in a file.

    Parameters
    ----------
    columns : tuple of (scorer, individual, bodypart, coordinate)
        One for each value column; ``individual`` is `SINGLE_INDIVIDUAL` if the file has none.
    rows : tuple
        Row labels as found: a tuple, a path, or a frame number.
    values : float64 array, (rows, columns)
    notices : tuple of str
        Messages about how it was read.
    """

    columns: tuple[tuple[str, str, str, str], ...]
    rows: tuple[Any, ...]
    values: NDArray[np.float64]
    notices: tuple[str, ...] = ()


def read_table(path: Path, *, coordinates: Sequence[str] = COORDINATES) -> RawTable:
    """Read a DeepLabCut ``.h5`` or ``.csv``, or a table laid out like one that has other ``coordinates``.

    Raises
    ------
    AlPoseError
        If the file is not such a table; the message names the file and, if possible, the row.
    """
    return _read_csv(path, coordinates) if path.suffix.lower() == ".csv" else _read_hdf(path, coordinates)


@lru_cache(maxsize=2**16)  # each writing of a table reads its rows four times
def row_location(label: Any) -> tuple[str, str]:
    """Return ``(video, image name)`` for a row label in any of DeepLabCut's forms; "" for a missing part.

    Where pandas joined names of one and of three parts, the missing ones are NaN.

    Examples
    --------
    >>> row_location("labeled-data\\\\mouse\\\\img01.png")
    ('mouse', 'img01.png')
    >>> row_location(("labeled-data", "mouse", "img01.png"))
    ('mouse', 'img01.png')
    """
    parts = [str(part) for part in label if part == part] if isinstance(label, tuple) else [str(label)]
    parts = [part.strip() for text in parts for part in text.replace("\\", "/").split("/") if part.strip()]
    image = parts[-1] if parts else ""
    video = parts[-2] if len(parts) > 1 and parts != ["labeled-data", image] else ""
    return (plain(video) if is_safe_name(video) else "", image if is_safe_name(image) else "")


def _read_hdf(path: Path, coordinates: Sequence[str]) -> RawTable:
    table = read_hdf_table(path)
    n_levels = len(table.columns[0]) if table.columns else 0
    if n_levels not in _LEVELS:
        raise _not_a_table(path, f"its columns have {n_levels} levels, expected 3 or 4")
    columns = _columns(table.columns, path, coordinates)
    notices: tuple[str, ...] = ()
    if table.others:
        notices = (f"{path} holds further tables ({', '.join(table.others)}), which were not read.",)
    return RawTable(columns, tuple(table.rows), _numbers(table.values, table.rows, path), notices)


def _read_csv(path: Path, coordinates: Sequence[str]) -> RawTable:
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise AlPoseError(f"There is no file {path}.", "Check the folder.") from error
    except OSError as error:
        raise _unreadable(path, error) from error
    return parse_csv(data, path, coordinates=coordinates)


def parse_csv(data: bytes, path: Path, *, coordinates: Sequence[str] = COORDINATES) -> RawTable:
    """Read the content of a ``.csv``; see `read_table`. ``path`` is for messages.

    Spreadsheets save other separators, decimal commas, UTF-16, and empty columns at the end.
    """
    try:
        separator, lines = table_lines(data)
    except (UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(path, error) from error
    first_cells = [line[0].strip() for line in lines[:4]]
    if "coords" not in first_cells:
        raise _not_a_table(path, "its first lines are not 'scorer', 'bodyparts' and 'coords'")
    n_levels = first_cells.index("coords") + 1
    if n_levels not in _LEVELS:
        raise _not_a_table(path, f"it has {n_levels} header lines, expected 3 or 4")
    if any(len(line) != len(lines[0]) for line in lines):
        number = next(i for i, line in enumerate(lines, 1) if len(line) != len(lines[0]))
        raise _not_a_table(path, f"line {number} has {len(lines[number - 1])} cells, expected {len(lines[0])}")
    width = len(lines[n_levels - 1]) - _n_empty_last(lines[n_levels - 1])
    if not any(any(line[width:]) for line in lines):
        lines = [line[:width] for line in lines]
    header, body = lines[:n_levels], lines[n_levels:]
    # Since version 2.2 a row is named by three cells; the header leaves the second and third empty.
    n_index = 3 if len(header[-1]) > 2 and not header[-1][1] and not header[-1][2] else 1
    levels = [line[n_index:] for line in header]
    columns = _columns(list(zip(*levels, strict=True)), path, coordinates)
    rows = tuple(tuple(line[:n_index]) if n_index == 3 else line[0] for line in body)
    cells = [[math.nan if cell in _EMPTY else cell for cell in line[n_index:]] for line in body]
    if separator != ",":
        cells = [[_with_point(cell) for cell in line] for line in cells]
    values = np.array(cells, object).reshape(len(body), len(columns))
    return RawTable(columns, rows, _numbers(values, rows, path))


def table_lines(data: bytes) -> tuple[str, list[list[str]]]:
    """Return what separates the cells of a ``.csv``, and its lines that have any text, cell by cell.

    Raises
    ------
    UnicodeDecodeError, csv.Error
        If it is no text, or no table.
    """
    text = _decoded(data)
    separator = found[1] if (found := _FIRST_CELL.match(text)) else ","
    return separator, [line for line in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if any(line)]


def _n_empty_last(line: Sequence[str]) -> int:
    return sum(1 for _ in itertools.takewhile(lambda cell: not cell, reversed(line)))


def _with_point(cell: str | float) -> str | float:
    """Return a number's text as Python reads it: where commas don't separate cells, they may separate decimals."""
    return cell.replace(",", ".") if isinstance(cell, str) and _DECIMAL_COMMA.fullmatch(cell) else cell


def _decoded(data: bytes) -> str:
    """Return the text of a table: in UTF-8 or, as Excel saves it, in UTF-16 or (western Europe) Windows-1252."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252")


def _columns(
    columns: Sequence[tuple[str, ...]], path: Path, coordinates: Sequence[str]
) -> tuple[tuple[str, str, str, str], ...]:
    """Return the columns by name. A name stands for the cells to its right that have none, as in merged cells."""
    made: list[tuple[str, str, str, str]] = []
    for number, column in enumerate(columns, 1):
        scorer, *individual, bodypart, coordinate = ("" if _NAMELESS.fullmatch(name) else name for name in column)
        if coordinate not in coordinates:
            raise _not_a_table(path, f"it has a column {coordinate!r}, expected {', '.join(coordinates)}")
        owner = individual[0] if individual else SINGLE_INDIVIDUAL
        before = made[-1] if made else ("", SINGLE_INDIVIDUAL, "", "")
        if not bodypart:
            if not before[2] or coordinate in [
                c[3] for c in made if c[2] == before[2] and c[1] == (owner or before[1])
            ]:
                raise _not_a_table(path, f"its column {number} names no bodypart")
            bodypart = before[2]
        made.append((scorer or before[0], owner or before[1], bodypart, coordinate))
    if not made:
        raise _not_a_table(path, "it has no columns")
    return tuple(made)


def _numbers(values: NDArray[Any], rows: Sequence[Any], path: Path) -> NDArray[np.float64]:
    try:
        numbers = values.astype(np.float64)
    except (TypeError, ValueError):
        for row, cells in zip(rows, values, strict=True):
            for cell in cells:
                try:
                    float(cell)
                except (TypeError, ValueError) as error:
                    raise _not_a_table(path, f"row {row!r} holds {cell!r} where a number should be") from error
        raise
    numbers[~np.isfinite(numbers)] = np.nan
    return numbers


def _unreadable(path: Path, error: Exception) -> AlPoseError:
    return AlPoseError(f"{path} could not be read as a table: {error}.", "Restore it from a backup.")


def _not_a_table(path: Path, reason: str) -> AlPoseError:
    return AlPoseError(
        f"{path} is not a DeepLabCut table of coordinates: {reason}.", "Correct it, or restore it from a backup."
    )
