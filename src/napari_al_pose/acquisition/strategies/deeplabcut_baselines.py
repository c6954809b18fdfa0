"""DeepLabCut's own ways to choose frames: k-means on small pictures, and two ways to find outliers.

Mathis et al., Nature Neuroscience 2018; Nath et al., Nature Protocols 2019; the definitions are those of the code of
``extract_frames`` and ``extract_outlier_frames``. Here they run on the pool, not on every frame.

- ``dlc_kmeans``: grey pictures 30 px wide (the mean of the channels), less their mean picture; mini-batch k-means with
as many clusters as frames are wanted; *one random frame* of each cluster. Ours is seeded, theirs is not. -
``dlc_jump``: frames in which a bodypart has moved by more than 20 px since the frame before; k-means among them. -
``dlc_uncertain``: frames in which a bodypart's likelihood is below 0.01; k-means among them.

If there are fewer outliers than frames wanted, the others follow at random. DeepLabCut's third way, ``fitting`` (a
SARIMAX model of every coordinate's whole track), makes no sense for a pool of single frames and is left out. Its
``uniform`` is `napari_al_pose.acquisition.strategies.baselines.Random`.

Cost: a small picture of each frame, one or two passes of the network a frame for the outliers, then k-means.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.extras import Extra
from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.ordering import key_order
from napari_al_pose.acquisition.strategies.lightning_temporal import NO_NEIGHBOUR, largest_step
from napari_al_pose.acquisition.strategy import (
    Batching,
    Explanation,
    Requires,
    ScoreContext,
    bodypart_reasons,
    explain_by_worst,
    given,
)

_WIDTH = 30
_JUMP_PX = 20.0
_LEAST_LIKELIHOOD = 0.01


def small_grey(thumbnails: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return thumbnails ``(N, 64, 64, 3)`` as grey rows ``(N, 900)``, 30 px wide (nearest cells), less their mean."""
    cells = (np.arange(_WIDTH) * thumbnails.shape[2] / _WIDTH).astype(np.int64)
    grey = thumbnails[:, cells][:, :, cells].mean(axis=3).reshape(len(thumbnails), -1)
    return grey - grey.mean(axis=0)


def one_of_each(rows: NDArray[np.floating], n: int, rng: np.random.Generator) -> list[int]:
    """Return a random row of each of up to ``n`` mini-batch k-means clusters, as DeepLabCut does."""
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it has no stubs

    if len(rows) <= n:
        return list(range(len(rows)))
    batch = 100 if len(rows) >= 100 else len(rows) // 2
    model = MiniBatchKMeans(
        n, tol=1e-3, batch_size=max(1, batch), max_iter=50, n_init=3, random_state=int(rng.integers(2**31))
    )
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        labels = model.fit_predict(rows)
    return [int(rng.choice(np.flatnonzero(labels == label))) for label in range(n) if (labels == label).any()]


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureKMeans:
    """Rank frames: a random one of each k-means cluster of small pictures first, then the others at random."""

    name: str = "dlc_kmeans"
    title: str = "K-means as in DeepLabCut"
    summary: str = "A random frame of each group of similar small grey pictures, as DeepLabCut's extract_frames does"
    family: Family = Family.OTHER_PROGRAMS
    requires: Requires = Requires.NONE
    batching: Batching = Batching.BEST
    needs: frozenset[Extra] = frozenset({Extra.THUMBNAILS})
    fallback: str = "kmeans"
    cost: str = "a small picture of each frame, then k-means"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return minus the position in the order, ``(N,)``."""
        return ranked_outliers(context, np.ones(len(context.keys), bool))

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Say what it stands for."""
        return Explanation(sentence="drawn at random from a group of frames whose small pictures look alike")


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump:
    """Put frames in which a bodypart jumps first."""

    name: str = "dlc_jump"
    title: str = "Outliers that jump, as in DeepLabCut"
    summary: str = "A random frame of each group of similar frames in which a bodypart jumps by more than 20 px"
    family: Family = Family.OTHER_PROGRAMS
    requires: Requires = Requires.PREDICTIONS
    batching: Batching = Batching.BEST
    needs: frozenset[Extra] = frozenset({Extra.THUMBNAILS, Extra.NEIGHBOUR_XY})
    fallback: str = "dlc_uncertain"
    cost: str = "two or three passes of the network a frame, then k-means"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return minus the position in the order, ``(N,)``, outliers first."""
        steps = np.nan_to_num(largest_step(given(context.xy, "predictions"), context.extra_of(Extra.NEIGHBOUR_XY)))
        return ranked_outliers(context, np.asarray((steps > _JUMP_PX).any(axis=1)))

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Give each bodypart's step in pixels, and word the largest."""
        xy, neighbours = given(context.xy, "predictions"), context.extra_of(Extra.NEIGHBOUR_XY)
        steps = largest_step(xy[index : index + 1], neighbours[index : index + 1])[0]
        return explain_by_worst(context, steps, _jump_words, otherwise=NO_NEIGHBOUR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertain:
    """Put frames in which a bodypart is almost missing first."""

    name: str = "dlc_uncertain"
    title: str = "Outliers in doubt, as in DeepLabCut"
    summary: str = "A random frame of each group of similar frames in which a likelihood is below 0.01"
    family: Family = Family.OTHER_PROGRAMS
    requires: Requires = Requires.PREDICTIONS
    batching: Batching = Batching.BEST
    needs: frozenset[Extra] = frozenset({Extra.THUMBNAILS})
    fallback: str = "least_confidence"
    cost: str = "one pass of the network a frame, then k-means"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return minus the position in the order, ``(N,)``, outliers first."""
        likelihood = np.nan_to_num(given(context.likelihood, "likelihood"))
        return ranked_outliers(context, np.asarray((likelihood < _LEAST_LIKELIHOOD).any(axis=1)))

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Give each bodypart's doubt, and say how many are below the limit."""
        likelihood = np.nan_to_num(np.asarray(given(context.likelihood, "likelihood")[index], np.float64))
        count = int((likelihood < _LEAST_LIKELIHOOD).sum())
        return Explanation(bodypart_reasons(context, 1 - likelihood), f"{count} bodyparts with a likelihood below 0.01")


def _jump_words(bodypart: str, step: float) -> str:
    return f"{bodypart} moves by {step:.0f} px: {'a jump' if step > _JUMP_PX else 'no jump'}"


def ranked_outliers(context: ScoreContext, outlier: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return minus the position of each frame: one outlier of each cluster, then the other outliers, then the rest."""
    rng = np.random.default_rng(context.seed)
    order = key_order(context.keys)
    hits = order[outlier[order]]
    rows = small_grey(context.extra_of(Extra.THUMBNAILS)[hits]) if len(hits) else np.zeros((0, 1))
    first = hits[one_of_each(rows, max(1, context.batch_size), rng)] if len(hits) else hits
    first = first[rng.permutation(len(first))]
    taken = set(first.tolist())
    others = [row for row in rng.permutation(hits).tolist() if row not in taken]
    rest = rng.permutation(order[~outlier[order]]).tolist()
    scores = np.empty(len(order))
    scores[[*first.tolist(), *others, *rest]] = -np.arange(len(order), dtype=np.float64)
    return scores
