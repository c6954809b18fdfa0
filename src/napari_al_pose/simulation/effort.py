"""The annotator's time in each workflow: seconds until a target error, compared with labelling from scratch.

Every round of a workflow is a point (seconds so far, error). Mean curves over replicates are interpolated on log2 of
the seconds. Intervals come from the hierarchical bootstrap over folds and seeds (`statistics`); all workflows are drawn
together, since they are paired.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.simulation.statistics import Replicate, draws
from napari_al_pose.simulation.workflows import FROM_SCRATCH, Actions, Costs

TARGETS = (40, 20)
"""The error from scratch at this budget is the target: the first of these that was played."""

_DRAWS = 2000
FACTORS = (0.5, 2.0)
"""Factors on each cost, to see what the answer depends on."""


@dataclass(frozen=True, slots=True)
class EffortResult:
    """One workflow on one data set.

    Parameters
    ----------
    seconds_to_target : float
        Until the mean error reaches that of from scratch at the target budget; infinite if it never does, the first
        round's seconds if it starts there.
    ratio : float
        Relative to the seconds of from scratch.
    interval : (float, float)
        Of the ratio, 95 %.
    aulc_seconds, aulc_frames : float
        Area under the mean curve over log2 of seconds, and of frames, divided by its width, in the range that all
        workflows cover.
    seconds, frames, clicks, errors : tuple of float
        Mean at each budget.
    noc, noc_mended : tuple of float
        Mean clicks until every point of a test frame is within the tolerance, at each budget.
    sensitivity : dict of str to float
        The ratio with one cost halved or doubled, such as ``drag x 2``.
    n_replicates : int
    """

    seconds_to_target: float
    ratio: float
    interval: tuple[float, float]
    aulc_seconds: float
    aulc_frames: float
    seconds: tuple[float, ...]
    frames: tuple[float, ...]
    clicks: tuple[float, ...]
    errors: tuple[float, ...]
    noc: tuple[float, ...]
    noc_mended: tuple[float, ...]
    sensitivity: dict[str, float]
    n_replicates: int


@dataclass(frozen=True, slots=True, eq=False)
class _Curves:
    """Rounds of a workflow, (replicates, budgets) each."""

    rows: list[list[dict[str, Any]]]

    def of(self, name: str) -> NDArray[np.float64]:
        return np.array([[float(row[name]) for row in rows] for rows in self.rows])

    def work(self, name: str) -> NDArray[np.float64]:
        return np.array([[float(row["work"][name]) for row in rows] for rows in self.rows])

    def seconds(self, costs: Costs) -> NDArray[np.float64]:
        names = [field.name for field in fields(Actions)]
        return np.array(
            [[Actions(**{n: int(row["work"][n]) for n in names}).seconds(costs) for row in rows] for rows in self.rows]
        )


def summarise_effort(
    rounds: Sequence[dict[str, Any]], *, budgets: Sequence[int], target: int | None, costs: Costs
) -> dict[str, EffortResult]:
    """Summarise the workflows played on one data set; empty without from scratch.

    Only replicates that every workflow has completed count.
    """
    played = _complete(rounds, budgets)
    if FROM_SCRATCH not in played:
        return {}
    both = sorted(set.intersection(*(set(found) for found in played.values())))
    if not both:
        return {}
    wanted = TARGETS if target is None else (target, *TARGETS)
    at = list(budgets).index(next((budget for budget in wanted if budget in budgets), budgets[-1]))
    curves = {name: _Curves([found[replicate] for replicate in both]) for name, found in played.items()}
    weights = draws(both, 0)[:_DRAWS]
    weights = weights / weights.sum(axis=1, keepdims=True)
    seconds = {name: curve.seconds(costs) for name, curve in curves.items()}
    return {name: _result(curve, name, curves, seconds, weights, at=at, costs=costs) for name, curve in curves.items()}


def _complete(rounds: Sequence[dict[str, Any]], budgets: Sequence[int]) -> dict[str, dict[Replicate, list[Any]]]:
    found: dict[str, dict[Replicate, dict[int, dict[str, Any]]]] = {}
    for row in rounds:
        if "work" in row:
            found.setdefault(row["arm"], {}).setdefault((row["fold"], row["seed"]), {})[row["budget"]] = row
    complete = {
        arm: {r: [by_budget[b] for b in budgets] for r, by_budget in of.items() if set(budgets) <= by_budget.keys()}
        for arm, of in found.items()
    }
    return {arm: of for arm, of in complete.items() if of}


def _result(
    curve: _Curves,
    name: str,
    curves: Mapping[str, _Curves],
    seconds: Mapping[str, NDArray[np.float64]],
    weights: NDArray[np.float64],
    *,
    at: int,
    costs: Costs,
) -> EffortResult:
    base, own = curves[FROM_SCRATCH], seconds[name]
    errors, target = curve.of("error"), base.of("error")
    even = np.full((1, len(own)), 1 / len(own))
    found = _ratios(own, errors, seconds[FROM_SCRATCH], target, even, at)[0]
    drawn = [one for _, one in _ratios(own, errors, seconds[FROM_SCRATCH], target, weights, at)]
    low, high = (float(value) for value in np.quantile(drawn, [0.025, 0.975], method="nearest"))
    others = [field.name for field in fields(Costs)]
    sensitivity = {}
    for cost, factor in itertools.product(others, FACTORS):
        changed = replace(costs, **{cost: factor * getattr(costs, cost)})
        again = _ratios(curve.seconds(changed), errors, base.seconds(changed), target, even, at)[0][1]
        sensitivity[f"{cost} x {factor:g}"] = again
    frames = {other: c.of("n_labelled") for other, c in curves.items()}
    return EffortResult(
        seconds_to_target=found[0],
        ratio=found[1],
        interval=(low, high),
        aulc_seconds=_area(own, errors, list(seconds.values())),
        aulc_frames=_area(frames[name], errors, list(frames.values())),
        seconds=_means(own),
        frames=_means(frames[name]),
        clicks=_means(curve.work("clicks")),
        errors=_means(errors),
        noc=_means(curve.work("noc")),
        noc_mended=_means(curve.work("noc_mended")),
        sensitivity=sensitivity,
        n_replicates=len(own),
    )


def _ratios(
    seconds: NDArray[np.float64],
    errors: NDArray[np.float64],
    base_seconds: NDArray[np.float64],
    base_errors: NDArray[np.float64],
    weights: NDArray[np.float64],
    at: int,
) -> list[tuple[float, float]]:
    """Return seconds to the target and their ratio to the baseline's, for each row of weights over replicates."""
    result = []
    for x, y, x0, y0 in zip(
        weights @ seconds, weights @ errors, weights @ base_seconds, weights @ base_errors, strict=True
    ):
        target = float(y0[at])
        took, base = seconds_to_reach(x, y, target), seconds_to_reach(x0, y0, target)
        result.append((took, took / base))
    return result


