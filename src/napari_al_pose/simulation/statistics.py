"""Curves, areas and paired differences, with intervals that allow for dependent replicates."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import trapezoid
from scipy.stats import permutation_test

BOOTSTRAPS = 10_000
EQUIVALENCE_SHARE = 0.01
"""Two arms count as equal within this margin, as a share of the baseline's area."""

_EXACT_UP_TO = 16
_SIGN_FLIPS = 65_536

Replicate = tuple[int, int]
"""Fold and seed."""


def aulc(budgets: Sequence[int], errors: Sequence[float]) -> float:
    """Return the area under the learning curve over log2 of the budget, divided by its width: a mean error.

    Uses trapezoids. ``[20, 40, 80, 160]`` and ``[.5, .4, .3, .25]`` give 0.358333. Budgets that start at 0 are used
    without the logarithm.
    """
    x = np.asarray(budgets, np.float64)
    if x[0] > 0:
        x = np.log2(x)
    y = np.asarray(errors, np.float64)
    return float(trapezoid(y, x) / (x[-1] - x[0]))


@dataclass(frozen=True, slots=True)
class Difference:
    """One arm compared with the baseline, in pairs of the same fold and seed.

    Parameters
    ----------
    mean : float
        Mean difference of AULC, negative if the arm is better.
    low, high : float
        95 % interval, hierarchical bootstrap over folds, then seeds.
    p : float
        Two-sided sign-flip permutation, exact up to 16 pairs.
    n_pairs, n_better : int
        Pairs, and those in which the arm is better.
    sd : float
        Of the paired differences.
    detectable : float
        Difference that this number of pairs would detect with 80 % power: ``2.8 sd / sqrt(n)``.
    margin : float
        Equivalence margin.
    """

    mean: float
    low: float
    high: float
    p: float
    n_pairs: int
    n_better: int
    sd: float
    detectable: float
    margin: float

    @property
    def verdict(self) -> str:
        """``better``, ``worse``, ``equal`` (the interval lies within the margin) or ``undecided``."""
        if self.high < 0:
            return "better"
        if self.low > 0:
            return "worse"
        return "equal" if -self.margin < self.low and self.high < self.margin else "undecided"


def compare(arm: Mapping[Replicate, float], baseline: Mapping[Replicate, float], *, seed: int = 0) -> Difference:
    """Compare AULCs by fold and seed; only common replicates count.

    Raises
    ------
    ValueError
        If there is no common replicate.
    """
    both = sorted(arm.keys() & baseline.keys())
    if not both:
        raise ValueError("Expected a fold and seed that both arms have, got none.")
    differences = np.array([arm[r] - baseline[r] for r in both])
    n = len(both)
    low, high = hierarchical_interval(dict(zip(both, differences.tolist(), strict=True)), seed=seed)
    sd = float(differences.std(ddof=1)) if n > 1 else math.nan
    return Difference(
        mean=float(differences.mean()),
        low=low,
        high=high,
        p=sign_flip_p(differences, seed=seed),
        n_pairs=n,
        n_better=int((differences < 0).sum()),
        sd=sd,
        detectable=2.8 * sd / math.sqrt(n),
        margin=EQUIVALENCE_SHARE * float(np.mean([baseline[r] for r in both])),
    )


