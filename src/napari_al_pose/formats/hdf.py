"""Reads tables that pandas wrote to HDF5, with h5py; nothing in a file is executed.

pandas reads its files through PyTables, which stores lists and objects as pickles and unpickles whatever it touches. A
crafted file can run any program that way, and projects travel between labs. pandas has two layouts. *Fixed* holds the
values in blocks, and the names of rows and columns in text arrays beside them. *Table* holds one row after the other,
and the names of the columns as a pickled list, which `napari_al_pose.formats.pickled_names` reads as data.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError
from napari_al_pose.formats.pickled_names import read_names

if TYPE_CHECKING:
    import h5py
    import pandas as pd

KEY = "df_with_missing"
"""The key of DeepLabCut's tables."""

_ATTEMPTS, _WAIT_SECONDS = 20, 0.1
"""How often, and how long apart, a file that another program has locked is opened."""

_LARGEST = 2_000_000_000
_DAMAGE = (
    OSError,
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    IndexError,
    RuntimeError,
    UnicodeError,
    MemoryError,
)
"""What h5py and NumPy raise for damaged files."""


@dataclass(frozen=True, slots=True, eq=False)
class HdfTable:
    """A table as stored in a file.

    Parameters
    ----------
    columns : list of tuple of str
        The levels of each column's name.
    rows : list
        A text, a number or a tuple of texts for each row.
    values : float64 array, (rows, columns)
    others : tuple of str
        Keys of further tables in the file.
    """

    columns: list[tuple[str, ...]]
    rows: list[Any]
    values: NDArray[np.float64]
    others: tuple[str, ...] = ()


def read_hdf_table(path: Path) -> HdfTable:
    """Read the table in an HDF5 file written by pandas: ``df_with_missing`` if it exists, otherwise the first.

    Raises
    ------
    AlPoseError
        If the file is missing, is not HDF5 or damaged, holds no pandas table, or holds Python objects in place of
        numbers and texts. The message names the file.
    """
    remedy = "Restore it from a backup, or move it away to use the .csv beside it."
    if not path.is_file():
        raise AlPoseError(f"There is no file {path}.", "Check the folder.")
    try:
        file = _open(path)
    except BlockingIOError as error:
        raise AlPoseError(f"{path} is being written by another program.", "Wait until it is done.") from error
    except _DAMAGE as error:
        raise AlPoseError(f"{path} is not an HDF5 file, or is damaged.", remedy) from error
    with file:
        try:
            keys = _tables(file)
            if not keys:
                raise AlPoseError(f"{path} holds no table written by pandas.", remedy)
            key = KEY if KEY in keys else keys[0]
            group = file[key]
            layout = _text(group.attrs["pandas_type"])
            table = _read_table(group) if layout == "frame_table" else _read_fixed(group)
        except _PythonObjectError as error:
            raise AlPoseError(
                f"{path} holds Python objects ({error}), which a table of coordinates does not need.",
                "They were not opened, as they could run any program. " + remedy,
            ) from error
        except _DAMAGE as error:
            raise AlPoseError(f"The table in {path} cannot be read: {str(error)[:200]}.", remedy) from error
    return HdfTable(table.columns, table.rows, table.values, tuple(other for other in keys if other != key))


