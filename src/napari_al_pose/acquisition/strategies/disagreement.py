"""Disagreement: do several looks at a frame put its bodyparts in the same places?

A frame's score is ``u = mean over k of tr Cov_t(y_k) / size^2``: the variance of the predicted places over ``T`` looks,
in animal sizes squared. There are three kinds of looks:

- MC-dropout (Gal & Ghahramani, ICML 2016; Caramalau et al., WACV 2021): a tenth of the pose network's last channels is
dropped at random. The network was trained without dropout, so this shows how much depends on few channels. - Test-time
augmentation: the frame is turned by 15 degrees and scaled by 0.8 and 1.25. It is not flipped, as left would become
right. - An ensemble: the newest model and the versions before it, if they have looked at the frame. They descend from
one another, so they agree more than independent models would (Lightning Pose trains five).

`CoreSetKnowledge` is Caramalau's CKE: k-centre on the mean places ``f`` drawn towards the origin by their deviation,
``f' = f - sign(f) alpha sigma`` with ``alpha = 0.3``. Its effect depends on where the origin is, so it is here for
comparison.

Cost: dropout repeats only the last layer. Augmentation takes five passes of the network for each frame. An ensemble
costs nothing, as its predictions are on disk.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.extras import Extra
from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.ordering import key_order
from napari_al_pose.acquisition.reliability import animal_size
from napari_al_pose.acquisition.strategies.kcenter import CHOSEN_PER_SLOT, farthest_first, nearest_distance
from napari_al_pose.acquisition.strategy import Batching, Explanation, Requires, ScoreContext, explain_by_worst, given

CKE_ALPHA = 0.3


def place_variance(looks: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return ``tr Cov`` of the places in looks ``(N, T, K, 2)``, ``(N, K)``, pixels squared; NaN below two looks."""
    looks = np.asarray(looks, np.float64)
    known = np.isfinite(looks).all(axis=-1, keepdims=True)
    count = known.sum(axis=1)
    mean = np.where(known, looks, 0).sum(axis=1) / np.maximum(count, 1)
    squares = (np.where(known, looks - mean[:, None], 0) ** 2).sum(axis=(1, 3))
    return np.where(count[..., 0] >= 2, squares / np.maximum(count[..., 0] - 1, 1), np.nan)


def size_of(context: ScoreContext) -> float:
    """Return the animal's size in pixels, from the labelled poses or else the predicted ones; 1 if it is unknown."""
    for poses in (context.labelled_xy, context.xy):
        if poses is not None and len(poses):
            size = animal_size(poses)
            if np.isfinite(size) and size > 0:
                return size
    return 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """Rank frames by the variance of their bodyparts' places over several looks."""

    name: str = "mc_dropout"
    title: str = "Disagreement under dropout (MC-dropout)"
    summary: str = "Frames whose predicted places move when some of the network's channels are dropped"
    family: Family = Family.DOUBT
    requires: Requires = Requires.PREDICTIONS
    needs: frozenset[Extra] = frozenset({Extra.DROPOUT_XY})
    fallback: str = "least_confidence"
    cost: str = "one pass of the network a frame, its last layer ten times"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return the mean variances, ``(N,)``, in animal sizes squared."""
        variance = self._variance(context, slice(None))
        known = np.isfinite(variance)
        mean = np.where(known, variance, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        return np.where(known.any(axis=1), mean / size_of(context) ** 2, np.nan)

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Give each bodypart's deviation in pixels, and word the largest."""
        deviation = np.sqrt(self._variance(context, slice(index, index + 1))[0])
        return explain_by_worst(
            context,
            deviation,
            lambda name, value: f"{name}: moves by {value:.1f} px between looks",
            otherwise="too few looks at this frame to compare",
        )

    def _variance(self, context: ScoreContext, rows: slice) -> NDArray[np.float64]:
        (name,) = self.needs
        return place_variance(context.extra_of(name)[rows])


def over_turned_copies() -> Disagreement:
    """Return disagreement over turned and scaled copies of the frame."""
    return dataclasses.replace(
        Disagreement(),
        name="tta",
        family=Family.DOUBT,
        title="Disagreement of turned copies (TTA)",
        summary="Frames whose predicted places move when the frame is turned or scaled",
        needs=frozenset({Extra.TURNED_XY}),
        cost="five passes of the network a frame",
    )


def over_versions() -> Disagreement:
    """Return disagreement over the versions of the model."""
    return dataclasses.replace(
        Disagreement(),
        name="ensemble",
        family=Family.DOUBT,
        title="Disagreement of versions (ensemble)",
        summary="Frames that the newest model sees differently from the versions before it",
        needs=frozenset({Extra.ENSEMBLE_XY}),
        cost="one pass of the network a frame; what earlier versions said is on disk",
    )


def shrunk(
    mean: NDArray[np.floating], deviation: NDArray[np.floating], alpha: float = CKE_ALPHA
) -> NDArray[np.float64]:
    """Return CKE's ``f - sign(f) alpha sigma``."""
    return np.asarray(mean, np.float64) - np.sign(mean) * alpha * deviation


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreSetKnowledge:
    """Rank frames by k-centre on predicted coordinates, drawn towards the origin by their deviation under dropout."""

    name: str = "cke"
    title: str = "Core-set on poses in doubt (CKE)"
    summary: str = "Frames whose predicted pose is far from any labelled one, less so where it is in doubt"
    family: Family = Family.VARIANT
    requires: Requires = Requires.PREDICTIONS | Requires.LABELS
    batching: Batching = Batching.BEST
    needs: frozenset[Extra] = frozenset({Extra.DROPOUT_XY})
    fallback: str = "duw"
    cost: str = "one pass of the network a frame, its last layer ten times, then O((M + n) N K)"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return the distance to the nearest labelled or higher-ranked pose, ``(N,)``, in animal sizes."""
        looks = np.asarray(context.extra_of(Extra.DROPOUT_XY), np.float64)
        size = size_of(context)
        order = key_order(context.keys)
        rows = shrunk(looks.mean(axis=1), looks.std(axis=1)).reshape(len(order), -1)[order] / size
        labelled = given(context.labelled_xy, "labelled poses")
        whole = labelled[np.isfinite(labelled).all(axis=(1, 2))].reshape(-1, rows.shape[1]) / size
        distance = nearest_distance(rows, whole) if len(whole) else np.linalg.norm(rows - rows.mean(axis=0), axis=1)
        picks, values, left = farthest_first(rows, distance, CHOSEN_PER_SLOT * context.batch_size)
        left[picks] = values
        scores = np.full(len(context.keys), np.nan)
        scores[order] = np.round(left, 9)
        return scores

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Say how far the nearest labelled pose is."""
        pose = np.asarray(context.extra_of(Extra.DROPOUT_XY)[index], np.float64).mean(axis=0)
        labelled = given(context.labelled_xy, "labelled poses")
        apart = np.linalg.norm(labelled - pose, axis=-1)
        mean = np.array([row[np.isfinite(row)].mean() if np.isfinite(row).any() else np.inf for row in apart])
        if not np.isfinite(mean).any():
            return Explanation(sentence="no labelled pose to compare with")
        return Explanation(sentence=f"the nearest labelled pose is {mean.min():.0f} px a bodypart away")
