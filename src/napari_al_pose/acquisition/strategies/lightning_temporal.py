"""Temporal norm: does a bodypart jump from one frame to the next?

Biderman et al., "Lightning Pose", Nature Methods 2024: ``T_t,k = |y_t,k - y_t-1,k|`` in pixels. A frame's score is the
mean over bodyparts of the quantile in the pool of ``max(T_t, T_t+1)``. A frame without any neighbour can't be scored. A
fast animal also jumps, so `above_rolling_median` subtracts what is usual around that time of that video.

Cost: one more pass of the network for each frame, or two if both neighbours are available.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.extras import Extra
from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.fusion import aggregate
from napari_al_pose.acquisition.ordering import key_columns, key_order
from napari_al_pose.acquisition.strategy import Explanation, Requires, ScoreContext, explain_by_worst, given
from napari_al_pose.domain import FrameKey

NO_NEIGHBOUR = "no neighbouring frame to compare with"
_WINDOW = 11


def explain_steps(context: ScoreContext, steps: NDArray[np.floating]) -> Explanation:
    """Give each bodypart's step in pixels, ``(K,)``, and word the largest."""
    return explain_by_worst(
        context, steps, lambda name, step: f"{name}: {step:.0f} px from one frame to the next", otherwise=NO_NEIGHBOUR
    )


def largest_step(xy: NDArray[np.floating], neighbours: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the larger of the steps from and to the neighbours, ``(N, K)``; NaN without any.

    Parameters
    ----------
    xy : float array, (N, K, 2)
        Pixels.
    neighbours : float array, (N, 2, K, 2)
        One frame before and one after.
    """
    steps = np.linalg.norm(np.asarray(neighbours, np.float64) - np.asarray(xy)[:, None], axis=-1)
    largest = np.where(np.isfinite(steps), steps, -np.inf).max(axis=1)
    return np.where(np.isfinite(largest), largest, np.nan)


def above_rolling_median(values: NDArray[np.floating], keys: Sequence[FrameKey]) -> NDArray[np.float64]:
    """Subtract from ``(N, K)`` values the median of the 11 frames of the pool around each, in the same video."""
    import pandas as pd

    result = np.asarray(values, np.float64).copy()
    known = np.where(np.isfinite(result), result, np.nan)
    video, _ = key_columns(keys)
    order = key_order(keys)
    for number in np.unique(video):
        rows = order[video[order] == number]
        rolling = pd.DataFrame(known[rows]).rolling(_WINDOW, center=True, min_periods=1)
        result[rows] -= rolling.median().fillna(0.0).to_numpy()
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporalNorm:
    """Rank frames by how far their bodyparts jump from and to the neighbouring frames.

    Parameters
    ----------
    above_usual : bool
        Whether to subtract the rolling median of the video first.
    """

    name: str = "temporal"
    title: str = "Jumps in time (Lightning Pose)"
    summary: str = "Frames in which predicted bodyparts jump from the frame before or to the frame after"
    family: Family = Family.DOUBT
    requires: Requires = Requires.PREDICTIONS
    needs: frozenset[Extra] = frozenset({Extra.NEIGHBOUR_XY})
    fallback: str = "least_confidence"
    cost: str = "two or three passes of the network a frame"
    above_usual: bool = False

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return the mean quantiles, ``(N,)``, in (0, 1]."""
        return aggregate(self.steps(context), "quantile")

    def steps(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return the steps that are compared, ``(N, K)``, pixels."""
        steps = largest_step(given(context.xy, "predictions"), context.extra_of(Extra.NEIGHBOUR_XY))
        return above_rolling_median(steps, context.keys) if self.above_usual else steps

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Give each bodypart's step in pixels, and word the largest."""
        steps = largest_step(
            given(context.xy, "predictions")[index : index + 1],
            context.extra_of(Extra.NEIGHBOUR_XY)[index : index + 1],
        )[0]
        return explain_steps(context, steps)
