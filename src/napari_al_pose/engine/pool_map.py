"""Lays the pool out on a plane with a strategy's scores, to show how the strategy samples."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.ordering import key_order
from napari_al_pose.acquisition.strategies.sleap_baselines import principal
from napari_al_pose.acquisition.vectors import unit_rows
from napari_al_pose.domain import AlPoseError, FrameKey, FrameSource
from napari_al_pose.engine.choosing import choose_batch
from napari_al_pose.engine.extras import ExtraCache
from napari_al_pose.engine.features import FeatureCache
from napari_al_pose.engine.frame_groups import group_frames
from napari_al_pose.engine.messages import PoolMapped, Progress
from napari_al_pose.engine.pool import build_pool
from napari_al_pose.engine.ranked_pool import RankedPool, ranked_pool
from napari_al_pose.engine.ranking import find_strategy
from napari_al_pose.engine.ranking_input import ProjectLabels, RankingInput
from napari_al_pose.engine.scoring import score_pool
from napari_al_pose.engine.sources import available
from napari_al_pose.engine.threads import run_in_thread
from napari_al_pose.pose.predictor import Predictor
from napari_al_pose.project import Project

LAYOUTS = ("pca", "tsne")
_TSNE_COMPONENTS = 30
_LEAST_FOR_TSNE = 10


def score_for_map(
    project: Project,
    sources: Mapping[str, FrameSource],
    features: FeatureCache,
    extras: ExtraCache,
    job: int,
    *,
    strategy: str,
    size: int,
    seed: int,
    model: Predictor | None,
    version: int,
) -> Generator[Progress, None, RankedPool]:
    """Score the pool by ``strategy`` and choose the ``size`` frames it would label next; the queue stays as it is.

    Raises
    ------
    AlPoseError
        If the strategy is unknown, or no video can be read.
    """
    wanted = find_strategy(strategy)
    if not sources:
        raise AlPoseError("No video of the project can be opened.", "Add a video, or put the files back in place.")
    pool = yield from build_pool(project, sources, features, job)
    inputs = RankingInput(pool, sources, ProjectLabels(project), model, version, job)
    scoring = yield from score_pool(wanted, inputs, extras, n=size, seed=seed)
    notice = scoring.notice
    if scoring.scores is None and not notice:
        notice = f"{wanted.title} needs a model; a diverse batch takes its place."
    chosen = tuple(frame.key for frame in choose_batch(scoring, pool, size, seed=seed))
    return ranked_pool(strategy, scoring, pool, version=version, chosen=chosen, notice=notice)


def map_pool(
    project: Project,
    sources: Mapping[str, FrameSource],
    features: FeatureCache,
    job: int,
    *,
    ranked: RankedPool,
    layout: str,
) -> Generator[Progress, None, PoolMapped]:
    """Lay a scored pool out on a plane, with the frames chosen and labelled, and group the frames that look alike.

    Raises
    ------
    AlPoseError
        If the layout is unknown.
    """
    check_layout(layout)
    labelled = available(project.labels.labelled_keys(), sources)
    in_pool = set(ranked.keys)
    drawn = [key for key in available(ranked.chosen, sources) if key not in in_pool]
    keys = [*ranked.keys, *drawn]
    vectors = yield from features.fetch([*keys, *labelled], sources, job)
    grouped = yield from group_frames(
        sources,
        features,
        job,
        pool_size=project.settings.pool_size,
        labelled_then=ranked.labelled,
        labelled=labelled,
    )
    vectors = vectors if len(vectors) else np.zeros((0, 1), np.float32)
    message = Progress(job, "Laying out the map", 0, 1, -1.0)
    points = yield from run_in_thread(lambda: lay_out([*keys, *labelled], vectors, layout), message)
    return PoolMapped(
        job,
        ranked.asked,
        ranked.scored_by,
        ranked.version,
        layout,
        tuple(keys),
        points[: len(keys)],
        np.concatenate([ranked.scores, np.full(len(drawn), np.nan)]),
        tuple(labelled),
        points[len(keys) :],
        ranked.chosen,
        grouped.groups,
        np.array([grouped.group_of.get(key, -1) for key in keys], np.int16),
        np.array([grouped.group_of.get(key, -1) for key in labelled], np.int16),
        ranked.notice,
    )


def check_layout(layout: str) -> None:
    """Raise AlPoseError if there is no such layout."""
    if layout not in LAYOUTS:
        raise AlPoseError(f"Unknown layout {layout!r}.", f"Choose one of: {', '.join(LAYOUTS)}.")


def lay_out(keys: Sequence[FrameKey], features: NDArray[np.floating], layout: str) -> NDArray[np.float32]:
    """Return a position on the plane for each row, ``(N, 2)``, each axis from 0 to 1, independent of the row order.

    "pca" plots the first two principal components of the unit features; "tsne" (van der Maaten & Hinton, JMLR 2008)
    neighbourhoods, from the first thirty. Rows with NaN are put where the mean is.
    """
    order = key_order(keys)
    unit = np.nan_to_num(unit_rows(features))[order]
    placed = principal(unit, 2 if layout == "pca" else _TSNE_COMPONENTS)
    if layout == "tsne" and len(placed) >= _LEAST_FOR_TSNE:
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it has no stubs

        perplexity = min(30.0, (len(placed) - 1) / 3)
        with threadpool_limits(1):
            placed = TSNE(2, perplexity=perplexity, init="pca", random_state=0).fit_transform(placed)
    placed = np.pad(placed[:, :2], ((0, 0), (0, max(0, 2 - placed.shape[1]))))
    span = np.ptp(placed, axis=0) if len(placed) else np.ones(2)
    result = np.empty((len(keys), 2), np.float32)
    result[order] = (placed - (placed.min(axis=0) if len(placed) else 0)) / np.where(span > 1e-9, span, 1.0)
    return result
