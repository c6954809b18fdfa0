"""Poses as complex numbers, and the similarity transform from one to another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ComplexArray = NDArray[np.complex128]


def to_complex(xy: NDArray[np.floating]) -> ComplexArray:
    """Return points ``(..., 2)`` as complex numbers ``(...)``; NaN if either coordinate is."""
    flat = np.asarray(xy, np.float64)
    return flat[..., 0] + 1j * flat[..., 1]


def to_flat(z: ComplexArray) -> NDArray[np.float64]:
    """Return complex points ``(..., K)`` as coordinates ``(..., 2 K)``."""
    return np.stack([z.real, z.imag], axis=-1).reshape(*z.shape[:-1], -1)


def align(z: ComplexArray, onto: ComplexArray, weights: NDArray[np.float64]) -> tuple[ComplexArray, ComplexArray]:
    """Return ``a`` and ``b`` such that ``(onto - b) / a`` fits ``z`` best, both (...,).

    Parameters
    ----------
    z : complex array, (..., K)
        The mean pose.
    onto : complex array, (..., K)
        Poses in the image; arbitrary where the weight is 0.
    weights : float array, (..., K)
        Weight of each point; one weighted point determines the position, two the rest.

    Notes
    -----
    The direction is that of weighted least squares, the size that of equal weighted radius: plain least squares would
    shrink every pose that does not fit.
    """
    total = np.maximum(weights.sum(axis=-1, keepdims=True), 1e-300)
    onto = np.where(weights > 0, onto, 0)
    centre_z = (weights * z).sum(axis=-1, keepdims=True) / total
    centre_o = (weights * onto).sum(axis=-1, keepdims=True) / total
    from_z, from_o = z - centre_z, onto - centre_o
    product = (weights * np.conj(from_z) * from_o).sum(axis=-1)
    radius_z = np.sqrt((weights * np.abs(from_z) ** 2).sum(axis=-1))
    radius_o = np.sqrt((weights * np.abs(from_o) ** 2).sum(axis=-1))
    turn = np.where(np.abs(product) > 0, product / np.maximum(np.abs(product), 1e-300), 1.0)
    a = turn * np.maximum(radius_o, 1e-12) / np.maximum(radius_z, 1e-12)
    return a, centre_o[..., 0] - a * centre_z[..., 0]
