"""Boosted regression trees in a form that JSON can hold: numbers, no program that reading would run.

``napari_al_pose.simulation.policy_fitting`` makes them with scikit-learn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError

_FORM = 1
_COLUMNS = ("feature", "threshold", "left", "right", "missing_left", "value")
_LARGEST = 100_000
"""Most nodes of a tree that is read: a damaged file must not take all memory."""


@dataclass(frozen=True, slots=True, eq=False)
class RegressionTree:
    """A tree; node 0 is its root, and children have larger numbers than their parent.

    Parameters
    ----------
    feature : int64 array, (n,)
        Column that a node asks about; -1 for a leaf.
    threshold : float64 array, (n,)
        Values up to it go left.
    left, right : int64 array, (n,)
        Children; 0 for a leaf.
    missing_left : bool array, (n,)
        Whether NaN goes left.
    value : float64 array, (n,)
        What a leaf adds; for other nodes, the mean over the training rows below it.
    """

    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    missing_left: NDArray[np.bool_]
    value: NDArray[np.float64]

    def step(self, node: NDArray[np.int64], rows: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the node below ``node``, one for each row; a leaf stays."""
        feature = self.feature[node]
        asked = rows[np.arange(len(rows)), np.maximum(feature, 0)]
        goes_left = np.where(np.isnan(asked), self.missing_left[node], asked <= self.threshold[node])
        below = np.where(goes_left, self.left[node], self.right[node])
        return np.where(feature < 0, node, below)


@dataclass(frozen=True, slots=True, eq=False)
class BoostedTrees:
    """A sum of trees.

    Parameters
    ----------
    names : tuple of str, F
        What the columns are.
    baseline : float
        The prediction before any tree.
    trees : tuple of RegressionTree
    """

    names: tuple[str, ...]
    baseline: float
    trees: tuple[RegressionTree, ...]

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a value for each of ``(n, F)`` rows."""
        total = np.full(len(rows), self.baseline)
        for tree in self.trees:
            node = np.zeros(len(rows), np.int64)
            while (tree.feature[node] >= 0).any():
                node = tree.step(node, rows)
            total += tree.value[node]
        return total

    def contributions(self, row: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what each feature added to the prediction of one row, (F,): with the mean they sum to it.

        On the way down a tree, the change of the mean counts for the feature that was asked about (Saabas, 2014).
        """
        found = np.zeros(len(self.names))
        one = np.asarray(row, np.float64)[None]
        for tree in self.trees:
            node = 0
            while tree.feature[node] >= 0:
                below = int(tree.step(np.array([node]), one)[0])
                found[tree.feature[node]] += tree.value[below] - tree.value[node]
                node = below
        return found

    def to_json(self) -> dict[str, Any]:
        """Return numbers and names."""
        trees = [
            {
                "feature": tree.feature.tolist(),
                "threshold": tree.threshold.tolist(),
                "left": tree.left.tolist(),
                "right": tree.right.tolist(),
                "missing_left": tree.missing_left.astype(int).tolist(),
                "value": [float(f"{value:.6g}") for value in tree.value],
            }
            for tree in self.trees
        ]
        return {"form": _FORM, "names": list(self.names), "baseline": self.baseline, "trees": trees}

    @classmethod
    def from_json(cls, document: Any, *, names: Sequence[str], where: str) -> BoostedTrees:
        """Read what `to_json` gave.

        Parameters
        ----------
        document : object
            Of a JSON file.
        names : sequence of str
            The features that the caller can compute.
        where : str
            Names the file in messages.

        Raises
        ------
        AlPoseError
            If it is not such a document, or was made for other features.
        """
        try:
            if document["form"] != _FORM:
                raise ValueError("form")
            told = tuple(str(name) for name in document["names"])
            baseline = float(document["baseline"])
            trees = tuple(_tree(tree, len(told)) for tree in document["trees"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise AlPoseError(
                f"{where} does not hold a ranker of frames.", "Make it with napari-al-pose learn-policy."
            ) from error
        if told != tuple(names):
            raise AlPoseError(
                f"{where} was made for other features: {', '.join(told)}.", "Make it again with this version."
            )
        return cls(told, baseline, trees)


def _tree(document: Any, n_features: int) -> RegressionTree:
    """Read a tree, and make sure that every walk through it ends.

    Raises
    ------
    ValueError
        If it doesn't hold together.
    """
    kinds = (np.int64, np.float64, np.int64, np.int64, np.bool_, np.float64)
    arrays: list[NDArray[Any]] = [np.array(document[name], kind) for name, kind in zip(_COLUMNS, kinds, strict=True)]
    n = len(arrays[0])
    if not 0 < n <= _LARGEST or any(array.shape != (n,) for array in arrays):
        raise ValueError("shape")
    feature, threshold, left, right, _missing, value = arrays
    inner = feature >= 0
    own = np.arange(n)
    if (feature[inner] >= n_features).any() or not np.isfinite(value).all() or np.isnan(threshold[inner]).any():
        raise ValueError("values")
    for child in (left, right):
        if (child[inner] <= own[inner]).any() or (child[inner] >= n).any():
            raise ValueError("children")
    return RegressionTree(*arrays)
