"""What every format of labels is read into and written from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import (
    SINGLE_INDIVIDUAL,
    AlPoseError,
    Annotation,
    FrameKey,
    KeypointState,
    Skeleton,
)

MOST_BODYPARTS = 1_000
MOST_FRAMES = 1_000_000
"""More images in one file are taken for a damaged one."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An image that labels lie on.

    Parameters
    ----------
    path : str
        As the file names it, with "/" between its parts: relative to the file, or absolute on some computer.
    size : (width, height) or None
        In pixels; None where nobody said.
    """

    path: str
    size: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LabelledVideo:
    """A video with labels, or a set of images that stands for one.

    Parameters
    ----------
    name : str
        As in the keys of the annotations; safe as a folder name.
    path : str
        The video file as the file of labels names it, on whatever computer; "" for a set of images.
    pictures : mapping of int to Picture
        Images of frames, by frame number.
    pixels : callable, optional
        ``pixels(frame)`` gives an image that is stored inside the file of labels: uint8, (height, width, 1 or 3).
    size : (width, height), optional
        Of the video in pixels, where the file of labels says so.
    """

    name: str
    path: str = ""
    pictures: Mapping[int, Picture] = field(default_factory=dict)
    pixels: Callable[[int], NDArray[np.uint8]] | None = None
    size: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LabelSet:
    """Labels of some frames, as any format has them.

    Parameters
    ----------
    skeleton : Skeleton
    videos : tuple of LabelledVideo
        All that the annotations name; also those without labels.
    annotations : tuple of Annotation
        At most one for each frame and individual, none of them empty; source pixels, pixel centres at integers.
    notices : tuple of str
        What the user should know of how it was read: what was passed over or understood in one of two ways.
    scorer : str
        Who labelled, "" where the format does not say.
    duplicates : tuple of Annotation
        What the file also says, and differently, of a frame and individual that is among the annotations.
    """

    skeleton: Skeleton
    videos: tuple[LabelledVideo, ...]
    annotations: tuple[Annotation, ...]
    notices: tuple[str, ...] = ()
    scorer: str = ""
    duplicates: tuple[Annotation, ...] = ()

    def video(self, name: str) -> LabelledVideo:
        """Return a video by name; KeyError if there is none."""
        for video in self.videos:
            if video.name == name:
                return video
        raise KeyError(name)

    def frames(self) -> dict[FrameKey, list[Annotation]]:
        """Return the annotations by frame, sorted by frame, individuals in the skeleton's order."""
        order = self.skeleton.individuals.index
        found: dict[FrameKey, list[Annotation]] = {}
        for annotation in sorted(self.annotations, key=lambda a: (a.key, order(a.individual))):
            found.setdefault(annotation.key, []).append(annotation)
        return found


def skeleton_in(
    path: Path,
    bodyparts: Sequence[str],
    links: Sequence[tuple[str, str]] = (),
    individuals: Sequence[str] = (SINGLE_INDIVIDUAL,),
) -> Skeleton:
    """Return the skeleton that a file names; AlPoseError, naming the file, if it cannot be."""
    if len(bodyparts) > MOST_BODYPARTS:
        raise AlPoseError(
            f"{path} names {len(bodyparts):,} bodyparts, expected at most {MOST_BODYPARTS:,}.", "Choose another file."
        )
    try:
        return Skeleton(tuple(bodyparts), tuple(links), tuple(individuals))
    except AlPoseError as error:
        raise AlPoseError(f"{path}: {error.message}", error.hint) from error


def annotation_of(
    key: FrameKey, xy: NDArray[np.float64], *, placed: NDArray[np.bool_], individual: str = SINGLE_INDIVIDUAL
) -> Annotation:
    """Return the annotation of an individual all of whose bodyparts were looked for; ``placed`` were found."""
    states = np.where(placed, KeypointState.PLACED, KeypointState.NOT_VISIBLE).astype(np.int8)
    return Annotation(key, np.where(placed[:, None], xy, np.nan).astype(np.float64), states, individual)


def counted(count: int, thing: str, things: str = "") -> str:
    """Return "1 point", "2 points"; ``things`` is the plural where it is not made with an s."""
    return f"{count:,} {thing if count == 1 else things or thing + 's'}"


def numbered_individuals(count: int) -> tuple[str, ...]:
    """Return names for individuals that a file only lists one after the other."""
    return (SINGLE_INDIVIDUAL,) if count <= 1 else tuple(f"animal{i}" for i in range(1, count + 1))
