"""What a label format can hold, and which of a project's labels it can't."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from napari_al_pose.domain import (
    SINGLE_INDIVIDUAL,
    UNIQUE_INDIVIDUAL,
    AlPoseError,
    Annotation,
    FrameKey,
    FrameRole,
    KeypointState,
    Skeleton,
)
from napari_al_pose.domain.wording import counted, first_few
from napari_al_pose.formats.label_set import LabelSet, numbered_individuals, points_of, without_unique


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a format can hold.

    Parameters
    ----------
    name : str
        The format's name in messages.
    individuals : str
        ``"named"``, ``"numbered"`` (several in an image, without names) or ``"one"``.
    unseen : bool
        Whether it distinguishes "not looked at yet" from "not visible". Other formats get no partly labelled frames,
        because their readers would take the rest for absent.
    links : tuple of (str, str) or None
        The only lines of a skeleton that it can hold; None for any.
    bodyparts : tuple of str
        The only bodyparts it can hold, in its order; empty for any.
    frames : bool
        Whether it names videos and frames.
    unique : bool
        Whether it has bodyparts that belong to no individual.
    nothing : bool
        Whether it can say that a frame shows no animal.
    """

    name: str
    individuals: str = "named"
    unseen: bool = False
    links: tuple[tuple[str, str], ...] | None = None
    bodyparts: tuple[str, ...] = ()
    frames: bool = True
    unique: bool = False
    nothing: bool = False


def fit_to_format(labels: LabelSet, format: Capabilities) -> tuple[LabelSet, tuple[str, ...]]:
    """Return the labels that a format can hold, and a sentence for everything that it can't.

    Raises
    ------
    AlPoseError
        If nothing is left.
    """
    lost: list[str] = []
    for step in (_fit_unique, _fit_bodyparts, _fit_individuals, _fit_states, _number_individuals, _fit_rest):
        if labels.annotations:
            labels = step(labels, format, lost)
    if not labels.annotations:
        why = " ".join(lost) or "No frame is labelled."
        raise AlPoseError(f"{format.name} can hold nothing of these labels. {why}", "Choose another format.")
    return labels, tuple(lost)


def _fit_unique(labels: LabelSet, format: Capabilities, lost: list[str]) -> LabelSet:
    names = labels.skeleton.unique_bodyparts
    if format.unique or not names:
        return labels
    points = _n_placed(a for a in labels.annotations if a.individual == UNIQUE_INDIVIDUAL)
    if points:
        lost.append(
            f"{format.name} holds no bodyparts that belong to no individual; {counted(points, 'point')} of "
            f"{', '.join(map(repr, names))} left out."
        )
    return without_unique(labels)


def _fit_bodyparts(labels: LabelSet, format: Capabilities, lost: list[str]) -> LabelSet:
    if not format.bodyparts:
        return labels
    by_name = {name.casefold(): index for index, name in enumerate(labels.skeleton.bodyparts)}
    order = [by_name.get(name.casefold(), -1) for name in format.bodyparts]
    others = [i for i in range(labels.skeleton.n_bodyparts) if i not in order]
    dropped = [sum(a.states[i] == KeypointState.PLACED for a in labels.annotations) for i in others]
    if any(dropped):
        names = ", ".join(repr(labels.skeleton.bodyparts[i]) for i, n in zip(others, dropped, strict=True) if n)
        lost.append(
            f"{format.name} holds only its own {len(format.bodyparts)} bodyparts "
            f"({', '.join(format.bodyparts[:3])} ...); "
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
        (format.bodyparts[order.index(i)], format.bodyparts[order.index(j)])
        for i, j in labels.skeleton.link_indices()
        if i in order and j in order
    )
    skeleton = Skeleton(format.bodyparts, links, labels.skeleton.individuals)
    return dataclasses.replace(labels, skeleton=skeleton, annotations=tuple(kept))


