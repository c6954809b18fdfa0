"""One ranking of the loop: from the pool to the queue."""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition import ScoreContext, Strategy, installed_strategies, traits
from napari_al_pose.acquisition.batches import make_batch
from napari_al_pose.acquisition.ordering import says_nothing
from napari_al_pose.acquisition.selection import diverse_batch, random_batch
from napari_al_pose.acquisition.strategies.kcenter import nearest_labelled
from napari_al_pose.domain import AlPoseError, FrameKey, FrameRole, FrameSource, Prediction, Suggestion
from napari_al_pose.engine.extras import Asked, ExtraCache
from napari_al_pose.engine.features import FeatureCache
from napari_al_pose.engine.labels import known_labels
from napari_al_pose.engine.messages import Progress, Ranked
from napari_al_pose.engine.outside import outside_predictions
from napari_al_pose.engine.pool import Pool, PoolOutput, PredictFrames, build_pool, predict_frames
from napari_al_pose.engine.scoring import Scoring, needs_model, settle
from napari_al_pose.pose.predictor import Predictor
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
        Name of an acquisition strategy.
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
    model: Predictor | None,
    version: int,
    extras: ExtraCache | None = None,
    predict: PredictFrames = predict_frames,
) -> Generator[Progress, None, Ranked]:
    """Score the pool and choose the queue.

    A strategy that lacks something it needs is replaced by the one it names, and the notice says so. Without a model
    another program's predictions take its place where there are any; else it is a diverse batch. ``extras`` keeps what
    strategies ask for from one ranking to the next.

    Raises
    ------
    AlPoseError
        If the strategy is unknown or no video can be read.
    """
    strategy = find_strategy(ranking.strategy)
    if not sources:
        raise AlPoseError("No video of the project can be opened.", "Add a video, or put the files back in place.")
    pool = yield from build_pool(project, sources, features, job)
    holdout = _holdout_frames(project, pool, ranking)
    n_train = max(0, ranking.size - len(holdout))
    outside, problem = (None, "") if model is not None else (yield from outside_predictions(project, job))
    covered = pool if outside is None or not needs_model(strategy) else outside.covered(pool)
    pool, usable = (covered, outside) if covered.keys else (pool, None)
    asked = Asked(project, pool, sources, model, version, job, predict, usable)
    scoring = yield from settle(strategy, asked, extras or ExtraCache(), batch_size=n_train, seed=ranking.seed)
    output, notice = scoring.output, scoring.notice
    if model is not None and output is not None:
        _keep(project, version, pool.keys, output)
    yield Progress(job, "Choosing frames", 0, 1, -1.0)
    scores = np.empty(0)
    if scoring.strategy is not None and scoring.context is not None:
        scores = scoring.strategy.score(scoring.context)
        notice = f"{notice} {_check_scores(scoring.strategy, scores)}".strip()
        if output is not None and outside is not None:
            notice = f"{outside.sentence} {notice}".strip()
    notice = f"{notice} {problem}".strip()
    n_drawn = 0 if scoring.strategy is None else traits(scoring.strategy).n_drawn(n_train)
    chosen = choose(scoring, scores, pool, holdout, n_train - n_drawn, ranking.seed, version)
    explored = _explored_frames(pool, [*holdout, *(s.key for s in chosen)], n_drawn, ranking.seed)
    to_learn = interleave(chosen, [_explored_suggestion(key, version) for key in explored])
    suggestions = interleave(to_learn, [_holdout_suggestion(key, version) for key in holdout])
    guesses: tuple[Prediction, ...] = ()
    if model is not None and output is not None:
        drawn = [*explored, *holdout]
        extra = yield from predict_frames(model, drawn, sources, job, with_scoremaps=False)
        guesses = _guesses(suggestions, version, {**_by_key(pool.keys, output), **_by_key(drawn, extra)})
    elif outside is not None:
        said = (outside.prediction(suggestion.key) for suggestion in suggestions)
        guesses = tuple(prediction for prediction in said if prediction is not None)
    return Ranked(job, ranking.strategy, version, tuple(suggestions), guesses, notice)


def choose(
    scoring: Scoring,
    scores: NDArray[np.float64],
    pool: Pool,
    holdout: Sequence[FrameKey],
    n: int,
    seed: int,
    version: int,
) -> list[Suggestion]:
    """Return the ``n`` frames to label, with reasons; none of ``holdout``. Diverse ones where nothing could score."""
    if scoring.strategy is None or scoring.context is None:
        return _diverse(pool, holdout, n, seed, version)
    return _scored(scoring.strategy, scoring.context, scores, pool, holdout, n, version)


