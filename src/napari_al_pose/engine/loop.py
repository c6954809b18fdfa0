"""The active-learning loop, which the window's engine process and the command line both run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_al_pose.cores import usable_cores
from napari_al_pose.domain import AlPoseError, FrameKey, FrameSource, Prediction, Scoremaps
from napari_al_pose.domain.label_checks import LabelCheck
from napari_al_pose.domain.pose_export import ExportOptions
from napari_al_pose.engine.extras import ExtraCache
from napari_al_pose.engine.features import FeatureCache, shown_name
from napari_al_pose.engine.label_checks import check_labels
from napari_al_pose.engine.messages import (
    Checked,
    Looked,
    PoolMapped,
    PosesExported,
    Progress,
    Ranked,
    Trained,
    TrainStep,
    TrialStep,
)
from napari_al_pose.engine.pool import predict_frames
from napari_al_pose.engine.pool_map import check_layout, map_pool, score_for_map
from napari_al_pose.engine.pose_export import choose_videos, export
from napari_al_pose.engine.ranked_pool import RankedPool, RankedPools
from napari_al_pose.engine.ranking import RankingRequest, rank
from napari_al_pose.engine.sources import Sources
from napari_al_pose.engine.training import train_round
from napari_al_pose.engine.whole_videos import predict_planned
from napari_al_pose.pose import PoseBatch, resolve_device
from napari_al_pose.pose.predictor import Predictor, load_predictor
from napari_al_pose.project import Project

if TYPE_CHECKING:
    from napari_al_pose.engine.cluster import Cluster

log = logging.getLogger(__name__)


class ActiveLearningLoop:
    """Pool, score, select, train, publish.

    Every long method is a generator that yields its progress. The caller decides when to continue, to stop or to do
    something else in between. The models it publishes are immutable and numbered.

    Parameters
    ----------
    root : Path
        The project folder. The loop keeps features and the newest model between jobs.
    device : str
        "auto", "cpu", "cuda" or "mps".
    threads : int
        Torch threads; all cores by default.
    """

    def __init__(self, root: Path, *, device: str = "auto", threads: int | None = None) -> None:
        self.device = resolve_device(device)
        self._threads = threads or usable_cores()
        self._sources = Sources()
        self._features = FeatureCache(root / "al-pose" / "cache" / "features.npz", device=self.device)
        self._extras = ExtraCache(device=self.device)
        self._model: Predictor | None = None
        self._ranked = RankedPools(root / "al-pose" / "cache" / "ranked.json")
        self.version = 0
        self.model_problem = ""
        """Why a model newer than the one in use can't be used, for the user; "" if there is none."""

    def refresh(self, project: Project) -> str:
        """Open new videos and load the newest usable model; return `model_problem`."""
        self._sources.refresh(project)
        problem = ""
        for version in reversed(project.models.versions()):
            if version == self.version:
                break
            try:
                model = load_predictor(project.models.checkpoint(version), self.device)
            except AlPoseError as error:
                log.warning("model %s: %s", version, error)
                problem = problem or str(error)
                continue
            if tuple(model.bodyparts) != project.skeleton.bodyparts:
                problem = problem or (
                    f"Model {version} knows other bodyparts ({', '.join(model.bodyparts)}) than the project. "
                    "Train again to use the new ones."
                )
                continue
            self._model, self.version = model, version
            break
        self.model_problem = problem
        return problem

    def train(
        self, project: Project, job: int = 0, *, should_stop: Callable[[], bool] = lambda: False
    ) -> Generator[Progress | TrialStep | TrainStep | Trained, None, None]:
        """Train the next version on the present labels; once ``should_stop`` returns True, stop and keep the result."""
        sources = self._sources.refresh(project)
        self._model = yield from train_round(
            project,
            sources,
            job,
            previous=self._model,
            previous_version=self.version,
            threads=self._threads,
            should_stop=should_stop,
        )
        self.version, self.model_problem = project.models.latest(), ""

    def rank(
        self,
        project: Project,
        job: int = 0,
        *,
        strategy: str,
        size: int | None = None,
        holdout_share: float | None = None,
        scheduler: str = "",
    ) -> Generator[Progress, None, Ranked]:
        """Score the pool with the newest model and choose the queue; size and share come from the settings.

        If a ``scheduler`` is named, its workers run the model.
        """
        settings = project.settings
        request = RankingRequest(
            strategy=strategy,
            size=settings.batch_size if size is None else size,
            holdout_share=settings.holdout_share if holdout_share is None else holdout_share,
            seed=settings.train.seed,
        )
        sources = self._sources.refresh(project)
        left_out = self._sources.news()
        with _cluster(scheduler, project) as cluster:
            ranked = yield from rank(
                project,
                sources,
                self._features,
                job,
                request=request,
                model=self._model,
                version=self.version,
                extras=self._extras,
                predict=predict_frames if cluster is None else cluster.predict_frames(self.version),
                keep=partial(self._keep, project, sources),
            )
        return replace(ranked, notice=f"{left_out} {ranked.notice}".strip())

    def map_pool(
        self, project: Project, job: int = 0, *, strategy: str, layout: str = "pca", size: int | None = None
    ) -> Generator[Progress, None, PoolMapped]:
        """Lay the pool out on a plane with the scores of ``strategy``, without storing anything.

        What was just ranked is not scored again: the newest model and the settings decide, not labels placed since.

        Raises
        ------
        AlPoseError
            If the strategy or layout is unknown, or no video can be read.
        """
        settings = project.settings
        sources = self._sources.refresh(project)
        check_layout(layout)
        ranked = self._ranked.find(strategy, self._state_of(project, sources))
        if ranked is None or size is not None:
            ranked = yield from score_for_map(
                project,
                sources,
                self._features,
                self._extras,
                job,
                strategy=strategy,
                size=settings.batch_size if size is None else size,
                seed=settings.train.seed,
                model=self._model,
                version=self.version,
            )
            self._keep(project, sources, ranked)
        return (yield from map_pool(project, sources, self._features, job, ranked=ranked, layout=layout))

    def _state_of(self, project: Project, sources: Mapping[str, FrameSource]) -> str:
        """Return what a scored pool depends on, beside the strategy; labels placed since change it little."""
        settings = project.settings
        shown = sorted(map(shown_name, sources.values()))
        return repr((self.version, settings.pool_size, settings.batch_size, *shown))

    def _keep(self, project: Project, sources: Mapping[str, FrameSource], ranked: RankedPool) -> None:
        """Keep a scored pool for the map."""
        self._ranked.keep(ranked, self._state_of(project, sources))

    def warm_up(self) -> None:
        """Run the model once, as torch's first run takes some tenths of a second longer."""
        if self._model is not None:
            self._model.predict(np.zeros((1, 480, 640, 3), np.uint8))

    def sources(self, project: Project) -> dict[str, FrameSource]:
        """Return the videos that can be opened, by name. The loop closes them."""
        return self._sources.refresh(project)

    def left_out(self) -> str:
        """Return which videos are left out and why, in sentences; empty if that was reported before."""
        return self._sources.news()

    def has_video(self, name: str) -> bool:
        """Return whether `look` can show frames of this video."""
        return name in self._sources

    def look(self, key: FrameKey, job: int = 0) -> Looked:
        """Return scoremaps and pose of one frame; None for both while there is no model.

        Raises
        ------
        AlPoseError
            If there is no such frame.
        """
        if self._model is None:
            return Looked(job, key, None, None)
        frame, origin = self._sources.frame(key)
        result = self._model.predict(frame[None], with_scoremaps=True).moved(origin)
        scoremaps = None
        if result.scoremaps is not None:  # a model trained elsewhere may have none
            maps = result.scoremaps[0].astype(np.float16)
            scoremaps = Scoremaps(key, self.version, maps, result.grids[0])
        poses, animals = _prediction(key, self.version, result), _maps_of_animals(key, self.version, result)
        return Looked(job, key, scoremaps, poses, animals, _unique_maps(key, self.version, result))

    def export(
        self, project: Project, videos: Sequence[str], options: ExportOptions, job: int = 0, *, scheduler: str = ""
    ) -> Generator[Progress, None, PosesExported]:
        """Predict every frame of videos, given by name or file, and write what ``options`` ask for.

        If a ``scheduler`` is named, its workers predict.

        Raises
        ------
        AlPoseError
            If there is no such model or video, or something can't be written.
        """
        chosen = choose_videos(project, videos)
        model, version = self._chosen_model(project, options.version)
        with _cluster(scheduler, project) as cluster:
            predict = predict_planned if cluster is None else cluster.predict_planned
            return (yield from export(project, chosen, options, model=model, version=version, job=job, predict=predict))

    def check_labels(self, project: Project, job: int = 0) -> Generator[Progress, None, Checked]:
        """Find suspicious labels with models that did not see them; none before the first model."""
        checks: tuple[LabelCheck, ...] = ()
        if self._model is not None:
            sources = self._sources.refresh(project)
            found = yield from check_labels(
                project, sources, job, model=self._model, version=self.version, threads=self._threads
            )
            checks = project.checks.save(found)
        return Checked(job, checks)

    def _chosen_model(self, project: Project, version: int) -> tuple[Predictor, int]:
        """Return the model of that number, or the newest for 0."""
        if version in (0, self.version) and self._model is not None:
            return self._model, self.version
        versions = project.models.versions()
        if not versions:
            raise AlPoseError("There is no model yet.", "Label some frames and train first.")
        if version and version not in versions:
            known = ", ".join(map(str, versions))
            raise AlPoseError(f"The project has no model {version}.", f"It has: {known}.")
        number = version or versions[-1]
        return load_predictor(project.models.checkpoint(number), self.device), number

    def close(self) -> None:
        """Close the videos."""
        self._sources.close()


