"""From what is asked for to what can be done: a strategy with all it needs, or the one that takes its place."""

from __future__ import annotations

import logging
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from napari_al_pose.acquisition import Extra, Requires, ScoreContext, Strategy, installed_strategies, traits
from napari_al_pose.engine.extras import OF_NO_MODEL, Asked, ExtraCache, Extras
from napari_al_pose.engine.labels import known_labels
from napari_al_pose.engine.messages import Progress
from napari_al_pose.engine.pool import PoolOutput
from napari_al_pose.engine.reliability import measured_reliability

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Scoring:
    """What to score the pool with.

    Parameters
    ----------
    strategy : Strategy or None
        None where only a diverse batch can be had.
    context : ScoreContext or None
        All that the strategy needs.
    output : PoolOutput or None
        What the model said, if there is one.
    notice : str
        Says, in a sentence, what takes the place of what was asked for and why; empty if nothing does.
    """

    strategy: Strategy | None
    context: ScoreContext | None
    output: PoolOutput | None
    notice: str = ""


def settle(
    strategy: Strategy, asked: Asked, extras: ExtraCache, *, batch_size: int, seed: int
) -> Generator[Progress, None, Scoring]:
    """Find the first of the strategy and those that may take its place that has all it needs."""
    known = installed_strategies()
    if asked.model is None and asked.outside is None and needs_model(strategy):
        return Scoring(None, None, None)  # that is how every project begins, and nothing to remark on
    first, reasons, tried = strategy, list[str](), set[str]()
    output: PoolOutput | None = None
    while strategy.name not in tried:
        tried.add(strategy.name)
        reason = _lack(strategy, asked)
        found = Extras()
        if not reason:
            output = yield from _look(output, strategy, asked)
            own = traits(strategy)
            found = yield from extras.fetch(own.needs | own.wants, asked)
            reason = next((why for name, why in found.missing.items() if name in own.needs), "")
        context = _context(asked, output, found, batch_size, seed)
        if not reason and Requires.SCOREMAPS in strategy.requires & ~context.available:
            reason = "the model gives no scoremaps"
        if not reason:
            notice = "" if strategy is first else f"{_sentence(first, reasons)}: {strategy.title} takes its place."
            return Scoring(strategy, context, output, notice)
        log.info("%s can't be used: %s", strategy.name, reason)
        reasons.append(reason)
        strategy = known.get(traits(strategy).fallback, strategy)
    return Scoring(None, None, output, f"{_sentence(first, reasons)}: a diverse batch takes its place.")


def _sentence(first: Strategy, reasons: list[str]) -> str:
    return f"{first.title} can't be used, since {reasons[0]}"


def needs_model(strategy: Strategy) -> bool:
    """Whether the strategy goes by what a model says."""
    of_a_model = Requires.PREDICTIONS | Requires.SCOREMAPS
    return bool(strategy.requires & of_a_model) or bool(traits(strategy).needs - OF_NO_MODEL)


def _lack(strategy: Strategy, asked: Asked) -> str:
    """Say what the strategy lacks that no computing gives; empty if nothing."""
    n_labelled = sum(annotation.is_complete for annotation in known_labels(asked.project))
    fewest = max(traits(strategy).fewest_labels, 1 if Requires.LABELS in strategy.requires else 0)
    if n_labelled < fewest:
        return f"it needs {fewest} complete {'frame' if fewest == 1 else 'frames'} and there are {n_labelled}"
    if asked.model is not None or not needs_model(strategy):
        return ""
    if asked.outside is None:
        return "there is no model yet"
    # Another program's predictions are positions and likelihoods, nothing more.
    beyond = traits(strategy).needs - OF_NO_MODEL - {Extra.NEIGHBOUR_XY}
    if Requires.SCOREMAPS in strategy.requires or beyond:
        return "it looks inside a model, and there is none yet"
    return ""


def _look(output: PoolOutput | None, strategy: Strategy, asked: Asked) -> Generator[Progress, None, PoolOutput | None]:
    """Return what the model says of the pool, scoremaps too if the strategy has a use for them."""
    with_scoremaps = Requires.SCOREMAPS in (strategy.requires | traits(strategy).uses)
    if asked.model is None:
        return None if asked.outside is None else asked.outside.look(asked.pool.keys)
    if output is not None and (output.scoremaps is not None or not with_scoremaps):
        return output
    return (
        yield from asked.predict(asked.model, asked.pool.keys, asked.sources, asked.job, with_scoremaps=with_scoremaps)
    )


def _context(asked: Asked, output: PoolOutput | None, extras: Extras, batch_size: int, seed: int) -> ScoreContext:
    pool, project = asked.pool, asked.project
    poses = [a.xy for a in known_labels(project) if a.is_complete]
    return ScoreContext(
        keys=pool.keys,
        skeleton=project.skeleton,
        features=pool.features,
        xy=None if output is None else output.xy,
        likelihood=None if output is None else output.likelihood,
        scoremaps=None if output is None else output.scoremaps,
        grids={} if output is None else dict(zip(pool.keys, output.grids, strict=False)),
        labelled_features=pool.labelled_features,
        labelled_keys=pool.labelled,
        labelled_xy=np.stack(poses) if poses else None,
        extra=dict(extras.arrays),
        reliability=measured_reliability(project),
        batch_size=max(1, batch_size),
        n_frames=pool.n_frames,
        seed=seed,
    )
