"""SLEAP's own suggestions.

Pereira et al., "SLEAP", Nature Methods 2022; the definitions are those of the code of ``sleap.gui.suggestions`` and
``sleap.info.feature_suggestions``. Here they run on the pool, seeded, and without the faults of that code.

- ``sleap_stride``: evenly spaced frames of each video. SLEAP steps by ``floor(n / wanted)`` and cuts off the end: with
200 of 399 frames wanted, it never looks at the second half. Ours reaches to the end. - ``sleap_images``: raw pixels,
PCA to 5 components, k-means with 5 clusters; random frames of each cluster in turn. - ``sleap_scores``: frames with an
animal whose score (the mean of its likelihoods here) is low, in the order of time and not ranked, as in SLEAP.
- ``sleap_velocity``: frames in which the first bodypart moves by more than a tenth of the largest range, in the order
  of time.
- ``sleap_displacement``: frames in which the *mean* over bodyparts of the displacement exceeds 10 px (SLEAP calls it
the largest), in the order of time.

Cost: none; a small picture of each frame; or one to three passes of the network a frame.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.clusters import kmeans, round_robin
from napari_al_pose.acquisition.extras import Extra
from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.ordering import key_columns, key_order
from napari_al_pose.acquisition.quotas import systematic
from napari_al_pose.acquisition.strategies.lightning_temporal import explain_steps, largest_step
from napari_al_pose.acquisition.strategy import Batching, Explanation, Requires, ScoreContext, bodypart_reasons, given

_COMPONENTS, _CLUSTERS = 5, 5
_LOW_SCORE = 0.5
_VELOCITY_SHARE = 0.1
_DISPLACEMENT_PX = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stride:
    """Rank frames by even spacing within each video, videos in turn."""

    name: str = "sleap_stride"
    title: str = "Evenly spaced, as in SLEAP"
    summary: str = "As many frames of each video, at equal distances"
    family: Family = Family.OTHER_PROGRAMS
    requires: Requires = Requires.NONE
    batching: Batching = Batching.BEST
    cost: str = "nothing"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return minus the position in the order, ``(N,)``."""
        order = key_order(context.keys)
        video, _ = key_columns(context.keys)
        names = np.unique(video)
        quota = -(-max(1, context.batch_size) // max(1, len(names)))
        first: list[int] = []
        for number in names:
            rows = order[video[order] == number]
            first += rows[systematic(len(rows), min(quota, len(rows)), 0.0)].tolist()
        first = round_robin(first, video)
        taken = set(first)
        scores = np.empty(len(order))
        scores[[*first, *(row for row in order.tolist() if row not in taken)]] = -np.arange(len(order), dtype=float)
        return scores

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Say that it is one of many at equal distances."""
        return Explanation(sentence="one of frames at equal distances in each video")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFeatures:
    """Rank frames at random within k-means clusters of raw pixels, clusters in turn."""

    name: str = "sleap_images"
    title: str = "Image features as in SLEAP"
    summary: str = "Random frames of five groups of similar pictures, in turn, as SLEAP's image-feature suggestions"
    family: Family = Family.OTHER_PROGRAMS
    requires: Requires = Requires.NONE
    batching: Batching = Batching.BEST
    needs: frozenset[Extra] = frozenset({Extra.THUMBNAILS})
    fallback: str = "kmeans"
    cost: str = "a small picture of each frame, then PCA and k-means"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return minus the position in the order, ``(N,)``."""
        order = key_order(context.keys)
        flat = context.extra_of(Extra.THUMBNAILS)[order].reshape(len(order), -1)
        labels, _ = kmeans(principal(flat, _COMPONENTS), _CLUSTERS, seed=context.seed)
        drawn = np.random.default_rng(context.seed).permutation(len(order)).tolist()
        turns = round_robin(drawn, labels, first="label")
        scores = np.empty(len(order))
        scores[order[turns]] = -np.arange(len(order), dtype=np.float64)
        return scores

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Say what it stands for."""
        return Explanation(sentence="drawn at random from one of five groups of frames that look alike")


def principal(rows: NDArray[Any], n: int) -> NDArray[np.float64]:
    """Return the first ``n`` principal components of rows, the same every time."""
    from sklearn.decomposition import PCA
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it has no stubs

    n = min(n, *rows.shape)
    if n < 1:
        return np.zeros((len(rows), 1))
    with threadpool_limits(1), np.errstate(invalid="ignore"):  # rows that are all alike have no variance to explain
        found = PCA(n, svd_solver="randomized", random_state=0).fit_transform(np.asarray(rows, np.float32))
    return np.asarray(found, np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """Rank the frames beyond a threshold first, then the others, both in the order of time."""

    name: str = "sleap_displacement"
    title: str = "Displacement, as in SLEAP"
    summary: str = "Frames in which the bodyparts move by more than 10 px on average, in the order of time"
    family: Family = Family.OTHER_PROGRAMS
    requires: Requires = Requires.PREDICTIONS
    batching: Batching = Batching.BEST
    needs: frozenset[Extra] = frozenset({Extra.NEIGHBOUR_XY})
    fallback: str = "sleap_scores"
    cost: str = "two or three passes of the network a frame"
    kind: Literal["displacement", "velocity", "score"] = "displacement"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return minus the position in the order, ``(N,)``."""
        order = key_order(context.keys)
        hit = self._hits(context)[order]
        turns = np.concatenate([order[hit], order[~hit]])
        scores = np.empty(len(order))
        scores[turns] = -np.arange(len(order), dtype=np.float64)
        return scores

    def _hits(self, context: ScoreContext) -> NDArray[np.bool_]:
        if self.kind == "score":
            return np.nan_to_num(given(context.likelihood, "likelihood")).mean(axis=1) <= _LOW_SCORE
        steps = np.nan_to_num(self._steps(context))
        if self.kind == "displacement":
            return steps.mean(axis=1) > _DISPLACEMENT_PX
        low, high = (steps[:, 0].min(initial=np.inf), steps[:, 0].max(initial=-np.inf))
        return steps[:, 0] - low > _VELOCITY_SHARE * (high - low)

    def _steps(self, context: ScoreContext) -> NDArray[np.float64]:
        return largest_step(given(context.xy, "predictions"), context.extra_of(Extra.NEIGHBOUR_XY))

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Give each bodypart's step in pixels, or its doubt, and word the largest."""
        if self.kind == "score":
            likelihood = np.nan_to_num(np.asarray(given(context.likelihood, "likelihood")[index], np.float64))
            return Explanation(bodypart_reasons(context, 1 - likelihood), f"mean likelihood {likelihood.mean():.2f}")
        return explain_steps(context, self._steps(context)[index])


def velocity() -> Threshold:
    """Return SLEAP's velocity suggestions."""
    return dataclasses.replace(
        Threshold(),
        name="sleap_velocity",
        family=Family.OTHER_PROGRAMS,
        title="Velocity, as in SLEAP",
        summary="Frames in which the first bodypart moves fast, in the order of time",
        kind="velocity",
    )


def low_scores() -> Threshold:
    """Return SLEAP's prediction-score suggestions."""
    return dataclasses.replace(
        Threshold(),
        name="sleap_scores",
        family=Family.OTHER_PROGRAMS,
        title="Prediction score, as in SLEAP",
        summary="Frames whose mean likelihood is at most 0.5, in the order of time",
        needs=frozenset(),
        fallback="least_confidence",
        kind="score",
        cost="one pass of the network a frame",
    )
