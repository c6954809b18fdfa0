"""Runs a model over whole videos: resumable, in bounded memory, decoding beside inference."""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import FrameSource
from napari_al_pose.domain.settings import Rectangle
from napari_al_pose.engine.messages import Progress
from napari_al_pose.engine.sources import CACHE_BYTES
from napari_al_pose.pose import PoseModel
from napari_al_pose.pose.predictor import Predictor
from napari_al_pose.project import Project, ProjectVideo
from napari_al_pose.project.region import in_region, region_of
from napari_al_pose.project.video_predictions import RunHeader, VideoRun, look_rows, segments
from napari_al_pose.video.region import origin_of
from napari_al_pose.video.scan import ScannedFrames, Scanner

log = logging.getLogger(__name__)

BATCH = 8
"""Frames in a batch. It affects the last bits of the result: segments are cut into batches from their start."""
BATCH_BYTES = 64 * 2**20
"""Fewer frames if they are so large that decoding ahead would fill the memory."""
SEGMENT, LONGEST_SEGMENT = 250, 1000
"""Frames in a segment, the most that a kill costs. By default x264 writes a keyframe every 250 frames."""


@dataclass(frozen=True, slots=True)
class PlannedVideo:
    """A video with its run, begun or about to begin, and the region of it that is looked at."""

    video: ProjectVideo
    run: VideoRun
    region: Rectangle | None = None


def plan(
    project: Project, videos: Sequence[ProjectVideo], model: Predictor, version: int, job: int
) -> Generator[Progress, None, list[PlannedVideo]]:
    """Open each video once and return what remains to be done; earlier work is found again.

    Raises
    ------
    AlPoseError
        If a video can't be opened or the project can't be written.
    """
    planned: list[PlannedVideo] = []
    runs: dict[str, VideoRun] = {}
    for i, video in enumerate(videos):
        yield Progress(job, "Opening the videos", i, len(videos), -1.0)
        source = video.open(cache_bytes=CACHE_BYTES)
        try:
            region = region_of(project, video, source)
            header = RunHeader(
                video=video.name,
                identity=video.footage + ("" if region is None else f" {region}"),
                footage=video.footage,
                model_version=version,
                bodyparts=tuple(model.bodyparts),
                individuals=_individuals(project, model),
                unique_bodyparts=model.unique_bodyparts if isinstance(model, PoseModel) else (),
                numbers=None if video.path else tuple(source.number(i) for i in range(len(source))),
                segments=segments(source.keyframes, len(source), length=SEGMENT, longest=LONGEST_SEGMENT),
            )
        finally:
            source.close()
        # Copies of one file share its predictions.
        run = runs.setdefault(video.name, project.video_predictions.resume(header))
        planned.append(PlannedVideo(video, run, region))
    return planned


def _individuals(project: Project, model: Predictor) -> tuple[str, ...]:
    """Return the names of the animals that the model tells apart; empty if it knows only one."""
    if model.animals is None:
        return ()
    known = project.skeleton.individuals
    # The project may have gained or lost animals since the model was trained.
    return tuple(known[i] if i < len(known) else f"animal {i + 1}" for i in range(model.animals.most))


@dataclass(frozen=True, slots=True)
class PredictedPart:
    """Some frames more are predicted and stored.

    Parameters
    ----------
    stage : str
        What is being done, in words.
    n_frames : int
    """

    stage: str
    n_frames: int


def predict_planned(planned: Sequence[PlannedVideo], model: Predictor) -> Generator[PredictedPart, None, None]:
    """Predict what is missing, video by video; closing the generator keeps every finished segment."""
    for i, item in enumerate(planned):
        if item.run.is_complete:
            continue
        number = f" ({i + 1} of {len(planned)})" if len(planned) > 1 else ""
        stage = f"Predicting {item.video.name}{number}"
        source = in_region(item.video.open(cache_bytes=CACHE_BYTES), item.region)
        try:
            for n in predict_run(item.run, source, model):
                yield PredictedPart(f"{stage}, {model.notice}" if model.notice else stage, n)
        finally:
            source.close()


def predict_run(run: VideoRun, source: FrameSource, model: Predictor) -> Generator[int, None, None]:
    """Predict the missing part of one run; yield the number of frames after each batch."""
    unfinished = [(segment, run.header.segments[segment]) for segment in run.missing]
    for first, rows in predict_stretches(source, [stretch for _, stretch in unfinished], model):
        run.write(first, rows)
        segment, (_, stop) = unfinished[0]
        if first + len(rows) == stop:
            run.finish(segment)
            unfinished.pop(0)
        yield len(rows)


def predict_stretches(
    source: FrameSource, stretches: Sequence[tuple[int, int]], model: Predictor
) -> Generator[tuple[int, NDArray[np.float32]], None, None]:
    """Yield, batch by batch, the first position and x, y and likelihood, ``(n, A K, 3)``, of stretches of a video."""
    height, width = source.shape[1:3]
    size = model.input_size_for(height, width)
    at_once = max(1, min(BATCH, BATCH_BYTES // (3 * size[0] * size[1])))
    with Scanner(source, stretches, batch_size=at_once, size=size) as scanner:
        for batch in scanner:
            yield batch.first, _predict_batch(model, batch, source)


def _predict_batch(model: Predictor, batch: ScannedFrames, source: FrameSource) -> NDArray[np.float32]:
    """Return x, y and likelihood, one animal after the other; NaN and 0 if a frame does not decode."""
    result = model.predict(batch.frames, source=(source.shape[1], source.shape[2]), with_scoremaps=False)
    result = result.moved(origin_of(source))
    poses = result if result.animals is None else result.animals
    rows = np.concatenate([poses.xy, poses.likelihood[..., None]], axis=-1, dtype=np.float32)
    rows = rows.reshape(len(rows), -1, 3)
    if result.animals is not None and result.animals.unique is not None:
        unique = result.animals.unique
        beside = np.concatenate([unique.xy, unique.likelihood[..., None]], axis=-1, dtype=np.float32)
        rows = np.concatenate([rows, beside], axis=1)
    if result.animals is not None and result.animals.looks is not None:
        rows = np.concatenate([rows, look_rows(result.animals.xy, result.animals.looks)], axis=1)
    rows[~batch.decoded] = (np.nan, np.nan, 0)
    return rows
