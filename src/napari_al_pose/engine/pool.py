"""The candidate frames, their features, and the model's predictions for them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.duplicate_frames import drop_duplicate_frames
from napari_al_pose.acquisition.pool import choose_pool, drop_near_duplicates
from napari_al_pose.domain import FrameKey, FrameSource, Prediction, ScoremapGrid
from napari_al_pose.engine.features import FeatureCache
from napari_al_pose.engine.messages import Progress
from napari_al_pose.engine.progress import ProgressReporter
from napari_al_pose.engine.sources import available, read_batches
from napari_al_pose.pose.animals import AnimalPoses
from napari_al_pose.pose.predictor import Predictor
from napari_al_pose.project import Project

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """The frames that a queue is chosen from.

    Parameters
    ----------
    candidates : tuple of FrameKey
        Frames spread over all videos, near-duplicates included, for fair random draws. Blank frames and exact
        repetitions of another frame of the video are left out.
    keys : tuple of FrameKey
        The candidates without near-duplicates, which are scored.
    features : float32 array, (len(keys), d)
    labelled : tuple of FrameKey
    labelled_features : float32 array, (len(labelled), d)
    fps, n_frames : mapping
        By video.
    """

    candidates: tuple[FrameKey, ...]
    keys: tuple[FrameKey, ...]
    features: NDArray[np.float32]
    labelled: tuple[FrameKey, ...]
    labelled_features: NDArray[np.float32]
    fps: Mapping[str, float]
    n_frames: Mapping[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class PoolOutput:
    """Predictions for frames; scoremaps of smaller videos are padded with zeros at the bottom and on the right.

    Parameters
    ----------
    xy : float32 array, (N, K, 2)
    likelihood : float32 array, (N, K)
    scoremaps : float16 array, (N, K, h, w), or None
    grids : sequence of ScoremapGrid, N
        Where the cells of each lie; empty if there are no predictions.
    animals : AnimalPoses or None
        All animals of each frame, if the model predicts several; the fields above are then the surest animal's.
    """

    xy: NDArray[np.float32]
    likelihood: NDArray[np.float32]
    scoremaps: NDArray[np.float16] | None
    grids: Sequence[ScoremapGrid]
    animals: AnimalPoses | None = None

    def prediction(self, row: int, key: FrameKey, version: int) -> Prediction:
        """Return what was said of one frame, as the prediction of a model version."""
        unique = None if self.animals is None else self.animals.unique
        beside = None if unique is None else np.column_stack([unique.xy[row], unique.likelihood[row]])
        return Prediction.of_animals(key, version, *self.poses(row), unique=beside)

    def poses(self, row: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return positions and likelihoods of one frame, of all animals if there may be several."""
        if self.animals is None:
            return self.xy[row], self.likelihood[row]
        return self.animals.xy[row], self.animals.likelihood[row]


def build_pool(
    project: Project, sources: Mapping[str, FrameSource], features: FeatureCache, job: int
) -> Generator[Progress, None, Pool]:
    """Choose the candidate frames, and look up or compute their features."""
    labelled = available(project.labels.labelled_keys(), sources)
    fps = {name: source.fps for name, source in sources.items()}
    candidates = choose_pool(sources, project.settings.pool_size, labelled=frozenset(labelled))
    found = yield from features.fetch([*candidates, *labelled], sources, job)
    vectors, labelled_vectors = found[: len(candidates)], found[len(candidates) :]
    seen = np.flatnonzero(np.isfinite(vectors).all(axis=1))
    candidates, vectors = [candidates[i] for i in seen], vectors[seen]
    pictures, of_labelled = (features.pictures(keys, sources) for keys in (candidates, labelled))
    different = drop_duplicate_frames(candidates, pictures, labelled, of_labelled)
    log.info("pool: %s frames, %s different pictures", len(candidates), len(different))
    candidates, vectors = [candidates[i] for i in different], vectors[different]
    kept = drop_near_duplicates(candidates, vectors, fps)
    log.info("pool: %s frames left without near-duplicates", len(kept))
    return Pool(
        candidates=tuple(candidates),
        keys=tuple(candidates[i] for i in kept),
        features=vectors[kept],
        labelled=tuple(labelled),
        labelled_features=labelled_vectors,
        fps=fps,
        n_frames={name: len(source) for name, source in sources.items()},
    )