def seconds_to_reach(seconds: NDArray[np.float64], errors: NDArray[np.float64], target: float) -> float:
    """Return the seconds at which a curve first reaches ``target``, interpolated between rounds on a log2 scale.

    Infinite if it never does; the first round's if it starts there.
    """
    if errors[0] <= target:
        return float(seconds[0])
    for (x0, y0), (x1, y1) in itertools.pairwise(zip(seconds.tolist(), errors.tolist(), strict=True)):
        if y1 <= target:
            return float(x0 * (x1 / x0) ** ((y0 - target) / (y0 - y1)))
    return math.inf


def _area(x: NDArray[np.float64], y: NDArray[np.float64], all_x: Sequence[NDArray[np.float64]]) -> float:
    """Return the mean area under replicates' curves over log2 x, in the range that every curve covers."""
    low, high = max(float(one[:, 0].max()) for one in all_x), min(float(one[:, -1].min()) for one in all_x)
    if not 0 < low < high:
        return math.nan
    grid = np.linspace(np.log2(low), np.log2(high), 65)
    heights = [np.interp(grid, np.log2(xs), ys) for xs, ys in zip(x, y, strict=True)]
    return float(np.mean([np.trapezoid(h, grid) / (grid[-1] - grid[0]) for h in heights]))


def _means(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(values.mean(axis=0).tolist())
