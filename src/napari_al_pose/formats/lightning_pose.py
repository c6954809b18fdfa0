"""Lightning Pose's CSV: labels, with and without the ``visible`` column, read and written; predictions, written.

The format: https://lightning-pose.readthedocs.io, "label CSV file format". ``visible`` is 2 for a point with a
position, 1 for one that was looked for and can't be seen, 0 for one to ignore: the three states of a bodypart here.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError, Annotation, KeypointState
from napari_al_pose.domain.steps import OnProgress, ignore_progress, reporting
from napari_al_pose.domain.wording import counted
from napari_al_pose.formats.atomic import replacing
from napari_al_pose.formats.capabilities import Capabilities
from napari_al_pose.formats.collecting import AnnotationCollector
from napari_al_pose.formats.deeplabcut_predictions import AddRows
from napari_al_pose.formats.deeplabcut_tables import RawTable, read_table
from napari_al_pose.formats.image_sets import check_count, number_images
from napari_al_pose.formats.label_set import LabelSet, skeleton_in

CAPABILITIES = Capabilities("Lightning Pose", individuals="one", unseen=True, links=())
FILE = "CollectedData.csv"

SCORER = "heatmap_tracker"
"""Lightning Pose's name for its single-view tracker; its programs look columns up under the name they find."""

_STATES = np.array([KeypointState.UNSEEN, KeypointState.NOT_VISIBLE, KeypointState.PLACED], np.int8)
_VISIBLE = {int(state): value for value, state in enumerate(_STATES)}


def read_lightning_pose(path: Path, on_progress: OnProgress = ignore_progress) -> LabelSet:
    """Read a CSV of labels, as a `LabelReader` does."""
    table = read_table(path, coordinates=("x", "y", "visible"))
    scorer = table.columns[0][0]
    columns = Counter(table.columns)
    repeated, most = columns.most_common(1)[0]
    if most > 1:
        raise AlPoseError(f"{path} has the column {repeated[3]} of {repeated[2]!r} twice.", "Remove one of them.")
    bodyparts = tuple(dict.fromkeys(bodypart for who, _, bodypart, _ in table.columns if who == scorer))
    skeleton = skeleton_in(path, bodyparts)
    check_count(len(table.rows), path)
    files = ["/".join(row) if isinstance(row, tuple) else str(row) for row in table.rows]
    keys, videos, told_of_images = number_images(list(dict.fromkeys(files)), path.stem)
    xy, states, notices = _states(table, bodyparts, path, files)
    others = sorted({who for who, _, _, _ in table.columns} - {scorer})
    if others:
        notices.append(f"{path} has labels of several scorers; those of {', '.join(others)} were left out.")
    collected = AnnotationCollector(path)
    for row, file in enumerate(reporting(files, on_progress)):
        annotation = Annotation(keys[file], xy[row], states[row])
        if not annotation.is_empty:
            collected.add(annotation)
    told_of_all = (*told_of_images, *table.notices, *notices, *collected.notices())
    return LabelSet(skeleton, videos, collected.annotations, told_of_all, scorer, collected.duplicates)


def write_lightning_pose(labels: LabelSet, path: Path) -> None:
    """Write labels that `fit_to_format` returned; each labelled frame has a picture.

    Raises
    ------
    AlPoseError
        If the file can't be written.
    """
    bodyparts = labels.skeleton.bodyparts
    scorer = labels.scorer or "scorer"
    rows = [
        ["scorer", *[scorer] * 3 * len(bodyparts)],
        ["bodyparts", *(name for name in bodyparts for _ in range(3))],
        ["coords", *["x", "y", "visible"] * len(bodyparts)],
    ]
    for key, (annotation,) in labels.frames().items():
        row = [labels.video(key.video).pictures[key.frame].path]
        for (x, y), state in zip(annotation.xy.tolist(), annotation.states.tolist(), strict=True):
            place = [repr(x), repr(y)] if state == KeypointState.PLACED else ["", ""]
            row += [*place, str(_VISIBLE[state])]
        rows.append(row)
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)


def _states(
    table: RawTable, bodyparts: Sequence[str], path: Path, files: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return positions (rows, K, 2), states (rows, K) and notices."""
    scorer = table.columns[0][0]
    position = {column[2:]: index for index, column in enumerate(table.columns) if column[0] == scorer}
    columns = []
    for name in bodyparts:
        if (name, "x") not in position or (name, "y") not in position:
            raise AlPoseError(f"{path} has no x and y for {name!r}.", "Add the missing column.")
        columns.append([position[name, axis] for axis in "xy"])
    xy = table.values[:, columns]
    there = np.isfinite(xy).all(axis=-1)
    if all((name, "visible") in position for name in bodyparts):
        visible = table.values[:, [position[name, "visible"] for name in bodyparts]]
        visible = np.where(np.isnan(visible), np.where(there, 2, 0), visible)
    else:
        visible = np.where(there, 2, 1)
    wrong = ~np.isin(visible, (0, 1, 2))
    if wrong.any():
        row = int(wrong.any(axis=1).argmax())
        raise AlPoseError(f"{path}, row {files[row]!r}: expected 'visible' of 0, 1 or 2.", "Correct it.")
    states = _STATES[visible.astype(int)]
    placeless, passed_over = (states == KeypointState.PLACED) & ~there, (states != KeypointState.PLACED) & there
    states[placeless] = KeypointState.UNSEEN
    notices = []
    if placeless.any():
        notices.append(
            f"{path}: {counted(int(placeless.sum()), 'point')} marked visible without a place taken as not looked at."
        )
    if passed_over.any():
        notices.append(
            f"{path}: the places of {counted(int(passed_over.sum()), 'point')} marked occluded or to be ignored were "
            "left out; the mark counts, as in Lightning Pose."
        )
    return np.where((states == KeypointState.PLACED)[..., None], xy, np.nan), states, notices


@contextmanager
def writing_lightning_pose(path: Path, *, bodyparts: Sequence[str]) -> Iterator[AddRows]:
    """Yield a function that adds rows of predictions to a ``.csv``; the file appears when the block succeeds.

    It has DeepLabCut's three header lines and one row a frame; `napari_al_pose.formats.deeplabcut_tables` reads it.

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
        If the file can't be written.
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