def interleave(ranked: Sequence[Suggestion], drawn: Sequence[Suggestion]) -> list[Suggestion]:
    """Spread the frames that were drawn evenly through the queue, the best frame staying first."""
    queue = list(ranked)
    spacing = len(ranked) / len(drawn) if drawn else 0.0
    for i, suggestion in enumerate(drawn):
        queue.insert(min(len(queue), max(1, round((i + 1) * spacing)) + i), suggestion)
    return queue


def find_strategy(name: str) -> Strategy:
    """Return the strategy of that name; AlPoseError if there is none."""
    known = installed_strategies()
    if name not in known:
        raise AlPoseError(f"Unknown strategy {name!r}.", f"Choose one of: {', '.join(sorted(known))}.")
    return known[name]


def _holdout_frames(project: Project, pool: Pool, ranking: Ranking) -> list[FrameKey]:
    """Draw the frames to measure on from all candidates, near-duplicates included, so that the draw is fair."""
    have = sum(annotation.role == FrameRole.HOLDOUT for annotation in known_labels(project))
    picks = random_batch(
        pool.candidates,
        min(round(ranking.holdout_share * ranking.size), max(0, MAX_HOLDOUT - have)),
        seed=ranking.seed + len(pool.labelled),
        taken=pool.labelled,
        fps=pool.fps,
        n_frames=pool.n_frames,
    )
    return [pool.candidates[i] for i in picks]


def _explored_frames(pool: Pool, taken: Sequence[FrameKey], n: int, seed: int) -> list[FrameKey]:
    """Draw the frames to learn from that no score has chosen."""
    picks = random_batch(
        pool.candidates, n, seed=seed, taken=[*pool.labelled, *taken], fps=pool.fps, n_frames=pool.n_frames
    )
    return [pool.candidates[i] for i in picks]


def _diverse(pool: Pool, holdout: Sequence[FrameKey], n: int, seed: int, version: int) -> list[Suggestion]:
    picks = diverse_batch(
        pool.keys, pool.features, n, seed=seed, fps=pool.fps, labelled_keys=[*pool.labelled, *holdout]
    )
    sentence = "Chosen to cover what the videos look like; no model needed."
    return [Suggestion(pool.keys[i], float("nan"), DIVERSE, model_version=version, sentence=sentence) for i in picks]


def _scored(
    strategy: Strategy,
    context: ScoreContext,
    scores: NDArray[np.float64],
    pool: Pool,
    holdout: Sequence[FrameKey],
    n: int,
    version: int,
) -> list[Suggestion]:
    picks = make_batch(
        strategy,
        pool.keys,
        scores,
        pool.features,
        n,
        labelled_keys=[*pool.labelled, *holdout],
        labelled_features=pool.labelled_features,
        fps=pool.fps,
        seed=context.seed,
    )
    return [_suggestion(strategy, context, i, scores[i], version) for i in picks]


def _suggestion(strategy: Strategy, context: ScoreContext, index: int, score: float, version: int) -> Suggestion:
    why = strategy.explain(context, index)
    sentence = why.sentence
    nearest = nearest_labelled(context, index)
    if nearest is not None:
        sentence += f"; of labelled frames most like {nearest.frame}"
        sentence += "" if nearest.video == context.keys[index].video else f" of {nearest.video}"
    return Suggestion(
        context.keys[index],
        float(score),
        strategy.name,
        model_version=version,
        reasons=why.reasons,
        sentence=sentence,
    )


def _explored_suggestion(key: FrameKey, version: int) -> Suggestion:
    return Suggestion(
        key,
        float("nan"),
        RANDOM,
        model_version=version,
        sentence="Drawn evenly from the videos: a part of every queue shows them as they are, whatever the scores say.",
    )


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


def _keep(project: Project, version: int, keys: Sequence[FrameKey], output: PoolOutput) -> None:
    """Store what the model said, beside what it said of frames that have left the pool since by being labelled."""
    said = {key: (p.xy, p.likelihood) for key, p in project.predictions.load(version).items()}
    said |= _by_key(keys, output)
    xy, likelihood = (np.stack(column) for column in zip(*said.values(), strict=True))
    project.predictions.save(version, list(said), xy, likelihood)


def _check_scores(strategy: Strategy, scores: NDArray[np.float64]) -> str:
    """Log range and ties, since a saturated score would otherwise go unnoticed; say so if no frame stands out."""
    finite = scores[np.isfinite(scores)]
    if says_nothing(scores):
        return f"{strategy.title} gives all frames the same score: they are drawn at random instead."
    ties = finite.size - np.unique(np.round(finite, 9)).size
    low, high = (f"{value:.4g}" for value in (finite.min(), finite.max()))
    log.info("%s: %s scores from %s to %s, %s ties", strategy.name, finite.size, low, high, ties)
    return ""
