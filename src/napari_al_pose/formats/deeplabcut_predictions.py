"""Predictions in the form DeepLabCut writes beside a video, and every program around it reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError
from napari_al_pose.formats.atomic import replacing
from napari_al_pose.formats.deeplabcut_config import DeepLabCutConfig
from napari_al_pose.formats.deeplabcut_tables import frame_number, read_table, row_location
from napari_al_pose.formats.hdf import write_frame


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


def prediction_scorer(config: DeepLabCutConfig, model_version: int) -> str:
    """Return the scorer under which a model of ours signs, in DeepLabCut's way."""
    project = re.sub(r"[^\w.-]", "-", f"{config.task}{config.date}")
    return f"DLC_EffnetLite0_{project}al-pose_snapshot_{model_version}"


def write_predictions(
    config: DeepLabCutConfig,
    *,
    video: Path,
    numbers: Sequence[int] | NDArray[np.integer],
    xy: NDArray[np.floating],
    likelihood: NDArray[np.floating],
    bodyparts: Sequence[str],
    version: int,
) -> Path:
    """Write ``<video><scorer>.h5`` and ``.csv`` where DeepLabCut looks for them, each whole or not at all.

    Parameters
    ----------
    config : DeepLabCutConfig
        Of the project; it gives the scorer, see `prediction_scorer`.
    video : Path
        The video file, beside which they are written, or a folder of images, in which they are.
    numbers : sequence of int
        The N frame numbers.
    xy : float array, (N, K, 2)
        Source pixels.
    likelihood : float array, (N, K)
        In [0, 1].
    bodyparts : sequence of str
        K of them.
    version : int
        The model's number.

    Returns
    -------
    Path
        The ``.h5``.

    Raises
    ------
    AlPoseError
        If the files cannot be written.
    """
    import pandas as pd

    is_folder = video.is_dir()
    folder, name = (video, video.name) if is_folder else (video.parent, video.stem)
    scorer = prediction_scorer(config, version)
    n, k = likelihood.shape
    values = np.concatenate([xy, likelihood[..., None]], axis=-1, dtype=np.float64).reshape(n, 3 * k)
    levels = [(scorer, bodypart, coordinate) for bodypart in bodyparts for coordinate in ("x", "y", "likelihood")]
    columns = pd.MultiIndex.from_tuples(levels, names=["scorer", "bodyparts", "coords"])
    table = pd.DataFrame(values, index=np.asarray(numbers, np.int64), columns=columns)
    path = folder / f"{name}{scorer}.h5"
    with replacing(path) as temporary:
        write_frame(table, temporary, table=True)
    with replacing(path.with_name(f"{name}{scorer}.csv")) as temporary:
        table.to_csv(temporary, lineterminator="\n")
    return path


def read_predictions(path: Path) -> PredictionTable:
    """Read a file of predictions by DeepLabCut or by `write_predictions`, ``.h5`` or ``.csv``.

    Raises
    ------
    AlPoseError
        If it is no such file, or holds several individuals.
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
    """Return the frame number of a row, which is a number or, in files of machine labels, an image's name."""
    text = str(row)
    number = int(float(text)) if re.fullmatch(r"\d+(\.0)?", text) else frame_number(row_location(row)[1])
    if number is None:
        raise AlPoseError(f"{path}: row {row!r} names no frame number.", "Correct or remove that row.")
    return number
