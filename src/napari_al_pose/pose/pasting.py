"""Views in which animals touch, made up from labelled ones: one is cut out and laid over another.

Few labelled frames show contact, and what goes wrong there is what costs people time. Cut out along the lines between
its keypoints (Ghiasi et al. 2021, arXiv:2012.07177, copy and paste with masks; here there are none).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse.csgraph import minimum_spanning_tree
from torch import Tensor

LIMB = 0.12
"""Half the width of what is cut out along a line, in lengths of the animal."""

FEATHER = 0.04
"""Over which length its edge fades, in lengths of the animal."""


def bones_of(poses: NDArray[np.floating]) -> list[tuple[int, int]]:
    """Return which bodyparts to join by lines: the tree of least length, by the median over poses (n, K, 2).

    Bodyparts that are never seen together are not joined.
    """
    k = poses.shape[1]
    gaps = np.linalg.norm(poses[:, :, None] - poses[:, None], axis=-1)
    known = np.isfinite(gaps).any(axis=0)
    lengths = np.zeros((k, k))
    for i, j in zip(*np.nonzero(np.triu(known, 1)), strict=True):
        lengths[i, j] = max(float(np.nanmedian(gaps[:, i, j])), 1e-6)
    tree = minimum_spanning_tree(lengths).tocoo()
    return [(int(i), int(j)) for i, j in zip(tree.row, tree.col, strict=True)]


def outline(
    uv: NDArray[np.floating], bones: list[tuple[int, int]], size: tuple[int, int], length: float
) -> NDArray[np.float32]:
    """Return how far each pixel of a view belongs to an animal, (h, w), 0 to 1.

    Parameters
    ----------
    uv : float array, (K, 2)
        Its keypoints, pixels of the view; NaN where there is none.
    bones : list of (int, int)
        Which of them are joined.
    size : (int, int)
        Height and width of the view.
    length : float
        Of the animal, pixels.
    """
    seen = np.isfinite(uv[:, 0])
    ends = [(uv[i], uv[j]) for i, j in bones if seen[i] and seen[j]] + [(uv[i], uv[i]) for i in np.flatnonzero(seen)]
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    nearest = np.full(size, np.inf, np.float32)
    for (ax, ay), (bx, by) in ends:
        dx, dy = bx - ax, by - ay
        along = np.clip(((x - ax) * dx + (y - ay) * dy) / max(dx * dx + dy * dy, 1e-6), 0, 1)
        nearest = np.minimum(nearest, (x - ax - along * dx) ** 2 + (y - ay - along * dy) ** 2)
    return np.clip((LIMB * length - np.sqrt(nearest)) / (FEATHER * length) + 0.5, 0, 1).astype(np.float32)


def lay_over(below: Tensor, above: Tensor, mask: NDArray[np.float32]) -> Tensor:
    """Return a view (3, h, w) with those parts of ``above`` that the mask names over it."""
    share = torch.from_numpy(mask)
    return below * (1 - share) + above * share
