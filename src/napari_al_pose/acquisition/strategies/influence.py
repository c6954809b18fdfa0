"""Influence: how much of the pool does a frame represent?

Liu & Ferrari, "Active Learning for Human Pose Estimation", ICCV 2017, and the DeepLabCut AI Residency:

    influence(i) = 1 / (n - 1) * sum over j != i of cos(f_i, f_j)

This is the mean cosine similarity of frame ``i`` to every other frame of the pool; the frame with the highest is the
most representative. The residency ranks by the smallest summed cosine distance, which gives the same order.
(VATL4Pose's code sums distances and takes the *largest*, which picks outliers.)

With unit rows ``u`` and their sum ``g``, the sum over ``j`` is ``u_i . g - u_i . u_i``, which takes O(N d) and no N x N
matrix. The most influential frames are copies of one another, so the batch has to be spread over clusters.

By default, features are those of the backbone that the pose network starts from. The paper and the residency use
AlexNet's after ``fc6``; the residency also names DINO, for which we use DINOv2. Both need weights from the internet,
once.

Cost: image features once a frame, then O(N d).
"""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.extras import Extra
from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.formatting import rank_sentence
from napari_al_pose.acquisition.strategy import Explanation, Requires, ScoreContext, given
from napari_al_pose.acquisition.vectors import row_chunks, unit_rows

logger = logging.getLogger(__name__)


def mean_cosine_similarity(features: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return each row's mean cosine similarity to all other rows.

    Parameters
    ----------
    features : float array, (N, d)
        One row a frame; need not be normalised.

    Returns
    -------
    float64 array, (N,)
        In [-1, 1]. NaN for rows that are zero or not finite (others are not compared with them), and if there is
        nothing to compare with.
    """
    unit = unit_rows(features)
    total = np.zeros(unit.shape[1])
    for part in row_chunks(unit):
        total += unit[part].sum(axis=0, dtype=np.float64)
    result = np.full(len(unit), np.nan)
    own = np.zeros(len(unit))
    for part in row_chunks(unit):
        rows = unit[part].astype(np.float64)
        own[part] = np.einsum("nd,nd->n", rows, rows)
        result[part] = rows @ total - own[part]
    usable = own > 0.5
    if not usable.all():
        logger.warning(
            "%s of %s frames have no usable image features; they are ranked last.", (~usable).sum(), len(own)
        )
    others = int(usable.sum()) - 1
    return np.where(usable, result / others, np.nan) if others > 0 else np.full(len(unit), np.nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class Influence:
    """Rank frames by their mean cosine similarity to the rest of the pool.

    Parameters
    ----------
    needs : frozenset of Extra
        The one kind of features to compare; if empty, those of the pool.
    """

    name: str = "influence"
    title: str = "Influence (most typical)"
    summary: str = "Frames that look most like the other candidate frames: each label stands for many frames"
    family: Family = Family.TYPICAL
    requires: Requires = Requires.FEATURES
    cost: str = "image features once a frame, then O(N d)"
    needs: frozenset[Extra] = frozenset()
    fallback: str = "influence"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return the mean similarities, ``(N,)``."""
        for name in self.needs:
            return mean_cosine_similarity(context.extra_of(name))
        return mean_cosine_similarity(given(context.features, "features"))

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Say which share of the pool the frame is more typical than."""
        sentence = rank_sentence(
            self.score(context),
            index,
            more="more typical than",
            most="the most typical of the candidate frames",
            least="the least typical of the candidate frames",
        )
        return Explanation(sentence=sentence)


def influence_on_alexnet() -> Influence:
    """Return influence on AlexNet's ``fc6``, as Liu & Ferrari and the residency use it."""
    return dataclasses.replace(
        Influence(),
        name="influence_alexnet",
        family=Family.VARIANT,
        title="Influence on AlexNet's fc6",
        summary="Frames that look most like the other candidates to AlexNet, as in Liu & Ferrari and the residency",
        requires=Requires.NONE,
        needs=frozenset({Extra.ALEXNET}),
        cost="AlexNet's weights (233 MB, once), one pass of it a frame, then O(N d)",
    )


def influence_on_dinov2() -> Influence:
    """Return influence on DINOv2's class token."""
    return dataclasses.replace(
        Influence(),
        name="influence_dinov2",
        family=Family.VARIANT,
        title="Influence on DINOv2",
        summary="Frames that look most like the other candidates to DINOv2, which was trained without labels",
        requires=Requires.NONE,
        needs=frozenset({Extra.DINOV2}),
        cost="DINOv2's weights (84 MB, once), one pass of it a frame, then O(N d)",
    )
