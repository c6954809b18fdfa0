"""Features at the keypoints: core-set on what the bodyparts look like, not on the whole picture.

The residency's idea ("only the features around the estimated bodyparts could be considered"). A frame is described by
``likelihood_k * f(y_k) / |f(y_k)|``, concatenated over bodyparts, where ``f`` are the pose network's last features at
the predicted place. K-centre (`napari_al_pose.acquisition.strategies.kcenter`) runs on these rows, scaled to unit
length. The background, which is most of a fixed camera's picture, no longer counts, and a bodypart that was not found
has no weight.

Cost: one pass of the network a frame and for each labelled frame, then O((M + n) N K C).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.extras import Extra
from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.strategies.kcenter import KCenter, unlike_labelled
from napari_al_pose.acquisition.strategy import Batching, Explanation, Requires, ScoreContext, given


def at_keypoints(features: NDArray[np.floating], weights: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return ``(n, K C)`` rows of ``features`` (n, K, C), each bodypart's scaled to the length ``weights`` (n, K)."""
    rows = np.asarray(features, np.float32)
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    unit = np.where(norms > 1e-12, rows / np.where(norms > 1e-12, norms, 1.0), 0.0)
    return (unit * np.nan_to_num(weights)[..., None]).reshape(len(rows), -1).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeypointCoreSet:
    """Rank frames by how little their bodyparts look like those of labelled frames."""

    name: str = "keypoint_features"
    title: str = "Core-set at the keypoints"
    summary: str = "Frames whose bodyparts look least like those of any labelled frame, whatever the background"
    family: Family = Family.DIVERSE
    requires: Requires = Requires.PREDICTIONS
    batching: Batching = Batching.BEST
    needs: frozenset[Extra] = frozenset({Extra.KEYPOINT_FEATURES, Extra.KEYPOINT_FEATURES_LABELLED})
    fallback: str = "kcenter"
    cost: str = "one pass of the network a frame, then O((M + n) N K C)"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return the distance to the nearest labelled or higher-ranked frame, ``(N,)``, in [0, 2]."""
        return KCenter().score(_on_keypoints(context))

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Say which share of the pool has bodyparts more like a labelled frame's."""
        return Explanation(sentence=f"at its keypoints {unlike_labelled(_on_keypoints(context), index)}")


def _on_keypoints(context: ScoreContext) -> ScoreContext:
    found = context.extra_of(Extra.KEYPOINT_FEATURES)
    labelled = context.extra_of(Extra.KEYPOINT_FEATURES_LABELLED)
    return dataclasses.replace(
        context,
        features=at_keypoints(found, given(context.likelihood, "likelihood")),
        labelled_features=at_keypoints(labelled, np.ones(labelled.shape[:2])),
    )
