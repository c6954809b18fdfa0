"""The labels that the built-in network learns from and is measured on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from napari_al_pose.domain import UNIQUE_INDIVIDUAL, Annotation, FrameKey
from napari_al_pose.project import Project


def known_labels(project: Project) -> list[Annotation]:
    """Return the labels of every individual in every frame, sorted by frame, then individual."""
    return project.labels.annotations()


def unique_labels(project: Project) -> dict[FrameKey, Annotation]:
    """Return the labels of unique bodyparts by frame."""
    if not project.skeleton.unique_bodyparts:
        return {}
    return {a.key: a for a in project.labels.annotations(unique=True) if a.individual == UNIQUE_INDIVIDUAL}


def with_taken(project: Project, annotations: Sequence[Annotation]) -> list[Annotation]:
    """Return the labels with what the log knows of each: whether it is a guess that was taken as it is."""
    bodyparts = project.skeleton.bodyparts
    taken: dict[tuple[FrameKey, str], set[str]] = {}
    for one in project.labels.taken():
        taken.setdefault((one.frame_key, one.individual), set()).add(one.bodypart)
    return [
        replace(a, taken=np.array([name in taken.get((a.key, a.individual), ()) for name in bodyparts], bool))
        for a in annotations
    ]


def by_frame(annotations: Iterable[Annotation]) -> dict[FrameKey, list[Annotation]]:
    """Return the labels of each frame, in their order."""
    frames: dict[FrameKey, list[Annotation]] = {}
    for annotation in annotations:
        frames.setdefault(annotation.key, []).append(annotation)
    return frames
