"""Poses of a whole video, written where DeepLabCut looks for them."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from napari_al_pose.domain import AlPoseError, FrameSource
from napari_al_pose.engine.messages import Predicted, Progress
from napari_al_pose.engine.pace import ProgressReporter
from napari_al_pose.engine.sources import CACHE_BYTES
from napari_al_pose.formats.deeplabcut import write_predictions
from napari_al_pose.pose import PoseModel
from napari_al_pose.project import Project

BATCH = 16


def predict_video(
    project: Project, name: str, model: PoseModel, version: int, job: int
) -> Generator[Progress, None, Predicted]:
    """Predict ``name`` from its first frame to its last and write ``.h5`` and ``.csv`` beside the video."""
    video = project.video(name)
    where = video.path or video.images
    if where is None:
        raise AlPoseError(f"The video {name!r} is missing.", "Copy it into the project's 'videos' folder.")
    source = video.open(cache_bytes=CACHE_BYTES)
    try:
        xy, likelihood = yield from _predict_all(source, model, job)
        numbers = [source.number(i) for i in range(len(source))]
    finally:
        source.close()
    path = write_predictions(
        project.config,
        video=where,
        numbers=numbers,
        xy=xy,
        likelihood=likelihood,
        bodyparts=model.bodyparts,
        version=version,
    )
    return Predicted(job, name, str(path))


def _predict_all(
    source: FrameSource, model: PoseModel, job: int
) -> Generator[Progress, None, tuple[np.ndarray, np.ndarray]]:
    n, k = len(source), len(model.bodyparts)
    xy, likelihood = np.empty((n, k, 2), np.float32), np.empty((n, k), np.float32)
    reporter = ProgressReporter(job, f"Predicting {source.name}", n)
    for start in range(0, n, BATCH):
        stop = min(n, start + BATCH)
        result = model.predict(source[start:stop], with_scoremaps=False)
        xy[start:stop], likelihood[start:stop] = result.xy, result.likelihood
        yield from reporter.report(stop)
    return xy, likelihood