def _open(path: Path) -> h5py.File:
    """Open a file to read it; wait if it is locked.

    Who writes it locks it. So may our own process, for a moment after it has written: a child that is just being
    started shares its open files until it runs its program.
    """
    import h5py

    for _ in range(_ATTEMPTS - 1):
        try:
            return h5py.File(path, "r", locking="best-effort")
        except BlockingIOError:
            time.sleep(_WAIT_SECONDS)
    return h5py.File(path, "r", locking="best-effort")


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write ``frame`` under DeepLabCut's key.

    Raises
    ------
    OSError
        If the file can't be written.
    """
    import tables

    with warnings.catch_warnings():
        # 'img0001.png' style names trouble PyTables' idea of attribute names, not the data.
        warnings.simplefilter("ignore", tables.NaturalNameWarning)
        try:
            frame.to_hdf(path, key=KEY, mode="w")
        except tables.HDF5ExtError as error:
            raise OSError(f"HDF5 could not write {path}") from error


@contextmanager
def appending_frames(path: Path) -> Iterator[Callable[[pd.DataFrame], None]]:
    """Yield a function that appends rows to the one table of a new file, in DeepLabCut's form for predictions.

    Raises
    ------
    OSError
        If the file can't be written.
    """
    import pandas as pd
    import tables

    try:
        with pd.HDFStore(path, mode="w") as store:
            # An index of the rows only serves queries inside the file, and grows in memory.
            yield lambda frame: store.append(KEY, frame, index=False)
    except tables.HDF5ExtError as error:
        raise OSError(f"HDF5 could not write {path}") from error


class _PythonObjectError(Exception):
    """A part of a table is a pickled Python object; the message names the part."""


def _tables(file: h5py.File) -> list[str]:
    """Return the keys of all tables in a file, by name."""
    found: list[str] = []

    def look(name: str, item: Any) -> None:
        if _text(item.attrs.get("pandas_type", "")) in ("frame", "frame_table"):
            found.append(name)

    file.visititems(look)  # follows no links to other files
    return sorted(found)


def _read_fixed(group: h5py.Group) -> HdfTable:
    columns = [label if isinstance(label, tuple) else (str(label),) for label in _axis(group, "axis0")]
    columns = [tuple(str(part) for part in column) for column in columns]
    blocks = range(int(group.attrs["nblocks"]))
    # For a table without rows, pandas stores their names as an object.
    empty = all(_is_empty(_dataset(group, f"block{block}_values")) for block in blocks)
    rows = [] if empty else _axis(group, "axis1")
    places = {column: place for place, column in enumerate(columns)}
    values = np.full((len(rows), len(columns)), np.nan)
    for block in blocks:
        labels = _axis(group, f"block{block}_items")
        names = [tuple(str(p) for p in label) if isinstance(label, tuple) else (str(label),) for label in labels]
        values[:, [places[name] for name in names]] = _block(group, f"block{block}_values", (len(rows), len(names)))
    return HdfTable(columns, rows, values)


def _read_table(group: h5py.Group) -> HdfTable:
    table = _dataset(group, "table")
    data = table[()]
    fields = [name for name in data.dtype.names or () if name.startswith("values_block_")]
    if set(data.dtype.names or ()) != {"index", *fields}:
        raise ValueError("it has columns of its own beside the values")
    columns: list[tuple[str, ...]] = []
    for field in fields:
        names = read_names(bytes(table.attrs[f"{field}_kind"]))
        if names is None:
            raise _PythonObjectError(f"{field}_kind")
        columns += names
    order = read_names(bytes(group.attrs["non_index_axes"]), inside=True) if "non_index_axes" in group.attrs else None
    values = np.concatenate(
        [data[field].reshape(len(data), -1).astype(np.float64) for field in fields], axis=1, dtype=np.float64
    )
    if order is not None and sorted(order) == sorted(columns):
        values, columns = values[:, [columns.index(name) for name in order]], order
    return HdfTable(columns, _labels(data["index"]), values)


def _axis(group: h5py.Group, name: str) -> list[Any]:
    """Return the labels of rows or columns: tuples if there are several levels."""
    if _text(group.attrs[f"{name}_variety"]) != "multi":
        return _array_of_labels(group, name)
    levels = []
    for level in range(int(group.attrs[f"{name}_nlevels"])):
        names = _array_of_labels(group, f"{name}_level{level}")
        codes = _numbers(group, f"{name}_label{level}")
        levels.append([names[code] if code >= 0 else "" for code in codes.astype(int).tolist()])
    return list(zip(*levels, strict=True))


def _array_of_labels(group: h5py.Group, name: str) -> list[Any]:
    dataset = _dataset(group, name)
    if _is_empty(dataset):
        return []
    return _labels(dataset[()])


def _labels(values: NDArray[Any]) -> list[Any]:
    if values.dtype.kind == "S":
        return [value.decode("utf-8") for value in values.tolist()]
    return values.tolist()


def _block(group: h5py.Group, name: str, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return the values of a block, (rows, columns)."""
    dataset = _dataset(group, name)
    if _is_empty(dataset):
        return np.empty(shape)
    values = dataset[()].astype(np.float64)
    return values if dataset.attrs.get("transposed", False) else values.T


def _numbers(group: h5py.Group, name: str) -> NDArray[Any]:
    dataset = _dataset(group, name)
    return np.empty(0, int) if _is_empty(dataset) else np.asarray(dataset[()])


def _is_empty(dataset: h5py.Dataset) -> bool:
    """Return whether an array has no elements; PyTables then stores its true shape in an attribute."""
    return "shape" in dataset.attrs


def _dataset(group: h5py.Group, name: str) -> h5py.Dataset:
    """Return an array of numbers or texts that lies in the file itself."""
    import h5py

    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{name} is a link")
    dataset = group[name]
    if not isinstance(dataset, h5py.Dataset):
        raise ValueError(f"{name} is no array")
    if dataset.external or dataset.is_virtual:
        raise ValueError(f"{name} lies in another file")
    if dataset.dtype.kind == "O":
        raise _PythonObjectError(name)
    if dataset.nbytes > _LARGEST:
        raise ValueError(f"{name} unpacks to {dataset.nbytes / 1e9:.0f} GB")
    return dataset


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
