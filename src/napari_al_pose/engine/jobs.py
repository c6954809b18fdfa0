"""Maps each kind of `Job` to the generator that does it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from napari_al_pose.engine.adopting import adopt
from napari_al_pose.engine.loop import ActiveLearningLoop
from napari_al_pose.engine.messages import (
    Adopt,
    Adopted,
    Check,
    Export,
    Job,
    MapPool,
    Progress,
    Rank,
    Reply,
    Train,
)
from napari_al_pose.project import Project

Replies = Generator[Reply, None, None]


@dataclass(frozen=True, slots=True)
class JobContext:
    """What a job works with.

    Parameters
    ----------
    loop : ActiveLearningLoop
        With the newest model and all videos.
    project : Project
        Read-only.
    should_stop : callable
        Returns whether to end now and keep what was learnt.
    """

    loop: ActiveLearningLoop
    project: Project
    should_stop: Callable[[], bool]


def start(context: JobContext, request: Job) -> Replies:
    """Return the work for ``request``: a generator of replies that can be closed between any two of them."""
    return JOBS[type(request)](context, request)


def _train(context: JobContext, request: Train) -> Replies:
    yield from context.loop.train(context.project, request.job, should_stop=context.should_stop)
    yield from _ranked(context, request.job, context.project.settings.strategy)


def _adopt(context: JobContext, request: Adopt) -> Replies:
    loop, project = context.loop, context.project
    yield Progress(request.job, "Reading the model", 0, 1, -1.0)
    network = adopt(project, Path(request.path), device=loop.device, chosen=request.chosen)
    loop.refresh(project)
    yield Adopted(request.job, loop.version, network)
    yield from _ranked(context, request.job, project.settings.strategy)


def _rank(context: JobContext, request: Rank) -> Replies:
    yield from _ranked(context, request.job, request.strategy)


def _map_pool(context: JobContext, request: MapPool) -> Replies:
    mapping = context.loop.map_pool(context.project, request.job, strategy=request.strategy, layout=request.layout)
    yield (yield from mapping)


def _export(context: JobContext, request: Export) -> Replies:
    yield (yield from context.loop.export(context.project, request.videos, request.options, request.job))


def _check(context: JobContext, request: Check) -> Replies:
    yield (yield from context.loop.check_labels(context.project, request.job))


def _ranked(context: JobContext, job: int, strategy: str) -> Replies:
    """Rank the queue, save it, and yield it; then the map of what was ranked, which costs a second."""
    ranked = yield from context.loop.rank(context.project, job, strategy=strategy)
    problem = context.loop.model_problem
    if problem:
        ranked = replace(ranked, notice=f"{problem} {ranked.notice}".strip())
    context.project.queue.save(ranked.strategy, ranked.model_version, ranked.suggestions)
    yield ranked
    yield (yield from context.loop.map_pool(context.project, job, strategy=strategy))


JOBS: Mapping[type[Job], Callable[[JobContext, Any], Replies]] = {
    Train: _train,
    Rank: _rank,
    Adopt: _adopt,
    MapPool: _map_pool,
    Export: _export,
    Check: _check,
}
"""The generator for each request; a test checks that none is missing."""
