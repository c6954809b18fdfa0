"""Predictions in the form that DeepLabCut writes beside a video and that every related program reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import UNIQUE_INDIVIDUAL, AlPoseError
from napari_al_pose.formats.atomic import replacing
from napari_al_pose.formats.deeplabcut_config import DeepLabCutConfig
from napari_al_pose.formats.deeplabcut_tables import frame_number, read_table, row_location
from napari_al_pose.formats.hdf import appending_frames

AddRows = Callable[[NDArray[np.integer], NDArray[np.floating]], None]
"""Takes frame numbers ``(n,)`` and rows ``(n, K, 3)`` of x, y and likelihood."""


@dataclass(frozen=True, slots=True, eq=False)
class PredictionTable:
    """Predictions of one animal.

    Parameters
    ----------
    scorer : str
    bodyparts : tuple of str
    frames : int64 array, (N,)
        Frame numbers.
    xy : float64 array, (N, K, 2)
        Source pixels.
    likelihood : float64 array, (N, K)
    """

    scorer: str
    bodyparts: tuple[str, ...]
    frames: NDArray[np.int64]
    xy: NDArray[np.float64]
    likelihood: NDArray[np.float64]


def prediction_scorer(config: DeepLabCutConfig, model_version: int, backbone: str) -> str:
    """Return the scorer for a model of ours with that backbone, in DeepLabCut's style."""
    network = "".join(part.capitalize() for part in backbone.split("_"))
    project = re.sub(r"[^\w.-]", "-", f"{config.task}{config.date}")
    return f"DLC_{network}_{project}al-pose_snapshot_{model_version}"


@contextmanager
def writing_deeplabcut(
    path: Path,
    *,
    scorer: str,
    bodyparts: Sequence[str],
    individuals: Sequence[str] = (),
    unique_bodyparts: Sequence[str] = (),
) -> Iterator[AddRows]:
    """Yield a function that adds rows to ``path`` (``.h5``) and the ``.csv`` beside it.

    Both appear when the block succeeds.

    Parameters
    ----------
    path : Path
        DeepLabCut looks for ``<video><scorer>.h5`` beside the video.
    scorer : str
        See `prediction_scorer`.
    bodyparts : sequence of str
        K of them.
    individuals : sequence of str
        For a multi-animal project, whose tables have a level for them: A of them.
    unique_bodyparts : sequence of str
        Of no individual, U of them, in a multi-animal project.

    Yields
    ------
    callable
        Takes frame numbers ``(n,)`` and float rows ``(n, K, 3)`` of x, y (source pixels) and likelihood; of several
        animals ``(n, A K + U, 3)``, one after the other.

    Raises
    ------
    AlPoseError
        If the files can't be written.
    """
    import pandas as pd

    names_of = [(name, bodyparts) for name in individuals] or [("", bodyparts)]
    if unique_bodyparts:
        names_of.append((UNIQUE_INDIVIDUAL, unique_bodyparts))
    levels: list[tuple[str, ...]] = [
        (scorer, *([owner] if individuals else []), bodypart, coordinate)
        for owner, of_owner in names_of
        for bodypart in of_owner
        for coordinate in ("x", "y", "likelihood")
    ]
    names = ["scorer", *(["individuals"] if individuals else []), "bodyparts", "coords"]
    columns = pd.MultiIndex.from_tuples(levels, names=names)
    with (
        replacing(path) as h5,
        replacing(path.with_suffix(".csv")) as csv,
        csv.open("w", newline="", encoding="utf-8") as text,
        appending_frames(h5) as append,
    ):
        # Cast to float64, as DeepLabCut does: readers may rely on it.
        empty = True

        def add(numbers: NDArray[np.integer], rows: NDArray[np.floating]) -> None:
            nonlocal empty
            values = np.asarray(rows, np.float64).reshape(len(rows), len(levels))
            table = pd.DataFrame(values, index=np.asarray(numbers, np.int64), columns=columns)
            append(table)
            table.to_csv(text, header=empty, lineterminator="\n")
            empty = False

        yield add


def read_predictions(path: Path) -> PredictionTable:
    """Read a file of predictions by DeepLabCut or by `writing_deeplabcut`, ``.h5`` or ``.csv``.

    Raises
    ------
    AlPoseError
        If it is not such a file, or holds several individuals.
    """
    table = read_table(path)
    individuals = {column[1] for column in table.columns}
    if len(individuals) > 1:
        raise AlPoseError(
            f"{path} holds several individuals ({', '.join(sorted(individuals))}).", "Choose one of a single animal."
        )
    scorer = table.columns[0][0]
    individual = individuals.pop()
    bodyparts = tuple(dict.fromkeys(column[2] for column in table.columns if column[0] == scorer))
    position = {column: index for index, column in enumerate(table.columns)}
    wanted = [(scorer, individual, bodypart, name) for bodypart in bodyparts for name in ("x", "y", "likelihood")]
    missing = [column for column in wanted if column not in position]
    if missing:
        raise AlPoseError(
            f"{path} has no {missing[0][3]} for {missing[0][2]!r}; predictions have x, y and likelihood.",
            "Choose a file that DeepLabCut wrote beside a video.",
        )
    values = table.values[:, [position[column] for column in wanted]].reshape(len(table.rows), len(bodyparts), 3)
    frames = np.array([_frame(row, path) for row in table.rows], np.int64)
    return PredictionTable(scorer, bodyparts, frames, values[..., :2], values[..., 2])


def _frame(row: object, path: Path) -> int:
    """Return the frame number of a row, which is a number or, in machine-label files, an image's name."""
    text = str(row)
    number = int(float(text)) if re.fullmatch(r"\d+(\.0)?", text) else frame_number(row_location(row)[1])
    if number is None:
        raise AlPoseError(f"{path}: row {row!r} names no frame number.", "Correct or remove that row.")
    return number
