"""Reading tables that pandas wrote to HDF5, without running anything a file may carry.

PyTables stores lists and objects as pickles and unpickles them when they are touched; a crafted file can run any
program that way. Projects travel between labs, so everything is unpickled here by a reader that makes numbers,
texts, lists and NumPy arrays, and refuses the rest.
"""

from __future__ import annotations

import io
import pickle
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_al_pose.domain import AlPoseError

if TYPE_CHECKING:
    import pandas as pd

_HARMLESS = {
    ("_codecs", "encode"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy._core.multiarray", "_reconstruct"),
}
_swapping = threading.Lock()


def read_frame(path: Path) -> pd.DataFrame:
    """Read the table in an HDF5 file written by pandas: ``df_with_missing`` if there, else the first.

    Raises
    ------
    AlPoseError
        If the file is missing, is not HDF5 or damaged, holds no pandas table, or holds Python objects other than
        numbers, texts and arrays. The message names the file.
    """
    import pandas as pd
    import tables

    remedy = "Restore it from a backup, or move it away to use the .csv beside it."
    if not path.is_file():
        raise AlPoseError(f"There is no file {path}.", "Check the folder.")
    with _only_harmless_pickles() as refused:
        try:
            with pd.HDFStore(path, mode="r") as store:
                keys = store.keys()
                if not keys:
                    raise AlPoseError(f"{path} holds no table written by pandas.", remedy)
                frame = store.get("/df_with_missing" if "/df_with_missing" in keys else keys[0])
        except (tables.HDF5ExtError, OSError) as error:
            raise AlPoseError(f"{path} is not an HDF5 file, or is damaged.", remedy) from error
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, tables.NodeError, pickle.PickleError) as e:
            reason = f"it holds the Python object {refused[0]}" if refused else str(e)
            raise AlPoseError(f"The table in {path} cannot be read: {reason}.", remedy) from e
    if refused:
        raise AlPoseError(
            f"{path} holds the Python object {refused[0]}, which a table of coordinates does not need.",
            "It was not opened, as it could run any program. " + remedy,
        )
    if not isinstance(frame, pd.DataFrame):
        raise AlPoseError(f"{path} holds no table of coordinates.", remedy)
    return frame


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write ``frame`` under DeepLabCut's key.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    import tables

    with warnings.catch_warnings():
        # 'img0001.png' style names trouble PyTables' idea of attribute names, not the data.
        warnings.simplefilter("ignore", tables.NaturalNameWarning)
        try:
            frame.to_hdf(path, key="df_with_missing", mode="w")
        except tables.HDF5ExtError as error:
            raise OSError(f"HDF5 could not write {path}") from error


@contextmanager
def appending_frames(path: Path) -> Iterator[Callable[[pd.DataFrame], None]]:
    """Give what appends rows to the one table in a new file at ``path``, in the form DeepLabCut uses for predictions.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    import pandas as pd
    import tables

    try:
        with pd.HDFStore(path, mode="w") as store:
            # An index of the rows serves only those who query the file where it lies, and grows in memory.
            yield lambda frame: store.append("df_with_missing", frame, index=False)
    except tables.HDF5ExtError as error:
        raise OSError(f"HDF5 could not write {path}") from error


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, refused: list[str], **options: Any) -> None:
        super().__init__(io.BytesIO(data), **options)
        self._refused = refused

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _HARMLESS:
            return super().find_class(module, name)
        self._refused.append(f"{module}.{name}")
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed")


class _CarefulPickle:
    """Stands in for the ``pickle`` module inside PyTables; other threads get the real one."""

    def __init__(self) -> None:
        self.refused: list[str] = []
        self._thread = threading.get_ident()

    def loads(self, data: Any, **options: Any) -> Any:
        if threading.get_ident() != self._thread:
            return pickle.loads(data, **options)
        return _Unpickler(bytes(data), self.refused, **options).load()

    def __getattr__(self, name: str) -> Any:
        return getattr(pickle, name)


@contextmanager
def _only_harmless_pickles() -> Iterator[list[str]]:
    """Have PyTables unpickle with care in this thread; gives the list of what was refused."""
    import tables.atom
    import tables.attributeset

    careful = _CarefulPickle()
    with _swapping:
        modules = (tables.attributeset, tables.atom)
        before = [module.pickle for module in modules]
        try:
            for module in modules:
                module.pickle = careful
            yield careful.refused
        finally:
            for module, original in zip(modules, before, strict=True):
                module.pickle = original
