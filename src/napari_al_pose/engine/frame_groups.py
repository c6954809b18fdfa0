"""Groups the candidate frames by what they look like, and estimates how much of the videos each group stands for."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.clusters import kmeans
from napari_al_pose.acquisition.ordering import key_order
from napari_al_pose.acquisition.pool import choose_pool
from napari_al_pose.acquisition.strategies.sleap_baselines import principal
from napari_al_pose.acquisition.vectors import unit_rows
from napari_al_pose.domain import FrameKey, FrameSource
from napari_al_pose.domain.frame_groups import FrameGroup
from napari_al_pose.engine.features import FeatureCache
from napari_al_pose.engine.messages import Progress
from napari_al_pose.engine.threads import run_in_thread

MOST_GROUPS, FRAMES_A_GROUP = 16, 12
"""Groups at most, and how many candidate frames there are for each at least."""
_COMPONENTS = 30
_TYPICAL = 6
_APART_SECONDS = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class GroupedFrames:
    """Groups, and which frame is in which.

    Parameters
    ----------
    groups : tuple of FrameGroup
    group_of : dict of FrameKey to int
        Of candidate and labelled frames; blank ones are in none.
    """

    groups: tuple[FrameGroup, ...]
    group_of: Mapping[FrameKey, int]


def group_frames(
    sources: Mapping[str, FrameSource],
    features: FeatureCache,
    job: int,
    *,
    pool_size: int,
    labelled_then: Sequence[FrameKey],
    labelled: Sequence[FrameKey],
) -> Generator[Progress, None, GroupedFrames]:
    """Group all candidate frames, including near-duplicates and repeated pictures, which show how common a look is.

    Parameters
    ----------
    sources : mapping of str to FrameSource
        By the video's name.
    features : FeatureCache
        Knows the candidates' features from the ranking.
    job : int
        For the progress.
    pool_size : int
        As in the settings.
    labelled_then, labelled : sequence of FrameKey
        The frames that were labelled when the pool was chosen, and those that are now.
    """
    candidates = choose_pool(sources, pool_size, labelled=frozenset(labelled_then))
    keys = [*candidates, *(key for key in labelled if key not in set(candidates))]
    vectors = yield from features.fetch(keys, sources, job)
    lengths = {name: len(source) for name, source in sources.items()}
    fps = {name: source.fps for name, source in sources.items()}
    message = Progress(job, "Grouping frames that look alike", 0, 1, -1.0)
    return (
        yield from run_in_thread(
            lambda: grouped(keys, vectors, n_candidates=len(candidates), labelled=labelled, lengths=lengths, fps=fps),
            message,
        )
    )


def grouped(
    keys: Sequence[FrameKey],
    vectors: NDArray[np.floating],
    *,
    n_candidates: int,
    labelled: Sequence[FrameKey],
    lengths: Mapping[str, int],
    fps: Mapping[str, float],
) -> GroupedFrames:
    """Cluster frames by their image features (k-means on the first principal components of unit features).

    Parameters
    ----------
    keys : sequence of FrameKey, N
        The candidates, then labelled frames that are none.
    vectors : float array, (N, d)
        NaN for blank frames.
    n_candidates : int
        A candidate stands for as many frames as its video has for each of its candidates.
    labelled : sequence of FrameKey
        Some of the keys.
    lengths, fps : mapping
        By video.

    Returns
    -------
    GroupedFrames
        Groups with the fewest labels come first, and among those the larger ones.
    """
    seen = np.flatnonzero(np.isfinite(vectors).all(axis=1)) if len(keys) else np.zeros(0, np.int64)
    k = min(MOST_GROUPS, len(seen) // FRAMES_A_GROUP)
    if k < 2:
        return GroupedFrames((), {})
    order = seen[key_order([keys[i] for i in seen.tolist()])]
    rows = principal(unit_rows(vectors[order]), _COMPONENTS)
    label, centres = kmeans(rows, k, seed=0)
    offset = ((rows - centres[label]) ** 2).sum(axis=1)
    weight = np.zeros(len(order))
    per_video = _candidates_by_video(keys[:n_candidates])
    for row, index in enumerate(order.tolist()):
        if index < n_candidates:
            weight[row] = lengths[keys[index].video] / per_video[keys[index].video]
    known, total = set(labelled), max(1, sum(lengths.values()))
    made = []
    for group in range(len(centres)):
        members = np.flatnonzero(label == group)
        nearest = members[np.argsort(offset[members], kind="stable")]
        own = [keys[index] for index in order[nearest].tolist()]
        typical = _apart([key for key in own if key not in known], fps)
        made.append((FrameGroup(float(weight[members].sum()) / total, sum(key in known for key in own), typical), own))
    made.sort(key=lambda each: (each[0].n_labelled, -each[0].share))
    group_of = {key: number for number, (_, own) in enumerate(made) for key in own}
    return GroupedFrames(tuple(group for group, _ in made), group_of)


def _candidates_by_video(keys: Sequence[FrameKey]) -> dict[str, int]:
    found: dict[str, int] = {}
    for key in keys:
        found[key.video] = found.get(key.video, 0) + 1
    return found


def _apart(keys: Sequence[FrameKey], fps: Mapping[str, float]) -> tuple[FrameKey, ...]:
    """Return the first keys that are not close in time to one before them."""
    chosen: list[FrameKey] = []
    for key in keys:
        gap = _APART_SECONDS * fps.get(key.video, 30.0)
        if all(one.video != key.video or abs(one.frame - key.frame) >= gap for one in chosen):
            chosen.append(key)
        if len(chosen) == _TYPICAL:
            break
    return tuple(chosen)
