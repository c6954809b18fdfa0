"""Whole-body pose unnaturalness: how badly does an autoencoder of labelled poses reconstruct the predicted pose?

"WPU" of VATL4Pose (WACV 2024). A pose is described by its keypoints, centred and divided by the height of its box, and
by cosine and sine of the angle at every bodypart where two links of the skeleton meet. An autoencoder
(D-24-12-7-4-7-12-24-D, ReLU) is trained on labelled poses, and a frame's score is its mean squared error. The published
code ends in a sigmoid, which can never be a negative coordinate, and its ``arctan|.|`` takes an angle for its
supplement. Here features are standardised, the output is linear, and angles come from ``atan2``. Missing or unlikely
bodyparts take the mean.

`napari_al_pose.acquisition.strategies.pose_novelty` and `pca_error` need no training and fewer labels.

Cost: one pass of the network for each frame, and a few seconds of training on the poses.
"""

from __future__ import annotations

import functools
import itertools
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.strategies.pose_novelty import confident_poses
from napari_al_pose.acquisition.strategy import Explanation, Requires, ScoreContext, explain_by_worst, given

_LAYERS = (24, 12, 7, 4, 7, 12, 24)
_ROUNDS = 2_000


def pose_features(poses: NDArray[np.floating], links: list[tuple[int, int]]) -> NDArray[np.float64]:
    """Return ``(n, 2 K + 2 angles)``: coordinates, then cosines and sines of the angles; NaN where one is missing."""
    poses = np.asarray(poses, np.float64)
    known = np.isfinite(poses).all(axis=-1, keepdims=True)
    count = np.maximum(known.sum(axis=1), 1)
    centre = np.where(known, poses, 0).sum(axis=1) / count
    high = np.where(known, poses, -np.inf).max(axis=1)[:, 1]
    low = np.where(known, poses, np.inf).min(axis=1)[:, 1]
    height = np.where(np.isfinite(high - low), np.maximum(high - low, 1.0), 1.0)
    scaled = (poses - centre[:, None]) / height[:, None, None]
    columns = [scaled.reshape(len(poses), -1)]
    for one, other in itertools.combinations(links, 2):
        for middle in set(one) & set(other):
            a, b = sum(one) - middle, sum(other) - middle
            u, v = poses[:, a] - poses[:, middle], poses[:, b] - poses[:, middle]
            angle = np.arctan2(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0], (u * v).sum(axis=1))
            columns.append(np.stack([np.cos(angle), np.sin(angle)], axis=1))
    return np.concatenate(columns, axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class Autoencoder:
    """A fitted autoencoder with what standardises its features."""

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    network: Any

    def errors(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the squared error of every feature ``(n, D)``, in standard deviations; NaN where it is missing."""
        rows = (features - self.mean) / self.spread
        made = self.network.predict(np.nan_to_num(rows)).reshape(rows.shape)
        return (made - rows) ** 2


def fit_autoencoder(features: NDArray[np.floating]) -> Autoencoder:
    """Train on the features ``(n, D)`` of labelled poses, seeded and on one thread: the result is always the same."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it has no stubs

    known = np.isfinite(features)
    mean = np.where(known, features, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    squares = np.where(known, features - mean, 0) ** 2
    spread = np.sqrt(squares.sum(axis=0) / np.maximum(known.sum(axis=0), 1))
    spread = np.where(spread > 1e-6, spread, 1.0)
    rows = np.nan_to_num((features - mean) / spread)
    network = MLPRegressor(
        hidden_layer_sizes=_LAYERS,
        alpha=1e-3,
        learning_rate_init=3e-3,
        max_iter=_ROUNDS,
        n_iter_no_change=30,
        random_state=0,
    )
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(rows, rows)
    return Autoencoder(mean, spread, network)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseUnnaturalness:
    """Rank frames by how badly an autoencoder of labelled poses reconstructs their pose."""

    name: str = "wpu"
    title: str = "Unnatural pose (WPU)"
    summary: str = "Frames whose predicted pose is not reproduced by an autoencoder trained on labelled poses"
    family: Family = Family.DOUBT
    requires: Requires = Requires.PREDICTIONS | Requires.LABELS
    fewest_labels: int = 20
    fallback: str = "pose_novelty"
    cost: str = "one pass of the network a frame, and training on the poses for some seconds"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return the mean squared errors, ``(N,)``; NaN for frames with fewer than half of the bodyparts."""
        poses = confident_poses(context)
        errors = _fitted(context).errors(pose_features(poses, context.skeleton.link_indices()))
        known = np.isfinite(errors)
        mean = np.where(known, errors, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        enough = np.isfinite(poses).all(axis=-1).mean(axis=1) >= 0.5
        return np.where(enough, mean, np.nan)

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Give each bodypart's mean squared error, and word the largest."""
        pose = confident_poses(context)[index : index + 1]
        k = context.skeleton.n_bodyparts
        errors = _fitted(context).errors(pose_features(pose, context.skeleton.link_indices()))[0, : 2 * k]
        own = errors.reshape(k, 2).mean(axis=1)
        return explain_by_worst(
            context,
            own,
            lambda name, error: f"{name}: {np.sqrt(error):.1f} standard deviations from a natural place",
            otherwise="too few bodyparts found to judge the pose",
        )


def _fitted(context: ScoreContext) -> Autoencoder:
    features = pose_features(given(context.labelled_xy, "labelled poses"), context.skeleton.link_indices())
    return _fitted_to(features.tobytes(), features.shape)


@functools.lru_cache(maxsize=1)
def _fitted_to(data: bytes, shape: tuple[int, int]) -> Autoencoder:
    """Fit once for all frames that are scored and explained."""
    return fit_autoencoder(np.frombuffer(data).reshape(shape))
