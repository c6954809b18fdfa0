"""Frames that look like those in which the model lost a bodypart.

The idea of SIMILAR (Kothawade, Beck, Killamsetty & Iyer, "SIMILAR: Submodular Information Measures Based Active
Learning In Realistic Scenarios", NeurIPS 2021): some examples of what is rare and matters are known, and unlabelled
ones like them are asked for. Here they are the labelled frames in which the model that had not seen the label was more
than .2 of the animal's length off (`Extra.ERRORS_LABELLED`). With ``k`` the Gaussian kernel of `Herd` and ``u`` the
doubt of the model of today, a frame ``j`` of the pool is worth

    w_j = u_j * max over mistakes m of k(f_j, f_m)

to be covered, and frames are chosen greedily for the worth that they cover and no label does. What the model has learnt
since is doubted less, and so counts less. The paper takes validation examples for the query. Errors on frames that were
labelled anyway leave the hold-out frames to what they are for: an honest estimate.

While no mistake is known, all frames count by the doubt alone, as in `uherding`.

Cost: image features and one pass of the network for each frame, then O(4,000 N d).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.extras import Extra
from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.formatting import percent_of_pool
from napari_al_pose.acquisition.ordering import share_below
from napari_al_pose.acquisition.quotas import systematic
from napari_al_pose.acquisition.reliability import LOST
from napari_al_pose.acquisition.strategies.herding import herd_scores, kernel_width, mean_doubt, unit_labelled
from napari_al_pose.acquisition.strategies.kcenter import usable_rows
from napari_al_pose.acquisition.strategy import Batching, Explanation, Requires, ScoreContext
from napari_al_pose.acquisition.vectors import unit_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class LikeMistakes:
    """Rank frames by how much they cover of what looks like the model's mistakes, and is still in doubt."""

    name: str = "mistakes"
    title: str = "Like the model's mistakes"
    summary: str = "Frames that look like labelled ones in which the model had lost a bodypart"
    family: Family = Family.DOUBT
    requires: Requires = Requires.PREDICTIONS | Requires.FEATURES
    wants: frozenset[Extra] = frozenset({Extra.ERRORS_LABELLED})
    fallback: str = "uherding"
    batching: Batching = Batching.BEST
    cost: str = "image features once a frame and a pass of the network, then O(4,000 N d)"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return what each frame adds to what is labelled or ranked before it, ``(N,)``, in [0, 1]."""
        order, rows, _ = usable_rows(context)
        return herd_scores(context, order, rows, mean_doubt(context)[order] * _likeness(context, rows))

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Say how the frame compares in likeness to mistakes."""
        order, rows, _ = usable_rows(context)
        place = np.flatnonzero(order == index)
        if not len(place):
            return Explanation(sentence="no usable image features")
        if not len(_mistakes(context)):
            share = share_below(self.score(context), index)
            return Explanation(
                sentence=f"no mistake is known yet; looks like more doubtful frames than {percent_of_pool(share)}"
            )
        share = share_below(_likeness(context, rows), int(place[0]))
        return Explanation(sentence=f"looks more like a frame with a lost bodypart than {percent_of_pool(share)}")


def _mistakes(context: ScoreContext) -> NDArray[np.floating]:
    """Return the unit features of labelled frames in which a bodypart was lost, (m, d)."""
    errors = context.extra.get(Extra.ERRORS_LABELLED)
    if context.labelled_features is None or errors is None:
        return np.zeros((0, 1))
    found = unit_rows(context.labelled_features[np.nan_to_num(errors) > LOST])
    return found[found.any(axis=1)]


def _likeness(context: ScoreContext, rows: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how much each row looks like the mistake most like it, (n,), in [0, 1]; 1 if no mistake is known."""
    mistakes, labelled = _mistakes(context), unit_labelled(context, rows)
    if not len(mistakes):
        return np.ones(len(rows))
    width = kernel_width(labelled, rows[systematic(len(rows), min(len(rows), 500), 0.5)])
    nearest = np.maximum(2.0 - 2.0 * (rows @ mistakes.T).astype(np.float64).max(axis=1), 0.0)
    likeness: NDArray[np.float64] = np.exp(-nearest / width**2)
    return likeness
