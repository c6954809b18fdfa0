"""What every format of labels is read into and written from, and what a format cannot hold of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import (
    SINGLE_INDIVIDUAL,
    AlPoseError,
    Annotation,
    FrameKey,
    FrameRole,
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


@dataclass(frozen=True, slots=True)
class Holds:
    """What a format can hold.

    Parameters
    ----------
    name : str
        The format, as it is called in messages.
    individuals : str
        ``"named"``, ``"numbered"`` (several in an image, without names) or ``"one"``.
    unseen : bool
        Whether it tells "not looked at yet" from "not visible". Frames labelled by half are left out where not:
        its readers would take the rest for absent.
    links : tuple of (str, str) or None
        The only lines of a skeleton that it knows; None for any.
    bodyparts : tuple of str
        The only bodyparts it knows, in its order; empty for any.
    frames : bool
        Whether it names videos and frames.
    """

    name: str
    individuals: str = "named"
    unseen: bool = False
    links: tuple[tuple[str, str], ...] | None = None
    bodyparts: tuple[str, ...] = ()
    frames: bool = True


def fit(labels: LabelSet, holds: Holds) -> tuple[LabelSet, tuple[str, ...]]:
    """Return what is left of labels in a format, and a sentence for everything that is not.

    Raises
    ------
    AlPoseError
        If nothing is left.
    """
    lost: list[str] = []
    for step in (_fit_bodyparts, _fit_individuals, _fit_states, _number_individuals, _fit_rest):
        if labels.annotations:
            labels = step(labels, holds, lost)
    if not labels.annotations:
        why = " ".join(lost) or "No frame is labelled."
        raise AlPoseError(f"{holds.name} can hold nothing of these labels. {why}", "Choose another format.")
    return labels, tuple(lost)


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


def _fit_bodyparts(labels: LabelSet, holds: Holds, lost: list[str]) -> LabelSet:
    if not holds.bodyparts:
        return labels
    by_name = {name.casefold(): index for index, name in enumerate(labels.skeleton.bodyparts)}
    order = [by_name.get(name.casefold(), -1) for name in holds.bodyparts]
    others = [i for i in range(labels.skeleton.n_bodyparts) if i not in order]
    dropped = [sum(a.states[i] == KeypointState.PLACED for a in labels.annotations) for i in others]
    if any(dropped):
        names = ", ".join(repr(labels.skeleton.bodyparts[i]) for i, n in zip(others, dropped, strict=True) if n)
        lost.append(
            f"{holds.name} holds only its own {len(holds.bodyparts)} bodyparts ({', '.join(holds.bodyparts[:3])} ...); "
            f"{counted(sum(dropped), 'point')} of {names} left out."
        )
    if not any(i >= 0 for i in order):
        return dataclasses.replace(labels, annotations=())
    kept = []
    for a in labels.annotations:
        xy = np.vstack([a.xy, [[np.nan, np.nan]]])[order]
        states = np.append(a.states, np.int8(KeypointState.NOT_VISIBLE))[order]
        kept.append(Annotation(a.key, xy, states, a.individual, a.role))
    links = tuple(
        (holds.bodyparts[order.index(i)], holds.bodyparts[order.index(j)])
        for i, j in labels.skeleton.link_indices()
        if i in order and j in order
    )
    skeleton = Skeleton(holds.bodyparts, links, labels.skeleton.individuals)
    return dataclasses.replace(labels, skeleton=skeleton, annotations=tuple(kept))


def _fit_individuals(labels: LabelSet, holds: Holds, lost: list[str]) -> LabelSet:
    names = labels.skeleton.individuals
    if holds.individuals != "one" or names == (SINGLE_INDIVIDUAL,):
        return labels
    first, rest = names[0], names[1:]
    for name in rest:
        points = _n_placed(a for a in labels.annotations if a.individual == name)
        if points:
            lost.append(f"{holds.name} holds no individuals; {counted(points, 'point')} of {name!r} left out.")
    kept = [dataclasses.replace(a, individual=SINGLE_INDIVIDUAL) for a in labels.annotations if a.individual == first]
    skeleton = Skeleton(labels.skeleton.bodyparts, labels.skeleton.links)
    return dataclasses.replace(labels, skeleton=skeleton, annotations=tuple(kept))


def _number_individuals(labels: LabelSet, holds: Holds, lost: list[str]) -> LabelSet:
    """Name the individuals of each frame by their place in it."""
    if holds.individuals != "numbered" or labels.skeleton.individuals == (SINGLE_INDIVIDUAL,):
        return labels
    frames = labels.frames()
    most = max((len(annotations) for annotations in frames.values()), default=1)
    names = numbered_individuals(most)
    lost.append(
        f"{holds.name} holds no names of individuals; {', '.join(map(repr, labels.skeleton.individuals))} are told "
        "apart by their order in each image only."
    )
    kept = [
        dataclasses.replace(annotation, individual=name)
        for annotations in frames.values()
        for name, annotation in zip(names, annotations, strict=False)
    ]
    skeleton = Skeleton(labels.skeleton.bodyparts, labels.skeleton.links, names)
    return dataclasses.replace(labels, skeleton=skeleton, annotations=tuple(kept))


def numbered_individuals(count: int) -> tuple[str, ...]:
    """Return names for individuals that a file only lists one after the other."""
    return (SINGLE_INDIVIDUAL,) if count <= 1 else tuple(f"animal{i}" for i in range(1, count + 1))


def _fit_states(labels: LabelSet, holds: Holds, lost: list[str]) -> LabelSet:
    if holds.unseen:
        return labels
    frames = labels.frames()
    half = [key for key, annotations in frames.items() if not all(a.is_complete for a in annotations)]
    if half:
        lost.append(
            f"{holds.name} does not tell 'not looked at yet' from 'not visible'; "
            f"{counted(len(half), 'frame')} labelled by half left out: {_some(half)}."
        )
    kept = [a for key, annotations in frames.items() if key not in set(half) for a in annotations]
    blank = [a for a in kept if not (a.states == KeypointState.PLACED).any()]
    if blank:
        keys = sorted({a.key for a in blank})
        lost.append(
            f"{holds.name} holds no individual without a point; {counted(len(keys), 'frame')} in which nothing of one "
            f"is visible left out: {_some(keys)}."
        )
    gone = {id(a) for a in blank}
    return dataclasses.replace(labels, annotations=tuple(a for a in kept if id(a) not in gone))


def _fit_rest(labels: LabelSet, holds: Holds, lost: list[str]) -> LabelSet:
    held_out = {a.key for a in labels.annotations if a.role is FrameRole.HOLDOUT}
    if held_out:
        lost.append(
            f"{holds.name} does not mark hold-out frames; {counted(len(held_out), 'frame')} set aside to measure on "
            "stand among the others: don't train on them if you compare."
        )
    annotations = tuple(dataclasses.replace(a, role=FrameRole.TRAIN) for a in labels.annotations)
    skeleton = labels.skeleton
    if holds.links is not None:
        known = {frozenset(link) for link in holds.links}
        unknown = [link for link in skeleton.links if frozenset(link) not in known]
        if unknown:
            no = "no other skeleton than its own" if known else "no skeleton"
            lost.append(f"{holds.name} holds {no}; {counted(len(unknown), 'line')} left out.")
        skeleton = Skeleton(skeleton.bodyparts, holds.links, skeleton.individuals)
    if not holds.frames and annotations:
        lost.append(
            f"{holds.name} numbers its images from 1; names of videos and frame numbers "
            f"({_some(sorted({a.key for a in annotations}))}) are left out."
        )
    return dataclasses.replace(labels, skeleton=skeleton, annotations=annotations)


def _n_placed(annotations: Iterable[Annotation]) -> int:
    return sum(int((a.states == KeypointState.PLACED).sum()) for a in annotations)


def _some(keys: Sequence[FrameKey]) -> str:
    first = ", ".join(f"{key.video} {key.frame}" for key in keys[:3])
    return first + (f" and {len(keys) - 3:,} more" if len(keys) > 3 else "")
