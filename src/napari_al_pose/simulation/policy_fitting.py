"""Fits the ranker of the learned policy with scikit-learn, and turns it into plain numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.boosted_trees import BoostedTrees, RegressionTree
from napari_al_pose.acquisition.candidate_features import FEATURE_NAMES

_TREES = 150
_LEAVES = 12
_RATE = 0.06
_FEWEST = 40
_LARGEST = 1e300
"""Stands for infinity (a split between known and missing), which JSON does not have."""


def fit_ranker(rows: NDArray[np.float64], worth: NDArray[np.float64], *, seed: int = 0) -> BoostedTrees:
    """Fit boosted trees.

    Parameters
    ----------
    rows : float64 array, (n, F)
        Features of picked frames (`napari_al_pose.acquisition.candidate_features`).
    worth : float64 array, (n,)
        How good their batches were; higher is better.
    seed : int
        Of scikit-learn.

    Returns
    -------
    BoostedTrees
        They predict what scikit-learn's do, to rounding.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    # It can't take a column that is never known; a constant is never asked about.
    rows = np.where(np.isnan(rows).all(axis=0), 0.0, rows)
    model = HistGradientBoostingRegressor(
        learning_rate=_RATE,
        max_iter=_TREES,
        max_leaf_nodes=_LEAVES,
        min_samples_leaf=min(_FEWEST, max(1, len(rows) // 20)),
        l2_regularization=1.0,
        early_stopping=False,
        random_state=seed,
    ).fit(rows, worth)
    # scikit-learn offers no way to read its trees but these attributes; a test compares the predictions.
    trees = tuple(_plain(predictor.nodes) for (predictor,) in model._predictors)
    return BoostedTrees(FEATURE_NAMES, float(np.ravel(model._baseline_prediction)[0]), trees)


def _plain(nodes: Any) -> RegressionTree:
    """Return a tree of scikit-learn's; inner nodes get the mean of what lies below them, by its rows."""
    leaf = nodes["is_leaf"].astype(bool)
    value, count = nodes["value"].astype(np.float64), nodes["count"].astype(np.float64)
    left, right = nodes["left"].astype(np.int64), nodes["right"].astype(np.int64)
    for node in range(len(nodes) - 1, -1, -1):  # children come after their parent
        if not leaf[node]:
            below = [left[node], right[node]]
            value[node] = np.average(value[below], weights=count[below])
    return RegressionTree(
        feature=np.where(leaf, -1, nodes["feature_idx"].astype(np.int64)),
        threshold=np.where(leaf, 0.0, np.minimum(nodes["num_threshold"], _LARGEST)),
        left=np.where(leaf, 0, left),
        right=np.where(leaf, 0, right),
        missing_left=nodes["missing_go_to_left"].astype(bool),
        value=value,
    )
