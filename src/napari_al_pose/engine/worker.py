"""The part that runs on a `dask.distributed` worker: it predicts parts of videos with a model that it loads once.

The project's folder and its videos must have the same path on every machine. Only names and numbers travel between
machines, over dask's own transport.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError, FrameSource, ScoremapGrid
from napari_al_pose.domain.settings import Rectangle
from napari_al_pose.engine.sources import CACHE_BYTES
from napari_al_pose.engine.whole_videos import predict_stretches
from napari_al_pose.pose.animals import AnimalPoses
from napari_al_pose.pose.predictor import Predictor, load_predictor
from napari_al_pose.project.identity import VideoIdentity, identity_of
from napari_al_pose.project.region import in_region
from napari_al_pose.video import open_source
from napari_al_pose.video.region import origin_of

FramesSaid = tuple[
    NDArray[np.float32],
    NDArray[np.float32],
    NDArray[np.float16] | None,
    tuple[ScoremapGrid, ...],
    AnimalPoses | None,
]

_opening = threading.Lock()
"""Held while a model or a video is opened, so that the threads of one worker do not open it twice."""


def worker_segment(checkpoint: str, video: str, region: Rectangle | None, first: int, stop: int) -> NDArray[np.float32]:
    """Return x, y and likelihood, ``(stop - first, K, 3)``, for a stretch of a video or of a region of it.

    Raises
    ------
    AlPoseError
        If the model or the video can't be opened from this machine.
    """
    model, whole = _opened(checkpoint, video)
    source = in_region(whole, region)
    return np.concatenate([rows for _, rows in predict_stretches(source, [(first, stop)], model)])


def worker_frames(
    checkpoint: str, video: str, region: Rectangle | None, positions: tuple[int, ...], with_scoremaps: bool
) -> FramesSaid:
    """Return positions, likelihoods, scoremaps (if requested), their grids and all animals for some frames of a video.

    Raises
    ------
    AlPoseError
        If the model or the video can't be opened from this machine.
    """
    model, whole = _opened(checkpoint, video)
    source = in_region(whole, region)
    frames = np.stack([source[position] for position in positions])
    result = model.predict(frames, with_scoremaps=with_scoremaps).moved(origin_of(source))
    maps = None if result.scoremaps is None else result.scoremaps.astype(np.float16)
    return result.xy, result.likelihood, maps, result.grids, result.animals


def _opened(checkpoint: str, video: str) -> tuple[Predictor, FrameSource]:
    for path in (checkpoint, video):
        if not Path(path).exists():
            raise AlPoseError(
                f"A worker does not find {path}.",
                "Put the project and its videos where every machine sees them under the same path.",
            )
    with _opening:
        return _model(checkpoint, Path(checkpoint).stat().st_mtime_ns), _source(video, identity_of(Path(video)))


@lru_cache(maxsize=2)
def _model(checkpoint: str, _time: int) -> Predictor:
    return load_predictor(Path(checkpoint), "auto")


@lru_cache(maxsize=4)
def _source(video: str, _identity: VideoIdentity) -> FrameSource:
    return open_source(Path(video), cache_bytes=CACHE_BYTES)
