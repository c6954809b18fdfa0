"""A model's prediction for a frame, and where a scoremap lies on the image."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain.frames import FrameKey


@dataclass(frozen=True, slots=True)
class ScoremapGrid:
    """Where scoremap cells lie in the source image.

    The centre of cell ``(row, column)`` is at source pixel ``x = offset_x + stride_x * column``,
    ``y = offset_y + stride_y * row`` (pixel centres at integers). Decoding and drawing both use this.
    """

    stride_x: float
    stride_y: float
    offset_x: float
    offset_y: float

    def to_source(self, cells_xy: NDArray[np.floating]) -> NDArray[np.floating]:
        """Map ``(..., 2)`` cell coordinates (column, row) to source pixels (x, y)."""
        return cells_xy * np.array([self.stride_x, self.stride_y]) + np.array([self.offset_x, self.offset_y])

    def to_cells(self, xy: NDArray[np.floating]) -> NDArray[np.floating]:
        """Map ``(..., 2)`` source pixels (x, y) to cell coordinates (column, row)."""
        return (xy - np.array([self.offset_x, self.offset_y])) / np.array([self.stride_x, self.stride_y])

    def moved(self, by: NDArray[np.floating]) -> ScoremapGrid:
        """Return the same grid shifted by ``by`` (x, y) source pixels."""
        return replace(self, offset_x=self.offset_x + float(by[0]), offset_y=self.offset_y + float(by[1]))


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """One model's pose in one frame.

    Parameters
    ----------
    key : FrameKey
    model_version : int
        The numbered, immutable model it came from.
    xy : float32 array, (K, 2)
        Source pixels.
    likelihood : float32 array, (K,)
        In [0, 1].
    animals_xy, animals_likelihood : float32 array, (A, K, 2) and (A, K), optional
        Of all animals, if the model predicts several; NaN and 0 for one that was not found. The fields above are then
        the first animal's.
    unique_xy, unique_likelihood : float32 array, (U, 2) and (U,), optional
        Of the unique bodyparts, if the model predicts them.
    """

    key: FrameKey
    model_version: int
    xy: NDArray[np.float32]
    likelihood: NDArray[np.float32]
    animals_xy: NDArray[np.float32] | None = None
    animals_likelihood: NDArray[np.float32] | None = None
    unique_xy: NDArray[np.float32] | None = None
    unique_likelihood: NDArray[np.float32] | None = None

    @classmethod
    def of_animals(
        cls,
        key: FrameKey,
        model_version: int,
        xy: NDArray[np.floating],
        likelihood: NDArray[np.floating],
        *,
        unique: NDArray[np.floating] | None = None,
    ) -> Prediction:
        """Build a prediction from the poses of one animal, (K, 2) and (K,), or of several, (A, K, 2) and (A, K).

        ``unique``, (U, 3), are positions and likelihoods of unique bodyparts.
        """
        poses, sure = np.asarray(xy, np.float32), np.asarray(likelihood, np.float32)
        beside = None if unique is None else np.asarray(unique, np.float32)
        others = (None, None) if beside is None else (beside[:, :2], beside[:, 2])
        if poses.ndim == 2:
            return cls(key, model_version, poses, sure, None, None, *others)
        return cls(key, model_version, poses[0], sure[0], poses, sure, *others)

    def of(self, animal: int) -> Prediction:
        """Return the pose of a single animal."""
        if self.animals_xy is None or self.animals_likelihood is None:
            return self
        return Prediction(self.key, self.model_version, self.animals_xy[animal], self.animals_likelihood[animal])

    @property
    def unique(self) -> Prediction | None:
        """The unique bodyparts as a pose of their own; None if the model does not predict them."""
        if self.unique_xy is None or self.unique_likelihood is None:
            return None
        return Prediction(self.key, self.model_version, self.unique_xy, self.unique_likelihood)

    @property
    def poses(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Positions and likelihoods of all animals, (A, K, 2) and (A, K); A is 1 if the model predicts one animal."""
        if self.animals_xy is None or self.animals_likelihood is None:
            return self.xy[None], self.likelihood[None]
        return self.animals_xy, self.animals_likelihood


@dataclass(frozen=True, slots=True, eq=False)
class Scoremaps:
    """All scoremaps of one frame.

    Parameters
    ----------
    key : FrameKey
    model_version : int
    maps : float array, (K, h, w)
        In [0, 1].
    grid : ScoremapGrid
    """

    key: FrameKey
    model_version: int
    maps: NDArray[np.floating]
    grid: ScoremapGrid
