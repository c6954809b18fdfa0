"""Matches other programs' labels with a project: bodyparts and individuals by name, labels by key."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from napari_al_pose.domain import (
    SINGLE_INDIVIDUAL,
    UNIQUE_INDIVIDUAL,
    AlPoseError,
    Annotation,
    FrameKey,
    KeypointState,
    Skeleton,
)
from napari_al_pose.domain.wording import counted
from napari_al_pose.formats.label_set import LabelSet, points_of, without_unique
from napari_al_pose.project import LabelStore
from napari_al_pose.project.label_log import Keypoint, KeypointKey
from napari_al_pose.project.merge import same_keypoint

Changes = Sequence[tuple[KeypointKey, Keypoint]]


def match_to_project(labels: LabelSet, skeleton: Skeleton) -> tuple[LabelSet, list[str]]:
    """Return labels with the bodyparts and individuals of a project, and a sentence for everything left out.

    Raises
    ------
    AlPoseError
        If they share no bodypart.
    """
    notices: list[str] = []
    unique = _unique(labels, skeleton, notices)
    animals = without_unique(labels)
    order = _bodyparts(animals, skeleton, notices)
    names = _individuals(animals, skeleton, notices)
    orders = dict.fromkeys(names, order)
    if any(index >= 0 for index in unique):
        names, orders = {**names, UNIQUE_INDIVIDUAL: UNIQUE_INDIVIDUAL}, {**orders, UNIQUE_INDIVIDUAL: unique}
    fitted, duplicates = (
        tuple(_fit(a, orders[a.individual], names[a.individual]) for a in annotations if a.individual in names)
        for annotations in (labels.annotations, labels.duplicates)
    )
    return dataclasses.replace(labels, skeleton=skeleton, annotations=fitted, duplicates=duplicates), notices


def in_turn(duplicates: Sequence[Annotation]) -> list[tuple[Annotation, ...]]:
    """Return annotations in groups with at most one for each frame and individual."""
    groups: list[dict[tuple[FrameKey, str], Annotation]] = []
    for annotation in duplicates:
        place = (annotation.key, annotation.individual)
        group = next((group for group in groups if place not in group), None)
        if group is None:
            groups.append(group := {})
        group[place] = annotation
    return [tuple(group.values()) for group in groups]


def changes_for(store: LabelStore, labels: LabelSet) -> tuple[Changes, Changes]:
    """Return what to store: keypoints that the project has no label for, and those where its label differs."""
    changes: list[tuple[KeypointKey, Keypoint]] = []
    conflicts: list[tuple[KeypointKey, Keypoint]] = []
    present: dict[str, dict[KeypointKey, Keypoint]] = {}
    bodyparts_of = labels.skeleton.bodyparts_of
    for a in labels.annotations:
        if a.key.video not in present:
            present[a.key.video] = store.exchange.labels(a.key.video)
        for name, (x, y), state in zip(bodyparts_of(a.individual), a.xy.tolist(), a.states.tolist(), strict=True):
            if state == KeypointState.UNSEEN:
                continue
            key = KeypointKey(a.key.video, a.key.frame, a.individual, name)
            placed = state == KeypointState.PLACED
            point = Keypoint(KeypointState.PLACED, x, y) if placed else Keypoint(KeypointState.NOT_VISIBLE)
            before = present[a.key.video].get(key)
            if before is None or before.state == KeypointState.UNSEEN:
                changes.append((key, point))
            elif not same_keypoint(before, point):
                conflicts.append((key, point))
    return changes, conflicts


def _fit(a: Annotation, order: Sequence[int], individual: str) -> Annotation:
    xy = np.vstack([a.xy, [[np.nan, np.nan]]])[order]
    states = np.append(a.states, np.int8(KeypointState.UNSEEN))[order]
    return Annotation(a.key, xy, states, individual, a.role)


def _order(theirs: Sequence[str], ours: Sequence[str], notices: list[str]) -> list[int]:
    """Return, for each of our bodyparts, its index in the file; -1 if the file lacks it. Capital letters may differ."""
    exact = {name: index for index, name in enumerate(theirs)}
    folded = {name.casefold(): index for index, name in reversed(list(enumerate(theirs)))}
    order = [exact.get(name, folded.get(name.casefold(), -1)) for name in ours]
    renamed = [f"{theirs[i]} is {name}" for i, name in zip(order, ours, strict=True) if i >= 0 and theirs[i] != name]
    if renamed:
        notices.append(f"Bodyparts are named as in the project: {', '.join(renamed)}.")
    return order


def _unique(labels: LabelSet, skeleton: Skeleton, notices: list[str]) -> list[int]:
    """Return, for each unique bodypart of the project, its index in the file; -1 if the file lacks it."""
    theirs = labels.skeleton.unique_bodyparts
    order = _order(theirs, skeleton.unique_bodyparts, notices)
    others = [i for i in range(len(theirs)) if i not in order]
    of_unique = [a for a in labels.annotations if theirs and a.individual == UNIQUE_INDIVIDUAL]
    dropped = [sum(a.states[i] == KeypointState.PLACED for a in of_unique) for i in others]
    if any(dropped):
        named = ", ".join(repr(theirs[i]) for i, n in zip(others, dropped, strict=True) if n)
        notices.append(f"The project has no unique bodypart {named}; {counted(sum(dropped), 'point')} left out.")
    return order


def _bodyparts(labels: LabelSet, skeleton: Skeleton, notices: list[str]) -> list[int]:
    """Return, for each bodypart of the project, its index in the file; -1 if the file lacks it."""
    order = _order(labels.skeleton.bodyparts, skeleton.bodyparts, notices)
    others = [i for i in range(labels.skeleton.n_bodyparts) if i not in order]
    if len(others) == labels.skeleton.n_bodyparts:
        raise AlPoseError(
            f"The labels are of {', '.join(labels.skeleton.bodyparts)}; the project has "
            f"{', '.join(skeleton.bodyparts)}.",
            "Import them into a new project, or rename the bodyparts in one of the two.",
        )
    dropped = [sum(a.states[i] == KeypointState.PLACED for a in labels.annotations) for i in others]
    if any(dropped):
        named = ", ".join(repr(labels.skeleton.bodyparts[i]) for i, n in zip(others, dropped, strict=True) if n)
        notices.append(f"The project has no bodypart {named}; {counted(sum(dropped), 'point')} left out.")
    return order


def _individuals(labels: LabelSet, skeleton: Skeleton, notices: list[str]) -> dict[str, str]:
    """Return the project's names for the file's individuals: equal names if there are any, otherwise by order."""
    theirs, ours = labels.skeleton.individuals, skeleton.individuals
    same = [name for name in theirs if name in ours]
    pairs = dict(zip(same, same, strict=True)) if same else dict(zip(theirs, ours, strict=False))
    renamed = [(a, b) for a, b in pairs.items() if a != b and a != SINGLE_INDIVIDUAL and b != SINGLE_INDIVIDUAL]
    if renamed:
        notices.append("Individuals are named as in the project: " + ", ".join(f"{a} is {b}" for a, b in renamed) + ".")
    if of_others := points_of(labels.annotations, [name for name in theirs if name not in pairs]):
        why = "holds one animal" if ours == (SINGLE_INDIVIDUAL,) else "has no such individual"
        notices.append(f"The project {why}; {of_others} left out.")
    return pairs
