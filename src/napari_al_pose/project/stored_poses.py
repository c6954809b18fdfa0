"""Poses of whole videos that are on disk, looked up for one frame."""

from __future__ import annotations

from napari_al_pose.domain import FrameKey, Prediction
from napari_al_pose.project.project import Project


def stored_pose(project: Project, version: int, key: FrameKey) -> Prediction | None:
    """Return the pose that model ``version`` (0: another program) left for a frame.

    None if there is none, or it is of other bodyparts or of another file than the project's video of that name.
    """
    footage = next((video.footage for video in project.videos if video.name == key.video), "")
    run = project.video_predictions.find(version, key.video, footage=footage)
    if run is None or run.header.bodyparts != project.skeleton.bodyparts:
        return None
    return run.prediction(key.frame)
