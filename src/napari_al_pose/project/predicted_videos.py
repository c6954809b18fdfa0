"""Which of a project's videos are predicted, and how far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from napari_al_pose.project.project import Project


@dataclass(frozen=True, slots=True)
class PredictedState:
    """Which of a project's videos are predicted.

    Parameters
    ----------
    versions : tuple of int
        The existing models.
    shares : mapping
        By model and video: predicted frames, and all frames.
    """

    versions: tuple[int, ...]
    shares: Mapping[tuple[int, str], tuple[int, int]]


def predicted_state(project: Project) -> PredictedState:
    """Look up what is predicted; reads small files of the project."""
    versions = tuple(project.models.versions())
    footage = {video.name: video.footage for video in project.videos}
    runs = (
        (version, name, project.video_predictions.find(version, name, footage=footage.get(name)))
        for version in versions
        for name in project.video_predictions.videos(version)
    )
    shares = {(version, name): (run.header.n_done, run.header.n_frames) for version, name, run in runs if run}
    return PredictedState(versions, shares)
