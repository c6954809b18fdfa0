"""The value that every label format is read into and written from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import (
    SINGLE_INDIVIDUAL,
    UNIQUE_INDIVIDUAL,
    AlPoseError,
    Annotation,
    FrameKey,
    KeypointState,
    Skeleton,
)
from napari_al_pose.domain.steps import OnProgress, ignore_progress
from napari_al_pose.domain.wording import counted, first_few

MOST_BODYPARTS = 1_000
MOST_FRAMES = 1_000_000
"""A file with more images is considered damaged."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A labelled image.

    Parameters
    ----------
    path : str
        As named in the file, with "/" between its parts: relative to the file, or absolute on some computer.
    size : (width, height) or None
        In pixels; None if unknown.
    """

    path: str
    size: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LabelledVideo:
    """A labelled video, or a set of images that stands for one.

    Parameters
    ----------
    name : str
        As in the keys of the annotations; safe as a folder name.
    path : str
        The video file as named in the label file, on whatever computer; "" for a set of images.
    pictures : mapping of int to Picture
        Images of frames, by frame number.
    pixels : callable, optional
        ``pixels(frame)`` returns an image stored inside the label file: uint8, (height, width, 1 or 3).
    size : (width, height), optional
        Of the video in pixels, if the label file gives it.
    """

    name: str
    path: str = ""
    pictures: Mapping[int, Picture] = field(default_factory=dict)
    pixels: Callable[[int], NDArray[np.uint8]] | None = None
    size: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LabelSet:
    """Labels of some frames, in no particular format.

    Parameters
    ----------
    skeleton : Skeleton
    videos : tuple of LabelledVideo
        All that the annotations name, and videos without labels.
    annotations : tuple of Annotation
        At most one for each frame and individual, none of them empty; source pixels, pixel centres at integers.
    notices : tuple of str
        Messages about how it was read: what was skipped or guessed.
    scorer : str
        The annotator; "" if the format does not say.
    duplicates : tuple of Annotation
        Further, different annotations in the file for a frame and individual among the annotations.
    """

    skeleton: Skeleton
    videos: tuple[LabelledVideo, ...]
    annotations: tuple[Annotation, ...]
    notices: tuple[str, ...] = ()
    scorer: str = ""
    duplicates: tuple[Annotation, ...] = ()

    def video(self, name: str) -> LabelledVideo:
        """Return a video by name; raise KeyError if there is none."""
        for video in self.videos:
            if video.name == name:
                return video
        raise KeyError(name)

    def frames(self) -> dict[FrameKey, list[Annotation]]:
        """Return the annotations by frame, sorted by frame, then in the order of the skeleton's owners."""
        order = self.skeleton.owners.index
        found: dict[FrameKey, list[Annotation]] = {}
        for annotation in sorted(self.annotations, key=lambda a: (a.key, order(a.individual))):
            found.setdefault(annotation.key, []).append(annotation)
        return found


class LabelReader(Protocol):
    """Reads the labels of a file; every label format has one."""

    def __call__(self, path: Path, on_progress: OnProgress = ignore_progress) -> LabelSet:
        """Read the file.

        Parameters
        ----------
        path : Path
            The file.
        on_progress : callable, optional
            Called with the number of entries read and of all entries.

        Raises
        ------
        AlPoseError
            If it is not such a file; the message names the file, and the entry or row if one is at fault.
        """


def without_unique(labels: LabelSet) -> LabelSet:
    """Return labels of the animals alone, without unique bodyparts."""
    if not labels.skeleton.unique_bodyparts:
        return labels
    animals, duplicates = (
        tuple(a for a in annotations if a.individual != UNIQUE_INDIVIDUAL)
        for annotations in (labels.annotations, labels.duplicates)
    )
    skeleton = replace(labels.skeleton, unique_bodyparts=())
    return replace(labels, skeleton=skeleton, annotations=animals, duplicates=duplicates)


def skeleton_in(
    path: Path,
    bodyparts: Sequence[str],
    links: Sequence[tuple[str, str]] = (),
    individuals: Sequence[str] = (SINGLE_INDIVIDUAL,),
    unique_bodyparts: Sequence[str] = (),
) -> Skeleton:
    """Return the skeleton that a file names; raise AlPoseError, naming the file, if it is not valid."""
    if len(bodyparts) > MOST_BODYPARTS:
        raise AlPoseError(
            f"{path} names {len(bodyparts):,} bodyparts, expected at most {MOST_BODYPARTS:,}.", "Choose another file."
        )
    try:
        return Skeleton(tuple(bodyparts), tuple(links), tuple(individuals), tuple(unique_bodyparts))
    except AlPoseError as error:
        raise AlPoseError(f"{path}: {error.message}", error.hint) from error


def annotation_of(
    key: FrameKey, xy: NDArray[np.float64], *, placed: NDArray[np.bool_], individual: str = SINGLE_INDIVIDUAL
) -> Annotation:
    """Return the annotation of an individual whose bodyparts were all looked for; ``placed`` were found."""
    states = np.where(placed, KeypointState.PLACED, KeypointState.NOT_VISIBLE).astype(np.int8)
    return Annotation(key, np.where(placed[:, None], xy, np.nan).astype(np.float64), states, individual)


def points_of(annotations: Iterable[Annotation], names: Collection[str]) -> str:
    """Return "8 points of 'ann', 'bob', 'cid' and 37 more": of those that have any; "" if none has."""
    n_points = dict.fromkeys(names, 0)
    for a in annotations:
        if a.individual in n_points:
            n_points[a.individual] += int((a.states == KeypointState.PLACED).sum())
    having = [name for name, n in n_points.items() if n]
    if not having:
        return ""
    return f"{counted(sum(n_points.values()), 'point')} of {first_few([repr(name) for name in having])}"


def numbered_individuals(count: int) -> tuple[str, ...]:
    """Return names for individuals that a file lists without names."""
    return (SINGLE_INDIVIDUAL,) if count <= 1 else tuple(f"animal{i}" for i in range(1, count + 1))