PredictFrames = Callable[..., Generator[Progress, None, PoolOutput]]
"""Has the signature of `predict_frames`."""


@dataclass(frozen=True, slots=True, eq=False)
class PoolPart:
    """Predictions for some frames of one video.

    Parameters
    ----------
    indices : int64 array, (n,)
        Positions of the frames in the requested list of keys.
    video : str
    xy, likelihood, scoremaps : array
        Of these frames; see `PoolOutput`.
    grids : sequence of ScoremapGrid, n
    animals : AnimalPoses or None
    """

    indices: NDArray[np.int64]
    video: str
    xy: NDArray[np.float32]
    likelihood: NDArray[np.float32]
    scoremaps: NDArray[np.floating] | None
    grids: Sequence[ScoremapGrid]
    animals: AnimalPoses | None = None


def predict_frames(
    model: Predictor, keys: Sequence[FrameKey], sources: Mapping[str, FrameSource], job: int, *, with_scoremaps: bool
) -> Generator[Progress, None, PoolOutput]:
    """Run the model on frames of any of the videos."""

    def parts() -> Iterator[PoolPart]:
        for batch in read_batches(keys, sources, batch_size=4):
            output = model.predict(batch.frames, with_scoremaps=with_scoremaps).moved(batch.origin)
            yield PoolPart(
                batch.indices, batch.video, output.xy, output.likelihood, output.scoremaps, output.grids, output.animals
            )

    return (yield from gather(parts(), len(keys), len(model.bodyparts), job))


def gather(parts: Iterable[PoolPart], n: int, k: int, job: int) -> Generator[Progress, None, PoolOutput]:
    """Join predictions, which arrive in any order, for ``n`` frames with ``k`` bodyparts."""
    xy, likelihood = np.full((n, k, 2), np.nan, np.float32), np.zeros((n, k), np.float32)
    scoremaps: NDArray[np.float16] | None = None
    grids: dict[int, ScoremapGrid] = {}
    animals: dict[int, AnimalPoses] = {}
    reporter = ProgressReporter(job, "Looking at candidate frames", n)
    done = 0
    for part in parts:
        xy[part.indices], likelihood[part.indices] = part.xy, part.likelihood
        grids.update(zip(part.indices.tolist(), part.grids, strict=True))
        if part.animals is not None:
            animals.update((int(index), part.animals.row(i)) for i, index in enumerate(part.indices))
        elif part.scoremaps is not None:
            scoremaps = _roomy(scoremaps, n, part.scoremaps.shape)
            height, width = part.scoremaps.shape[2:]
            scoremaps[part.indices, :, :height, :width] = part.scoremaps
        done += len(part.indices)
        yield from reporter.report(done)
    several = AnimalPoses.joined([animals[index] for index in range(n)]) if animals else None
    if several is not None and several.scoremaps is not None:
        scoremaps = several.scoremaps[:, 0]
    return PoolOutput(xy, likelihood, scoremaps, [grids[index] for index in range(n)], several)


def _roomy(scoremaps: NDArray[np.float16] | None, n: int, shape: tuple[int, ...]) -> NDArray[np.float16]:
    """Return an array that also has room for maps of ``shape``: videos of a project differ in size."""
    _, k, height, width = shape
    if scoremaps is None:
        return np.zeros((n, k, height, width), np.float16)
    old_height, old_width = scoremaps.shape[2:]
    if height <= old_height and width <= old_width:
        return scoremaps
    grown = np.zeros((n, k, max(height, old_height), max(width, old_width)), np.float16)
    grown[:, :, :old_height, :old_width] = scoremaps
    return grown
