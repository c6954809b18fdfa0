"""The labels that the built-in network learns from and is measured on."""

from __future__ import annotations

from collections.abc import Iterable

from napari_al_pose.domain import Annotation, FrameKey
from napari_al_pose.project import Project


def known_labels(project: Project) -> list[Annotation]:
    """Return the labels of every individual in every frame, sorted by frame, then individual."""
    return project.labels.annotations()


def by_frame(annotations: Iterable[Annotation]) -> dict[FrameKey, list[Annotation]]:
    """Return the labels of each frame, in their order."""
    frames: dict[FrameKey, list[Annotation]] = {}
    for annotation in annotations:
        frames.setdefault(annotation.key, []).append(annotation)
    return frames
