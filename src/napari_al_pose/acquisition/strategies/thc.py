"""Temporal heatmap continuity: do the scoremaps change from one frame to the next?

"THC" of VATL4Pose (WACV 2024): the mean over bodyparts of the L1 distance of a frame's scoremaps to those of the frame
before, plus that to the frame after. If one neighbour is missing, the other counts twice; a frame without any can't be
scored. VATL4Pose crops its maps to the true box in each frame, so that a moving animal stands still in them. Here the
neighbour's maps are shifted by the distance between the centres of the predicted poses. The sum depends on how wide and
high the peaks are, so it is divided by the sum of both maps, and a bodypart's term lies in [0, 1].

Cost: one more pass of the network for each frame (two if both neighbours are available), then O(K h w).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.extras import Extra
from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.strategies.lightning_temporal import NO_NEIGHBOUR
from napari_al_pose.acquisition.strategy import Explanation, Requires, ScoreContext, explain_by_worst


def scoremap_change(
    maps: NDArray[np.floating], others: NDArray[np.floating], *, relative: bool = True
) -> NDArray[np.float64]:
    """Return the L1 distance of scoremaps ``(..., h, w)``, divided by the sum of both if ``relative``.

    0 where both are empty.
    """
    a, b = np.asarray(maps, np.float64), np.asarray(others, np.float64)
    change = np.abs(a - b).sum(axis=(-2, -1))
    if not relative:
        return change
    total = np.abs(a).sum(axis=(-2, -1)) + np.abs(b).sum(axis=(-2, -1))
    result: NDArray[np.float64] = np.where(total > 0, change / np.where(total > 0, total, 1.0), 0.0)
    return result


def shifted(maps: NDArray[np.floating], cells: tuple[int, int]) -> NDArray[np.floating]:
    """Return ``(K, h, w)`` maps moved by ``cells`` (columns, rows) and filled up with zeros."""
    columns, rows = cells
    height, width = maps.shape[-2:]
    result = np.zeros_like(maps)
    if abs(rows) < height and abs(columns) < width:
        to = (slice(max(0, rows), height + min(0, rows)), slice(max(0, columns), width + min(0, columns)))
        of = (slice(max(0, -rows), height + min(0, -rows)), slice(max(0, -columns), width + min(0, -columns)))
        result[:, *to] = maps[:, *of]
    return result


def continuity(change: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the sum of the changes ``(N, 2, ...)`` to both neighbours; the other one stands in for a missing one."""
    before, after = (np.asarray(change, np.float64)[:, side] for side in (0, 1))
    before, after = np.where(np.isfinite(before), before, after), np.where(np.isfinite(after), after, before)
    return before + after


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatmapContinuity:
    """Rank frames by how much their scoremaps differ from the neighbouring frames'."""

    name: str = "thc"
    title: str = "Changing scoremaps (THC)"
    summary: str = "Frames whose scoremaps differ from those of the frames before and after"
    family: Family = Family.DOUBT
    requires: Requires = Requires.NONE
    needs: frozenset[Extra] = frozenset({Extra.SCOREMAP_CHANGE})
    fallback: str = "mpe"
    cost: str = "two or three passes of the network a frame, then O(K h w)"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return the mean changes, ``(N,)``, in [0, 2]."""
        return continuity(context.extra_of(Extra.SCOREMAP_CHANGE)).mean(axis=-1)

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Give each bodypart's change, and word the largest."""
        change = continuity(context.extra_of(Extra.SCOREMAP_CHANGE)[index : index + 1])[0]
        return explain_by_worst(
            context,
            change,
            lambda name, value: f"{name}: its scoremap changes by {value / 2:.0%} from one frame to the next",
            otherwise=NO_NEIGHBOUR,
        )
