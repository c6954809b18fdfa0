"""Runs the network on the workers of a `dask.distributed` cluster instead of in this process."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_al_pose.domain import AlPoseError, FrameKey, FrameSource
from napari_al_pose.engine.messages import Progress
from napari_al_pose.engine.pool import PoolOutput, PoolPart, gather
from napari_al_pose.engine.whole_videos import PlannedVideo, PredictedPart
from napari_al_pose.engine.worker import worker_frames, worker_segment
from napari_al_pose.pose.predictor import Predictor
from napari_al_pose.project import Project
from napari_al_pose.video.region import Region

if TYPE_CHECKING:
    from distributed import Client, Future

log = logging.getLogger(__name__)

CONNECT_SECONDS = 15
WORKER_SECONDS = 60
AHEAD = 3
"""Tasks in progress for each thread of the cluster: enough to keep it busy, few enough to need little memory."""
_FRAMES_A_TASK = 16
_RETRIES = 2

Task = tuple[Any, tuple[Any, ...]]
"""The owner of the result, and the arguments of the function that a worker runs."""


class Cluster:
    """A connection to a scheduler, as a context manager.

    If a worker goes away, another one does its tasks. Only this process writes results.

    Parameters
    ----------
    address : str
        The scheduler's, such as ``tcp://10.0.0.1:8786``.
    project : Project
        Its folder and its videos have the same path on every machine.

    Raises
    ------
    AlPoseError
        If dask.distributed is not installed, or no scheduler answers, or it has no worker.
    """

    def __init__(self, address: str, project: Project) -> None:
        try:
            from distributed import Client
        except ImportError as error:
            raise AlPoseError(
                "A cluster needs dask.distributed.", 'pip install "napari-al-pose[cluster]", here and on its workers'
            ) from error
        self._project = project
        try:
            self._client: Client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise AlPoseError(f"No scheduler answers at {address}.", "Start one: dask scheduler") from error
        try:
            self._client.wait_for_workers(1, timeout=WORKER_SECONDS)
        except TimeoutError as error:
            self._client.close()
            raise AlPoseError(
                f"The scheduler at {address} has no workers.", f"Start some: dask worker {address}"
            ) from error

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def predict_planned(
        self, planned: Sequence[PlannedVideo], _model: Predictor
    ) -> Generator[PredictedPart, None, None]:
        """Predict the missing parts of videos, segment by segment in any order; see `whole_videos.predict_planned`."""
        stage = f"Predicting on {self._n_workers()} workers"
        yield PredictedPart(stage, 0)
        tasks: Iterator[Task] = (
            (
                (item.run, segment),
                (checkpoint, str(item.video.file), item.region, *item.run.header.segments[segment]),
            )
            for item in planned
            for checkpoint in [self._checkpoint(item.run.header.model_version)]
            for segment in item.run.missing
        )
        for (run, segment), rows in self._results(worker_segment, tasks):
            run.write(run.header.segments[segment][0], rows)
            run.finish(segment)
            yield PredictedPart(stage, len(rows))

    def predict_frames(self, version: int) -> Callable[..., Generator[Progress, None, PoolOutput]]:
        """Return a function that does what `pool.predict_frames` does, with that model of the project."""

        def predict(
            model: Predictor,
            keys: Sequence[FrameKey],
            sources: dict[str, FrameSource],
            job: int,
            *,
            with_scoremaps: bool,
        ) -> Generator[Progress, None, PoolOutput]:
            def parts() -> Iterator[PoolPart]:
                tasks = self._frame_tasks(version, keys, sources, with_scoremaps=with_scoremaps)
                for (indices, video), arrays in self._results(worker_frames, tasks):
                    yield PoolPart(indices, video, *arrays)

            return (yield from gather(parts(), len(keys), len(model.bodyparts), job))

        return predict

    def _frame_tasks(
        self, version: int, keys: Sequence[FrameKey], sources: dict[str, FrameSource], *, with_scoremaps: bool
    ) -> Iterator[Task]:
        checkpoint = self._checkpoint(version)
        by_video: dict[str, list[int]] = defaultdict(list)
        for index, key in enumerate(keys):
            by_video[key.video].append(index)
        for video, indices in by_video.items():
            where, source = str(self._project.video(video).file), sources[video]
            indices.sort(key=lambda index: keys[index].frame)
            for start in range(0, len(indices), _FRAMES_A_TASK):
                part = indices[start : start + _FRAMES_A_TASK]
                positions = tuple(source.position(keys[index].frame) for index in part)
                region = source.rectangle if isinstance(source, Region) else None
                yield (np.array(part, np.int64), video), (checkpoint, where, region, positions, with_scoremaps)

    def _results(self, function: Callable[..., Any], tasks: Iterator[Task]) -> Iterator[tuple[Any, Any]]:
        """Yield each task's owner and result as they arrive; cancel the others when closed."""
        from distributed import as_completed

        owners: dict[Future[Any], Any] = {}

        def submit() -> Future[Any] | None:
            task = next(tasks, None)
            if task is None:
                return None
            owner, arguments = task
            future: Future[Any] = self._client.submit(function, *arguments, pure=False, retries=_RETRIES)
            owners[future] = owner
            return future

        first = [future for _ in range(self._n_threads() * AHEAD) if (future := submit()) is not None]
        completed = as_completed(first, loop=self._client.loop)
        try:
            for future in completed:
                yield owners.pop(future), _result(future)
                if (following := submit()) is not None:
                    completed.add(following)
        finally:
            self._client.cancel(list(owners))

    def _checkpoint(self, version: int) -> str:
        return str(self._project.models.checkpoint(version).absolute())

    def _n_workers(self) -> int:
        return len(self._client.scheduler_info(n_workers=-1)["workers"])

    def _n_threads(self) -> int:
        return max(1, sum(self._client.nthreads().values()))


def _result(future: Future[Any]) -> Any:
    """Return what a worker computed, or raise its AlPoseError."""
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, AlPoseError):
        raise error
    log.error("a worker failed: %s", error)
    raise AlPoseError(
        f"A worker could not do its part: {type(error).__name__}: {str(error)[:200]}.",
        "Check that every worker has this version of napari-al-pose[engine,cluster], then repeat the command.",
    ) from error
