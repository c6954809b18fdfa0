"""Labels of one folder as a table: one scorer, a row for each image, a column for each bodypart."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.file_names import frame_number, numbered_images, plain, series
from napari_al_pose.domain.wording import counted, first_few
from napari_al_pose.formats.deeplabcut_tables import RawTable, row_location


@dataclass(frozen=True, slots=True, eq=False)
class AnnotationTable:
    """All labels in one folder of ``labeled-data``.

    Parameters
    ----------
    rows : tuple of (video, image name)
        Unique; the video is the folder a row names, which is not this one's if somebody renamed it. A row that names
        no folder is this one's.
    columns : tuple of (individual, bodypart)
        Unique; `SINGLE_INDIVIDUAL` in single-animal files.
    xy : float64 array, (rows, columns, 2)
        Pixels of the extracted image, NaN where the file has no point.
    path : Path or None
        The file it was read from; None if the folder has none.
    notices : tuple of str
        Messages about how it was read.
    damaged : Path or None
        A file that was skipped because it could not be read.
    repeated : tuple of (row, float64 array)
        Further rows for one of ``rows``, with other values (columns, 2).
    lines : tuple of str
        The text of each row in the ``.csv`` that we write, "" where it is to be made; () for all.
    """

    rows: tuple[tuple[str, str], ...] = ()
    columns: tuple[tuple[str, str], ...] = ()
    xy: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0, 2)))
    path: Path | None = None
    notices: tuple[str, ...] = ()
    damaged: Path | None = None
    repeated: tuple[tuple[tuple[str, str], NDArray[np.float64]], ...] = ()
    lines: tuple[str, ...] = ()

    def frames(
        self, video: str, images: Collection[str] = (), numbers: Collection[int] | None = None
    ) -> dict[int, tuple[str, NDArray[np.float64]]]:
        """Return ``{frame number: (image name, (columns, 2) points)}`` for the rows that belong to ``video``.

        Parameters
        ----------
        video : str
            Its name.
        images : collection of str
            Names of the images in its folder: a number stands for the image that `numbered_images` says, and a row
            of another one with the same number, of a second camera say, is none of that frame.
        numbers : collection of int, optional
            Return only these frames.
        """
        points = {
            image: self.xy[place]
            for place, (row_video, image) in enumerate(self.rows)
            if row_video == video and (numbers is None or frame_number(image) in numbers)
        }
        shown = numbered_images(images, numbers)[0]
        found: dict[int, tuple[str, NDArray[np.float64]]] = {}
        by_row = numbered_images(points)[0]
        wanted = (shown[number] for number in by_row if shown.get(number) in points)
        for image in dict.fromkeys(itertools.chain(wanted, by_row.values(), points)):
            number = frame_number(image)
            if number is not None and series(shown.get(number, by_row[number])) == series(image):
                found.setdefault(number, (image, points[image]))
        return found

    def passed_over(self, video: str, images: Collection[str] = ()) -> list[str]:
        """Return the images whose rows `frames` leaves out although they have a number, which is another image's."""
        kept = {image for image, _ in self.frames(video, images).values()}
        return [
            image
            for row_video, image in self.rows
            if row_video == video and image not in kept and frame_number(image) is not None
        ]


def annotation_table(table: RawTable, path: Path, *, scorer: str | None = None) -> AnnotationTable:
    """Choose one scorer, drop likelihoods, join x and y, and report what the table has twice.

    Parameters
    ----------
    table : RawTable
        As read.
    path : Path
        Where it was read.
    scorer : str, optional
        The scorer whose labels are wanted; if the table has none of them, the first scorer's are read.

    Raises
    ------
    AlPoseError
        If a bodypart lacks x or y, or a row an image.
    """
    notices = list(table.notices)
    columns, told = _columns_of(table, path, scorer)
    notices += told
    places: dict[tuple[str, str], dict[str, list[int]]] = {}
    for index in columns:
        _, individual, bodypart, axis = table.columns[index]
        places.setdefault((individual, bodypart), {}).setdefault(axis, []).append(index)
    xy = np.empty((len(table.rows), len(places), 2))
    for number, ((individual, bodypart), axes) in enumerate(places.items()):
        if not {"x", "y"} <= axes.keys() or len(axes["x"]) != len(axes["y"]):
            raise AlPoseError(
                f"{path} has no x and y for {bodypart!r}.", "Add the missing column, or restore it from a backup."
            )
        xy[:, number] = _points(table.values, axes["x"], axes["y"])
        if len(axes["x"]) > 1:
            name = f"{individual} {bodypart}".strip()
            notices.append(f"{path} has {_twice(table.values, axes)} for {name!r}; the first that has a point counts.")
    rows: dict[tuple[str, str], int] = {}
    repeated: list[tuple[tuple[str, str], NDArray[np.float64]]] = []
    bare = 0
    for index, label in enumerate(table.rows):
        video, image = row_location(label)
        if not image:
            raise AlPoseError(
                f"Row {index + 1} of the images in {path} ({label!r}) has no valid image name.",
                "Name its image, as labeled-data/video/img0001.png, or remove the row.",
            )
        bare += not video
        row = (video or plain(path.absolute().parent.name), image)
        first = rows.setdefault(row, index)
        if first != index and not np.array_equal(xy[first], xy[index], equal_nan=True):
            notices.append(f"{path} has two different rows for {'/'.join(row)}; the first was read.")
            repeated.append((row, xy[index]))
    if bare:
        notices.append(
            f"{path} names {counted(bare, 'image')} without a folder; they were read as images of this folder "
            "and are written as such."
        )
    return AnnotationTable(
        tuple(rows), tuple(places), xy[list(rows.values())], path, tuple(notices), repeated=tuple(repeated)
    )


def _columns_of(table: RawTable, path: Path, scorer: str | None) -> tuple[list[int], list[str]]:
    """Return the columns to read, and messages: one scorer's, or all if no column is there twice."""
    scorers = [name for name in dict.fromkeys(column[0] for column in table.columns) if name]
    everything = list(range(len(table.columns)))
    names = first_few(scorers)
    if len(scorers) < 2:
        if scorer is None or scorers == [scorer]:
            return everything, []
        whose = f"the scorer {names}" if names else "no scorer"
        return everything, [f"{path} names {whose} inside; its labels were read, and belong to {scorer} now."]
    if len({column[1:] for column in table.columns}) == len(set(table.columns)):
        return everything, [f"{path} names several scorers inside ({names}), each for other columns; all were read."]
    chosen = scorer if scorer in scorers else scorers[0]
    said = f"those of {chosen} were read, and only those are written at the next edit."
    indices = [index for index in everything if table.columns[index][0] == chosen]
    return indices, [f"{path} has labels of several scorers ({names}); {said}"]


def _points(values: NDArray[np.float64], x: Sequence[int], y: Sequence[int]) -> NDArray[np.float64]:
    """Return ``(rows, 2)`` points: of several columns the first with a point, otherwise NaN."""
    found = np.full((len(values), 2), np.nan)
    for pair in zip(x, y, strict=True):
        points = values[:, pair]
        missing = np.isnan(found).any(axis=1)
        found[missing] = points[missing]
    found[np.isnan(found).any(axis=1)] = np.nan
    return found


def _twice(values: NDArray[np.float64], axes: dict[str, list[int]]) -> str:
    same = all(
        np.array_equal(values[:, places[0]], values[:, other], equal_nan=True)
        for axis, places in axes.items()
        for other in places[1:]
        if axis in ("x", "y")
    )
    return f"{len(axes['x'])} equal columns" if same else f"{len(axes['x'])} different columns"
