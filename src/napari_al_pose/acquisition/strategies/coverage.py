"""Coverage: how much of the pool would a label on this frame represent that no label represents yet?

Facility location (Wei, Iyer & Bilmes, "Submodularity in Data Subset Selection and Active Learning", ICML 2015): labels
``L`` cover frame ``j`` as well as the most similar one of them does. A frame is worth what it would add,

    gain(i) = 1 / n * sum over j of max(0, cos(f_i, f_j) - max over l in L of cos(f_l, f_j))

Without labels this equals influence (`napari_al_pose.acquisition.strategies.influence`), apart from negative
similarities. With labels it is influence on what they leave uncovered. Influence alone keeps asking for typical frames
that are labelled already.

At most 4,000 evenly drawn frames represent the pool that is to be covered.

Cost: image features once a frame, then O(4,000 N d) at most.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.formatting import rank_sentence
from napari_al_pose.acquisition.ordering import key_order
from napari_al_pose.acquisition.quotas import systematic
from napari_al_pose.acquisition.strategy import Explanation, Requires, ScoreContext, given
from napari_al_pose.acquisition.vectors import unit_rows

_MOST_COVERED = 4_000
_BLOCK = 1_024


def coverage_gain(
    features: NDArray[np.floating], labelled_features: NDArray[np.floating] | None
) -> NDArray[np.float64]:
    """Return what each row would add to the coverage of all rows by the labelled ones.

    Parameters
    ----------
    features : float array, (N, d)
        One row a frame; need not be normalised.
    labelled_features : float array, (M, d), optional
        The same of labelled frames.

    Returns
    -------
    float64 array, (N,)
        In [0, 1] without labels, in [0, 2] with them; NaN for rows that are zero or not finite.
    """
    unit = unit_rows(features)
    usable = unit.any(axis=1)
    open_ = unit[usable][systematic(int(usable.sum()), min(int(usable.sum()), _MOST_COVERED), 0.5)]
    covered = np.zeros(len(open_), unit.dtype)
    if labelled_features is not None and len(labelled_features):
        labelled = unit_rows(np.asarray(labelled_features, unit.dtype))
        covered = (open_ @ labelled[labelled.any(axis=1)].T).max(axis=1, initial=-1.0)
    gain = np.full(len(unit), np.nan)
    rows = np.flatnonzero(usable)
    for start in range(0, len(rows), _BLOCK):
        part = rows[start : start + _BLOCK]
        added = np.maximum(unit[part] @ open_.T - covered, 0.0)
        gain[part] = added.mean(axis=1, dtype=np.float64)
    return gain


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Rank frames by what a label on them would newly cover."""

    name: str = "coverage"
    title: str = "Coverage (facility location)"
    summary: str = "Frames that stand for many candidates unlike any labelled frame"
    family: Family = Family.TYPICAL
    short_list: int = 4
    requires: Requires = Requires.FEATURES
    cost: str = "image features once a frame, then O(4,000 N d) at most"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return the gains, ``(N,)``."""
        order = key_order(context.keys)  # so that the frames that stand for the pool don't depend on the rows' order
        scores = np.full(len(order), np.nan)
        scores[order] = coverage_gain(given(context.features, "features")[order], context.labelled_features)
        return scores

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Say which share of the pool would add less."""
        sentence = rank_sentence(
            self.score(context),
            index,
            more="stands for more unlabelled frames than",
            most="stands for more unlabelled frames than any other",
            least="stands for fewer unlabelled frames than any other",
        )
        return Explanation(sentence=sentence)
