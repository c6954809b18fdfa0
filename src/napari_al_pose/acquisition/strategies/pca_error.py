"""Pose outside the space of labelled poses: Lightning Pose's single-view PCA error.

Biderman et al., "Lightning Pose", Nature Methods 2024. Labelled poses, flattened to 2 K numbers, span a space of as
many principal components as hold 99 % of their variance. The error of a bodypart is the distance in pixels from its
predicted place to its place in the pose's projection. A frame's score is the mean over bodyparts of the error's
quantile in the pool.

It needs at least 2 K poses in which every bodypart is placed; with fewer it falls back on pose novelty.

Cost: O(N K^2); needs labelled poses.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.fusion import aggregate
from napari_al_pose.acquisition.strategies.pose_novelty import PoseNovelty
from napari_al_pose.acquisition.strategy import Explanation, Requires, ScoreContext, bodypart_reasons, given

logger = logging.getLogger(__name__)

_VARIANCE = 0.99
_FALLBACK = PoseNovelty()


@dataclass(frozen=True, slots=True, eq=False)
class PoseSpace:
    """Mean pose ``(2 K,)`` and orthonormal components ``(m, 2 K)``."""

    mean: NDArray[np.float64]
    components: NDArray[np.float64]


def fit_space(poses: NDArray[np.floating], *, n_components: int | None = None) -> PoseSpace:
    """Fit the space of complete poses ``(n, K, 2)``.

    ``n_components`` None keeps the first that reach 99 % of the variance.
    """
    flat = np.asarray(poses, np.float64).reshape(len(poses), -1)
    mean = flat.mean(axis=0)
    _, singular, components = np.linalg.svd(flat - mean, full_matrices=False)
    share = np.cumsum(singular**2) / max(float((singular**2).sum()), 1e-12)
    kept = int(np.searchsorted(share, _VARIANCE)) + 1 if n_components is None else n_components
    return PoseSpace(mean, components[:kept])


def reprojection_error(poses: NDArray[np.floating], space: PoseSpace) -> NDArray[np.float64]:
    """Return how far each bodypart of poses ``(n, K, 2)`` lies from the pose's projection, ``(n, K)``, pixels."""
    flat = np.asarray(poses, np.float64).reshape(len(poses), -1) - space.mean
    residual = flat - flat @ space.components.T @ space.components
    return np.linalg.norm(residual.reshape(poses.shape), axis=-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PcaError:
    """Rank frames by how badly the space of labelled poses fits their predicted pose."""

    name: str = "pca_error"
    title: str = "Impossible pose (PCA)"
    summary: str = "Frames whose predicted pose is not a combination of labelled poses"
    family: Family = Family.DOUBT
    requires: Requires = Requires.PREDICTIONS | Requires.LABELS
    cost: str = "one pass of the network a frame, then O(N K²)"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return the mean quantiles, ``(N,)``, in (0, 1]."""
        space = _space(context)
        if space is None:
            logger.info(
                "Fewer complete labelled poses than %s: pose novelty instead.", 2 * context.skeleton.n_bodyparts
            )
            return _FALLBACK.score(context)
        return aggregate(reprojection_error(given(context.xy, "predictions"), space), "quantile")

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Give each bodypart's error in pixels, and word the largest."""
        space = _space(context)
        if space is None:
            return _FALLBACK.explain(context, index)
        error = reprojection_error(given(context.xy, "predictions")[index : index + 1], space)[0]
        names = context.skeleton.bodyparts
        most = int(np.argmax(np.nan_to_num(error)))
        return Explanation(
            bodypart_reasons(context, error),
            f"{names[most]}: {error[most]:.0f} px from where labelled poses would put it",
        )


def _space(context: ScoreContext) -> PoseSpace | None:
    poses = given(context.labelled_xy, "labelled poses")
    complete = poses[np.isfinite(poses).all(axis=(1, 2))]
    return fit_space(complete) if len(complete) >= 2 * context.skeleton.n_bodyparts else None