def hierarchical_interval(values: Mapping[Replicate, float], *, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of the mean: folds are drawn with replacement, then seeds within each drawn fold."""
    weights = draws(sorted(values), seed)
    means = weights @ np.array([values[r] for r in sorted(values)]) / weights.sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def paired_ratio(
    arm: Mapping[Replicate, float], baseline: Mapping[Replicate, float], *, seed: int = 0
) -> tuple[float, float, float] | None:
    """Return the ratio of the means with its 95 % interval, each pair drawn together; None where the baseline is 0."""
    both = sorted(arm.keys() & baseline.keys())
    own, base = (np.array([values[r] for r in both]) for values in (arm, baseline))
    if not base.any():
        return None
    weights = draws(both, seed)
    below = weights @ base
    if not below.all():
        return None
    low, high = np.quantile(weights @ own / below, [0.025, 0.975])
    return float(own.mean() / base.mean()), float(low), float(high)


def draws(replicates: Sequence[Replicate], seed: int) -> NDArray[np.float64]:
    """Return how often each replicate is in each bootstrap sample, (BOOTSTRAPS, n)."""
    rng = np.random.default_rng(seed)
    by_fold: dict[int, list[int]] = {}
    for i, (fold, _) in enumerate(replicates):
        by_fold.setdefault(fold, []).append(i)
    folds = list(by_fold.values())
    weights = np.zeros((BOOTSTRAPS, len(replicates)))
    drawn = rng.integers(len(folds), size=(BOOTSTRAPS, len(folds)))
    rows = np.arange(BOOTSTRAPS)
    for slot in range(len(folds)):
        for number, members in enumerate(folds):
            here = rows[drawn[:, slot] == number]
            picks = rng.integers(len(members), size=(len(here), len(members)))
            for column in range(len(members)):
                # Each fold has the same weight, however many of its seeds were played.
                np.add.at(weights, (here, np.array(members)[picks[:, column]]), 1.0 / len(members))
    return weights


def sign_flip_p(differences: NDArray[np.float64], *, seed: int = 0) -> float:
    """Return the two-sided p of the mean difference under random signs: all of them up to 16 pairs, else 65,536."""
    scale = np.abs(differences).sum()
    if len(differences) < 2 or scale == 0:
        return 1.0

    def distance(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        # Rounded, because sums of the same numbers in another order differ in the last bits.
        return np.round(np.abs(values.sum(axis=axis)) / scale, 9)

    n_signs = _SIGN_FLIPS if len(differences) <= _EXACT_UP_TO else _SIGN_FLIPS - 1  # the actual signs count too
    found = permutation_test(
        (differences,),
        distance,
        permutation_type="samples",
        alternative="greater",
        n_resamples=n_signs,
        vectorized=True,
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)


def holm(ps: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p values, in the given order."""
    order = np.argsort(ps, kind="stable")
    adjusted = np.empty(len(ps))
    largest = 0.0
    for rank, i in enumerate(order.tolist()):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[i]))
        adjusted[i] = largest
    return adjusted.tolist()


def labels_to_reach(budgets: Sequence[int], errors: Sequence[float], target: float) -> float:
    """Return the labels at which a curve first reaches ``target``, interpolated on a log2 scale (linear from 0).

    Infinite if it never does; the first budget if it starts there.
    """
    if errors[0] <= target:
        return float(budgets[0])
    for (b0, e0), (b1, e1) in itertools.pairwise(zip(budgets, errors, strict=True)):
        if e1 <= target:
            share = (e0 - target) / (e0 - e1)
            return float(b0 * (b1 / b0) ** share if b0 > 0 else b0 + share * (b1 - b0))
    return math.inf


def labels_interval(
    budgets: Sequence[int],
    arm: Mapping[Replicate, Sequence[float]],
    baseline: Mapping[Replicate, Sequence[float]],
    *,
    at: int,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Return how many labels the arm's mean curve needs for the baseline's mean error at ``at`` labels.

    Returns
    -------
    (estimate, low, high)
        Labels, with the 95 % hierarchical bootstrap interval; infinite if the arm never gets there.
    """
    both = sorted(arm.keys() & baseline.keys())
    ours, theirs = (np.array([curve[r] for r in both], np.float64) for curve in (arm, baseline))
    column = list(budgets).index(at)
    estimate = labels_to_reach(budgets, ours.mean(axis=0).tolist(), float(theirs.mean(axis=0)[column]))
    weights = draws(both, seed)[:2000]
    weights = weights / weights.sum(axis=1, keepdims=True)
    drawn = [
        labels_to_reach(budgets, curve.tolist(), float(target))
        for curve, target in zip(weights @ ours, weights @ theirs[:, column], strict=True)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975], method="nearest")
    return estimate, float(low), float(high)
