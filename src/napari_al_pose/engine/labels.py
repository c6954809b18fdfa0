"""The labels the built-in network can learn from and is measured on."""

from __future__ import annotations

from napari_al_pose.domain import Annotation
from napari_al_pose.project import Project


def known_labels(project: Project) -> list[Annotation]:
    """Return the labels of one animal a frame, sorted by frame: the first individual's.

    The network finds one animal in a picture. Labels of a second one as another example of the same picture would
    teach it that the first is background.
    """
    first = project.skeleton.individuals[0]
    return [annotation for annotation in project.labels.annotations() if annotation.individual == first]
