"""Predictions of a whole video as one plain table: a row for each keypoint, smoothed positions in extra columns.

Statistics programs read it without options for several header lines. The columns are ``frame``, ``seconds``,
``bodypart``, ``x``, ``y``, ``likelihood`` and, if smoothed by the median, ``x_median`` and ``y_median``; with several
animals, ``individual`` before ``bodypart`` (``single`` for unique bodyparts, as in DeepLabCut). A missing value is an
empty cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import UNIQUE_INDIVIDUAL
from napari_al_pose.formats.atomic import replacing


class AddPoses(Protocol):
    """Adds rows to a table."""

    def __call__(
        self,
        numbers: NDArray[np.integer],
        seconds: NDArray[np.floating],
        rows: NDArray[np.float32],
        smoothed: NDArray[np.float32] | None = None,
    ) -> None:
        """Add frames.

        Parameters
        ----------
        numbers : int array, (N,)
            Frame numbers, ascending.
        seconds : float array, (N,)
            Times of the frames, from the first frame; NaN if unknown.
        rows : float32 array, (N, K, 3)
            x, y (source pixels) and likelihood, as predicted.
        smoothed : float32 array, (N, K, 3), optional
            The same, smoothed; given if, and only if, the table has columns for it.
        """


@contextmanager
def writing_pose_table(
    path: Path,
    *,
    bodyparts: Sequence[str],
    smoothing: str = "",
    individuals: Sequence[str] = (),
    unique_bodyparts: Sequence[str] = (),
) -> Iterator[AddPoses]:
    """Yield a function that adds frames to a ``.csv``; the file appears when the block succeeds.

    Parameters
    ----------
    path : Path
        Ends in ``.csv``.
    bodyparts : sequence of str
        K of them.
    smoothing : str
        Suffix of the columns of smoothed positions; "" for no such columns.
    individuals : sequence of str
        A of them, if there may be several: rows are then ``(N, A K + U, 3)``, one after the other.
    unique_bodyparts : sequence of str
        U of them, beside several individuals.

    Yields
    ------
    callable
        See `AddPoses`.

    Raises
    ------
    AlPoseError
        If the file can't be written.
    """
    import pandas as pd  # slow to import

    names = pd.Index([*(name for _ in (individuals or ("",)) for name in bodyparts), *unique_bodyparts], dtype=object)
    of_unique = [UNIQUE_INDIVIDUAL] * len(unique_bodyparts)
    owners = pd.Index([*(name for name in individuals for _ in bodyparts), *of_unique], dtype=object)
    columns = ["frame", "seconds", *(["individual"] if individuals else []), "bodypart", "x", "y", "likelihood"]
    columns += [f"{axis}_{smoothing}" for axis in "xy" if smoothing]
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        pd.DataFrame(columns=columns).to_csv(stream, index=False, lineterminator="\n")

        def add(
            numbers: NDArray[np.integer],
            seconds: NDArray[np.floating],
            rows: NDArray[np.float32],
            smoothed: NDArray[np.float32] | None = None,
        ) -> None:
            positions = [rows, *([] if smoothed is None else [smoothed[..., :2]])]
            values = np.concatenate(positions, axis=-1).reshape(len(numbers) * len(names), -1)
            table = pd.DataFrame(values, columns=columns[columns.index("x") :])
            table.insert(0, "bodypart", np.tile(names, len(numbers)))
            if individuals:
                table.insert(0, "individual", np.tile(owners, len(numbers)))
            table.insert(0, "seconds", np.repeat(np.round(seconds, 6), len(names)))
            table.insert(0, "frame", np.repeat(numbers, len(names)))
            table.to_csv(stream, index=False, header=False, lineterminator="\n")

        yield add
