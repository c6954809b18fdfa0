"""Chooses a batch by scores: different frames, apart in time, from all videos; reproducibly.

Every function accepts the pool in any row order and returns rows of it, in the order in which to label them.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.clusters import kmeans, round_robin, typical_first
from napari_al_pose.acquisition.ordering import key_order, rank_order, says_nothing, video_order
from napari_al_pose.acquisition.pool import near_duplicate_limits
from napari_al_pose.acquisition.quotas import allocate, level, systematic
from napari_al_pose.acquisition.spacing import Spacing, take_spaced
from napari_al_pose.acquisition.vectors import nearest_cosine_distance, unit_rows
from napari_al_pose.domain import FrameKey

logger = logging.getLogger(__name__)

_CANDIDATES_A_PICK = 5


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class BatchRequest:
    """What to choose a batch from, and its size.

    Parameters
    ----------
    keys : sequence of FrameKey, N
        The pool, in any order; labelled frames in it are never chosen.
    features : float array, (N, d)
        Image features.
    n : int
        Frames wanted.
    labelled_keys : collection of FrameKey
        Never chosen, and no chosen frame lies near them in time.
    labelled_features : float array, (M, d), optional
        Features of labelled frames; frames that look like one of them are skipped.
    fps : mapping of str to float
        Frames per second of each video; 30 for a video that is not named.
    seed : int
        For clusters and draws.
    """

    keys: Sequence[FrameKey]
    features: NDArray[np.floating]
    n: int
    labelled_keys: Collection[FrameKey] = ()
    labelled_features: NDArray[np.floating] | None = None
    fps: Mapping[str, float]
    seed: int


def select_batch(scores: NDArray[np.floating], request: BatchRequest) -> list[int]:
    """Choose the best-scored frames that differ from each other.

    Videos are kept level: each may get as many frames as lift it to the same number of labelled frames as the others
    (`napari_al_pose.acquisition.quotas.level`). For every frame that a video may get, its best five candidates, without
    those that look like a labelled frame, are clustered by appearance over all videos. Clusters take turns, best first;
    a frame too near in time to a chosen one is skipped. If that does not fill the batch, the time gap is halved and the
    ranking gone through again. Without levels a batch leaves out whole animals: on the development data of
    `docs/protocol.md` `hybrid` then lost to evenly spread frames.

    If no score stands out, `random_batch` draws the batch. The parameters and the result are those of
    `napari_al_pose.acquisition.batches.make_batch`.
    """
    keys, n = request.keys, request.n
    ranked = _ranked(scores, request)
    if ranked is None:
        return _drawn(request)
    if not len(ranked):
        return []
    ranked_keys = [keys[row] for row in ranked]
    unit = unit_rows(np.asarray(request.features)[ranked])
    limits = near_duplicate_limits(ranked_keys, unit, request.fps)
    sure, most = room(ranked_keys, request.labelled_keys, n)
    candidates = _candidates(ranked_keys, most)
    own_limits = [limits[key.video] for key in ranked_keys]
    candidates = _unlike_labelled(candidates, unit, own_limits, request.labelled_features)
    turns = _take_turns(candidates, unit, ranked_keys, n, request.seed)
    spacing = Spacing(request.labelled_keys, request.fps)
    return take_level(keys, ranked[turns].tolist(), ranked.tolist(), n, spacing=spacing, sure=sure, most=most)


def select_best(scores: NDArray[np.floating], request: BatchRequest) -> list[int]:
    """Choose the best-scored frames that are apart in time; for strategies that spread the batch themselves.

    The parameters and the result are those of `select_batch`.
    """
    ranked = _ranked(scores, request)
    if ranked is None:
        return _drawn(request)
    rows, spacing = ranked.tolist(), Spacing(request.labelled_keys, request.fps)
    return take_spaced(request.keys, rows, request.n, spacing=spacing, others=rows) if rows else []


def select_ranked(scores: NDArray[np.floating], request: BatchRequest) -> list[int]:
    """Choose the best-scored frames however alike they are; parameters and result are those of `select_batch`."""
    rows = unlabelled(request.keys, request.labelled_keys)
    ranked = rows[rank_order([request.keys[row] for row in rows], np.asarray(scores)[rows], seed=request.seed)]
    return ranked[: max(0, request.n)].tolist()


def _ranked(scores: NDArray[np.floating], request: BatchRequest) -> NDArray[np.int64] | None:
    """Return the unlabelled rows, best first; none if no frame is wanted, None if all scores are equal."""
    rows = unlabelled(request.keys, request.labelled_keys)
    if not len(rows) or request.n < 1:
        return rows[:0]
    own = np.asarray(scores)[rows]
    if says_nothing(own):
        logger.info("The scores of all frames are equal; the batch is drawn at random.")
        return None
    return rows[rank_order([request.keys[row] for row in rows], own, seed=request.seed)]


def _drawn(request: BatchRequest) -> list[int]:
    return random_batch(request.keys, request.n, seed=request.seed, taken=request.labelled_keys, fps=request.fps)


def diverse_batch(
    keys: Sequence[FrameKey],
    features: NDArray[np.floating],
    n: int,
    *,
    seed: int,
    fps: Mapping[str, float],
    labelled_keys: Collection[FrameKey] = (),
) -> list[int]:
    """Choose a first, diverse batch before there is a model.

    Every video gets the same quota. The rest is shared out by the number of frames in the pool; between equals, the
    video with fewer labels comes first, then a draw decides (`napari_al_pose.acquisition.ordering.video_order`). Within
    a video, features are clustered and the frame nearest to each centroid is chosen, the largest clusters first. Videos
    take turns, so that any first part of the batch is diverse too.

    Parameters
    ----------
    keys : sequence of FrameKey, N
        The pool; labelled frames in it are never chosen.
    features : float array, (N, d)
        Image features.
    n : int
        Frames wanted.
    seed : int
        For the clusters.
    fps : mapping of str to float
        Frames per second of each video; 30 for a video that is not named.
    labelled_keys : collection of FrameKey
        Never chosen, and no chosen frame lies near them in time.

    Returns
    -------
    list of int
        ``n`` different rows; fewer if the pool has fewer unlabelled frames.
    """
    rows = unlabelled(keys, labelled_keys)
    if not len(rows) or n < 1:
        return []
    unit = unit_rows(np.asarray(features)[rows])
    have = Counter(key.video for key in labelled_keys)
    order = sorted(video_order((keys[row].video for row in rows), seed), key=lambda name: have[name])
    videos = _by_video([keys[row] for row in rows], order)
    counts = [len(members) for members in videos]
    quotas = np.minimum(n // len(videos), counts)
    quotas = quotas + allocate(n - int(quotas.sum()), counts, [c - q for c, q in zip(counts, quotas, strict=True)])
    ranked: list[int] = []
    video_of = np.zeros(len(keys), np.int64)
    for number, (members, quota) in enumerate(zip(videos, quotas.tolist(), strict=True)):
        order = rows[members[typical_first(unit[members], quota, seed=seed)]].tolist()
        picks = take_spaced(keys, order, quota, spacing=Spacing(labelled_keys, fps), others=order)
        video_of[picks] = number
        ranked += picks
    return round_robin(ranked, video_of)


def random_batch(
    keys: Sequence[FrameKey],
    n: int,
    *,
    seed: int,
    taken: Collection[FrameKey],
    fps: Mapping[str, float],
    n_frames: Mapping[str, int] | None = None,
) -> list[int]:
    """Draw a stratified random batch; errors measured on it are representative of the videos.

    Quotas are proportional to the videos' lengths. Within a video, frames are evenly spread from a random start.

    Parameters
    ----------
    keys : sequence of FrameKey, N
        The pool.
    n : int
        Frames wanted.
    seed : int
        Use a new one each round.
    taken : collection of FrameKey
        Labelled or already in the batch. They are not drawn, nor, if possible, frames near them in time.
    fps : mapping of str to float
        Frames per second of each video; 30 for a video that is not named.
    n_frames : mapping of str to int, optional
        Length of each video; by default the number of its frames in ``keys``.

    Returns
    -------
    list of int
        ``n`` different rows in random order; fewer if the pool has fewer frames that are not taken.
    """
    rows = unlabelled(keys, taken)
    if not len(rows) or n < 1:
        return []
    rng = np.random.default_rng(seed)
    order = video_order((keys[row].video for row in rows), seed)
    videos = [rows[members] for members in _by_video([keys[row] for row in rows], order)]
    names = [keys[members[0]].video for members in videos]
    lengths = [max(1, (n_frames or {}).get(name, len(members))) for name, members in zip(names, videos, strict=True)]
    quotas = allocate(n, lengths, [len(members) for members in videos])
    picks: list[int] = []
    for members, quota in zip(videos, quotas.tolist(), strict=True):
        if quota:
            picks += _draw(keys, members, quota, rng, Spacing(taken, fps))
    return [picks[i] for i in rng.permutation(len(picks))]


def room(
    ranked_keys: Sequence[FrameKey], labelled_keys: Collection[FrameKey], n: int
) -> tuple[dict[str, int], dict[str, int]]:
    """Return how many frames of a batch of ``n`` each video certainly gets, and at most."""
    frames = Counter(key.video for key in ranked_keys)
    labelled = Counter(key.video for key in labelled_keys)
    videos = sorted(frames)
    sure, most = level(n, [labelled[video] for video in videos], [frames[video] for video in videos])
    return dict(zip(videos, sure.tolist(), strict=True)), dict(zip(videos, most.tolist(), strict=True))


def take_level(
    keys: Sequence[FrameKey],
    preferred: Sequence[int],
    others: Sequence[int],
    n: int,
    *,
    spacing: Spacing,
    sure: Mapping[str, int],
    most: Mapping[str, int],
) -> list[int]:
    """Take what each video certainly gets, then the rest in the preferred order; see `room` and `take_spaced`."""
    picks = take_spaced(keys, preferred, min(n, sum(sure.values())), spacing=spacing, others=others, room=sure)
    left = Counter(most) - Counter(keys[row].video for row in picks)
    return picks + take_spaced(keys, preferred, n - len(picks), spacing=spacing, others=others, room=left)


def unlabelled(keys: Sequence[FrameKey], labelled: Collection[FrameKey]) -> NDArray[np.int64]:
    """Return the rows of unlabelled frames, sorted by key."""
    taken = set(labelled)
    return np.array([row for row in key_order(keys).tolist() if keys[row] not in taken], np.int64)


def _by_video(keys: Sequence[FrameKey], order: Sequence[str]) -> list[NDArray[np.int64]]:
    """Return the rows of each video, in the given order; videos in ``order``."""
    members: dict[str, list[int]] = {}
    for row, key in enumerate(keys):
        members.setdefault(key.video, []).append(row)
    return [np.array(members[name], np.int64) for name in order]


def _candidates(ranked_keys: Sequence[FrameKey], room: Mapping[str, int]) -> NDArray[np.int64]:
    """Return ranking positions: for every frame that a video may get, its best five."""
    used: Counter[str] = Counter()
    kept: list[int] = []
    for position, key in enumerate(ranked_keys):
        if used[key.video] < _CANDIDATES_A_PICK * room[key.video]:
            used[key.video] += 1
            kept.append(position)
    return np.array(kept, np.int64)


def _unlike_labelled(
    candidates: NDArray[np.int64],
    unit: NDArray[np.floating],
    limits: Sequence[float],
    labelled_features: NDArray[np.floating] | None,
) -> NDArray[np.int64]:
    """Leave out candidates that look like a labelled frame, unless none would remain."""
    if labelled_features is None or not len(labelled_features):
        return candidates
    distance = nearest_cosine_distance(unit[candidates], unit_rows(labelled_features))
    kept = candidates[distance >= np.asarray(limits)[candidates]]
    return kept if len(kept) else candidates


def _take_turns(
    candidates: NDArray[np.int64], unit: NDArray[np.floating], ranked_keys: Sequence[FrameKey], n: int, seed: int
) -> list[int]:
    """Cluster the candidates (positions in the ranking) and interleave the clusters, best first."""
    by_key = candidates[key_order([ranked_keys[position] for position in candidates])]
    labels, _ = kmeans(unit[by_key], n, seed=seed)
    cluster_of = np.zeros(len(unit), np.int64)
    cluster_of[by_key] = labels
    return round_robin(candidates.tolist(), cluster_of)


def _draw(
    keys: Sequence[FrameKey], members: NDArray[np.int64], quota: int, rng: np.random.Generator, spacing: Spacing
) -> list[int]:
    """Draw a systematic sample of one video, avoiding frames too near to a taken one."""
    free = [row for row in members.tolist() if spacing.fits(keys[row])]
    base = free if len(free) >= quota else members.tolist()
    drawn = [base[i] for i in systematic(len(base), quota, float(rng.random()))]
    others = [int(row) for row in rng.permutation(members)]
    return take_spaced(keys, drawn, quota, spacing=spacing, others=others)
