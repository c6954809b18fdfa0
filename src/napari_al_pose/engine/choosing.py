"""Turns scores into a batch: the best frames to label, and some drawn evenly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from napari_al_pose.acquisition import traits
from napari_al_pose.acquisition.batches import BatchRequest, make_batch
from napari_al_pose.acquisition.selection import diverse_batch, random_batch
from napari_al_pose.domain import FrameKey
from napari_al_pose.engine.pool import Pool
from napari_al_pose.engine.scoring import Scoring

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ChosenFrame:
    """A frame of a batch.

    Parameters
    ----------
    key : FrameKey
    row : int or None
        Its row in the scored pool; None if it was drawn from all candidates.
    """

    key: FrameKey
    row: int | None


def choose_batch(
    scoring: Scoring, pool: Pool, n: int, *, seed: int, taken: Sequence[FrameKey] = ()
) -> list[ChosenFrame]:
    """Choose the next ``n`` frames to label, in the order in which to label them.

    The strategy that scored says how its scores become a batch, and which share is drawn evenly from the videos instead
    (`napari_al_pose.acquisition.Traits`). Without scores, the batch is a diverse one.

    Parameters
    ----------
    scoring : Scoring
        Scores of the pool, or none.
    pool : Pool
        The frames that were scored.
    n : int
        Frames wanted.
    seed : int
        For clusters and draws.
    taken : sequence of FrameKey
        Frames with another use. They are not chosen, nor are frames near them in time.

    Returns
    -------
    list of ChosenFrame
        ``n`` of them, or fewer if the pool has no more.
    """
    n_drawn = 0 if scoring.scores is None else traits(scoring.scores.strategy).n_drawn(n)
    request = BatchRequest(
        keys=pool.keys,
        features=pool.features,
        n=n - n_drawn,
        labelled_keys=(*pool.labelled, *taken),
        labelled_features=pool.labelled_features,
        fps=pool.fps,
        seed=seed,
    )
    if scoring.scores is None:
        rows = diverse_batch(
            pool.keys, pool.features, request.n, seed=seed, fps=pool.fps, labelled_keys=request.labelled_keys
        )
    else:
        rows = make_batch(scoring.scores.strategy, scoring.scores.values, request)
    chosen = [ChosenFrame(pool.keys[row], row) for row in rows]
    drawn = draw_evenly(pool, n_drawn, seed=seed, taken=[*taken, *(frame.key for frame in chosen)])
    return interleave(chosen, drawn)


def draw_evenly(pool: Pool, n: int, *, seed: int, taken: Sequence[FrameKey] = ()) -> list[ChosenFrame]:
    """Draw frames from all candidates, near-duplicates included, so that they represent the videos."""
    rows = random_batch(
        pool.candidates, n, seed=seed, taken=[*pool.labelled, *taken], fps=pool.fps, n_frames=pool.n_frames
    )
    return [ChosenFrame(pool.candidates[row], None) for row in rows]


def interleave(ranked: Sequence[T], drawn: Sequence[T]) -> list[T]:
    """Spread the drawn frames evenly among the ranked ones; the best stays first."""
    queue = list(ranked)
    spacing = len(ranked) / len(drawn) if drawn else 0.0
    for i, item in enumerate(drawn):
        queue.insert(min(len(queue), max(1, round((i + 1) * spacing)) + i), item)
    return queue
