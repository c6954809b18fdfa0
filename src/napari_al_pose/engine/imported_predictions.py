"""Predictions of other programs, which rank the pool before the project has a model."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from napari_al_pose.acquisition import Extra
from napari_al_pose.domain import FrameKey, Prediction
from napari_al_pose.domain.wording import first_few
from napari_al_pose.engine.extra_passes import Rows, VideoBatch
from napari_al_pose.engine.messages import Progress
from napari_al_pose.engine.pool import Pool, PoolOutput
from napari_al_pose.project import Project
from napari_al_pose.project.imported_predictions import outside_run
from napari_al_pose.project.video_predictions import VideoRun


@dataclass(frozen=True, slots=True, eq=False)
class ImportedPredictions:
    """Predictions by video.

    Parameters
    ----------
    runs : dict of str to VideoRun
    n_bodyparts : int
    """

    runs: dict[str, VideoRun]
    n_bodyparts: int

    def prediction(self, key: FrameKey) -> Prediction | None:
        """Return the pose in a frame; None if there is no prediction."""
        run = self.runs.get(key.video)
        return None if run is None else run.prediction(key.frame)

    def covered(self, pool: Pool) -> Pool:
        """Return the pool without frames that lack a prediction: they can't be compared with the others."""
        kept = [i for i, key in enumerate(pool.keys) if self.prediction(key) is not None]
        return replace(pool, keys=tuple(pool.keys[i] for i in kept), features=pool.features[kept])

    def look(self, keys: Sequence[FrameKey]) -> PoolOutput:
        """Return the predictions for frames, without scoremaps."""
        found = [self.prediction(key) for key in keys]
        blank = np.full((self.n_bodyparts, 2), np.nan, np.float32), np.zeros(self.n_bodyparts, np.float32)
        xy = np.stack([blank[0] if p is None else p.xy for p in found])
        likelihood = np.stack([blank[1] if p is None else p.likelihood for p in found])
        return PoolOutput(xy, likelihood, None, ())

    def neighbour_pass(self, batch: VideoBatch) -> Rows:
        """Return the poses one frame before and one frame after each."""
        rows = np.full((len(batch.keys), 2, self.n_bodyparts, 2), np.nan, np.float32)
        for i, key in enumerate(batch.keys):
            for side, step in enumerate((-1, 1)):
                found = self.prediction(FrameKey(key.video, key.frame + step)) if key.frame + step >= 0 else None
                if found is not None:
                    rows[i, side] = found.xy
        return {Extra.NEIGHBOUR_XY: rows}

    @property
    def sentence(self) -> str:
        """A sentence that names their source."""
        files = [Path(run.header.source).name for run in self.runs.values()]
        return f"No model of this project yet: ranked by the predictions in {first_few(files, 1)}."


def read_imported_predictions(
    project: Project, job: int
) -> Generator[Progress, None, tuple[ImportedPredictions | None, str]]:
    """Read what other programs left beside the project's videos, or what the user added.

    Returns
    -------
    ImportedPredictions or None
        None if there is nothing.
    str
        What is wrong with the first file that could not be used; empty if there is none.
    """
    runs: dict[str, VideoRun] = {}
    problem = ""
    for i, video in enumerate(project.videos):
        yield Progress(job, "Looking for predictions", i, len(project.videos), -1.0)
        run, why = outside_run(project, video)
        problem = problem or why
        if run is not None:
            runs[video.name] = run
    return (ImportedPredictions(runs, project.skeleton.n_bodyparts) if runs else None), problem
