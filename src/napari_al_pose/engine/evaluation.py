"""Trains on some of a project's labelled frames and measures on the others, without changing the project."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from napari_al_pose.cores import usable_cores
from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.steps import relay
from napari_al_pose.engine.labels import by_frame, known_labels, unique_labels
from napari_al_pose.engine.messages import Progress, TrainStep
from napari_al_pose.engine.sources import Sources
from napari_al_pose.engine.training import load_labelled
from napari_al_pose.engine.usable_labels import usable_labels
from napari_al_pose.pose import evaluate
from napari_al_pose.project import Project


def evaluate_project(
    project: Project, *, train_frames: int, seed: int, reference: tuple[str, str] | None = None
) -> Generator[Progress | TrainStep, None, dict[str, Any]]:
    """Return what ``evaluate --json`` prints.

    Parameters
    ----------
    project : Project
        Not changed.
    train_frames : int
        Frames to draw for training.
    seed : int
        For the draw and the training.
    reference : (str, str), optional
        Two bodyparts whose distance is the unit of relative errors; by default it is the bounding box's diagonal.

    Raises
    ------
    AlPoseError
        If the project has too few labelled frames, or lacks these bodyparts.
    """
    bodyparts = project.skeleton.bodyparts
    unknown = [name for name in reference or () if name not in bodyparts]
    if unknown:
        raise AlPoseError(f"The project has no bodypart {unknown[0]!r}.", f"It has: {', '.join(bodyparts)}.")
    opened = Sources()
    try:
        sources = opened.refresh(project)
        found = usable_labels(project, known_labels(project), sources)
        usable = found.annotations
        if len(by_frame(usable)) < 2:
            raise AlPoseError(
                f"Expected at least 2 labelled frames in {project.root}, got {len(by_frame(usable))}.",
                "Label some frames, or restore the videos or extracted images of the labelled ones.",
            )
        n_animals = len(project.skeleton.individuals)
        frames = yield from load_labelled(
            usable, sources, 0, images=found.images, n_animals=n_animals, unique=unique_labels(project)
        )
    finally:
        opened.close()
    ticks = evaluate(
        frames,
        bodyparts,
        project.settings.train,
        train_frames=train_frames,
        seed=seed,
        between=None if reference is None else (bodyparts.index(reference[0]), bodyparts.index(reference[1])),
        threads=usable_cores(),
        animals=n_animals,
        unique_bodyparts=project.skeleton.unique_bodyparts,
    )
    report = yield from relay(
        ticks, lambda tick: [TrainStep(0, tick.step, tick.steps, tick.loss, tick.holdout_error, tick.seconds_left)]
    )
    return report.to_json()
