"""Ranks the pool and builds the queue."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from napari_al_pose.acquisition import Strategy, installed_strategies
from napari_al_pose.acquisition.ordering import says_nothing
from napari_al_pose.acquisition.strategies.kcenter import nearest_labelled
from napari_al_pose.domain import AlPoseError, FrameKey, FrameRole, FrameSource, Prediction, Suggestion
from napari_al_pose.engine.animal_scoring import PoolScores
from napari_al_pose.engine.choosing import ChosenFrame, choose_batch, draw_evenly, interleave
from napari_al_pose.engine.extras import ExtraCache
from napari_al_pose.engine.features import FeatureCache
from napari_al_pose.engine.imported_predictions import ImportedPredictions, read_imported_predictions
from napari_al_pose.engine.labels import known_labels
from napari_al_pose.engine.messages import Progress, Ranked
from napari_al_pose.engine.pool import Pool, PoolOutput, PredictFrames, build_pool, predict_frames
from napari_al_pose.engine.ranked_pool import RankedPool, ranked_pool
from napari_al_pose.engine.ranking_input import ProjectLabels, RankingInput
from napari_al_pose.engine.scoring import Scoring, needs_model, score_pool
from napari_al_pose.engine.sources import available
from napari_al_pose.pose.predictor import Predictor
from napari_al_pose.project import Project

log = logging.getLogger(__name__)

MOST_UNFINISHED = 200
"""Frames that were begun and get guesses of each new model, so that a ranking takes seconds."""

DIVERSE = "diverse"
RANDOM = "random"
MAX_HOLDOUT = 40


@dataclass(frozen=True, slots=True)
class RankingRequest:
    """The queue to build.

    Parameters
    ----------
    strategy : str
        Name of an acquisition strategy.
    size : int
        Frames in the queue.
    holdout_share : float
        Share of the frames that is drawn at random to measure on.
    seed : int
    """

    strategy: str
    size: int
    holdout_share: float
    seed: int


def rank(
    project: Project,
    sources: Mapping[str, FrameSource],
    features: FeatureCache,
    job: int,
    *,
    request: RankingRequest,
    model: Predictor | None,
    version: int,
    extras: ExtraCache | None = None,
    predict: PredictFrames = predict_frames,
    keep: Callable[[RankedPool], None] = lambda _ranked: None,
) -> Generator[Progress, None, Ranked]:
    """Score the pool and choose the queue.

    A strategy that lacks something it needs is replaced by the one it names, and the notice says so. Without a model,
    another program's predictions are used if there are any; otherwise the batch is a diverse one. ``extras`` keeps what
    strategies request from one ranking to the next, and ``keep`` is given the scored pool.

    Raises
    ------
    AlPoseError
        If the strategy is unknown or no video can be read.
    """
    strategy = find_strategy(request.strategy)
    if not sources:
        raise AlPoseError("No video of the project can be opened.", "Add a video, or put the files back in place.")
    pool = yield from build_pool(project, sources, features, job)
    holdout = _holdout_frames(project, pool, request)
    n = max(0, request.size - len(holdout))
    imported, problem = (None, "") if model is not None else (yield from read_imported_predictions(project, job))
    covered = pool if imported is None or not needs_model(strategy) else imported.covered(pool)
    pool, usable = (covered, imported) if covered.keys else (pool, None)
    inputs = RankingInput(pool, sources, ProjectLabels(project), model, version, job, predict, usable)
    scoring = yield from score_pool(strategy, inputs, extras or ExtraCache(), n=n, seed=request.seed)
    batch = choose_batch(scoring, pool, n, seed=request.seed, taken=holdout)
    to_learn = [_suggestion(scoring, frame, version) for frame in batch]
    suggestions = interleave(to_learn, [_holdout_suggestion(key, version) for key in holdout])
    output = scoring.output
    guesses: tuple[Prediction, ...] = ()
    if model is not None and output is not None:
        drawn = [*(frame.key for frame in batch if frame.row is None), *holdout]
        unfinished = _unfinished(project, sources)
        rest = yield from predict_frames(model, [*drawn, *unfinished], sources, job, with_scoremaps=False)
        predicted = {**_by_key(pool.keys, version, output), **_by_key([*drawn, *unfinished], version, rest)}
        _keep(project, version, {key: predicted[key] for key in (*pool.keys, *unfinished)})
        guesses = tuple(predicted[suggestion.key] for suggestion in suggestions)
    elif imported is not None:
        found = (imported.prediction(suggestion.key) for suggestion in suggestions)
        guesses = tuple(prediction for prediction in found if prediction is not None)
    notice, why_empty = (_notice(scoring, imported, problem), "") if suggestions else ("", _why_empty(pool))
    queued = tuple(suggestion.key for suggestion in suggestions)
    keep(ranked_pool(request.strategy, scoring, pool, version=version, chosen=queued, notice=notice or why_empty))
    return Ranked(job, request.strategy, version, tuple(suggestions), guesses, notice, why_empty)


def _why_empty(pool: Pool) -> str:
    """Explain why no frame was chosen."""
    if len(pool.labelled) >= sum(pool.n_frames.values()):
        return f"There is nothing to choose: all {len(pool.labelled):,} frames are labelled. Add a video."
    if not pool.candidates:
        return "There is nothing to choose: the unlabelled frames are blank, damaged, or repeat others. Add a video."
    return "There is nothing to choose: the unlabelled frames look like labelled ones. Add a video."


def _notice(scoring: Scoring, imported: ImportedPredictions | None, problem: str) -> str:
    """Return what the user should know about a ranking, in whole sentences."""
    sentences = [scoring.notice, problem]
    if scoring.scores is not None:
        sentences.insert(1, _check_scores(scoring.scores))
        if imported is not None and scoring.output is not None:
            sentences.insert(0, imported.sentence)
    return " ".join(sentence for sentence in sentences if sentence)


def find_strategy(name: str) -> Strategy:
    """Return the strategy of that name; raise AlPoseError if there is none."""
    known = installed_strategies()
    if name not in known:
        raise AlPoseError(f"Unknown strategy {name!r}.", f"Choose one of: {', '.join(sorted(known))}.")
    return known[name]


def _holdout_frames(project: Project, pool: Pool, request: RankingRequest) -> list[FrameKey]:
    """Draw the hold-out frames from all candidates, near-duplicates included, so that the draw is fair.

    Where fewer candidates are left than the queue has room for, the share is one of those: a queue of test frames alone
    would leave nothing to train on.
    """
    have = len({annotation.key for annotation in known_labels(project) if annotation.role == FrameRole.HOLDOUT})
    n_left = len(set(pool.candidates).difference(pool.labelled))
    wanted = min(round(request.holdout_share * min(request.size, n_left)), max(0, MAX_HOLDOUT - have))
    return [frame.key for frame in draw_evenly(pool, wanted, seed=request.seed + len(pool.labelled))]


def _suggestion(scoring: Scoring, frame: ChosenFrame, version: int) -> Suggestion:
    """Return a chosen frame with the reason for it."""
    if frame.row is None:
        sentence = "Drawn evenly from the videos, whatever the score. Every queue has some of these."
        return Suggestion(frame.key, float("nan"), RANDOM, model_version=version, sentence=sentence)
    if scoring.scores is None:
        sentence = "Chosen to cover the different looks in your videos; no model needed."
        return Suggestion(frame.key, float("nan"), DIVERSE, model_version=version, sentence=sentence)
    strategy, context = scoring.scores.strategy, scoring.scores.context
    why = strategy.explain(context, frame.row)
    sentence = why.sentence
    nearest = nearest_labelled(context, frame.row)
    if nearest is not None:
        sentence += f"; the labelled frame most like it is {nearest.frame}"
        sentence += "" if nearest.video == frame.key.video else f" of {nearest.video}"
    return Suggestion(
        frame.key,
        float(scoring.scores.values[frame.row]),
        strategy.name,
        model_version=version,
        reasons=why.reasons,
        sentence=sentence,
    )


def _holdout_suggestion(key: FrameKey, version: int) -> Suggestion:
    return Suggestion(
        key,
        float("nan"),
        RANDOM,
        role=FrameRole.HOLDOUT,
        model_version=version,
        sentence="Test frame: drawn at random to measure the error, never used for training.",
    )


def _by_key(keys: Sequence[FrameKey], version: int, output: PoolOutput) -> dict[FrameKey, Prediction]:
    return {key: output.prediction(i, key, version) for i, key in enumerate(keys)}


def _unfinished(project: Project, sources: Mapping[str, FrameSource]) -> list[FrameKey]:
    """Return the frames that were begun and not finished: their guesses can fill them when labels are exported."""
    return available(sorted({a.key for a in known_labels(project) if not a.is_complete}), sources)[:MOST_UNFINISHED]


def _keep(project: Project, version: int, predictions: dict[FrameKey, Prediction]) -> None:
    """Store the model's predictions, keeping those of frames that left the pool because they were labelled."""
    if predictions:
        shape = _shape(next(iter(predictions.values())))
        kept = {key: p for key, p in project.predictions.load(version).items() if _shape(p) == shape}
        project.predictions.save_predictions(version, list({**kept, **predictions}.values()))


def _shape(prediction: Prediction) -> tuple[object, ...]:
    """Return what predictions that are stored together agree in."""
    several = None if prediction.animals_xy is None else prediction.animals_xy.shape
    return prediction.xy.shape, several, None if prediction.unique_xy is None else prediction.unique_xy.shape


def _check_scores(scores: PoolScores) -> str:
    """Log range and ties, since a saturated score would go unnoticed; return a notice if no frame stands out."""
    strategy, values = scores.strategy, scores.values
    if says_nothing(values):
        return f"{strategy.title} gives all frames the same score: they are drawn at random instead."
    finite = values[np.isfinite(values)]
    ties = finite.size - np.unique(np.round(finite, 9)).size
    low, high = (f"{value:.4g}" for value in (finite.min(), finite.max()))
    log.info("%s: %s scores from %s to %s, %s ties", strategy.name, finite.size, low, high, ties)
    return ""
