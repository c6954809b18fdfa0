"""Frames of a data set in the form that training needs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import KeypointState, Skeleton
from napari_al_pose.pose import LabelledFrame


def labelled_frame(
    image: NDArray[np.uint8],
    xy: NDArray[np.float64],
    states: NDArray[np.int8],
    skeleton: Skeleton,
    *,
    taken: NDArray[np.bool_] | None = None,
) -> LabelledFrame:
    """Return a frame with its labels.

    Individuals that nobody looked at are left out, as in the loop; not every animal of the frame is labelled then.

    Parameters
    ----------
    image : uint8 array, (H, W, 3)
        RGB.
    xy : float64 array, (P, 2)
        Points as in `RawDataset`, pixels of ``image``.
    states : int8 array, (P,)
        `KeypointState` values.
    skeleton : Skeleton
        Says which points are whose.
    taken : bool array, (P,), optional
        Which are guesses that were taken as they are.
    """
    k = skeleton.n_bodyparts
    parts = [slice(start, start + k) for start in range(0, len(states), k)]
    animals = [
        LabelledFrame(image, xy[part], states[part], taken=None if taken is None else taken[part])
        for part in parts
        if len(parts) == 1 or (states[part] != KeypointState.UNSEEN).any()
    ]
    first, *others = animals
    return replace(first, others=tuple(others), every_animal=len(animals) == len(parts))
