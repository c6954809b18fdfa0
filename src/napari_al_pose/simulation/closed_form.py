"""Heads that are solved for instead of trained: a cheap stand-in for the learner, to try thousands of batches with.

For every cell of a frame's frozen backbone maps there is a vector ``f`` of features: the maps of all levels at one
stride, whitened by principal components, and their rectified random projections. A keypoint's map is ``f @ W``, and

    W = (sum of F' D F + lambda I)^-1 (sum of F' D Y)

over the labelled frames, with ``Y`` a Gaussian around the keypoint and ``D`` larger weights near it. Each frame's two
sums are computed once, so that learning from a set of frames is adding them up and solving. Whether it ranks batches
as the learner does is for `napari_al_pose.simulation.policy_gate` to find out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import ScoremapGrid
from napari_al_pose.simulation.dataset import Dataset

_LEVEL = 1
"""Level of the backbone's maps whose cells are used: stride 8."""

_STRIDE = 8
_COMPONENTS = 96
_RANDOM = 96
_FITTED_ON = 40
"""Frames that the components are fitted to."""

_NEAR = 20.0
"""Weight of a cell on a keypoint, beside 1 elsewhere."""

_RIDGE = 1e-2
"""A share of the mean of the diagonal."""


@dataclass(frozen=True, slots=True, eq=False)
class SolvedHeads:
    """What was learnt.

    Parameters
    ----------
    learner : ClosedFormHeads
    weights : float64 array, (D, K)
    """

    learner: ClosedFormHeads
    weights: NDArray[np.float64]

    def predict(self, rows: Sequence[int]) -> NDArray[np.float64]:
        """Return keypoints of ``rows`` of the data set, (n, K, 2), pixels of its images."""
        return np.stack([self.learner.decode(self.learner.cells(row) @ self.weights) for row in rows])


class ClosedFormHeads:
    """Learns from frames of one data set.

    Parameters
    ----------
    dataset : Dataset
    maps : Path
        Folder of the frozen backbone's maps of whole frames.
    """

    def __init__(self, dataset: Dataset, maps: Path) -> None:
        self._dataset = dataset
        files = sorted(maps.glob("whole*.npy"))
        self._levels = [np.load(path, mmap_mode="r", allow_pickle=False) for path in files]
        self._shape = self._levels[_LEVEL].shape[-2:]
        self.grid = ScoremapGrid(_STRIDE, _STRIDE, (_STRIDE - 1) / 2, (_STRIDE - 1) / 2)
        some = np.linspace(0, len(dataset.keys) - 1, min(len(dataset.keys), _FITTED_ON)).round().astype(int)
        self._fit(np.concatenate([self._raw(row) for row in some.tolist()]))
        self._cells: dict[int, NDArray[np.float32]] = {}
        self._sums: dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}

    def train(self, rows: Sequence[int]) -> SolvedHeads:
        """Learn from the true labels of ``rows``."""
        sums = [self._sum(row) for row in rows]
        gram, right = (np.sum([pair[i] for pair in sums], axis=0) for i in (0, 1))
        ridge = _RIDGE * float(np.trace(gram)) / len(gram)
        return SolvedHeads(self, np.linalg.solve(gram + ridge * np.eye(len(gram)), right))

    def cells(self, row: int) -> NDArray[np.float32]:
        """Return the features of a frame's cells, (cells, D)."""
        if row not in self._cells:
            parts = (self._raw(row) - self._mean) @ self._components
            hidden = np.maximum(parts @ self._projection, 0.0)
            ones = np.ones((len(parts), 1), np.float32)
            self._cells[row] = np.concatenate([parts, hidden, ones], axis=1).astype(np.float32)
        return self._cells[row]

    def decode(self, maps: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return where the maps of a frame, (cells, K), are highest, to a part of a cell; (K, 2) pixels."""
        height, width = self._shape
        found = np.empty((maps.shape[1], 2))
        for k in range(maps.shape[1]):
            grid = maps[:, k].reshape(height, width)
            row, column = np.unravel_index(int(np.argmax(grid)), grid.shape)
            top, left = max(0, int(row) - 1), max(0, int(column) - 1)
            near = np.maximum(grid[top : int(row) + 2, left : int(column) + 2], 0.0) + 1e-9
            ys, xs = np.mgrid[top : top + near.shape[0], left : left + near.shape[1]]
            found[k] = (near * xs).sum() / near.sum(), (near * ys).sum() / near.sum()
        return np.asarray(self.grid.to_source(found), np.float64)

    def _sum(self, row: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the two sums of a frame, (D, D) and (D, K); a keypoint that is not placed adds nothing."""
        if row not in self._sums:
            height, width = self._shape
            cells = self.cells(row).astype(np.float64)
            xy = self.grid.to_cells(self._dataset.xy[row])
            ys, xs = np.mgrid[:height, :width]
            apart = (xs.reshape(-1, 1) - xy[:, 0]) ** 2 + (ys.reshape(-1, 1) - xy[:, 1]) ** 2
            wanted = np.where(np.isfinite(apart), np.exp(-apart / 2.0), 0.0)
            weight = 1.0 + _NEAR * wanted.max(axis=1)
            weighted = cells * weight[:, None]
            self._sums[row] = (weighted.T @ cells, weighted.T @ wanted)
        return self._sums[row]

    def _raw(self, row: int) -> NDArray[np.float32]:
        """Return all levels at the stride of `_LEVEL`, (cells, channels)."""
        height, width = self._shape
        parts = []
        for level in self._levels:
            one = np.asarray(level[row], np.float32)
            if one.shape[1] >= 2 * height:
                times = one.shape[1] // height
                one = one[:, : times * height, : times * width]
                one = one.reshape(len(one), height, times, width, times).mean(axis=(2, 4))
            elif one.shape[1] < height:
                ys = np.minimum(np.arange(height) * one.shape[1] // height, one.shape[1] - 1)
                xs = np.minimum(np.arange(width) * one.shape[2] // width, one.shape[2] - 1)
                one = one[:, ys][:, :, xs]
            parts.append(one.reshape(len(one), -1).T)
        return np.concatenate(parts, axis=1)

    def _fit(self, cells: NDArray[np.float32]) -> None:
        """Fit the components, whitened, and draw the random projections."""
        self._mean = cells.mean(axis=0)
        centred = cells - self._mean
        values, vectors = np.linalg.eigh((centred.T @ centred).astype(np.float64) / len(cells))
        kept = np.argsort(-values, kind="stable")[: min(_COMPONENTS, len(values))]
        scale = 1.0 / np.sqrt(np.maximum(values[kept], 1e-6 * values.max()))
        self._components = (vectors[:, kept] * scale).astype(np.float32)
        rng = np.random.default_rng(0)
        self._projection = (rng.normal(size=(len(kept), _RANDOM)) / np.sqrt(len(kept))).astype(np.float32)
