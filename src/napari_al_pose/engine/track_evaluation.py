"""Measures how well the animals of whole videos are followed, against a file with true tracks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError
from napari_al_pose.formats.label_set import LabelSet
from napari_al_pose.project import Project
from napari_al_pose.project.video_predictions import VideoRun
from napari_al_pose.tracking import score_tracks


def videos_of(project: Project, truth: LabelSet, path: Path) -> dict[str, str]:
    """Return the project's videos by their names in the truth.

    Raises
    ------
    AlPoseError
        If the truth has no named animals, or none of the project's videos.
    """
    names = list(dict.fromkeys(annotation.key.video for annotation in truth.annotations))
    ours = {video.name for video in project.videos if video.has_video}
    found = {name: name for name in names if name in ours}
    if not found and len(names) == len(ours) == 1:
        found = {names[0]: next(iter(ours))}
    if not found:
        raise AlPoseError(
            f"{path} holds tracks of {', '.join(map(repr, names)) or 'no video'}, none of them the project's.",
            f"The project has: {', '.join(sorted(ours)) or 'no video that can be read'}.",
        )
    return found


def score_run(run: VideoRun, truth: LabelSet, name: str) -> dict[str, Any]:
    """Return how well one video's animals are followed: ``idf1``, ``switches``, ``mota``, ``hota``, ``n_frames``."""
    scores = score_tracks(_frames(run, truth, name))
    return {
        "idf1": scores.idf1,
        "switches": scores.switches,
        "mota": scores.mota,
        "hota": scores.hota,
        "n_frames": scores.n_frames,
    }


def _frames(run: VideoRun, truth: LabelSet, name: str) -> Iterator[tuple[NDArray[np.floating], NDArray[np.floating]]]:
    """Yield the poses of the tracks and of the animals in each frame that the truth has."""
    order = {bodypart: k for k, bodypart in enumerate(truth.skeleton.bodyparts)}
    shared = [(k, order[bodypart]) for k, bodypart in enumerate(run.header.bodyparts) if bodypart in order]
    if not shared:
        raise AlPoseError(
            "The truth has none of the project's bodyparts.", "Compare with tracks of the same bodyparts."
        )
    ours, theirs = (list(side) for side in zip(*shared, strict=True))
    individuals = truth.skeleton.individuals
    for key, animals in truth.frames().items():
        row = run.row(key.frame) if key.video == name else None
        if row is None:
            continue
        known = np.full((len(individuals), len(ours), 2), np.nan)
        for annotation in animals:
            known[individuals.index(annotation.individual)] = annotation.xy[theirs]
        values = run.rows(row, row + 1)[0].reshape(max(1, len(run.tracks)), -1, 3)
        yield values[:, ours, :2], known