def _fit_individuals(labels: LabelSet, format: Capabilities, lost: list[str]) -> LabelSet:
    names = labels.skeleton.individuals
    if format.individuals != "one" or names == (SINGLE_INDIVIDUAL,):
        return labels
    first, rest = names[0], names[1:]
    if of_rest := points_of(labels.annotations, rest):
        lost.append(f"{format.name} holds no individuals; {of_rest} left out.")
    kept = [dataclasses.replace(a, individual=SINGLE_INDIVIDUAL) for a in labels.annotations if a.individual == first]
    skeleton = Skeleton(labels.skeleton.bodyparts, labels.skeleton.links)
    return dataclasses.replace(labels, skeleton=skeleton, annotations=tuple(kept))


def _number_individuals(labels: LabelSet, format: Capabilities, lost: list[str]) -> LabelSet:
    """Name the individuals of each frame by their order in it."""
    if format.individuals != "numbered" or labels.skeleton.individuals == (SINGLE_INDIVIDUAL,):
        return labels
    frames = labels.frames()
    most = max((len(annotations) for annotations in frames.values()), default=1)
    names = numbered_individuals(most)
    lost.append(
        f"{format.name} holds no names of individuals; {', '.join(map(repr, labels.skeleton.individuals))} are told "
        "apart by their order in each image only."
    )
    kept = [
        dataclasses.replace(annotation, individual=name)
        for annotations in frames.values()
        for name, annotation in zip(names, annotations, strict=False)
    ]
    skeleton = Skeleton(labels.skeleton.bodyparts, labels.skeleton.links, names)
    return dataclasses.replace(labels, skeleton=skeleton, annotations=tuple(kept))


def _fit_states(labels: LabelSet, format: Capabilities, lost: list[str]) -> LabelSet:
    if format.unseen:
        return labels
    frames = labels.frames()
    half = [key for key, annotations in frames.items() if not all(a.is_complete for a in annotations)]
    if half:
        lost.append(
            f"{format.name} does not tell 'not looked at yet' from 'not visible'; "
            f"{counted(len(half), 'partly labelled frame')} left out: {_some(half)}."
        )
    kept = [a for key, annotations in frames.items() if key not in set(half) for a in annotations]
    shown = {a.key for a in kept if (a.states == KeypointState.PLACED).any()}
    blank = [a for a in kept if not (a.states == KeypointState.PLACED).any()]
    if format.nothing:
        blank = [a for a in blank if a.key in shown or len(frames[a.key]) < len(labels.skeleton.individuals)]
    if blank:
        keys = sorted({a.key for a in blank})
        lost.append(
            f"{format.name} holds no individual without a point; {counted(len(keys), 'frame')} in which nothing of one "
            f"is visible left out: {_some(keys)}."
        )
    gone = {id(a) for a in blank}
    return dataclasses.replace(labels, annotations=tuple(a for a in kept if id(a) not in gone))


def _fit_rest(labels: LabelSet, format: Capabilities, lost: list[str]) -> LabelSet:
    held_out = {a.key for a in labels.annotations if a.role is FrameRole.HOLDOUT}
    if held_out:
        is_or_are, them = ("is", "it") if len(held_out) == 1 else ("are", "them")
        lost.append(
            f"{format.name} does not mark test frames: {counted(len(held_out), 'test frame')} {is_or_are} written like "
            f"the others. Don't train on {them} if you compare errors."
        )
    annotations = tuple(dataclasses.replace(a, role=FrameRole.TRAIN) for a in labels.annotations)
    skeleton = labels.skeleton
    if format.links is not None:
        known = {frozenset(link) for link in format.links}
        unknown = [link for link in skeleton.links if frozenset(link) not in known]
        if unknown:
            no = "no other skeleton than its own" if known else "no skeleton"
            lost.append(f"{format.name} holds {no}; {counted(len(unknown), 'line')} left out.")
        skeleton = Skeleton(skeleton.bodyparts, format.links, skeleton.individuals)
    if not format.frames and annotations:
        lost.append(
            f"{format.name} numbers its images from 1; names of videos and frame numbers "
            f"({_some(sorted({a.key for a in annotations}))}) are left out."
        )
    return dataclasses.replace(labels, skeleton=skeleton, annotations=annotations)


def _n_placed(annotations: Iterable[Annotation]) -> int:
    return sum(int((a.states == KeypointState.PLACED).sum()) for a in annotations)


def _some(keys: Sequence[FrameKey]) -> str:
    return first_few([f"{key.video} {key.frame}" for key in keys])
