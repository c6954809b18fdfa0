"""Predictions of whole videos in Lightning Pose's CSV: DeepLabCut's three header lines, one row a frame."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.formats.atomic import replacing
from napari_al_pose.formats.deeplabcut_predictions import AddRows

SCORER = "heatmap_tracker"
"""What Lightning Pose calls its single-view tracker; its programs look columns up under the name they find."""


@contextmanager
def writing_lightning_pose(path: Path, *, bodyparts: Sequence[str]) -> Iterator[AddRows]:
    """Give what adds rows to a ``.csv``; it is there when the block succeeds. Reading is DeepLabCut's reader's.

    Parameters
    ----------
    path : Path
        Ends in ``.csv``.
    bodyparts : sequence of str
        K of them.

    Yields
    ------
    callable
        See `AddRows`.

    Raises
    ------
    AlPoseError
        If the file cannot be written.
    """
    n_columns = 3 * len(bodyparts)
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(["scorer", *[SCORER] * n_columns])
        table.writerow(["bodyparts", *(name for name in bodyparts for _ in range(3))])
        table.writerow(["coords", *["x", "y", "likelihood"] * len(bodyparts)])

        def add(numbers: NDArray[np.integer], rows: NDArray[np.floating]) -> None:
            cells = np.asarray(rows, np.float64).reshape(len(rows), n_columns)
            for number, row in zip(numbers.tolist(), cells.tolist(), strict=True):
                table.writerow([number, *("" if value != value else value for value in row)])

        yield add
