"""One ranking of the loop: from the pool to the queue."""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition import Requires, ScoreContext, Strategy, strategies
from napari_al_pose.acquisition.selection import diverse_batch, random_batch, select_batch
from napari_al_pose.domain import AlPoseError, FrameKey, FrameRole, FrameSource, Prediction, Suggestion
from napari_al_pose.engine.features import FeatureCache
from napari_al_pose.engine.messages import Progress, Ranked
from napari_al_pose.engine.pool import Pool, PoolOutput, build_pool, predict_frames
from napari_al_pose.pose import PoseModel
from napari_al_pose.project import Project

log = logging.getLogger(__name__)

DIVERSE = "diverse"
RANDOM = "random"
MAX_HOLDOUT = 40


@dataclass(frozen=True, slots=True)
class Ranking:
    """What is asked for.

    Parameters
    ----------
    strategy : str
        Name of an acquisition strategy; without a model a diverse first batch is built instead.
    size : int
        Frames in the queue.
    holdout_share : float
        Share of them drawn at random to measure on.
    seed : int
    """

    strategy: str
    size: int
    holdout_share: float
    seed: int


def rank(
    project: Project,
    sources: dict[str, FrameSource],
    features: FeatureCache,
    job: int,
    *,
    ranking: Ranking,
    model: PoseModel | None,
    version: int,
) -> Generator[Progress, None, Ranked]:
    """Score the pool and choose the queue.

    Raises
    ------
    AlPoseError
        If the strategy is unknown or no video can be read.
    """
    strategy = _strategy(ranking.strategy)
    if not sources:
        raise AlPoseError("No video of the project can be opened.", "Add a video, or put the files back in place.")
    pool = yield from build_pool(project, sources, features, job)
    holdout = _holdout_frames(project, pool, ranking)
    n_train = max(0, ranking.size - len(holdout))
    if model is None:
        chosen, guesses = _first_batch(pool, holdout, n_train, ranking.seed), ()
    else:
        output = yield from predict_frames(
            model, pool.keys, sources, job, with_scoremaps=Requires.SCOREMAPS in strategy.requires
        )
        project.predictions.save(version, pool.keys, output.xy, output.likelihood)
        yield Progress(job, "Choosing frames", 0, 1, -1.0)
        chosen = _ranked_batch(project, pool, output, strategy, holdout, n_train, ranking.seed, version)
    suggestions = interleave(chosen, [_holdout_suggestion(key, version) for key in holdout])
    if model is not None:
        extra = yield from predict_frames(model, holdout, sources, job, with_scoremaps=False)
        guesses = _guesses(suggestions, version, {**_by_key(pool.keys, output), **_by_key(holdout, extra)})
    return Ranked(job, ranking.strategy, version, tuple(suggestions), guesses)


def interleave(ranked: Sequence[Suggestion], holdout: Sequence[Suggestion]) -> list[Suggestion]:
    """Spread the hold-out frames evenly through the queue, the best frame staying first."""
    queue = list(ranked)
    spacing = len(ranked) / len(holdout) if holdout else 0.0
    for i, suggestion in enumerate(holdout):
        queue.insert(min(len(queue), round((i + 1) * spacing) + i), suggestion)
    return queue


def _strategy(name: str) -> Strategy:
    known = strategies()
    if name not in known:
        raise AlPoseError(f"Unknown strategy {name!r}.", f"Choose one of: {', '.join(sorted(known))}.")
    return known[name]


def _holdout_frames(project: Project, pool: Pool, ranking: Ranking) -> list[FrameKey]:
    """Draw the frames to measure on from all candidates, near-duplicates included, so that the draw is fair."""
    have = sum(annotation.role == FrameRole.HOLDOUT for annotation in project.labels.annotations())
    picks = random_batch(
        pool.candidates,
        min(round(ranking.holdout_share * ranking.size), max(0, MAX_HOLDOUT - have)),
        seed=ranking.seed + len(pool.labelled),
        taken=pool.labelled,
        fps=pool.fps,
        n_frames=pool.n_frames,
    )
    return [pool.candidates[i] for i in picks]


def _first_batch(pool: Pool, holdout: Sequence[FrameKey], n: int, seed: int) -> list[Suggestion]:
    taken = {*pool.labelled, *holdout}
    free = [i for i, key in enumerate(pool.keys) if key not in taken]
    picks = diverse_batch([pool.keys[i] for i in free], pool.features[free], n, seed=seed, fps=pool.fps)
    sentence = "First batch: chosen to cover what the videos look like; no model needed."
    return [Suggestion(pool.keys[free[i]], float("nan"), DIVERSE, sentence=sentence) for i in picks]


def _ranked_batch(
    project: Project,
    pool: Pool,
    output: PoolOutput,
    strategy: Strategy,
    holdout: Sequence[FrameKey],
    n: int,
    seed: int,
    version: int,
) -> list[Suggestion]:
    context = ScoreContext(
        keys=pool.keys,
        skeleton=project.skeleton,
        features=pool.features,
        xy=output.xy,
        likelihood=output.likelihood,
        scoremaps=output.scoremaps,
        labelled_features=pool.labelled_features,
        seed=seed,
    )
    scores = strategy.score(context)
    _log_scores(strategy.name, scores)
    picks = select_batch(
        pool.keys,
        scores,
        pool.features,
        n,
        labelled_keys=[*pool.labelled, *holdout],
        labelled_features=pool.labelled_features,
        fps=pool.fps,
        seed=seed,
    )
    chosen = []
    for i in picks:
        key = pool.keys[i]
        why = strategy.explain(replace(context, grid=output.grids[key.video]), i)
        chosen.append(
            Suggestion(
                key,
                float(scores[i]),
                strategy.name,
                model_version=version,
                reasons=why.reasons,
                sentence=why.sentence,
            )
        )
    return chosen


def _holdout_suggestion(key: FrameKey, version: int) -> Suggestion:
    return Suggestion(
        key,
        float("nan"),
        RANDOM,
        role=FrameRole.HOLDOUT,
        model_version=version,
        sentence="Hold-out: drawn at random and never trained on; it tells how good the model is.",
    )


def _by_key(keys: Sequence[FrameKey], output: PoolOutput) -> dict[FrameKey, tuple[NDArray, NDArray]]:
    return {key: (output.xy[i], output.likelihood[i]) for i, key in enumerate(keys)}


def _guesses(
    suggestions: Sequence[Suggestion], version: int, poses: dict[FrameKey, tuple[NDArray, NDArray]]
) -> tuple[Prediction, ...]:
    return tuple(Prediction(s.key, version, *poses[s.key]) for s in suggestions)


def _log_scores(name: str, scores: NDArray[np.float64]) -> None:
    """Log range and ties: a saturated score would otherwise go unnoticed."""
    finite = scores[np.isfinite(scores)]
    if finite.size == 0:
        log.warning("%s scored no frame", name)
        return
    ties = finite.size - np.unique(np.round(finite, 9)).size
    log.info("%s: %d scores from %.4g to %.4g, %d ties", name, finite.size, finite.min(), finite.max(), ties)
