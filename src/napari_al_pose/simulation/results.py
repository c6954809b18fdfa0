"""Turns rounds into results: curves, comparisons, labels to a target."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_al_pose.simulation.statistics import (
    Difference,
    Replicate,
    aulc,
    compare,
    hierarchical_interval,
    holm,
    labels_interval,
    paired_ratio,
)

PRIMARY = "hybrid"
"""The primary question compares this arm with the baseline; others are secondary and corrected by Holm."""

TARGET = 40


TAILS = ("lost", "worst_decile", "worst_videos", "missed", "extra")
"""Measures of `napari_al_pose.simulation.measures.Errors` that say what goes wrong."""


@dataclass(frozen=True, slots=True)
class TailResult:
    """One arm by one measure of what goes wrong.

    Parameters
    ----------
    curve : tuple of float
        Mean at each budget.
    aulc : float
    difference : Difference or None
        From the baseline; None for the baseline itself.
    ratio : (float, float, float) or None
        At the last budget: the mean over the baseline's, with the 95 % interval. None for the baseline itself, and
        where the baseline's is 0.
    """

    curve: tuple[float, ...]
    aulc: float
    difference: Difference | None
    ratio: tuple[float, float, float] | None


@dataclass(frozen=True, slots=True)
class ArmResult:
    """The results of one arm on one data set.

    Parameters
    ----------
    arm : str
    curve, low, high : tuple of float
        Mean error at each budget, with its 95 % interval over replicates.
    aulc : float
    difference : Difference or None
        From the baseline; None for the baseline itself.
    p_holm : float
        Holm's p among the secondary comparisons; for the primary one the plain p.
    tails : dict of str to TailResult
        Measures of what goes wrong: "lost", "worst_decile", "worst_videos" and, of several animals,
        "missed", "extra"; empty if rounds lack them.
    labels : (float, float, float)
        Labels for the baseline's error at the target budget, with the interval; infinite if never reached.
    pck : dict of str to float
        Mean share of keypoints within a fifth, and within half, of the reference length at the last budget.
    keypoints : float
        Mean number of visible keypoints labelled at the last budget.
    videos_better : (int, int)
        Test videos on which it is better than the baseline at equal budgets on average, and all of them.
    fallbacks : int
        Rounds in which another strategy had to choose.
    """

    arm: str
    curve: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    aulc: float
    difference: Difference | None
    p_holm: float
    tails: dict[str, TailResult]
    labels: tuple[float, float, float]
    pck: dict[str, float]
    keypoints: float
    videos_better: tuple[int, int]
    fallbacks: int


@dataclass(frozen=True, slots=True)
class DatasetResult:
    """All arms on one data set, the baseline first."""

    dataset: str
    baseline: str
    budgets: tuple[int, ...]
    target: int
    n_replicates: int
    n_folds: int
    arms: tuple[ArmResult, ...]

    def arm(self, name: str) -> ArmResult | None:
        """Return an arm by name; None if it was not played."""
        return next((arm for arm in self.arms if arm.arm == name), None)


def summarise_rounds(
    rounds: Sequence[dict[str, Any]], *, budgets: Sequence[int], arms: Sequence[str], baseline: str, target: int | None
) -> list[DatasetResult]:
    """Summarise each data set; only replicates played at every budget of an arm count."""
    results = []
    for dataset in sorted({row["dataset"] for row in rounds}):
        own = [row for row in rounds if row["dataset"] == dataset]
        curves = {arm: _curves(own, arm, budgets) for arm in arms}
        curves = {arm: found for arm, found in curves.items() if found}
        if baseline in curves:
            results.append(_dataset(dataset, own, curves, budgets, baseline, target))
    return results


def _curves(
    rows: Sequence[dict[str, Any]], arm: str, budgets: Sequence[int], measure: str = "error"
) -> dict[Replicate, list[float]]:
    """Return a measure at each budget, of replicates that have it at all of them."""
    found: dict[Replicate, dict[int, float]] = {}
    for row in rows:
        if row["arm"] == arm and row.get(measure) is not None:
            found.setdefault((row["fold"], row["seed"]), {})[row["budget"]] = row[measure]
    return {r: [errors[b] for b in budgets] for r, errors in sorted(found.items()) if set(budgets) <= errors.keys()}


def _dataset(
    dataset: str,
    rows: Sequence[dict[str, Any]],
    curves: dict[str, dict[Replicate, list[float]]],
    budgets: Sequence[int],
    baseline: str,
    target: int | None,
) -> DatasetResult:
    at = next((b for b in (target, TARGET) if b is not None and b in budgets), budgets[-2])
    base = curves[baseline]
    areas = {arm: {r: aulc(budgets, errors) for r, errors in found.items()} for arm, found in curves.items()}
    names = [baseline, *(arm for arm in curves if arm != baseline and areas[arm].keys() & areas[baseline].keys())]
    differences = {arm: compare(areas[arm], areas[baseline]) for arm in names[1:]}
    secondary = [arm for arm in names[1:] if arm != PRIMARY]
    adjusted = dict(zip(secondary, holm([differences[arm].p for arm in secondary]), strict=True))
    arms = []
    for arm in names:
        found = curves[arm]
        bands = [hierarchical_interval({r: found[r][i] for r in found}) for i in range(len(budgets))]
        own = [row for row in rows if row["arm"] == arm and (row["fold"], row["seed"]) in found]
        last = [row for row in own if row["budget"] == budgets[-1]]
        difference = differences.get(arm)
        arms.append(
            ArmResult(
                arm=arm,
                curve=tuple(np.mean(list(found.values()), axis=0).tolist()),
                low=tuple(low for low, _ in bands),
                high=tuple(high for _, high in bands),
                aulc=float(np.mean(list(areas[arm].values()))),
                difference=difference,
                p_holm=math.nan if difference is None else adjusted.get(arm, difference.p),
                tails=_tails(rows, arm, baseline, budgets),
                labels=labels_interval(budgets, found, base, at=at),
                pck={share: float(np.mean([row[f"pck_{share}"] for row in last])) for share in ("0.2", "0.5")},
                keypoints=float(np.mean([row["keypoints"] for row in last])),
                videos_better=_videos_better(rows, arm, baseline),
                fallbacks=sum(bool(row.get("fallback")) for row in own),
            )
        )
    return DatasetResult(dataset, baseline, tuple(budgets), at, len(base), len({fold for fold, _ in base}), tuple(arms))


def _tails(rows: Sequence[dict[str, Any]], arm: str, baseline: str, budgets: Sequence[int]) -> dict[str, TailResult]:
    """Return what goes wrong with an arm, by measure."""
    found = {}
    for measure in TAILS:
        own, base = (_curves(rows, name, budgets, measure) for name in (arm, baseline))
        if own.keys() & base.keys():
            areas, base_areas = ({r: aulc(budgets, v) for r, v in c.items()} for c in (own, base))
            last, base_last = ({r: v[-1] for r, v in c.items()} for c in (own, base))
            found[measure] = TailResult(
                curve=tuple(np.mean(list(own.values()), axis=0).tolist()),
                aulc=float(np.mean(list(areas.values()))),
                difference=None if arm == baseline else compare(areas, base_areas),
                ratio=None if arm == baseline else paired_ratio(last, base_last),
            )
    return found


def _videos_better(rows: Sequence[dict[str, Any]], arm: str, baseline: str) -> tuple[int, int]:
    """Count the test videos on which the arm's mean error over common rounds is below the baseline's."""
    means = video_errors(rows, (arm, baseline))
    both = [videos for videos in means.values() if arm in videos and baseline in videos]
    return sum(videos[arm] < videos[baseline] for videos in both), len(both)


def video_errors(rows: Sequence[dict[str, Any]], arms: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return the mean error by video and arm over the rounds that all of ``arms`` played."""
    by_round: dict[tuple[int, int, int], dict[str, dict[str, float]]] = {}
    for row in rows:
        if row["arm"] in arms:
            by_round.setdefault((row["fold"], row["seed"], row["budget"]), {})[row["arm"]] = row["per_video"]
    errors: dict[str, dict[str, list[float]]] = {}
    for found in by_round.values():
        if set(arms) <= found.keys():
            for arm in arms:
                for video, error in found[arm].items():
                    if error is not None and math.isfinite(error):
                        errors.setdefault(video, {}).setdefault(arm, []).append(error)
    return {video: {arm: float(np.mean(v)) for arm, v in by_arm.items()} for video, by_arm in sorted(errors.items())}
