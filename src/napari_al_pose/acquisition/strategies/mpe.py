"""Multiple peak entropy: is there more than one place where the bodypart could be?

Liu & Ferrari, "Active Learning for Human Pose Estimation", ICCV 2017. For bodypart ``k`` of a frame, the sum runs over
the local maxima ``m`` of its scoremap:

    MPE_k = -sum_m p_m ln p_m    (nats)

We take ``p_m = h_m / sum(h)`` over the peaks above an absolute and a relative floor, which does not depend on the scale
of the maps. A bodypart without any peak counts ``ln 5``, the most possible, as a network that has learnt nothing must
not look certain. The published code takes the softmax of the raw heights, which depends on the scale. On maps in [0, 1]
it lies between 1.488 and 1.609 for five peaks, and calls two peaks of equal height clearer than a single one. On maps
that reach 30 it calls heights of 24 and 12 certain.

Cost: one pass of the network a frame, then O(K h w).
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.formatting import peaks_sentence
from napari_al_pose.acquisition.fusion import Aggregation, aggregate
from napari_al_pose.acquisition.peaks import Peaks, find_peaks
from napari_al_pose.acquisition.strategy import Explanation, Requires, ScoreContext, given
from napari_al_pose.domain import BodypartReason, ScoremapGrid


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiplePeakEntropy:
    """Rank frames by the entropy of their scoremaps' peaks.

    Parameters
    ----------
    mode : {"sum", "softmax"}
        How peak heights become probabilities: divided by their sum, or by a softmax of ``beta`` times them.
    beta : float
        Inverse temperature of the softmax.
    aggregation : {"quantile", "mean", "max", "sum"}
        How the bodyparts' values become the frame's. The default is the mean over bodyparts of the entropy's quantile
        in the pool: like Liu & Ferrari's mean, but a bodypart that is nearly always hidden cannot dominate the ranking.
    min_distance : int, optional
        Radius of the peak's neighbourhood in cells; by default 2, or 3 % of the width of maps wider than 64.
    threshold_abs, threshold_rel : float or None
        Floors of a peak: its height, and its share of the map's maximum.
    max_peaks : int
        Peaks that count, highest first.
    exclude_border : bool
        Leave out peaks within ``min_distance`` of the border.
    no_peak_entropy : float, optional
        Entropy of a bodypart without a peak; by default that of ``max_peaks`` equal peaks.
    """

    name: str = "mpe"
    title: str = "Multiple peak entropy (MPE)"
    summary: str = "Frames in which the model sees several places for a bodypart, or none"
    family: Family = Family.DOUBT
    short_list: int = 3
    requires: Requires = Requires.SCOREMAPS
    cost: str = "one pass of the network a frame, then O(K h w)"
    mode: Literal["sum", "softmax"] = "sum"
    beta: float = 1.0
    aggregation: Aggregation = "quantile"
    min_distance: int | None = None
    threshold_abs: float | None = 0.05
    threshold_rel: float | None = 0.1
    max_peaks: int = 5
    exclude_border: bool = False
    no_peak_entropy: float | None = None

    def peaks(self, maps: NDArray[np.floating]) -> Peaks:
        """Find the peaks that count in maps ``(..., h, w)``."""
        width = maps.shape[-1]
        distance = self.min_distance or (2 if width <= 64 else round(0.03 * width))
        return find_peaks(
            maps,
            min_distance=distance,
            threshold_abs=self.threshold_abs,
            threshold_rel=self.threshold_rel,
            max_peaks=self.max_peaks,
            exclude_border=self.exclude_border,
        )

    def entropies(self, peaks: Peaks) -> NDArray[np.float64]:
        """Return the entropy of each map's peaks, ``(...)``, in nats."""
        heights = peaks.values
        present = np.isfinite(heights)
        if self.mode == "softmax":
            top = np.where(present[..., :1], heights[..., :1], 0.0)
            weights = np.where(present, np.exp(self.beta * (np.where(present, heights, top) - top)), 0.0)
        else:
            weights = np.where(present, np.maximum(heights, 0.0), 0.0)
        total = weights.sum(axis=-1, keepdims=True)
        shares = weights / np.where(total > 0, total, 1.0)
        entropy = -(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(axis=-1)
        nothing = math.log(self.max_peaks) if self.no_peak_entropy is None else self.no_peak_entropy
        # Rounded so that sums of equal parts in another order are ties, not ranks.
        result: NDArray[np.float64] = np.where(present.any(axis=-1), np.maximum(entropy, 0.0), nothing)
        return result.round(9)

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return the frames' scores, ``(N,)``."""
        return aggregate(self.entropies(self.peaks(given(context.scoremaps, "scoremaps"))), self.aggregation)

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Give each bodypart's entropy and peaks, and word the most ambiguous one."""
        peaks = self.peaks(np.asarray(given(context.scoremaps, "scoremaps")[index]))
        entropies = self.entropies(peaks)
        bodyparts = context.skeleton.bodyparts
        reasons = tuple(
            BodypartReason(bodypart, float(entropies[k]), peaks_in_source(peaks, k, context.grid_of(index)))
            for k, bodypart in enumerate(bodyparts)
        )
        # Among equally clear bodyparts, name the faintest.
        most = max(range(len(bodyparts)), key=lambda k: (entropies[k], -np.nan_to_num(peaks.values[k, 0])))
        return Explanation(reasons, peaks_sentence(bodyparts[most], int(peaks.counts[most])))


def mpe_as_al4pose() -> MultiplePeakEntropy:
    """Return MPE as in the code of "Active Learning for Human Pose" (Shukla), for maps in [0, 1].

    Softmax of heights times 30 (its target peaks are 30 high), summed over bodyparts, an 11 x 11
    neighbourhood and *no peak within 5 cells of the border*; a bodypart without a peak counts nothing.
    """
    return dataclasses.replace(
        MultiplePeakEntropy(),
        name="mpe_al4pose",
        family=Family.VARIANT,
        short_list=0,
        title="MPE as in AL4Pose",
        summary="Multiple peak entropy with the settings of the AL4Pose code, for comparison",
        mode="softmax",
        beta=30.0,
        aggregation="sum",
        min_distance=5,
        threshold_abs=None,
        threshold_rel=None,
        exclude_border=True,
        no_peak_entropy=0.0,
    )


def mpe_as_residency() -> MultiplePeakEntropy:
    """Return MPE as in the DeepLabCut AI Residency's code.

    Softmax of heights as they are, the largest over bodyparts, a 5 x 5 neighbourhood, no floor but zero.
    """
    return dataclasses.replace(
        MultiplePeakEntropy(),
        name="mpe_residency",
        family=Family.VARIANT,
        short_list=0,
        title="MPE as in the DeepLabCut residency",
        summary="Multiple peak entropy with the settings of the DeepLabCut AI Residency, for comparison",
        mode="softmax",
        beta=1.0,
        aggregation="max",
        min_distance=2,
        threshold_abs=0.0,
        threshold_rel=None,
    )


def peaks_in_source(peaks: Peaks, bodypart: int, grid: ScoremapGrid | None) -> tuple[tuple[float, float, float], ...]:
    """Return ``(x, y, height)`` in source pixels; nothing if nobody knows where the map lies."""
    if grid is None:
        return ()
    n = int(peaks.counts[bodypart])
    cells = np.stack([peaks.columns[bodypart, :n], peaks.rows[bodypart, :n]], axis=-1).astype(np.float64)
    heights = peaks.values[bodypart, :n]
    return tuple((float(x), float(y), float(h)) for (x, y), h in zip(grid.to_source(cells), heights, strict=True))