def _prediction(key: FrameKey, version: int, poses: PoseBatch) -> Prediction:
    """Return the poses in the only frame of a batch."""
    if poses.animals is None:
        return Prediction(key, version, poses.xy[0], poses.likelihood[0])
    unique = poses.animals.unique
    beside = None if unique is None else np.column_stack([unique.xy[0], unique.likelihood[0]])
    return Prediction.of_animals(key, version, poses.animals.xy[0], poses.animals.likelihood[0], unique=beside)


def _unique_maps(key: FrameKey, version: int, poses: PoseBatch) -> Scoremaps | None:
    """Return the scoremaps of unique bodyparts in the only frame of a batch."""
    unique = None if poses.animals is None else poses.animals.unique
    if unique is None or unique.scoremaps is None:
        return None
    return Scoremaps(key, version, unique.scoremaps[0].astype(np.float16), unique.grids[0])


def _maps_of_animals(key: FrameKey, version: int, poses: PoseBatch) -> tuple[Scoremaps, ...]:
    """Return the scoremaps of each animal of the only frame of a batch, in the order of the poses."""
    if poses.animals is None or poses.animals.scoremaps is None:
        return ()
    maps = poses.animals.scoremaps[0].astype(np.float16)
    return tuple(Scoremaps(key, version, own, grid) for own, grid in zip(maps, poses.animals.grids[0], strict=True))


def _cluster(scheduler: str, project: Project) -> AbstractContextManager[Cluster | None]:
    """Return the connection to a scheduler, or a context that holds None."""
    if not scheduler:
        return nullcontext()
    from napari_al_pose.engine.cluster import Cluster  # imports dask.distributed

    return Cluster(scheduler, project)
