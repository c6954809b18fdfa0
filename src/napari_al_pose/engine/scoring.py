"""Scores the pool by the requested strategy, or by one that takes its place."""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition import Extra, Requires, ScoreContext, Strategy, installed_strategies, traits
from napari_al_pose.engine.animal_scoring import PoolScores, score_animals
from napari_al_pose.engine.extras import OF_NO_MODEL, ExtraCache, Extras
from napari_al_pose.engine.messages import Progress
from napari_al_pose.engine.pool import PoolOutput
from napari_al_pose.engine.ranking_input import RankingInput

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Scoring:
    """The result of scoring the pool.

    Parameters
    ----------
    scores : PoolScores or None
        None if no strategy can be used; then only a diverse batch is possible.
    output : PoolOutput or None
        The model's predictions, if they were needed.
    notice : str
        Says what replaces the requested strategy, and why; empty if nothing does.
    """

    scores: PoolScores | None
    output: PoolOutput | None
    notice: str = ""


def score_pool(
    strategy: Strategy,
    inputs: RankingInput,
    extras: ExtraCache,
    *,
    n: int,
    seed: int,
    known: Mapping[str, Strategy] | None = None,
) -> Generator[Progress, None, Scoring]:
    """Score the pool by a strategy or, if that lacks something, by the first fallback that has all it needs.

    Parameters
    ----------
    strategy : Strategy
        The requested one.
    inputs : RankingInput
        The pool, a model and the labels.
    extras : ExtraCache
        Keeps what strategies request beyond predictions and image features.
    n : int
        Frames in the batch, including those drawn.
    seed : int
        For strategies with random draws.
    known : mapping of str to Strategy, optional
        Where fallbacks are looked up; by default all installed strategies.
    """
    known = installed_strategies() if known is None else known
    if inputs.model is None and inputs.imported is None and needs_model(strategy):
        return Scoring(None, None)  # every project begins like that, so there is nothing to report
    first, reasons, tried = strategy, list[str](), set[str]()
    output: PoolOutput | None = None
    if not inputs.pool.keys:  # there is nothing to ask a strategy about
        if inputs.model is not None:
            output = yield from _predictions(None, strategy, inputs)
        return Scoring(None, output)
    while strategy.name not in tried:
        tried.add(strategy.name)
        reason = _lack(strategy, inputs)
        found = Extras()
        if not reason:
            output = yield from _predictions(output, strategy, inputs)
            own = traits(strategy)
            is_slow = inputs.model is not None and inputs.model.is_slow
            found = yield from extras.fetch(own.needs if is_slow else own.needs | own.wants, inputs)
            reason = next((why for name, why in found.missing.items() if name in own.needs), "")
        context = _context(strategy, inputs, output, found, n, seed)
        if not reason and Requires.SCOREMAPS in strategy.requires & ~context.available:
            reason = "the model gives no scoremaps"
        if not reason:
            notice = "" if strategy is first else f"{_sentence(first, reasons)}: {strategy.title} takes its place."
            yield Progress(inputs.job, "Choosing frames", 0, 1, -1.0)
            return Scoring(score_animals(strategy, context, output), output, notice)
        log.info("%s can't be used: %s", strategy.name, reason)
        reasons.append(reason)
        strategy = known.get(traits(strategy).fallback, strategy)
    return Scoring(None, output, f"{_sentence(first, reasons)}: a diverse batch takes its place.")


def _sentence(first: Strategy, reasons: list[str]) -> str:
    return f"{first.title} can't be used, since {reasons[0]}"


def needs_model(strategy: Strategy) -> bool:
    """Return whether the strategy needs a model's predictions."""
    of_a_model = Requires.PREDICTIONS | Requires.SCOREMAPS
    return bool(strategy.requires & of_a_model) or bool(traits(strategy).needs - OF_NO_MODEL)


def _lack(strategy: Strategy, inputs: RankingInput) -> str:
    """Return what the strategy lacks and can't get; empty if nothing."""
    n_labelled = len({annotation.key for annotation in inputs.labels.annotations() if annotation.is_complete})
    fewest = max(traits(strategy).fewest_labels, 1 if Requires.LABELS in strategy.requires else 0)
    if n_labelled < fewest:
        return f"it needs {fewest} complete {'frame' if fewest == 1 else 'frames'} and there are {n_labelled}"
    if inputs.model is not None or not needs_model(strategy):
        return ""
    if inputs.imported is None:
        return "there is no model yet"
    # Another program's predictions are only positions and likelihoods.
    beyond = traits(strategy).needs - OF_NO_MODEL - {Extra.NEIGHBOUR_XY}
    if Requires.SCOREMAPS in strategy.requires or beyond:
        return "it needs to look inside a model, and there is none yet"
    return ""


def _predictions(
    output: PoolOutput | None, strategy: Strategy, inputs: RankingInput
) -> Generator[Progress, None, PoolOutput | None]:
    """Return the predictions for the pool, with scoremaps if the strategy uses them."""
    with_scoremaps = Requires.SCOREMAPS in (strategy.requires | traits(strategy).uses)
    keys = inputs.pool.keys
    if inputs.model is None:
        return None if inputs.imported is None else inputs.imported.look(keys)
    if output is not None and (output.scoremaps is not None or not with_scoremaps):
        return output
    return (yield from inputs.predict(inputs.model, keys, inputs.sources, inputs.job, with_scoremaps=with_scoremaps))


def _animals(output: PoolOutput | None) -> dict[Extra, NDArray[np.floating]]:
    """Return the extra arrays that come with the predictions of a model of several animals."""
    if output is None or output.animals is None:
        return {}
    return {Extra.ANIMALS_XY: output.animals.xy, Extra.ANIMAL_SCORES: output.animals.score}


def _context(
    strategy: Strategy, inputs: RankingInput, output: PoolOutput | None, extras: Extras, n: int, seed: int
) -> ScoreContext:
    pool, labels = inputs.pool, inputs.labels
    poses = [a.xy for a in labels.annotations() if a.is_complete]
    return ScoreContext(
        keys=pool.keys,
        skeleton=labels.skeleton,
        features=pool.features,
        xy=None if output is None else output.xy,
        likelihood=None if output is None else output.likelihood,
        scoremaps=None if output is None else output.scoremaps,
        grids={} if output is None else dict(zip(pool.keys, output.grids, strict=False)),
        labelled_features=pool.labelled_features,
        labelled_keys=pool.labelled,
        labelled_xy=np.stack(poses) if poses else None,
        extra=dict(extras.arrays) | _animals(output),
        reliability=labels.reliability(),
        batch_size=max(1, n - traits(strategy).n_drawn(n)),
        n_frames=pool.n_frames,
        seed=seed,
    )
