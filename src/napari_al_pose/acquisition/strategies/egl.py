"""EGL++: how much would the model change if this frame were labelled like one of the labelled frames?

Shukla, "Bayesian Uncertainty and Expected Gradient Length - Regression: Two Sides Of The Same Coin?", WACV 2022:

    score(i) = sum over labelled j of p(j | i) |d l(H^_i, H^_j) / d theta|^2

where ``l`` is the mean squared error of scoremaps and ``H^`` are the model's scoremaps. ``p(j | i)`` is proportional to
``exp(-|e_i - e_j|^2 / 2 sigma_i^2)`` in the model's averaged features ``e``; a perplexity of ``min(20, M / 3)`` sets
``sigma_i``. The published code raises 2 to an entropy in nats, so that its 20 is 75; ours raises e. Only the 30 nearest
labelled frames count, and of ``theta`` only the last layer: its gradient is a product of residuals and features and
needs no backward pass. `egl_full` takes all convolutions, with thirty backward passes for each frame, for comparison.

Cost: one pass of the network a frame and for each labelled frame, then O(30 K C h w); the full form 30 backward
passes a frame.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.extras import Extra
from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.strategy import Explanation, Requires, ScoreContext

PERPLEXITY = 20.0
_TOLERANCE, _HALVINGS = 1e-9, 100


def neighbour_probabilities(distance: NDArray[np.floating], perplexity: float) -> tuple[NDArray[np.float64], float]:
    """Return ``p`` over the distances ``(M,)`` and the ``sigma`` for which ``exp(entropy)`` is ``perplexity``.

    If the perplexity exceeds the number of rows, all rows are equally likely.
    """
    squared = np.asarray(distance, np.float64) ** 2
    squared = squared - squared.min()
    if perplexity >= len(squared):
        return np.full(len(squared), 1 / len(squared)), float("inf")
    low, high = 1e-12, 1e12  # of sigma squared
    for _ in range(_HALVINGS):
        middle = np.sqrt(low * high)
        found = float(np.exp(_entropy(_shares(squared, middle))))
        if abs(found - perplexity) < _TOLERANCE:
            break
        low, high = (middle, high) if found < perplexity else (low, middle)
    return _shares(squared, middle), float(np.sqrt(middle))


def _shares(squared: NDArray[np.float64], variance: float) -> NDArray[np.float64]:
    weights = np.maximum(np.exp(-squared / (2 * variance)), 1e-30)
    return weights / weights.sum()


def _entropy(shares: NDArray[np.float64]) -> float:
    return float(-(shares * np.log(shares)).sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedGradientLength:
    """Rank frames by the gradient they would give if they were labelled like the labelled frames."""

    name: str = "egl"
    title: str = "Expected gradient (EGL++)"
    summary: str = "Frames that would change the model most if they turned out like labelled ones they resemble"
    family: Family = Family.DOUBT
    requires: Requires = Requires.LABELS
    needs: frozenset[Extra] = frozenset({Extra.EMBEDDING, Extra.EMBEDDING_LABELLED, Extra.GRADIENT_LENGTHS})
    fewest_labels: int = 30
    fallback: str = "mpe"
    cost: str = "one pass of the network a frame, then O(30 K C h w)"

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return the expected squared gradient lengths, ``(N,)``."""
        likely = self._probabilities(context)
        lengths = self._lengths(context)
        return (likely * np.nan_to_num(lengths)).sum(axis=1)

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Name the labelled frame that it resembles most."""
        likely = self._probabilities(context)[index]
        nearest = int(np.argmax(np.round(likely, 9)))
        share = f"like a labelled frame with probability {likely[nearest]:.0%}"
        if nearest < len(context.labelled_keys):
            key = context.labelled_keys[nearest]
            share = f"like {key.video}, frame {key.frame}, with probability {likely[nearest]:.0%}"
        return Explanation(sentence=f"{share}, and the model says otherwise")

    def _lengths(self, context: ScoreContext) -> NDArray[np.float64]:
        name = next(name for name in self.needs if name not in (Extra.EMBEDDING, Extra.EMBEDDING_LABELLED))
        return np.asarray(context.extra_of(name), np.float64)

    def _probabilities(self, context: ScoreContext) -> NDArray[np.float64]:
        own = np.asarray(context.extra_of(Extra.EMBEDDING), np.float64)
        labelled = np.asarray(context.extra_of(Extra.EMBEDDING_LABELLED), np.float64)
        perplexity = max(1.0, min(PERPLEXITY, len(labelled) / 3))
        return np.stack([neighbour_probabilities(np.linalg.norm(labelled - e, axis=1), perplexity)[0] for e in own])


def egl_full() -> ExpectedGradientLength:
    """Return EGL++ over all convolutions, as published."""
    return dataclasses.replace(
        ExpectedGradientLength(),
        name="egl_full",
        family=Family.VARIANT,
        title="Expected gradient of all layers (EGL++)",
        summary="EGL++ as published, over all layers; to compare with the last layer's",
        needs=frozenset({Extra.EMBEDDING, Extra.EMBEDDING_LABELLED, Extra.FULL_GRADIENT_LENGTHS}),
        fallback="egl",
        cost="up to 30 backward passes a frame: minutes for hundreds of frames",
    )
